"""The request with which a rehearsal ends: to this machine, under the name that clients know."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.controllers.cert_manager import sign
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.terminal.chat import ask

HOST = "llm.example.com"


class Handler(BaseHTTPRequestHandler):
    """Answers under one name, as a listener and a route with a host name do."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        is_known = self.headers["host"] == HOST
        text = json.dumps({"model": "m", "choices": [{"message": {"content": "Hello."}}]}).encode()
        self.send_response(200 if is_known else 404)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Nothing."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """Its URL, and the server names of clients before the TLS handshake."""
    Certificates(tmp_path).create(["admin"], ["127.0.0.1"])
    key, chain = sign(tmp_path, [HOST], "")
    (tmp_path / "tls.pem").write_bytes(key + chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")
    requested: list[str] = []
    context.sni_callback = lambda _socket, name, _context: requested.append(name or "")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}", requested
    server.shutdown()
    server.server_close()


def test_a_gateway_of_one_name_is_asked_under_it(gateway: tuple[str, list[str]]) -> None:
    endpoint, requested = gateway
    assert ask(endpoint, HOST, "m", patience=0).text == "Hello."
    assert requested == [HOST]
    with pytest.raises(RehearsalError, match="404"):
        ask(endpoint, "127.0.0.1", "m", patience=0)
