"""Estimated time from the first `up` to the first answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TimelineStep:
    """One step: seconds at best and at worst, what it waits for, and where the figures are from.

    `critical`: a longer step here makes the whole longer. `verified`: the source is a timed run.
    `has_figures`: both figures hold; otherwise they count what is known of the step only.
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
    has_figures: bool = True


@dataclass(frozen=True, kw_only=True)
class TimelinePlan:
    """All steps in order. `best` and `worst` are the seconds of the longest chain."""

    steps: tuple[TimelineStep, ...]
    best: float
    worst: float

    @property
    def is_complete(self) -> bool:
        """Whether every step's figures are known. Otherwise `best` and `worst` are lower bounds."""
        return all(step.has_figures for step in self.steps)

    @property
    def critical_path(self) -> tuple[TimelineStep, ...]:
        return tuple(step for step in self.steps if step.critical)
