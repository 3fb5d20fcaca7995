"""The addresses of Google that a pod with Workload Identity uses to read metrics, on this machine.

`monitoring.googleapis.com` answers the Prometheus API of the stack's own Prometheus, to tokens whose service account
has a role that may read it. Pods reach it, and each other by the names of Services, through a proxy; programs find the
proxy by HTTPS_PROXY and the metadata server by GCE_METADATA_HOST, which Google's client libraries read.
"""

from __future__ import annotations

import json
import logging
import secrets
import ssl
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import httpx
import trustme

from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Cloud

log = logging.getLogger(__name__)

HOST = "monitoring.googleapis.com"
PROXY_PORT = 3128
# Roles with monitoring.timeSeries.list (cloud.google.com/iam/docs/roles-permissions/monitoring).
READERS = ("roles/monitoring.viewer", "roles/monitoring.editor", "roles/monitoring.admin", "roles/viewer")
IAM_MEMBER = "gcp:projects/iAMMember:IAMMember"

_TOKEN_SECONDS = 3600
_ANSWER_SECONDS = 30.0

# (path with query) -> status and body of the stack's Prometheus
Forward = Callable[[str], tuple[int, bytes]]


def may_read_metrics(cloud: Cloud, member: str) -> bool:
    """Whether the project grants a member (`serviceAccount:PROJECT.svc.id.goog[namespace/account]`) a reading role."""
    return any(
        record.get("member") == member and record.get("role") in READERS
        for record in cloud.records(IAM_MEMBER).values()
    )


def prometheus_path(path: str) -> str | None:
    """The path in Prometheus for one of Google's Prometheus API: `/api/v1/query?query=up`. None for another path."""
    url = urlsplit(path)
    parts = url.path.split("/")
    if len(parts) < 8 or parts[1:3] != ["v1", "projects"] or parts[4:7] != ["location", "global", "prometheus"]:
        return None
    return "/" + "/".join(parts[7:]) + (f"?{url.query}" if url.query else "")


class GoogleApis:
    """Serves Google's addresses of one stack on `127.<block>.0.3`.

    `forward` asks the stack's Prometheus, `cloud` returns the current state of the simulated Google Cloud.
    """

    def __init__(self, pki: Certificates, host: str, forward: Forward, cloud: Callable[[], Cloud]) -> None:
        self._pki, self._host, self._forward, self._cloud = pki, host, forward, cloud
        self._tokens: dict[str, str] = {}
        self._metadata: dict[str, ThreadingHTTPServer] = {}
        self._servers: list[ThreadingHTTPServer] = []

    def start(self) -> int:
        """Serve monitoring.googleapis.com by TLS on 127.0.0.1 and return the port."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _monitoring_handler(self))
        self._serve(server, self._context())
        return server.server_port

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers.clear()
        self._metadata.clear()

    def environment(self, namespace: str, account: str) -> dict[str, str]:
        """Variables of a pod's process: its proxy, the authority of Google's certificate, its metadata server."""
        name = f"{namespace}/{account}"
        if name not in self._metadata:
            server = ThreadingHTTPServer((self._host, 0), _metadata_handler(self, name))
            self._metadata[name] = server
            self._serve(server, None)
        return {
            "HTTPS_PROXY": f"http://{self._host}:{PROXY_PORT}",
            "SSL_CERT_FILE": str(self._pki.ca.absolute()),
            "GCE_METADATA_HOST": f"{self._host}:{self._metadata[name].server_port}",
        }

    def token(self, account: str) -> dict[str, object]:
        """A new access token of a service account of Kubernetes, as the metadata server answers it."""
        value = secrets.token_urlsafe(24)
        self._tokens[value] = account
        return {"access_token": value, "expires_in": _TOKEN_SECONDS, "token_type": "Bearer"}

    @property
    def project(self) -> str:
        return str((self._cloud().cluster or {}).get("project") or "")

    def answer(self, path: str, authorization: str) -> tuple[int, bytes]:
        """Status and body for a request to monitoring.googleapis.com."""
        account = self._tokens.get(authorization.removeprefix("Bearer "))
        if account is None:
            return _error(HTTPStatus.UNAUTHORIZED, "Request had invalid authentication credentials.")
        if not may_read_metrics(self._cloud(), f"serviceAccount:{self.project}.svc.id.goog[{account}]"):
            return _error(
                HTTPStatus.FORBIDDEN,
                "Permission monitoring.timeSeries.list denied (or the resource may not exist).",
            )
        inner = prometheus_path(path)
        if inner is None:
            return _error(HTTPStatus.NOT_FOUND, f"{path} is not rehearsed: only the Prometheus API is")
        return self._forward(inner)

    def _serve(self, server: ThreadingHTTPServer, context: ssl.SSLContext | None) -> None:
        server.daemon_threads = True
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), name="google", daemon=True).start()

    def _context(self) -> ssl.SSLContext:
        """TLS with a certificate of Google's host name by the stack's own authority."""
        authority = trustme.CA.from_pem(self._pki.ca.read_bytes(), self._pki.ca_key.read_bytes())
        leaf = authority.issue_cert(HOST)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        return context


def _error(status: HTTPStatus, message: str) -> tuple[int, bytes]:
    body = {"error": {"code": status.value, "message": message, "status": status.name}}
    return status.value, json.dumps(body).encode()


def ask_prometheus(base: str) -> Forward:
    """A `Forward` to the Prometheus at `base` (`http://127.64.0.3:9090`)."""
    client = httpx.Client(base_url=base, timeout=_ANSWER_SECONDS, trust_env=False)

    def forward(path: str) -> tuple[int, bytes]:
        try:
            response = client.get(path)
        except httpx.HTTPError as error:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, f"the stack's Prometheus does not answer: {error}")
        return response.status_code, response.content

    return forward


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        log.debug(format, *args)


def _monitoring_handler(apis: GoogleApis) -> type[_Handler]:
    class Monitoring(_Handler):
        def do_GET(self) -> None:
            status, body = apis.answer(self.path, self.headers.get("Authorization", ""))
            self.reply(status, body, {"Content-Type": "application/json"})

    return Monitoring


def _metadata_handler(apis: GoogleApis, account: str) -> type[_Handler]:
    class Metadata(_Handler):
        """The metadata server of GKE for one service account of Kubernetes."""

        def do_GET(self) -> None:
            path = urlsplit(self.path).path.rstrip("/")
            answers: Mapping[str, Callable[[], tuple[str, str]]] = {
                "": lambda: ("text/plain", "computeMetadata/\n"),
                "/computeMetadata/v1/project/project-id": lambda: ("text/plain", apis.project),
                "/computeMetadata/v1/universe/universe-domain": lambda: ("text/plain", "googleapis.com"),
                "/computeMetadata/v1/instance/service-accounts/default/token": lambda: (
                    "application/json",
                    json.dumps(apis.token(account)),
                ),
            }
            answer = answers.get(path)
            kind, text = answer() if answer is not None else ("text/plain", "")
            status = HTTPStatus.NOT_FOUND if answer is None else HTTPStatus.OK
            self.reply(status, text.encode(), {"Content-Type": kind, "Metadata-Flavor": "Google"})

    return Metadata
