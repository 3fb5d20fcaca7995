"""Estimated time from the first `up` to the first answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TimelineStep:
    """One step: seconds at best and at worst, what it waits for, and where the figures are from.

    `critical`: a longer step here makes the whole longer. `verified`: the source is a timed run.
    """

    name: str
    title: str
    best: float
    worst: float
    starts_at: float
    after: tuple[str, ...]
    critical: bool
    source: str
    verified: bool


@dataclass(frozen=True, kw_only=True)
class TimelinePlan:
    """All steps in order. `best` and `worst` are the seconds of the longest chain."""

    steps: tuple[TimelineStep, ...]
    best: float
    worst: float

    @property
    def critical_path(self) -> tuple[TimelineStep, ...]:
        return tuple(step for step in self.steps if step.critical)
