"""The facts of a stack file: planned without the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llm_d_gke import catalog
from llm_d_gke.operations.report.collect import facts_of
from llm_d_gke.operations.report.facts import StackFacts
from llm_d_gke.planning import Finding, RefusedError, StackPlan, plan_config
from llm_d_gke.planning.context import Findings
from llm_d_gke.planning.findings import located
from llm_d_gke.planning.planner import plan_with_findings
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import NAMESPACE, stack_file
from llm_d_gke.stackfile.assumptions import load_assumed
from llm_d_gke.stackfile.document import line_of, lines_of


def load_facts(root: Path, stack: str, overrides: Mapping[str, str] | None = None) -> StackFacts:
    """Facts of `Pulumi.<stack>.yaml` below `root`. Raises StackFileError where there is no such file."""
    configuration = load_assumed(stack, overrides, root=root)
    settings = _settings(configuration.settings())
    try:
        plan = plan_config(stack, configuration)
    except RefusedError as refused:
        forbidden = None if settings is None else _plan_despite_findings(stack, settings, configuration.encrypted())
        located_findings = _located(root, stack, refused.findings, overrides or {})
        return facts_of(stack, forbidden, located_findings, configuration.notes, settings)
    located_findings = _located(root, stack, plan.warnings, overrides or {})
    return facts_of(stack, plan, located_findings, configuration.notes, settings)


def _located(root: Path, stack: str, findings: Sequence[Finding], overrides: Mapping[str, str]) -> list[Finding]:
    """Findings with their lines in the stack file. One about a setting of the command line has none there."""
    path = stack_file(root, stack)
    lines = lines_of(path)
    override_paths = {key if ":" in key else f"{NAMESPACE}:{key}" for key in overrides}

    def line(setting: str) -> int | None:
        return None if any(setting.startswith(key) for key in override_paths) else line_of(lines, setting)

    return [
        replace(finding, place="-c") if any(finding.path.startswith(key) for key in override_paths) else finding
        for finding in located(findings, line, path.name)
    ]


def _settings(values: Mapping[str, Any]) -> StackSettings | None:
    try:
        return StackSettings.model_validate(values)
    except ValidationError:
        return None


def _plan_despite_findings(stack: str, settings: StackSettings, encrypted: frozenset[str]) -> StackPlan | None:
    """The plan of a refused stack, if planning gets that far: a report shows the memory of a refused model."""
    return plan_with_findings(stack, settings, catalog.load(), encrypted, Findings())
