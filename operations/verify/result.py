"""Results of checks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    # Could not be looked at, or proves nothing here. Never counted as passed.
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a check found. `evidence` is what was seen; `next_command` what to run where it failed."""

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
    """All checks of one run, and what they looked at."""

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


def skipped(reason: str) -> Result:
    return Result(outcome=Outcome.SKIPPED, evidence=reason)
