"""Failures that are accepted, each kind with its reason: exceptions.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from llm_d_gke.operations.scan.scanners import Failure

FILE = Path(__file__).with_name("exceptions.yaml")


class ScanException(BaseModel):
    """Checks of one scanner that some subjects need not pass. `subjects` are names, `*` for any part.

    With `security_exceptions` it is for pods that claim one of these typed exceptions of Pod Security only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scanner: str
    checks: tuple[str, ...] = Field(min_length=1)
    subjects: tuple[str, ...] = Field(default=("*",), min_length=1)
    security_exceptions: tuple[str, ...] = ()
    reason: str = Field(min_length=20)

    def covers(self, failure: Failure, claims: Mapping[str, str]) -> bool:
        """`claims` are typed exceptions by the name of their pod or workload."""
        return (
            failure.scanner == self.scanner
            and failure.check in self.checks
            and any(fnmatchcase(failure.subject, subject) for subject in self.subjects)
            and (not self.security_exceptions or claims.get(failure.subject) in self.security_exceptions)
        )


def load(file: Path = FILE) -> tuple[ScanException, ...]:
    return tuple(ScanException.model_validate(entry) for entry in yaml.safe_load(file.read_text(encoding="utf-8")))


def sort_out(
    failures: Sequence[Failure], exceptions: Sequence[ScanException], claims: Mapping[str, str]
) -> tuple[list[Failure], list[ScanException]]:
    """Failures that no exception covers, and exceptions that cover none, which have to go."""
    open_ = [failure for failure in failures if not any(exception.covers(failure, claims) for exception in exceptions)]
    idle = [exception for exception in exceptions if not any(exception.covers(failure, claims) for failure in failures)]
    return open_, idle
