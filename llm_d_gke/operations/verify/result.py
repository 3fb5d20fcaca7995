"""Results of checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    # Could not be looked at, or proves nothing here. Never counted as passed.
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a check. `evidence` is the observation, `next_command` the command to run after a failure."""

    outcome: Outcome
    evidence: str
    next_command: str = ""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One check of a run: `id` is stable, `summary` is the criterion in words."""

    id: str
    summary: str
    result: Result
    seconds: float

    @property
    def outcome(self) -> Outcome:
        return self.result.outcome


@dataclass(frozen=True, kw_only=True)
class Verification:
    """All results of one run, and the stack they refer to."""

    stack: str
    looked_at: str
    checks: tuple[Checked, ...]
    seconds: float

    def count(self, outcome: Outcome) -> int:
        return sum(check.outcome is outcome for check in self.checks)

    @property
    def failed(self) -> bool:
        return self.count(Outcome.FAILED) > 0


def passed(evidence: str) -> Result:
    return Result(outcome=Outcome.PASSED, evidence=evidence)


def failed(evidence: str, next_command: str) -> Result:
    return Result(outcome=Outcome.FAILED, evidence=evidence, next_command=next_command)


def judged(problems: Sequence[str], next_command: str, evidence: str) -> Result:
    """Failed with every problem, passed with the evidence where there is none."""
    return failed("; ".join(problems), next_command) if problems else passed(evidence)


def skipped(reason: str) -> Result:
    return Result(outcome=Outcome.SKIPPED, evidence=reason)
