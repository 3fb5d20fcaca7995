"""Warnings that say in other words what an error of the same report says: one mistake is one finding."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llm_d_gke.planning.findings import Finding, Severity, errors_in
from llm_d_gke.planning.rules import RULES


def without_repetitions(findings: Sequence[Finding]) -> list[Finding]:
    """The findings without the warnings that an error about the same model, plugin or profile already covers.

    It does where the warning's rule names the error's (`covered_by`), or where the error's correction begins with the
    warning's. An acknowledged error refuses nothing, and covers nothing.
    """
    errors = [error for error in errors_in(findings) if error.acknowledged is None]
    return [f for f in findings if f.severity is Severity.ERROR or not any(_covers(error, f) for error in errors)]


def _covers(error: Finding, warning: Finding) -> bool:
    if _owner(error.path) != _owner(warning.path):
        return False
    if error.id in RULES[warning.id].covered_by:
        return True
    # "remove it" names nothing, so that it is the same correction at the same place only.
    names_the_place = error.path == warning.path or not re.search(r"\bit\b", warning.fix)
    return names_the_place and re.match(rf"{re.escape(warning.fix)}($|[:,;])", error.fix) is not None


def _owner(path: str) -> str:
    """The element of a list that a path leads to or through; without lists the path itself."""
    head, bracket, _ = path.partition("]")
    return head + bracket
