"""A server in place of a stack: it answers after a fixed time, and then with one token at a fixed interval."""

from __future__ import annotations

import asyncio
import json
from multiprocessing.connection import Connection

FIRST_TOKEN, NEXT_TOKEN = 0.100, 0.010


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer completions on one connection, streamed, until the client closes it."""
    while head := await reader.readuntil(b"\r\n\r\n"):
        lines = head.decode().split("\r\n")
        length = next((int(line.partition(":")[2]) for line in lines if line.lower().startswith("content-length:")), 0)
        body = json.loads(await reader.readexactly(length)) if length else {}
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        due = asyncio.get_running_loop().time() + FIRST_TOKEN
        for _ in range(int(body.get("max_tokens", 1))):
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            _chunk(writer, json.dumps({"choices": [{"index": 0, "text": "kaber "}]}))
            due += NEXT_TOKEN
        _chunk(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _chunk(writer: asyncio.StreamWriter, data: str) -> None:
    event = f"data: {data}\n\n".encode()
    writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")


async def _connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await _answer(reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def serve(ready: Connection) -> None:
    async def run() -> None:
        server = await asyncio.start_server(_connection, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())
