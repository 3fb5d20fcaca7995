"""The proxy through which the API server reaches pods."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.host.ports import Ports
from llm_d_gke.rehearsal.load_balancer.konnectivity import serve, serve_pods


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    certificates = Certificates(tmp_path_factory.mktemp("pki"))
    certificates.create(["api-server"], ["127.0.0.1"])
    return certificates


@contextmanager
def _connected(port: int, context: ssl.SSLContext | None) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=5.0) as plain:
        if context is None:
            yield plain
            return
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
            yield tls


def _client(pki: Certificates, *, certificate: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pki.ca))
    if certificate:
        context.load_cert_chain(pki.client("api-server"), pki.client_key("api-server"))
    return context


@pytest.mark.parametrize("is_api_server", [True, False])
def test_a_connection_reaches_the_process_of_a_pod(pki: Certificates, is_api_server: bool) -> None:
    port = Ports().take(1)
    with socket.create_server(("127.0.0.1", 0)) as pod:
        pod.settimeout(5.0)
        target = pod.getsockname()[1]
        find = {("10.96.0.9", 443): target}.get
        if is_api_server:
            stop = serve(port, pki, lambda host, number: find((host, number)))
        else:
            stop = serve_pods(("127.0.0.1", port), lambda host, number: find((host, number)))
        try:
            context = _client(pki, certificate=True) if is_api_server else None
            with _connected(port, context) as client:
                client.sendall(b"CONNECT 10.96.0.9:443 HTTP/1.1\r\nHost: 10.96.0.9:443\r\n\r\n")
                assert client.recv(100).startswith(b"HTTP/1.1 200")
                process, _ = pod.accept()
                with process:
                    client.sendall(b"question")
                    assert process.recv(100) == b"question"
                    process.sendall(b"answer")
                    assert client.recv(100) == b"answer"
            with _connected(port, context) as client:
                client.sendall(b"CONNECT 10.96.0.10:443 HTTP/1.1\r\n\r\n")
                assert client.recv(100).startswith(b"HTTP/1.1 503")
        finally:
            stop()


def _is_refused(client: socket.socket, request: bytes) -> bool:
    """Whether the server ends the connection without an answer. With TLS 1.3 a client learns it after the handshake."""
    try:
        client.sendall(request)
        return client.recv(100) == b""
    except OSError:
        return True


def test_the_tunnel_of_the_api_server_takes_no_client_without_a_certificate(pki: Certificates) -> None:
    port = Ports().take(1)
    stop = serve(port, pki, lambda _host, _port: None)
    try:
        with _connected(port, _client(pki, certificate=False)) as client:
            assert _is_refused(client, b"CONNECT 10.96.0.9:443 HTTP/1.1\r\n\r\n")
    finally:
        stop()
