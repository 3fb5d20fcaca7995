"""`kubectl port-forward`: a connection of the API server, and the program that answers it with Kubernetes' own code.

kubectl forwards ports by SPDY/3.1, which the API server unwraps from kubectl's WebSocket (Kubernetes v1.36.3,
pkg/registry/core/pod/rest/subresources.go). No maintained Python library speaks it, so a small Go program does:
toolchain/port_forward. The connection is TLS here and plain there.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path

from llm_d_gke.rehearsal.toolchain.build import binaries

log = logging.getLogger(__name__)

_CHUNK = 64 * 1024


def program() -> Path:
    """The program, which is built at its first use. Raises BuildError where it cannot be."""
    return binaries(["port-forward"], log.info)["port-forward"]


def serve(connection: ssl.SSLSocket, head: bytes, executable: Path, ports: Mapping[int, int]) -> None:
    """Serve one connection until one side closes it. `head` is the request that was read from it.

    `ports` are those of this machine by port of the pod.
    """
    own, child = socket.socketpair()
    with own:
        with child:
            words = [str(executable), str(child.fileno()), *(f"{port}={target}" for port, target in ports.items())]
            process = subprocess.Popen(words, pass_fds=[child.fileno()], stdin=subprocess.DEVNULL)
        try:
            own.sendall(head)
            _copy(connection, own)
        finally:
            own.close()
            process.terminate()
            process.wait()


def _copy(connection: ssl.SSLSocket, own: socket.socket) -> None:
    """Copy both ways until one side closes."""
    while True:
        ready = [connection] if connection.pending() else select.select([connection, own], [], [])[0]
        for source, target in ((connection, own), (own, connection)):
            if source in ready:
                data = source.recv(_CHUNK)
                if not data:
                    return
                target.sendall(data)
