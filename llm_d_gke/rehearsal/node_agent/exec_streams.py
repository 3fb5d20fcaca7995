"""`kubectl exec`: a command with the environment and folder of a container's process, over a WebSocket.

The rehearsed API server passes WebSockets on as they are. Each message begins with the number of its channel: 0 input,
1 output, 2 errors, 3 the result, 4 the size of the terminal, and in v5.channel.k8s.io 255, which closes one of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import ssl
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wsproto import WSConnection
from wsproto.events import BytesMessage, CloseConnection, Ping
from wsproto.frame_protocol import CloseReason

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_INPUT, _OUTPUT, _ERRORS, _RESULT, _SIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_CHUNK = 32 * 1024
# Between two looks at whether the command has ended.
_POLL_SECONDS = 0.1
_NOT_FOUND = 127
_CLOSE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Context:
    """The environment and the working folder of the process that plays a container."""

    environment: Mapping[str, str]
    folder: str


@dataclass(frozen=True, kw_only=True)
class Exec:
    """One `kubectl exec`. `has_input` is its -i, `terminal` its -t."""

    command: Sequence[str]
    has_input: bool
    terminal: bool


@dataclass
class Session:
    """A command that runs, and the connection to the client. One thread serves both.

    `websocket` reads and writes the frames of the accepted WebSocket on `connection`.
    """

    connection: ssl.SSLSocket
    websocket: WSConnection
    request: Exec
    # Of the message that is being received; None between two messages.
    _channel: int | None = field(default=None, init=False)

    def run(self, context: Context) -> None:
        """Start the command, pass on what it reads and writes, and send its exit status."""
        terminal, inner = pty.openpty() if self.request.terminal else (None, None)
        try:
            process = subprocess.Popen(
                self.request.command,
                env=dict(context.environment),
                cwd=context.folder,
                stdin=inner if inner is not None else subprocess.PIPE if self.request.has_input else subprocess.DEVNULL,
                stdout=inner if inner is not None else subprocess.PIPE,
                stderr=inner if inner is not None else subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            self._end(_status(_NOT_FOUND, f"{self.request.command[0]}: {error.strerror}"))
            return
        finally:
            if inner is not None:
                os.close(inner)
        try:
            self._serve(process, terminal)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            if terminal is not None:
                os.close(terminal)

    def _serve(self, process: subprocess.Popen[bytes], terminal: int | None) -> None:
        outputs = {terminal: _OUTPUT} if terminal is not None else {}
        for stream, channel in ((process.stdout, _OUTPUT), (process.stderr, _ERRORS)):
            if stream is not None:
                outputs[stream.fileno()] = channel
        while outputs:
            watched: list[ssl.SSLSocket | int] = [self.connection, *outputs]
            ready, _, _ = select.select(watched, [], [], _POLL_SECONDS)
            for output in [item for item in ready if isinstance(item, int)]:
                # A terminal whose other end is closed cannot be read.
                data = b""
                with contextlib.suppress(OSError):
                    data = os.read(output, _CHUNK)
                if data:
                    self._send(outputs[output], data)
                else:
                    del outputs[output]
            if self.connection in ready and not self._receive(process, terminal):
                return
            if not ready and process.poll() is not None:
                # Something that the command left behind keeps its output open.
                break
        self._end(_status(process.wait()))

    def _end(self, result: bytes) -> None:
        """Send the result, and let the client close first: it may still be sending."""
        self._send(_RESULT, result)
        self.connection.sendall(self.websocket.send(CloseConnection(code=CloseReason.NORMAL_CLOSURE)))
        self.connection.settimeout(_CLOSE_SECONDS)
        with contextlib.suppress(OSError):
            while self.connection.recv(_CHUNK):
                pass

    def _receive(self, process: subprocess.Popen[bytes], terminal: int | None) -> bool:
        """Pass on what the client has sent. False once it has gone."""
        data = self.connection.recv(_CHUNK)
        while self.connection.pending():
            data += self.connection.recv(_CHUNK)
        if not data:
            return False
        self.websocket.receive_data(data)
        for event in self.websocket.events():
            if isinstance(event, CloseConnection):
                return False
            if isinstance(event, Ping):
                self.connection.sendall(self.websocket.send(event.response()))
            elif isinstance(event, BytesMessage):
                self._take(event, process, terminal)
        return True

    def _take(self, part: BytesMessage, process: subprocess.Popen[bytes], terminal: int | None) -> None:
        """Pass on a message, or a part of one: its first byte names the channel of the whole message."""
        payload = bytes(part.data)
        if self._channel is None and payload:
            self._channel, payload = payload[0], payload[1:]
        if self._channel is not None and payload:
            self._pass_on(self._channel, payload, process, terminal)
        if part.message_finished:
            self._channel = None

    def _pass_on(self, channel: int, payload: bytes, process: subprocess.Popen[bytes], terminal: int | None) -> None:
        target = terminal if terminal is not None else process.stdin.fileno() if process.stdin else None
        if channel == _INPUT and target is not None:
            with contextlib.suppress(OSError):
                os.write(target, payload)
        elif channel == _CLOSE and payload == bytes([_INPUT]) and process.stdin is not None:
            process.stdin.close()
        elif channel == _SIZE and terminal is not None:
            size = json.loads(payload)
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size["Height"], size["Width"], 0, 0))

    def _send(self, channel: int, data: bytes) -> None:
        self.connection.sendall(self.websocket.send(BytesMessage(data=bytes([channel]) + data)))


def _status(code: int, message: str = "") -> bytes:
    """The result as a Status of the API, from which kubectl takes its own exit status."""
    if code == 0:
        return json.dumps({"metadata": {}, "status": "Success"}).encode()
    code = 128 - code if code < 0 else code
    return json.dumps(
        {
            "metadata": {},
            "status": "Failure",
            "reason": "NonZeroExitCode",
            "message": message or f"command terminated with exit code {code}",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
        }
    ).encode()
