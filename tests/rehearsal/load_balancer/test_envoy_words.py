"""A real Envoy says why a request got no answer, and the diagnosis names the cause by its words."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.operations.diagnose.messages import recognize
from tests.envoy import serving

BACKEND = "engine"


@contextmanager
def backend(*, hangs_up: bool) -> Iterator[int]:
    """The port of a server that accepts connections, and ends each as soon as it has a request, or never answers."""
    connections: list[socket.socket] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connections.append(connection)
                connection.recv(1)
                if hangs_up:
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield int(server.getsockname()[1])
        finally:
            for connection in connections:
                connection.close()


def cluster(port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {
        "name": BACKEND,
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": BACKEND, "endpoints": endpoints},
    }


@pytest.mark.parametrize(
    ("hangs_up", "status", "cause"), [(False, 504, "upstream-timeout"), (True, 503, "upstream-reset")]
)
def test_a_request_without_an_answer_has_its_cause(tmp_path: Path, hangs_up: bool, status: int, cause: str) -> None:
    action = {"route": {"cluster": BACKEND, "timeout": "0.2s"}}
    with (
        backend(hangs_up=hangs_up) as port,
        serving([], tmp_path, (), action=action, clusters=[cluster(port)]) as client,
    ):
        answer = client.post("/v1/chat/completions", json={})
    assert answer.status_code == status
    recognized = recognize("endpoint", answer.text, "the endpoint")
    assert recognized is not None
    assert recognized.id == cause
