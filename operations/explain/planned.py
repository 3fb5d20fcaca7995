"""Which planning function made a value: seen by watching one planning, not by annotation."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from operations.explain.inputs import World
from planning import StackPlan
from stackfile import PROJECT_ROOT

_FOLDER = PROJECT_ROOT / "planning"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A function of planning/: where it is and what it says of itself. `part` is the plan's part it made."""

    function: str
    place: str
    says: str
    part: str


class Watched:
    """One planning with every value that a planning function returned, by identity."""

    def __init__(self, world: World) -> None:
        self._made: dict[int, tuple[object, Rule]] = {}
        before = sys.getprofile()
        sys.setprofile(self._see)
        try:
            plan = world.plan()
        finally:
            sys.setprofile(before)
        if plan is None:
            raise ValueError("the stack makes no plan")
        self.plan: StackPlan = plan

    def _see(self, frame: FrameType, event: str, value: Any) -> None:
        code = frame.f_code
        if event != "return" or not code.co_filename.startswith(str(_FOLDER)):
            return
        # Small and shared values are returned by many: they tell nothing.
        if value is None or isinstance(value, bool | int | float) or value in ("", (), {}) or id(value) in self._made:
            return
        if isinstance(value, str) and sys.intern(str(value)) is value and value.isidentifier():
            return
        place = f"{Path(code.co_filename).relative_to(PROJECT_ROOT)}:{code.co_firstlineno}"
        first = code.co_consts[0] if code.co_consts else None
        says = first.splitlines()[0] if isinstance(first, str) and frame.f_code.co_name != "<genexpr>" else ""
        rule = Rule(function=code.co_qualname, place=place, says=says, part="")
        # Parts of a sequence are its maker's, not of a later function that hands one of them on.
        for made in (value, *(value if isinstance(value, tuple | list) else ())):
            if made is value or is_dataclass(made):
                self._made.setdefault(id(made), (made, rule))

    def rule_of(self, path: str) -> Rule | None:
        """The function that made the innermost part around a leaf of the plan."""
        found: Rule | None = None
        here: object = self.plan
        walked = ""
        for step in _steps(path):
            here = _step(here, step)
            walked += step if step.startswith(".") else f"[{step}]"
            made = self._made.get(id(here))
            if made is not None and made[0] is here:
                found = replace(made[1], part=walked.lstrip("."))
        return found


def _steps(path: str) -> list[str]:
    """`models[0].pod.limits[nvidia.com/gpu]` as `.models`, `0`, `.pod`, `.limits`, `nvidia.com/gpu`."""
    steps, rest = [], f".{path}"
    while rest:
        if rest[0] == "[":
            end = rest.index("]")
            steps.append(rest[1:end])
            rest = rest[end + 1 :]
        else:
            end = min((rest.find(mark, 1) for mark in ".[" if rest.find(mark, 1) > 0), default=len(rest))
            steps.append(rest[:end])
            rest = rest[end:]
    return steps


def _step(here: object, step: str) -> object:
    if step.startswith("."):
        return getattr(here, step[1:], None) if is_dataclass(here) else None
    if isinstance(here, Mapping):
        return here.get(step)
    return here[int(step)] if isinstance(here, tuple | list) else None
