"""The connection of the API server to Services: an HTTP CONNECT proxy, like konnectivity on GKE.

The API server connects to the cluster address of a Service, which no interface of this machine has. The proxy connects
it to the process of a pod. TLS passes through, so webhooks present the certificates of their own controllers.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import ssl
from collections.abc import Callable

from llm_d_gke.kube import Manifest, Manifests
from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.host.servers import TcpServer, copy_both_ways
from llm_d_gke.rehearsal.load_balancer.backends import ready_pods, target_port
from llm_d_gke.rehearsal.node_agent.pod_worker import Forward

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 5.0
_IDLE_SECONDS = 120.0
_LARGEST_HEAD = 16 * 1024

# (cluster address, port) -> port of a process on this machine, None without a ready pod
Resolve = Callable[[str, int], int | None]


def resolve(services: Manifests, pods: Manifests, forwards: list[Forward], host: str, port: int) -> int | None:
    """The local port of a ready pod behind a Service, None without one.

    `host` is the address of the Service, or its name in the cluster's DNS (`keda-operator.keda.svc.cluster.local`).
    """
    service = next((item for item in services if host in (item["spec"].get("clusterIP"), *_names(item))), None)
    ports = ((service or {}).get("spec") or {}).get("ports") or []
    entry = next((entry for entry in ports if entry["port"] == port), None)
    if service is None or entry is None:
        return None
    own = {(forward.address, forward.port): forward.target for forward in forwards}
    chosen = ready_pods(pods, service["metadata"]["namespace"], service["spec"].get("selector") or {})
    targets = (own.get((pod["status"]["podIP"], target_port(pod, entry) or 0)) for pod in chosen)
    return next((target for target in targets if target is not None), None)


def _names(service: Manifest) -> tuple[str, str]:
    name = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    return name, f"{name}.cluster.local"


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        words = self.rfile.readline(_LARGEST_HEAD).decode("ascii", errors="replace").split()
        while self.rfile.readline(_LARGEST_HEAD).strip():
            pass
        if len(words) < 2 or words[0] != "CONNECT":
            self._answer("405 Method Not Allowed")
            return
        host, _, port = words[1].rpartition(":")
        target = self.server.resolve(host.strip("[]"), int(port) if port.isdigit() else 0)
        if target is None:
            log.warning("no ready pod behind %s", words[1])
            self._answer("503 Service Unavailable")
            return
        try:
            upstream = socket.create_connection(("127.0.0.1", target), timeout=_CONNECT_SECONDS)
        except OSError as error:
            log.warning("%s: %s", words[1], error)
            self._answer("502 Bad Gateway")
            return
        with upstream:
            self._answer("200 Connection established")
            with contextlib.suppress(OSError):
                copy_both_ways(self.connection, upstream, _IDLE_SECONDS)

    def _answer(self, status: str) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(f"HTTP/1.1 {status}\r\n\r\n".encode())
            self.wfile.flush()


class _Server(TcpServer):
    resolve: Resolve


def serve(port: int, pki: Certificates, find: Resolve) -> Callable[[], None]:
    """Listen on 127.0.0.1 in the background. Returns a function that stops it. Raises OSError for a port in use."""
    return _serve(("127.0.0.1", port), find, pki.for_clients())


def serve_pods(address: tuple[str, int], find: Resolve) -> Callable[[], None]:
    """The same proxy for programs of pods, which name Services instead of addresses. They present no certificate."""
    return _serve(address, find, None)


def _serve(address: tuple[str, int], find: Resolve, context: ssl.SSLContext | None) -> Callable[[], None]:
    server = _Server(address, _Handler)
    server.resolve, server.context = find, context
    server.start()
    return server.stop
