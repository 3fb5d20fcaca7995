"""`python -m llm_d_gke.operations.bench.overhead`: what the load generator adds to the times that it measures.

A server of this module answers after a fixed time and then one token at a fixed interval. What the load generator
measures beyond that is the overhead of both.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

from llm_d_gke.operations.bench.result import StageResult, read_stages
from llm_d_gke.operations.bench.run import find_python, make_tokenizer, run_tool
from llm_d_gke.operations.bench.scenario import Scenario, Stage, Target, Tokens, configuration

FIRST_TOKEN, NEXT_TOKEN = 0.100, 0.010
_MODEL = "fixed"


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


def _serve(ready: Connection) -> None:
    async def run() -> None:
        server = await asyncio.start_server(_connection, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def measure(requests: int = 50) -> StageResult:
    """One request at a time against the server of fixed times. Raises BenchError where the tool is not installed."""
    python = find_python()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    try:
        url = f"http://127.0.0.1:{ours.recv()}"
        scenario = Scenario(title="overhead", stages=(Stage(concurrency=1, requests=requests),))
        with tempfile.TemporaryDirectory() as name:
            out = Path(name)
            tokenizer = make_tokenizer(python, out / "tokenizer")
            tokens = Tokens(prompt=64, output=32)
            run_tool(
                python,
                configuration(scenario, tokens, Target(url=url, model=_MODEL, headers={}, tokenizer=tokenizer), out),
                out,
                offline=True,
            )
            [stage] = read_stages(out, None)
    finally:
        server.terminate()
        server.join()
    return stage


def main() -> None:
    stage = measure()
    first, following = stage.time_to_first_token, stage.time_per_output_token
    assert first is not None
    assert following is not None
    print(f"{stage.requests} requests, one at a time, {stage.failures} failed")
    for name, quantiles, fixed in (("first token", first, FIRST_TOKEN), ("each further token", following, NEXT_TOKEN)):
        print(
            f"{name}: median {quantiles.median * 1000:.2f} ms of {fixed * 1000:.0f} ms, overhead"
            f" {(quantiles.median - fixed) * 1000:.2f} ms"
        )


if __name__ == "__main__":
    main()
