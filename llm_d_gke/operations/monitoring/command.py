"""Implements the commands `monitoring-files` and `check-alerts`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from llm_d_gke.cli.exits import DONE, FAILED, REFUSED
from llm_d_gke.operations.monitoring.files import grafana_of, rules_of
from llm_d_gke.operations.monitoring.promtool import VARIABLE, find_promtool, problems, scenarios
from llm_d_gke.planning import plan_raw
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.stackfile import PROJECT_ROOT, load
from llm_d_gke.stackfile.assumptions import assume_unset
from llm_d_gke.stackfile.model_files import model_files


def write_monitoring_files(stack: str, out: Path) -> int:
    """Write `rules.yaml` and `dashboard.json` of a stack, as far as its settings ask for them."""
    plan = _plan(stack, {})
    files = {}
    if plan.monitoring.alerts:
        files["rules.yaml"] = yaml.safe_dump(rules_of(plan.monitoring), sort_keys=False, width=1000)
    if plan.monitoring.dashboard is not None:
        files["dashboard.json"] = json.dumps(grafana_of(plan.monitoring.dashboard), indent=1) + "\n"
    if not files:
        print(
            f"stack {stack} has neither alerts nor a dashboard: set llm-d:monitoring.dashboard: true, or .alerts: {{}}",
            file=sys.stderr,
        )
        return REFUSED
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
        print(f"wrote {out / name}")
    return DONE


def check_scenarios() -> int:
    """Run promtool on every scenario."""
    promtool = find_promtool()
    if promtool is None:
        print(
            f"promtool is not installed, so nothing was checked: apt-get install prometheus, or set {VARIABLE} to it",
            file=sys.stderr,
        )
        return FAILED
    shared_settings, listed = scenarios()
    wrong = [
        sentence
        for scenario in listed
        for sentence in problems(promtool, _plan("gpu", shared_settings | dict(scenario.changes)), scenario)
    ]
    print("\n".join(wrong) if wrong else f"{len(listed)} scenarios: every alert fires or is silent as written")
    return FAILED if wrong else DONE


def _plan(stack: str, changes: dict[str, object]) -> StackPlan:
    configuration = assume_unset(
        load(PROJECT_ROOT, stack, {path: json.dumps(value) for path, value in changes.items()})
    )
    values = configuration.settings()
    return plan_raw(stack, values, configuration.encrypted(), files=model_files(values))
