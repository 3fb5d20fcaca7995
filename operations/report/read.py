"""The facts of a stack file: planned without the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import catalog
from operations.report.facts import StackFacts, facts_of
from planning import Finding, RefusedError, StackPlan, plan_raw
from planning.context import Findings
from planning.findings import located
from planning.planner import plan_with_findings
from settings import StackSettings
from stackfile import load, stack_file
from stackfile.assumptions import assume_unset
from stackfile.document import line_of, lines_of
from stackfile.model_files import model_files


def read(root: Path, stack: str, overrides: Mapping[str, str] | None = None) -> StackFacts:
    """Facts of `Pulumi.<stack>.yaml` below `root`. Raises StackFileError where there is no such file."""
    configuration = assume_unset(load(root, stack, overrides))
    values, encrypted = configuration.settings(), configuration.encrypted()
    settings = _settings(values)
    try:
        plan = plan_raw(stack, values, encrypted, files=model_files(values))
    except RefusedError as refused:
        forbidden = None if settings is None else _forbidden(stack, settings, encrypted)
        return facts_of(stack, forbidden, _located(root, stack, refused.findings), configuration.notes, settings)
    return facts_of(stack, plan, _located(root, stack, plan.warnings), configuration.notes, settings)


def _located(root: Path, stack: str, findings: Sequence[Finding]) -> list[Finding]:
    path = stack_file(root, stack)
    lines = lines_of(path)
    return located(findings, lambda setting: line_of(lines, setting), path.name)


def _settings(values: Mapping[str, Any]) -> StackSettings | None:
    try:
        return StackSettings.model_validate(values)
    except ValidationError:
        return None


def _forbidden(stack: str, settings: StackSettings, encrypted: frozenset[str]) -> StackPlan | None:
    """The plan that findings forbid, as far as there is one: a refused model's memory is what people want to see."""
    return plan_with_findings(stack, settings, catalog.load(), encrypted, Findings())
