"""Conditions that end the windows of faults, against servers of this process."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

import pytest
import trustme

from llm_d_gke.kube import Kube
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.stackfile import PROJECT_ROOT

from .faults import FAULTS, StackUnderLoad
from .traffic import Request, Steady


class _Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "12")
        self.end_headers()
        self.wfile.write(b'{"usage":{}}')

    def log_message(self, *_: object) -> None: ...


@contextmanager
def _serving(certificate: trustme.LeafCert | None = None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _stack(address: str) -> StackUnderLoad:
    request = Request(address, "model", "is the number.", trusted=False)
    return StackUnderLoad(StackPaths("gpu"), cast(Kube, None), Steady(request, 100.0), request)


def test_a_replaced_certificate_is_seen_by_new_connections() -> None:
    authority = trustme.CA()
    issued, other = (authority.issue_cert("llm.example.com") for _ in range(2))
    with _serving(issued) as address:
        served = _stack(address).certificate()
    assert served == ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    assert served != ssl.PEM_cert_to_DER_cert(other.cert_chain_pems[0].bytes().decode())


def test_traffic_waits_for_answers_to_requests_sent_after_a_moment() -> None:
    with _serving() as address, _stack(address).load as load:
        load.await_answers(3)
        moment = max(sample.ended for sample in load.samples)
        load.await_answers(2, since=moment)
        assert len(load.answers(moment)) >= 2


def test_requests_that_are_not_answered_do_not_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.rehearsal.e2e.traffic.PATIENCE", 0.1)
    with _stack("http://127.0.0.1:1").load as load, pytest.raises(TimeoutError, match="not 1 answers"):
        load.await_answers(1)
    assert load.unanswered


def test_the_page_has_a_row_for_each_fault() -> None:
    page = (PROJECT_ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    assert [name for name in FAULTS if f"\n| {name} | " not in page] == []
