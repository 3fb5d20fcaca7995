"""A client of `exec`, as kubectl is one: a command's output by channel over a WebSocket."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlencode, urlsplit

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection

# The key and its answer are those of RFC 6455, section 1.3.
HEADERS = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
_ACCEPTED = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"


def execute(
    server: str,
    context: ssl.SSLContext,
    path: str,
    *command: str,
    inputs: tuple[bytes, ...] = (),
    protocol: str = "v5.channel.k8s.io",
    **options: str,
) -> dict[int, bytes]:
    """What the command wrote, by channel: 1 output, 2 errors, 3 the result. `inputs` are messages with their channel.

    `server` is https://host:port. `options` of API servers are container, and as 1 stdin, stdout, stderr, tty; those of
    kubelets input, output, error, tty. API servers speak version 5 of the protocol, kubelets 4.
    """
    connection = http.client.HTTPSConnection(urlsplit(server).netloc, context=context, timeout=10)
    query = urlencode([*(("command", word) for word in command), *options.items()])
    connection.request("GET", f"{path}?{query}", headers={**HEADERS, "Sec-WebSocket-Protocol": protocol})
    socket = connection.sock
    answer = b""
    while b"\r\n\r\n" not in answer:
        byte = socket.recv(1)
        assert byte, answer
        answer += byte
    assert b" 101 " in answer, answer
    assert _ACCEPTED in answer
    websocket = Connection(ConnectionType.CLIENT)
    for message in inputs:
        socket.sendall(websocket.send(BytesMessage(data=message)))
    written: dict[int, bytes] = {}
    while data := socket.recv(4096):
        websocket.receive_data(data)
        for event in websocket.events():
            if isinstance(event, CloseConnection):
                connection.close()
                return written
            assert isinstance(event, BytesMessage)
            written[event.data[0]] = written.get(event.data[0], b"") + event.data[1:]
    return written
