"""`kubectl logs`: requests of the API server to a kubelet, and the answers."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.node_agent.kubelet_api import LogRequest, content, parse, serve

PATH = "/containerLogs/serving/chat-1/main"


@pytest.fixture
def pki(tmp_path: Path) -> Certificates:
    certificates = Certificates(tmp_path / "pki")
    certificates.create(["api-server"], ["127.0.0.1"])
    return certificates


@pytest.fixture
def port(tmp_path: Path, pki: Certificates) -> Iterator[int]:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "serving_chat-1_main.log").write_text("one\ntwo\nthree\n", encoding="utf-8")
    number, stop = serve(folder, pki)
    yield number
    stop()


def ask(port: int, pki: Certificates, path: str, method: str = "GET") -> tuple[int, str]:
    context = ssl.create_default_context(cafile=str(pki.ca))
    context.load_cert_chain(pki.client("api-server"), pki.client_key("api-server"))
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=5)
    connection.request(method, path)
    response = connection.getresponse()
    return response.status, response.read().decode()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "one\ntwo\nthree\n"),
        ("?tailLines=1", "three\n"),
        ("?tailLines=0", ""),
        ("?tailLines=9", "one\ntwo\nthree\n"),
        ("?limitBytes=5", "one\nt"),
        ("?tailLines=2&limitBytes=3", "two"),
    ],
)
def test_a_log_is_shown_as_asked_for(port: int, pki: Certificates, query: str, expected: str) -> None:
    assert ask(port, pki, PATH + query) == (200, expected)


def test_a_container_without_a_log_is_not_found(port: int, pki: Certificates) -> None:
    status, sentence = ask(port, pki, "/containerLogs/serving/chat-2/main")
    assert (status, sentence) == (404, "container main of chat-2 has written no log\n")


@pytest.mark.parametrize("verb", ["exec", "attach", "portForward"])
def test_what_is_not_rehearsed_says_so(port: int, pki: Certificates, verb: str) -> None:
    status, sentence = ask(port, pki, f"/{verb}/serving/chat-1/main?command=ls", "POST")
    assert status == 501
    assert "is not rehearsed" in sentence


def test_clients_without_a_certificate_are_refused(port: int, pki: Certificates) -> None:
    context = ssl.create_default_context(cafile=str(pki.ca))
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=5)

    def without_certificate() -> None:
        connection.request("GET", PATH)
        connection.getresponse()

    with pytest.raises(OSError, match=r"."):
        without_certificate()


@pytest.mark.parametrize("path", ["/containerLogs/a/b", "/containerLogs/a/..%2F..%2Fpki/c", "/metrics", "/"])
def test_other_paths_are_no_logs(path: str) -> None:
    assert parse(path) is None


def test_following_yields_what_is_appended_until_the_end(tmp_path: Path) -> None:
    log = tmp_path / "n_p_c.log"
    log.write_bytes(b"one\n")
    ended = threading.Event()
    pieces = content(LogRequest("n", "p", "c", follow=True, tail=5), tmp_path, ended.is_set)
    assert next(pieces) == b"one\n"
    with log.open("ab") as file:
        file.write(b"two\n")
    assert next(pieces) == b"two\n"
    ended.set()
    assert list(pieces) == []
