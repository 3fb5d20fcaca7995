"""Bad requests of every kind that a Gateway has to refuse, as bytes, and a client that sends them.

They are harmless: none of them makes a program do anything but refuse it. An HTTP library would not send most of them.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

# How long a client waits for an answer.
PATIENCE_SECONDS = 30.0

CHAT = "/v1/chat/completions"
# What vLLM serves beside its API, and what no route has.
_FORBIDDEN = (
    "/metrics",
    "/health",
    "/pause",
    "/tokenize",
    "/server_info",
    "/v1/load_lora_adapter",
    "/",
    "/favicon.ico",
)
_TRICKS = (
    "/v1/../metrics",
    "/v1/./../pause",
    "//metrics",
    "/v1//chat/completions",
    "/v1/chat/completions/../../../metrics",
    "/v1/chat/completions;/../metrics",
    "/%2e%2e/metrics",
    "/v1/%2e%2e/metrics",
    "/v1/chat%2fcompletions",
    "/v1%5cchat%5ccompletions",
    "/v1/chat/completions%00",
    "/v1/chat/completions/",
    "/V1/CHAT/COMPLETIONS",
    "/v1/chat/completions%20",
    "http://other.example.com/metrics",
    "/" + "a" * 30_000,
)
# Longer than the Gateway waits for a request.
_SLOW_SECONDS = 15.0
_METHODS = ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW")
# A body that the picker or the engine would have to make sense of.
_NO_JSON = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b'{"model":',
    b"model=a&prompt=b",
    b'{"messages": "x"}',
    b"{" * 500,
)
_BROKEN = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
    b"\x00" * 64,
    b"GET\r\n\r\n",
    b"POST /v1/chat/completions\r\n\r\n",
    b"POST /v1/chat/completions HTTP/3.9\r\n\r\n",
    b"POST  /v1/chat/completions HTTP/1.1\r\nhost: a\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost a\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nbad header\x01: b\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n"
    b"0\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked, x\r\n\r\n0\r\n\r\n",
)


@dataclass(frozen=True)
class BadRequest:
    """Bytes to send. A pause in seconds comes before the last one, which is sent only if the other side still waits."""

    kind: str
    content: bytes
    pause: float = 0.0


@dataclass(frozen=True)
class Refusal:
    """The result of a bad request. Status 0: the connection was closed without an answer, -1: nothing happened."""

    kind: str
    status: int


def bad_requests(host: str, key: str, body_bytes: int) -> Iterator[BadRequest]:
    """Bad requests without end, all kinds in turn. `key` is valid: those with it are refused for another reason.

    `body_bytes` is the longest body that the Gateway accepts.
    """
    right = {"x-api-key": key}
    chat = json.dumps({"model": "none", "messages": [{"role": "user", "content": "hello"}]}).encode()

    def post(kind: str, body: bytes, headers: Mapping[str, str], path: str = CHAT) -> BadRequest:
        return BadRequest(kind, _request("POST", path, host, headers, body))

    kinds: Sequence[Callable[[int], BadRequest]] = (
        lambda _: post("no key", chat, {}),
        lambda n: post("wrong key", chat, {"authorization": f"Bearer {key}x{n}"}),
        lambda n: post("key in a wrong place", chat, {"cookie": f"x-api-key={key}"}, f"{CHAT}?x-api-key={key}&n={n}"),
        lambda n: post("path without a route", chat, right, _FORBIDDEN[n % len(_FORBIDDEN)]),
        lambda n: BadRequest("path tricks", _request("GET", _TRICKS[n % len(_TRICKS)], host, right, b"")),
        lambda n: BadRequest("wrong method", _request(_METHODS[n % len(_METHODS)], CHAT, host, right, b"")),
        lambda n: post("body is no request", _NO_JSON[n % len(_NO_JSON)], right),
        lambda n: post("body too long", b"x" * (body_bytes + 1 + n % 1000), right),
        lambda n: post("headers too long", chat, {**right, "x-long": "y" * (70_000 + n)}),
        lambda n: post("too many headers", chat, {**right, **{f"x-{number}": str(n) for number in range(150)}}),
        lambda n: BadRequest("malformed HTTP", _BROKEN[n % len(_BROKEN)]),
    )
    slow = (
        BadRequest("slow headers", _request("POST", CHAT, host, right, b"")[:-2] + b"x", _SLOW_SECONDS),
        BadRequest("slow headers without a key", f"POST {CHAT} HTTP/1.1\r\nhost: {host}\r\nx".encode(), _SLOW_SECONDS),
    )
    for number in itertools.count():
        # Few of them: each holds a connection for seconds.
        yield slow[number // 200 % len(slow)] if number % 200 == 199 else kinds[number % len(kinds)](number)


def _request(method: str, path: str, host: str, headers: Mapping[str, str], body: bytes) -> bytes:
    sent = {"host": host, "content-type": "application/json", **headers}
    if body or method == "POST":
        sent["content-length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def send(address: str, request: BadRequest) -> Refusal:
    """Send one request over a new connection. The body of the answer is not read."""
    where = urlsplit(address)
    try:
        return await asyncio.wait_for(
            _send(where.hostname or "", where.port or 80, request), PATIENCE_SECONDS + request.pause
        )
    except TimeoutError:
        return Refusal(request.kind, -1)


async def _send(host: str, port: int, request: BadRequest) -> Refusal:
    reader, writer = await asyncio.open_connection(host, port)
    line = b""
    try:
        writer.write(request.content[:-1] if request.pause else request.content)
        await writer.drain()
        if request.pause:
            line = await _line(reader, request.pause)
            if not line and not reader.at_eof():
                writer.write(request.content[-1:])
        line = line or await reader.readline()
    except OSError:
        # Refused before all of it was sent; the answer may have arrived.
        line = line or await _line(reader, 1.0)
    finally:
        writer.close()
    words = line.split()
    return Refusal(request.kind, int(words[1]) if len(words) > 1 and words[1].isdigit() else 0)


async def _line(reader: asyncio.StreamReader, seconds: float) -> bytes:
    try:
        return await asyncio.wait_for(reader.readline(), seconds)
    except (TimeoutError, OSError):
        return b""


async def send_all(address: str, requests: Iterator[BadRequest], connections: int = 40) -> list[Refusal]:
    """Send all requests, `connections` at a time. Slow requests do not count among these."""
    results: list[Refusal] = []
    slow: list[asyncio.Task[Refusal]] = []

    async def work() -> None:
        for request in requests:
            if request.pause:
                slow.append(asyncio.create_task(send(address, request)))
            else:
                results.append(await send(address, request))

    await asyncio.gather(*(work() for _ in range(connections)))
    return results + [await task for task in slow]
