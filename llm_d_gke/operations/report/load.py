"""The facts of a stack file: planned without the engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llm_d_gke import catalog
from llm_d_gke.operations.report.collect import facts_of
from llm_d_gke.operations.report.facts import StackFacts
from llm_d_gke.planning import RefusedError, StackPlan, plan_config
from llm_d_gke.planning.findings import Findings
from llm_d_gke.planning.planner import plan_with_findings
from llm_d_gke.planning.serving.custom_models import with_own_models
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile.assumptions import assume_unset, load_written
from llm_d_gke.stackfile.config import StackConfig
from llm_d_gke.stackfile.model_files import model_files


def load_facts(root: Path, stack: str, overrides: Mapping[str, str] | None = None) -> StackFacts:
    """Facts of `Pulumi.<stack>.yaml` below `root`. Raises StackFileError where there is no such file."""
    written = load_written(stack, overrides, root=root)
    configuration = assume_unset(written)
    settings, listed = _settings(configuration.settings()), _settings(written.settings())
    notes = configuration.notes
    try:
        plan = plan_config(stack, configuration)
    except RefusedError as refused:
        forbidden = None if settings is None else _plan_despite_findings(stack, settings, configuration)
        return facts_of(stack, forbidden, refused.findings, notes, listed)
    return facts_of(stack, plan, plan.warnings, notes, listed)


def _settings(values: Mapping[str, Any]) -> StackSettings | None:
    try:
        return StackSettings.model_validate(values)
    except ValidationError:
        return None


def _plan_despite_findings(stack: str, settings: StackSettings, configuration: StackConfig) -> StackPlan | None:
    """The plan of a refused stack, if planning gets that far: a report shows the memory of a refused model."""
    files = model_files(configuration.settings())
    models = with_own_models(catalog.load(), settings, files, Findings())
    return plan_with_findings(stack, settings, models, configuration.encrypted(), Findings())
