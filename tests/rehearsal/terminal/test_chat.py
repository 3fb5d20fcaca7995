"""The request with which a rehearsal ends: to this machine, under the name that clients know."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from llm_d_gke.rehearsal import commands
from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.controllers.cert_manager import sign
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.chat import ask
from tests.stacks import plan_of

HOST = "llm.example.com"


class Handler(BaseHTTPRequestHandler):
    """Answers under one name, as a listener and a route with a host name do, after the first refusals."""

    refusals: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        is_known = self.headers["host"] == HOST
        text = json.dumps({"model": "m", "choices": [{"message": {"content": "Hello."}}]}).encode()
        self.send_response(self.refusals.pop() if self.refusals else 200 if is_known else 404)
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
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}", requested
    server.shutdown()
    server.server_close()


def test_a_gateway_of_one_name_is_asked_under_it(gateway: tuple[str, list[str]]) -> None:
    endpoint, requested = gateway
    assert ask(endpoint, HOST, "m", patience=0).text == "Hello."
    assert requested == [HOST]
    with pytest.raises(RehearsalError, match="404"):
        ask(endpoint, "127.0.0.1", "m", patience=0)


def test_a_new_key_is_known_after_a_moment(gateway: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint, _ = gateway
    monkeypatch.setattr(Handler, "refusals", [401, 403])
    assert ask(endpoint, HOST, "m").text == "Hello."
    monkeypatch.setattr(Handler, "refusals", [200, 400])
    with pytest.raises(RehearsalError, match="400"):
        ask(endpoint, HOST, "m")


def test_an_up_without_an_answer_names_the_next_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RehearsalError("the Gateway gave no chat answer: HTTP 500: fault filter abort")

    monkeypatch.setattr(commands, "ask", refuse)
    monkeypatch.setattr(commands, "client", lambda _: contextlib.nullcontext(SimpleNamespace(find=None)))
    monkeypatch.setattr(commands, "client_headers", lambda *_: {})
    with pytest.raises(RehearsalError, match="fault filter abort\n`make diagnose STACK=gpu` names the cause"):
        commands._ask(StackPaths("gpu"), plan_of("gpu"), "http://127.0.0.1", {}, "m")


_NO_SERVER = {"models[0].replicas": 0}
_SLEEPING = {"models[0].autoscaling": {"minimum": 0, "maximum": 1, "target": {"requestsPerReplica": 4}}}


@pytest.mark.parametrize(
    ("changes", "why"),
    [(_NO_SERVER, "replicas: 0"), (_SLEEPING, "autoscaling.minimum: 0"), ({"paused": True}, "paused")],
)
def test_an_up_of_a_stack_without_servers_says_why(changes: dict[str, Any], why: str) -> None:
    assert f"({why})" in commands._why_none_serves(plan_of("gpu", changes))


def _with_pods(monkeypatch: pytest.MonkeyPatch, *pods: dict[str, Any]) -> None:
    kube = SimpleNamespace(list=lambda *_, **__: list(pods))
    monkeypatch.setattr(commands, "client", lambda _: contextlib.nullcontext(kube))


def test_an_up_asks_a_model_that_has_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_pods(monkeypatch, {"metadata": {}})
    plan = plan_of("multi-model-gpu", _NO_SERVER)
    assert commands._to_ask(StackPaths("multi-model-gpu"), plan) is plan.models[1]


def test_an_up_after_which_planned_servers_are_missing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_pods(monkeypatch, {"metadata": {"deletionTimestamp": "now"}})
    with pytest.raises(RehearsalError, match="`make up STACK=gpu ARGS=--refresh`"):
        commands._to_ask(StackPaths("gpu"), plan_of("gpu"))
    assert commands._to_ask(StackPaths("gpu"), plan_of("gpu", _NO_SERVER)) is None
