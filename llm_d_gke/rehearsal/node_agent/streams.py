"""`kubectl exec` and `port-forward`: a connection of the API server, answered by a program with Kubernetes' own code.

The API server asks a kubelet by SPDY/3.1, which it unwraps from kubectl's WebSocket (Kubernetes v1.36.3,
pkg/registry/core/pod/rest/subresources.go). No maintained Python library speaks it, so a small Go program does:
toolchain/kubelet_streams. The connection is TLS here and plain there.
"""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llm_d_gke.rehearsal.host.servers import copy_both_ways
from llm_d_gke.rehearsal.toolchain.build import binaries

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a connection leads to: ports of this machine by port of the pod, or where a command runs.

    `environment` and `folder` are those of the process that plays a container; None where no command runs.
    """

    ports: Mapping[int, int] = field(default_factory=dict)
    environment: Mapping[str, str] | None = None
    folder: str | None = None


def program() -> Path:
    """The program, which is built at its first use. Raises BuildError where it cannot be."""
    return binaries(["kubelet-streams"], log.info)["kubelet-streams"]


def serve(connection: ssl.SSLSocket, head: bytes, executable: Path, place: Place) -> None:
    """Serve one connection until one side closes it. `head` is the request that was read from it."""
    own, child = socket.socketpair()
    with own:
        with child:
            words = [str(executable), str(child.fileno()), *(f"{port}={to}" for port, to in place.ports.items())]
            process = subprocess.Popen(
                words,
                pass_fds=[child.fileno()],
                stdin=subprocess.DEVNULL,
                env=place.environment,
                cwd=place.folder,
            )
        try:
            own.sendall(head)
            copy_both_ways(connection, own)
        finally:
            own.close()
            process.terminate()
            process.wait()
