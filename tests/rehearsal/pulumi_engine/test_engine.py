"""The engine's side of a program that runs in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import grpc
import pytest
from pulumi.automation import _server, _stack
from pulumi.runtime import reset_options
from pulumi.runtime.proto import language_pb2

from llm_d_gke.pulumi_speed import CHECKED_VERSION
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.pulumi_engine.patches import ProgramServer, patched_language_server
from llm_d_gke.stackfile import PROJECT_ROOT


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


class TestPatches:
    def test_they_end_with_the_engine(self) -> None:
        with patched_language_server():
            assert vars(_stack)["LanguageServer"] is ProgramServer
        assert vars(_stack)["LanguageServer"] is _server.LanguageServer

    def test_the_checked_version_is_the_pinned_one(self) -> None:
        assert f"pulumi=={CHECKED_VERSION}\n" in (PROJECT_ROOT / "requirements.in").read_text(encoding="utf-8")

    def test_another_version_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.metadata.version", lambda _: "3.999.0")
        with pytest.raises(RehearsalError, match=r"pulumi 3\.999\.0 is installed"), patched_language_server():
            pass
