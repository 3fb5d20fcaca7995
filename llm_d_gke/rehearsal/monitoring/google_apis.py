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
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx

from llm_d_gke.google_types import PROJECT_MEMBER
from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.host.servers import HttpHandler, HttpServer
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Cloud

log = logging.getLogger(__name__)

HOST = "monitoring.googleapis.com"
PROXY_PORT = 3128
# Roles with monitoring.timeSeries.list (cloud.google.com/iam/docs/roles-permissions/monitoring).
READERS = ("roles/monitoring.viewer", "roles/monitoring.editor", "roles/monitoring.admin", "roles/viewer")

_TOKEN_SECONDS = 3600
_ANSWER_SECONDS = 30.0

# (path with query) -> status and body of the stack's Prometheus
Forward = Callable[[str], tuple[int, bytes]]


def may_read_metrics(cloud: Cloud, member: str) -> bool:
    """Whether the project grants a member (`serviceAccount:PROJECT.svc.id.goog[namespace/account]`) a reading role."""
    return any(
        record.get("member") == member and record.get("role") in READERS
        for record in cloud.records(PROJECT_MEMBER).values()
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
        # Ports of metadata servers by account.
        self._metadata: dict[str, int] = {}
        self._servers: list[HttpServer] = []

    def start(self) -> int:
        """Serve monitoring.googleapis.com by TLS on 127.0.0.1 and return the port."""
        return self._serve("127.0.0.1", _monitoring_handler(self), self._pki.for_host(HOST))

    def stop(self) -> None:
        for server in self._servers:
            server.stop()
        self._servers.clear()
        self._metadata.clear()

    def _serve(self, host: str, handler: type[HttpHandler], context: ssl.SSLContext | None = None) -> int:
        server = HttpServer((host, 0), handler)
        server.context = context
        server.start()
        self._servers.append(server)
        return server.server_port

    def environment(self, namespace: str, account: str) -> dict[str, str]:
        """Variables of a pod's process: its proxy, the authority of Google's certificate, its metadata server."""
        name = f"{namespace}/{account}"
        if name not in self._metadata:
            self._metadata[name] = self._serve(self._host, _metadata_handler(self, name))
        return {
            "HTTPS_PROXY": f"http://{self._host}:{PROXY_PORT}",
            "SSL_CERT_FILE": str(self._pki.ca.absolute()),
            "GCE_METADATA_HOST": f"{self._host}:{self._metadata[name]}",
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
                HTTPStatus.FORBIDDEN, "Permission monitoring.timeSeries.list denied (or the resource may not exist)."
            )
        inner = prometheus_path(path)
        if inner is None:
            return _error(HTTPStatus.NOT_FOUND, f"{path} is not rehearsed: only the Prometheus API is")
        return self._forward(inner)


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


def _monitoring_handler(apis: GoogleApis) -> type[HttpHandler]:
    class Monitoring(HttpHandler):
        def do_GET(self) -> None:
            status, body = apis.answer(self.path, self.headers.get("Authorization", ""))
            self.reply(status, body, {"Content-Type": "application/json"})

    return Monitoring


def _metadata_handler(apis: GoogleApis, account: str) -> type[HttpHandler]:
    class Metadata(HttpHandler):
        """The metadata server of GKE for one service account of Kubernetes."""

        def do_GET(self) -> None:
            path = urlsplit(self.path).path.rstrip("/")
            kind = "text/plain"
            text = {
                "": "computeMetadata/\n",
                "/computeMetadata/v1/project/project-id": apis.project,
                "/computeMetadata/v1/universe/universe-domain": "googleapis.com",
            }.get(path)
            if path == "/computeMetadata/v1/instance/service-accounts/default/token":
                kind, text = "application/json", json.dumps(apis.token(account))
            status = HTTPStatus.NOT_FOUND if text is None else HTTPStatus.OK
            self.reply(status, (text or "").encode(), {"Content-Type": kind, "Metadata-Flavor": "Google"})

    return Metadata
