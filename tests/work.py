"""How much a function does, counted and not timed: a busy machine makes seconds longer, the number of calls stays."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType


def calls_of(function: Callable[[], object]) -> int:
    """Calls of Python functions that one call of `function` makes in this thread.

    The number is the same on every machine for one version of Python and of the libraries. What the planner
    needs is about 0.1 µs a call on an idle core (docs/measurements/planning.md has the seconds)."""
    count = 0

    def counted(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count
