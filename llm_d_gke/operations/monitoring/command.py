"""Implements the commands `monitoring-files` and `check-alerts`.

The first writes a stack's alerts and dashboard as files for Prometheus and Grafana. The second runs promtool on the
rules: their syntax, and which alerts fire in which scenario.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from llm_d_gke.catalog import load as load_catalog
from llm_d_gke.catalog.metrics import load_metrics
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.cli.exits import DONE, FAILED, REFUSED
from llm_d_gke.planning import plan_config, plan_raw
from llm_d_gke.planning.plan.platform import AlertPlan, DashboardPlan, MonitoringPlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.rehearsal.toolchain.build import BuildError, binaries
from llm_d_gke.stackfile.assumptions import load_assumed
from llm_d_gke.wording import wrapped


def write_monitoring_files(stack: str, changes: Mapping[str, str], out: Path) -> int:
    """Write `rules.yaml` and `dashboard.json` of a stack, as far as its settings ask for them."""
    plan = plan_config(stack, load_assumed(stack, changes))
    files = {}
    if plan.monitoring.alerts:
        files["rules.yaml"] = yaml.safe_dump(rules_of(plan.monitoring), sort_keys=False, width=1000)
    if plan.monitoring.dashboard is not None:
        files["dashboard.json"] = json.dumps(grafana_of(plan.monitoring.dashboard), indent=1) + "\n"
    if not files:
        print(
            wrapped(
                f"stack {stack} has neither alerts nor a dashboard: set llm-d:monitoring to {{dashboard: true}} or"
                " {alerts: {}}. For the files alone, without resources of Cloud Monitoring:"
            )
            + f"\n  bin/llmd monitoring-files {stack} -c 'monitoring={{dashboard: true, alerts: {{}}}}'",
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
    try:
        promtool = find_promtool()
    except BuildError as error:
        print(f"nothing was checked without promtool (apt-get install prometheus): {error}", file=sys.stderr)
        return FAILED
    shared_settings, listed = scenarios()
    wrong = [
        sentence
        for scenario in listed
        for sentence in problems(promtool, plan_raw("gpu", shared_settings | dict(scenario.changes)), scenario)
    ]
    print("\n".join(wrong) if wrong else f"{len(listed)} scenarios: every alert fires or is silent as written")
    return FAILED if wrong else DONE


# Grafana's grid has 24 columns; three panels share a row.
_COLUMNS, _WIDTH, _HEIGHT = 3, 8, 8
# Grafana's names of the units of metrics.yaml.
_UNITS = {"s": "s", "1/s": "reqps", "1": "short"}


def rules_of(plan: MonitoringPlan) -> dict[str, Any]:
    """Recording and alerting rules in the format of Prometheus' rule files."""
    recordings = [{"record": rule.record, "expr": rule.query} for rule in plan.recordings]
    groups = [
        {"name": "llm-d-recording", "rules": recordings},
        {"name": "llm-d-alerts", "rules": [_alert(alert) for alert in plan.alerts]},
    ]
    return {"groups": [group for group in groups if group["rules"]]}


def _alert(plan: AlertPlan) -> dict[str, Any]:
    return {
        "alert": plan.name,
        "expr": plan.query,
        "for": f"{plan.duration_seconds}s",
        "labels": {"severity": plan.severity.lower()},
        "annotations": annotations_of(plan),
    }


def annotations_of(plan: AlertPlan) -> dict[str, str]:
    return {"summary": plan.title, "description": plan.text}


def grafana_of(plan: DashboardPlan) -> dict[str, Any]:
    """A dashboard in Grafana's JSON model, with a variable for the data source."""
    source = {"type": "prometheus", "uid": "${datasource}"}
    panels = [
        {
            "id": number + 1,
            "type": "timeseries",
            "title": panel.title,
            "datasource": source,
            "gridPos": {"x": number % _COLUMNS * _WIDTH, "y": number // _COLUMNS * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
            "fieldConfig": {"defaults": {"unit": _UNITS[panel.unit]}, "overrides": []},
            "targets": [{"refId": "A", "datasource": source, "expr": panel.query}],
        }
        for number, panel in enumerate(plan.panels)
    ]
    variable = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "title": plan.title,
        "schemaVersion": 39,
        "editable": True,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": [variable]},
        "panels": panels,
    }


SCENARIOS = Path(__file__).with_name("scenarios.yaml")
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
    document = read_yaml(SCENARIOS)
    parsed = []
    for entry in document["scenarios"]:
        flat = [series for part in entry["series"] for series in (part if isinstance(part, list) else [part])]
        parsed.append(Scenario.model_validate(entry | {"series": flat}))
    return document["settings"], parsed


def find_promtool() -> str:
    """The promtool on PATH, otherwise one that is built from the Go module. Raises BuildError where it cannot be."""
    return shutil.which("promtool") or str(binaries(["promtool"], print)["promtool"])


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
