"""`kubectl exec`: a command with the environment and folder of a container's process, over a WebSocket.

The rehearsed API server passes WebSockets on as they are. Each message begins with the number of its channel: 0 input,
1 output, 2 errors, 3 the result, 4 the size of the terminal, and in v5.channel.k8s.io 255, which closes one of them.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
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

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_INPUT, _OUTPUT, _ERRORS, _RESULT, _SIZE, _CLOSE = 0, 1, 2, 3, 4, 255
# RFC 6455: the text that a server adds to a client's key, and the kinds of frames.
_ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _BINARY, _END, _PING, _PONG = 0, 2, 8, 9, 10
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


def accept_key(key: str) -> str:
    """The answer to a client's Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1((key + _ACCEPT).encode(), usedforsecurity=False).digest()).decode()


def frame(kind: int, payload: bytes) -> bytes:
    """A whole frame of a server, which masks nothing."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x80 | kind, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", 0x80 | kind, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | kind, 127, size) + payload


def take_frame(buffer: bytearray) -> tuple[int, bytes] | None:
    """Removes the first frame of a client from the buffer. None while it is incomplete."""
    if len(buffer) < 2:
        return None
    kind, size, at = buffer[0] & 0x0F, buffer[1] & 0x7F, 2
    long = {126: "!H", 127: "!Q"}.get(size)
    if long is not None:
        at += struct.calcsize(long)
        if len(buffer) < at:
            return None
        [size] = struct.unpack(long, buffer[2:at])
    masked = bool(buffer[1] & 0x80)
    end = at + (4 if masked else 0) + size
    if len(buffer) < end:
        return None
    mask, payload = (buffer[at : at + 4] if masked else b"\0"), bytes(buffer[end - size : end])
    del buffer[:end]
    return kind, bytes(byte ^ mask[index % len(mask)] for index, byte in enumerate(payload))


@dataclass
class Session:
    """A command that runs, and the connection to the client. One thread serves both."""

    connection: ssl.SSLSocket
    request: Exec
    _buffer: bytearray = field(default_factory=bytearray)
    _channel: int = _INPUT

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
        self.connection.sendall(frame(_END, struct.pack("!H", 1000)))
        self.connection.settimeout(_CLOSE_SECONDS)
        with contextlib.suppress(OSError):
            while self.connection.recv(_CHUNK):
                pass

    def _receive(self, process: subprocess.Popen[bytes], terminal: int | None) -> bool:
        """Pass on what the client has sent. False once it has gone."""
        data = self.connection.recv(_CHUNK)
        self._buffer += data
        while self.connection.pending():
            self._buffer += self.connection.recv(_CHUNK)
        while (next_frame := take_frame(self._buffer)) is not None:
            kind, payload = next_frame
            if kind == _END:
                return False
            if kind == _PING:
                self.connection.sendall(frame(_PONG, payload))
            elif kind in (_BINARY, _CONTINUATION) and payload:
                # A message that comes in several frames names its channel in the first one.
                if kind == _BINARY:
                    self._channel, payload = payload[0], payload[1:]
                self._pass_on(payload, process, terminal)
        return bool(data)

    def _pass_on(self, payload: bytes, process: subprocess.Popen[bytes], terminal: int | None) -> None:
        target = terminal if terminal is not None else process.stdin.fileno() if process.stdin else None
        if self._channel == _INPUT and target is not None:
            with contextlib.suppress(OSError):
                os.write(target, payload)
        elif self._channel == _CLOSE and payload == bytes([_INPUT]) and process.stdin is not None:
            process.stdin.close()
        elif self._channel == _SIZE and terminal is not None:
            size = json.loads(payload)
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size["Height"], size["Width"], 0, 0))

    def _send(self, channel: int, data: bytes) -> None:
        self.connection.sendall(frame(_BINARY, bytes([channel]) + data))


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
