"""A plain Service: each connection goes to one of the pods, whatever they do."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from llm_d_gke.operations.bench.service import PlainService


def pod(name: str, stack: ExitStack) -> str:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    return f"127.0.0.1:{server.server_port}"


@pytest.fixture
def pods() -> Iterator[list[str]]:
    with ExitStack() as stack:
        yield [pod("a", stack), pod("b", stack)]


def test_connections_are_spread_over_all_pods(pods: list[str]) -> None:
    with PlainService(pods) as service:
        seen = Counter(httpx.get(service.url, trust_env=False).text for _ in range(40))
    assert set(seen) == {"a", "b"}
    assert min(seen.values()) >= 8


def test_a_pod_that_is_gone_loses_its_connections_only(pods: list[str]) -> None:
    with PlainService([*pods, "127.0.0.1:1"]) as service:
        answers = 0
        for _ in range(30):
            try:
                answers += httpx.get(service.url, trust_env=False).status_code == 200
            except httpx.TransportError:
                continue
    assert 10 <= answers < 30
