"""`kubectl logs`, `exec` and `port-forward`: requests of the API server to a kubelet, and the answers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.node_agent.kubelet_api import LogRequest, content, parse, serve
from llm_d_gke.rehearsal.node_agent.streams import Place, program
from tests.rehearsal.exec_client import HEADERS, execute

PATH = "/containerLogs/serving/chat-1/main"


@pytest.fixture
def pki(tmp_path: Path) -> Certificates:
    certificates = Certificates(tmp_path / "pki")
    certificates.create(["api-server"], ["127.0.0.1"])
    return certificates


class OnePod:
    def __init__(self, folder: Path) -> None:
        environment = {"GREETING": "hello", "PATH": "/usr/bin:/bin"}
        self.place = Place(environment=environment, folder=str(folder))

    def command_place(self, *place: str) -> Place | None:
        return self.place if place == ("serving", "chat-1", "main") else None

    def ports_place(self, *place: str) -> Place | None:
        return Place(ports={8000: 41234}) if place == ("serving", "chat-1") else None


@pytest.fixture
def port(tmp_path: Path, pki: Certificates) -> Iterator[int]:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "serving_chat-1_main.log").write_text("one\ntwo\nthree\n", encoding="utf-8")
    number, stop = serve(folder, pki, OnePod(folder), program)
    yield number
    stop()


def trusted(pki: Certificates) -> ssl.SSLContext:
    """Connections of the API server, whose certificate the kubelet checks."""
    context = ssl.create_default_context(cafile=str(pki.ca))
    context.load_cert_chain(pki.client("api-server"), pki.client_key("api-server"))
    return context


def ask(
    port: int, pki: Certificates, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=trusted(pki), timeout=5)
    connection.request(method, path, headers=dict(headers or {}))
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


EXEC = "/exec/serving/chat-1/main"


def run(
    port: int, pki: Certificates, *command: str, inputs: tuple[bytes, ...] = (), **options: str
) -> dict[int, bytes]:
    server = f"https://127.0.0.1:{port}"
    return execute(server, trusted(pki), EXEC, *command, inputs=inputs, protocol="v4.channel.k8s.io", **options)


def test_a_command_has_the_environment_and_folder_of_the_container(port: int, pki: Certificates) -> None:
    written = run(port, pki, "sh", "-c", "echo $GREETING; ls; echo no >&2", output="1", error="1")
    assert written[1] == b"hello\nserving_chat-1_main.log\n"
    assert written[2] == b"no\n"
    assert json.loads(written[3])["status"] == "Success"


def test_a_command_reads_input(port: int, pki: Certificates) -> None:
    written = run(port, pki, "head", "-n2", inputs=(b"\x00one\n", b"\x00two\n"), input="1", output="1")
    assert written[1] == b"one\ntwo\n"


def test_a_command_ends_although_its_input_is_open_and_something_keeps_its_output(port: int, pki: Certificates) -> None:
    written = run(port, pki, "sh", "-c", "sleep 60 & echo $!", input="1", output="1")
    os.kill(int(written[1]), signal.SIGKILL)
    assert json.loads(written[3])["status"] == "Success"


def test_a_command_may_have_a_terminal(port: int, pki: Certificates) -> None:
    size = b'\x04{"Width":101,"Height":33}'
    written = run(port, pki, "sh", "-c", "read x; stty size", inputs=(size, b"\x00x\n"), input="1", output="1", tty="1")
    assert b"33 101" in written[1]


@pytest.mark.parametrize(
    ("command", "code"),
    [(("sh", "-c", "exit 7"), "7"), (("sh", "-c", "kill -9 $$"), "137"), (("no-such",), "127")],
)
def test_the_exit_status_of_a_command_is_passed_on(
    port: int, pki: Certificates, command: tuple[str, ...], code: str
) -> None:
    result = json.loads(run(port, pki, *command, output="1")[3])
    assert result["reason"] == "NonZeroExitCode"
    assert result["details"]["causes"] == [{"reason": "ExitCode", "message": code}]


@pytest.mark.parametrize(
    ("path", "changes", "expected"),
    [
        ("/exec/serving/chat-2/main?command=ls", {}, (404, "no process")),
        (f"{EXEC}?output=1", {}, (400, "exec needs a command")),
        (f"{EXEC}?command=ls", {}, (400, "must specify at least 1 of stdin, stdout, stderr")),
        (f"{EXEC}?command=ls&output=1", {"Sec-WebSocket-Protocol": "v9.channel.k8s.io"}, (403, "")),
    ],
    ids=["no process", "no command", "no stream", "another protocol"],
)
def test_an_exec_that_cannot_be_is_refused(
    port: int, pki: Certificates, path: str, changes: Mapping[str, str], expected: tuple[int, str]
) -> None:
    status, sentence = ask(port, pki, path, headers={**HEADERS, **changes})
    assert (status, expected[1] in sentence) == (expected[0], True), sentence


def test_ports_are_forwarded_by_the_program(port: int, pki: Certificates) -> None:
    status, sentence = ask(port, pki, "/portForward/serving/chat-1", "POST")
    # As a kubelet answers a request without an upgrade.
    assert (status, "unable to upgrade" in sentence) == (400, True), sentence


def test_a_pod_without_processes_has_no_ports(port: int, pki: Certificates) -> None:
    status, sentence = ask(port, pki, "/portForward/serving/chat-2", "POST")
    assert (status, "no process that runs" in sentence) == (404, True), sentence


def test_what_is_not_rehearsed_says_so(port: int, pki: Certificates) -> None:
    status, sentence = ask(port, pki, "/attach/serving/chat-1/main?output=1", "POST")
    assert (status, "rehearsed" in sentence) == (501, True)


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
