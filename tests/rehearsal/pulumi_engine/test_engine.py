"""The engine's side of a program that runs in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import grpc
import pytest
from pulumi.automation import _server
from pulumi.runtime import reset_options
from pulumi.runtime.proto import language_pb2

from rehearsal.pulumi_engine.engine import ProgramServer


@pytest.fixture(autouse=True)
def _options() -> Iterator[None]:
    yield
    reset_options()


def test_a_program_whose_engine_went_away_ends_inside_its_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the garbage collector ends it, and what it then awaits finds no running loop."""
    ended: list[bool] = []

    async def fails_when_canceled() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            raise grpc.RpcError

    async def program(_: object) -> None:
        loop = asyncio.get_running_loop()
        others = [loop.create_task(fails_when_canceled()) for _ in range(50)]
        await asyncio.sleep(0)
        loop.call_soon(loop.call_exception_handler, {"message": "engine gone", "exception": grpc.RpcError()})
        try:
            await asyncio.gather(*others)
        finally:
            ended.append(asyncio.get_running_loop() is loop)

    monkeypatch.setattr(_server, "run_in_stack", program)
    request = language_pb2.RunRequest(project="llm-d", stack="gpu", parallel=1)
    result = ProgramServer(lambda: None).Run(request, None)  # type: ignore[no-untyped-call]
    assert result.bail
    assert ended == [True]
