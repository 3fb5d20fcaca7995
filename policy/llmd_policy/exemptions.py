"""Exemptions: which violations are accepted, why, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from .resources import Violation

_FIELDS = ("rule", "resource", "reason", "until")


@dataclass(frozen=True, kw_only=True)
class Exemption:
    """`resource` is a resource's name, with `*` for any part of it. `until` is the last day on which it counts."""

    rule: str
    resource: str
    reason: str
    until: date


class ExemptionError(ValueError):
    """An exemption that lacks a reason or an end, or that names no rule."""


def load(path: Path) -> tuple[Exemption, ...]:
    """Read the file of exemptions. Raises ExemptionError."""
    document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return tuple(parse(exemption) for exemption in document.get("exemptions") or ())


def parse(entry: Any) -> Exemption:
    """One entry of the file. Raises ExemptionError."""
    if not isinstance(entry, dict) or set(entry) != set(_FIELDS):
        raise ExemptionError(f"an exemption has exactly {', '.join(_FIELDS)}: {entry}")
    if not str(entry["reason"]).strip():
        raise ExemptionError(f"an exemption needs a reason: {entry}")
    if not isinstance(entry["until"], date):
        raise ExemptionError(f"until is a day such as 2027-03-31: {entry}")
    return Exemption(
        rule=str(entry["rule"]), resource=str(entry["resource"]), reason=str(entry["reason"]), until=entry["until"]
    )


def exempted(
    rule: str, violations: Iterable[Violation], exemptions: Iterable[Exemption], today: date
) -> tuple[list[Violation], list[Violation]]:
    """The remaining violations, and those that an exemption covers today."""
    valid = [exemption for exemption in exemptions if exemption.rule == rule and today <= exemption.until]
    open_: list[Violation] = []
    covered: list[Violation] = []
    for violation in violations:
        is_exempted = any(fnmatchcase(violation.resource, exemption.resource) for exemption in valid)
        (covered if is_exempted else open_).append(violation)
    return open_, covered


def listing(exemptions: Iterable[Exemption], today: date) -> list[str]:
    """A line for each exemption, those whose last day has passed included, for the output of every run."""
    lines = []
    for exemption in exemptions:
        state = "ended" if exemption.until < today else "until"
        lines.append(f"{exemption.rule} on {exemption.resource}, {state} {exemption.until}: {exemption.reason}")
    return lines
