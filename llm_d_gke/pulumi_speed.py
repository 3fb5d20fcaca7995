"""Makes large programs faster in the Pulumi SDK. What it changes is private to the SDK, and checked with one version.

Checked with the version below. With another one, look at these places first; until then the SDK stays as it is:
- sdk/python/lib/pulumi/runtime/stack.py, `wait_for_rpcs`
- sdk/python/lib/pulumi/log.py, `debug`
- sdk/python/lib/pulumi/runtime/resource.py, `_get_stack_trace`
- sdk/python/lib/pulumi/_types.py, `unwrap_type`
Source: https://github.com/pulumi/pulumi/tree/v3.272.0/sdk/python/lib/pulumi
"""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib.metadata
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

import pulumi
from pulumi import _types as sdk_types
from pulumi.runtime import resource as sdk_resource
from pulumi.runtime import stack as sdk_stack
from pulumi.runtime.proto import source_pb2

from llm_d_gke.sdk_annotations import leave_annotations_unread

CHECKED_VERSION: Final = "3.272.0"
DEBUG_VARIABLE: Final = "LLMD_SDK_DEBUG"


class _PatientAsyncio:
    """asyncio for `wait_for_rpcs`, which passes the outputs still awaited to `asyncio.wait` after each that completes.

    The time of that loop grows with the square of their number. Waiting until all complete or one fails raises the
    same error as soon.
    """

    FIRST_COMPLETED = asyncio.FIRST_EXCEPTION

    def __getattr__(self, name: str) -> object:
        return getattr(asyncio, name)


def prepare_sdk() -> None:
    """Prepare the SDK for a program of many resources. Call it before the first resource; again, it changes nothing.

    Without garbage collection: the SDK keeps every resource alive until the end, so collecting would only visit them
    again and again, and make the time per resource grow with their number.

    Without the SDK's own debug lines: each is a call that blocks the event loop, about four a resource, and the engine
    drops it unless it runs with `--debug`. With LLMD_SDK_DEBUG set they are sent.

    With each place of the program computed once, without a look for changed source files: the SDK sends the whole stack
    of calls with every resource. With each type of a property unwrapped once, and the others left unread.
    """
    gc.disable()
    if importlib.metadata.version("pulumi") != CHECKED_VERSION:
        return
    leave_annotations_unread()
    vars(sdk_stack)["asyncio"] = _PatientAsyncio()
    vars(sdk_resource)["_get_stack_trace"] = _stack_trace
    vars(sdk_types)["unwrap_type"] = _unwrapped
    if not os.environ.get(DEBUG_VARIABLE):
        vars(pulumi.log)["debug"] = _no_debug_line


def _stack_trace() -> source_pb2.StackTrace:
    """As the SDK's: the callers of the third `__init__` from the innermost, that of the resource's class."""
    frame: FrameType | None = sys._getframe(1)
    inits = 0
    while frame is not None and inits < 3:
        inits += frame.f_code.co_name == "__init__"
        frame = frame.f_back
    frames = []
    while frame is not None:
        frames.append(source_pb2.StackFrame(pc=_position(frame.f_code.co_filename, frame.f_lineno)))
        frame = frame.f_back
    return source_pb2.StackTrace(frames=frames)


_unwrap_type: Final[Callable[[type], type]] = sdk_types.unwrap_type
_unwrap_once: Final = functools.cache(_unwrap_type)


def _unwrapped(value: type) -> type:
    try:
        return _unwrap_once(value)
    except TypeError:  # annotated with a list, for example
        return _unwrap_type(value)


@functools.cache
def _position(filename: str, line: int | None) -> source_pb2.SourcePosition | None:
    """As the SDK's: None for code without a file."""
    path = Path(filename)
    return source_pb2.SourcePosition(uri=path.as_uri(), line=line) if path.is_absolute() and line is not None else None


def _no_debug_line(*_arguments: object, **_options: object) -> None:
    return
