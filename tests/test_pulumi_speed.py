"""What large programs change in the SDK: the same errors, without its debug lines and its quadratic loop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pulumi
import pytest
from pulumi import _types as sdk_types
from pulumi.runtime import resource as sdk_resource
from pulumi.runtime import stack as sdk_stack
from pulumi.runtime.settings import SETTINGS

from llm_d_gke.pulumi_speed import DEBUG_VARIABLE, prepare_sdk

Lines = list[str]

# Before any test prepares the SDK; modules imported earlier may have. See `_Nested`.
_SDK_STACK_TRACE = sdk_resource._get_stack_trace


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """The debug lines that an unchanged SDK writes."""
    written: Lines = []
    monkeypatch.setattr(pulumi.log, "debug", written.append)
    monkeypatch.setattr(sdk_stack, "asyncio", asyncio)
    monkeypatch.setattr(sdk_resource, "_get_stack_trace", sdk_resource._get_stack_trace)
    monkeypatch.setattr(sdk_types, "unwrap_type", sdk_types.unwrap_type)
    yield written
    gc.enable()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of outputs in each call of asyncio.wait."""
    calls: list[int] = []
    original = asyncio.wait

    async def counted(tasks: list[asyncio.Task[None]], **options: Any) -> object:
        calls.append(len(tasks))
        return await original(tasks, **options)

    monkeypatch.setattr(asyncio, "wait", counted)
    return calls


async def _one_after_the_other(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def _outputs(number: int) -> None:
    for turns in range(number):
        SETTINGS.outputs.add(asyncio.ensure_future(_one_after_the_other(turns)))
    await sdk_stack.wait_for_rpcs()


@pytest.mark.usefixtures("lines")
def test_outputs_are_awaited_together(waits: list[int]) -> None:
    asyncio.run(_outputs(20))
    assert len(waits) > 1
    waits.clear()
    prepare_sdk()
    asyncio.run(_outputs(20))
    assert waits == [20]


class _Nested:
    """Notes the stack of calls three constructors deep, as that of a resource is."""

    def __init__(self, depth: int = 3) -> None:
        traces: list[Any] = [] if depth == 1 else _Nested(depth - 1).traces
        self.traces: list[Any] = traces or [_SDK_STACK_TRACE(), vars(sdk_resource)["_get_stack_trace"]()]


@pytest.mark.usefixtures("lines")
def test_places_are_those_of_the_sdk() -> None:
    prepare_sdk()
    for nested in (_Nested(), eval("_Nested()"), _Nested(4), _Nested(5)):  # noqa: S307  # code without a file has no place
        expected, trace = nested.traces
        assert trace == expected
        assert len(trace.frames) > 10
    for trace in _Nested(2).traces:
        assert not trace.frames or Path(__file__).as_uri() != trace.frames[0].pc.uri


@pytest.mark.usefixtures("lines")
def test_types_are_those_of_the_sdk() -> None:
    original = sdk_types.unwrap_type
    prepare_sdk()
    input_type: Any = pulumi.Input
    cases: list[Any] = [
        str,
        input_type[str],
        pulumi.Output[int],
        Annotated[str, ["a list"]],
        str | None,
        list[input_type[str]],
    ]
    for case in cases * 2:
        assert sdk_types.unwrap_type(case) == original(case)


@pytest.mark.usefixtures("lines")
def test_an_output_that_fails_does_so_at_once() -> None:
    async def failing() -> None:
        raise ValueError("refused")

    async def outputs() -> None:
        pending = asyncio.ensure_future(asyncio.Event().wait())
        SETTINGS.outputs.update([pending, asyncio.ensure_future(failing())])
        await sdk_stack.wait_for_rpcs()

    prepare_sdk()
    with pytest.raises(ValueError, match="refused"):
        asyncio.run(outputs())
    SETTINGS.outputs.clear()


def test_debug_lines_are_sent_on_demand(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEBUG_VARIABLE, "1")
    prepare_sdk()
    pulumi.log.debug("sent")
    monkeypatch.delenv(DEBUG_VARIABLE)
    prepare_sdk()
    pulumi.log.debug("dropped")
    assert lines == ["sent"]


def test_another_version_is_left_as_it_is(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "3.999.0")
    prepare_sdk()
    pulumi.log.debug("sent")
    assert lines == ["sent"]
    assert vars(sdk_stack)["asyncio"] is asyncio
