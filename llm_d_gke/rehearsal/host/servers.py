"""Servers in threads of this process, on addresses of this machine."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.05
_CHUNK = 64 * 1024


class _Background(socketserver.TCPServer):
    """With a `context`, connections are TLS."""

    daemon_threads = True
    context: ssl.SSLContext | None = None

    def start(self) -> None:
        """Serve until `stop`."""
        threading.Thread(
            target=self.serve_forever, args=(_POLL_SECONDS,), name=type(self).__name__, daemon=True
        ).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.context is None:
            return connection, address
        # The handler does the handshake: a slow client must not block the others.
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address


class TcpServer(_Background, socketserver.ThreadingTCPServer):
    allow_reuse_address = True


class HttpServer(_Background, ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may end its connection at any time; everything else is printed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class HttpHandler(BaseHTTPRequestHandler):
    """Writes requests to the debug log: the screen belongs to the command."""

    protocol_version = "HTTP/1.1"

    def reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Send an answer. A client that has gone is no error."""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(OSError):
                self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        log.debug(format, *args)


def copy_both_ways(first: socket.socket, second: socket.socket, idle_seconds: float | None = None) -> None:
    """Copy bytes in both directions until one side closes, or both are idle for `idle_seconds`."""
    peers = {first: second, second: first}
    while readable := select.select([first, second], [], [], idle_seconds)[0]:
        for side in readable:
            more = True
            while more:
                data = side.recv(_CHUNK)
                if not data:
                    return
                peers[side].sendall(data)
                # What TLS has read ahead is no longer in the socket, where select would see it.
                more = isinstance(side, ssl.SSLSocket) and side.pending() > 0
