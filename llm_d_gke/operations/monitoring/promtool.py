"""Runs promtool, Prometheus' own tool, on the rules: their syntax, and which alerts fire in which scenario."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from llm_d_gke.catalog import load as load_catalog
from llm_d_gke.catalog.metrics import load_metrics
from llm_d_gke.operations.monitoring.files import annotations_of, rules_of
from llm_d_gke.planning.plan.stack import StackPlan

SCENARIOS = Path(__file__).with_name("scenarios.yaml")
# Names the program; without it the one on PATH.
VARIABLE = "LLMD_PROMTOOL"
_SECONDS = 60


class Series(BaseModel):
    """A series of a metric of the catalog. `values` are promtool's notation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    suffix: str = ""
    labels: Mapping[str, str] = Field(default_factory=dict)
    values: str


class Scenario(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    changes: Mapping[str, Any] = Field(default_factory=dict)
    series: tuple[Series, ...]
    at: int
    fires: tuple[str, ...]


def scenarios() -> tuple[dict[str, Any], list[Scenario]]:
    """The settings that all share, and the scenarios. An element of `series` may be a list of them."""
    document = yaml.safe_load(SCENARIOS.read_text(encoding="utf-8"))
    parsed = []
    for entry in document["scenarios"]:
        flat = [series for part in entry["series"] for series in (part if isinstance(part, list) else [part])]
        parsed.append(Scenario.model_validate(entry | {"series": flat}))
    return document["settings"], parsed


def find_promtool() -> str | None:
    """The path of promtool; None where there is none."""
    return os.environ.get(VARIABLE) or shutil.which("promtool")


def problems(promtool: str, plan: StackPlan, scenario: Scenario) -> Iterator[str]:
    """What promtool says against the rules of a plan, or against the scenario's alerts."""
    with tempfile.TemporaryDirectory(prefix="promtool-") as folder:
        rules, test = Path(folder) / "rules.yaml", Path(folder) / "test.yaml"
        rules.write_text(yaml.safe_dump(rules_of(plan.monitoring), sort_keys=False), encoding="utf-8")
        test.write_text(yaml.safe_dump(test_of(plan, scenario, rules.name), sort_keys=False), encoding="utf-8")
        for command in (["check", "rules", str(rules)], ["test", "rules", str(test)]):
            done = subprocess.run(
                [promtool, *command], capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=folder
            )
            if done.returncode:
                yield f"{scenario.name}: {' '.join((done.stdout + done.stderr).split())}"


def test_of(plan: StackPlan, scenario: Scenario, rules: str) -> dict[str, Any]:
    """The file of promtool's test: every alert of the plan is expected to fire, or to be silent."""
    prefix = load_catalog().releases[plan.release].picker.metric_prefix
    common = {"cluster": plan.cluster.name, "namespace": plan.namespace.name}
    input_series = [
        {
            "series": load_metrics().name(series.metric, prefix)
            + series.suffix
            + _selector(common | dict(series.labels)),
            "values": series.values,
        }
        for series in scenario.series
    ]
    alerts = [
        {
            "eval_time": f"{scenario.at}m",
            "alertname": alert.name,
            "exp_alerts": [
                {"exp_labels": {"severity": alert.severity.lower()}, "exp_annotations": annotations_of(alert)}
            ]
            if alert.name in scenario.fires
            else [],
        }
        for alert in plan.monitoring.alerts
    ]
    unknown = set(scenario.fires) - {alert.name for alert in plan.monitoring.alerts}
    if unknown:
        raise ValueError(f"{scenario.name}: the plan has no alert {', '.join(sorted(unknown))}")
    return {
        "rule_files": [rules],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": input_series, "alert_rule_test": alerts}],
    }


def _selector(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
