"""Dashboard and alerts use only metrics that their release exports, and exist only if enabled."""

from __future__ import annotations

import json
import re

import pytest

from catalog import load
from catalog.metrics import load_metrics
from components.platform.dashboards import dashboard_of
from planning.plan.platform import MonitoringPlan
from tests.stacks import graph_of, plan_of

ALERTS = {"timeToFirstTokenSeconds": 2, "timePerOutputTokenSeconds": 0.1, "availability": 0.99}
DASHBOARD_AND_ALERTS = {"monitoring": {"dashboard": True, "alerts": ALERTS}}
_NAME = re.compile(r'__name__="([^"]+)"')
_SUFFIXES = ("_bucket", "_sum", "_count")


def queries(plan: MonitoringPlan) -> list[str]:
    assert plan.dashboard is not None
    return [panel.query for panel in plan.dashboard.panels] + [alert.query for alert in plan.alerts]


def bare(name: str) -> str:
    return next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)


def test_nothing_is_created_unless_it_is_wanted() -> None:
    plan = plan_of("gpu").monitoring
    assert (plan.dashboard, plan.alerts) == (None, ())


@pytest.mark.parametrize("release", ["llm-d-0.9", "gaie-1.5", "llm-d-0.6"])
def test_every_metric_is_one_of_the_release(release: str) -> None:
    plan = plan_of("gpu", {**DASHBOARD_AND_ALERTS, "release": release}).monitoring
    prefix = load().releases[release].picker.metric_prefix
    exported = {load_metrics().name(metric, prefix) for metric in load_metrics().metrics}
    used = {bare(name) for query in queries(plan) for name in _NAME.findall(query)}
    assert used <= exported
    assert len(used) > 8


def test_every_query_is_of_this_stack_alone() -> None:
    plan = plan_of("gpu", DASHBOARD_AND_ALERTS)
    labels = f'cluster="{plan.cluster.name}",namespace="{plan.namespace.name}"'
    for query in queries(plan.monitoring):
        assert query.count("__name__=") == query.count(labels), query
        assert query.count("(") == query.count(")"), query


def test_the_burn_rates_follow_from_the_availability() -> None:
    hour, six = (
        alert for alert in plan_of("gpu", DASHBOARD_AND_ALERTS).monitoring.alerts if alert.name.startswith("errors-")
    )
    assert (hour.severity, six.severity) == ("CRITICAL", "WARNING")
    assert hour.query.count("> 0.144") == 2
    assert six.query.count("> 0.06") == 2
    strict = plan_of("gpu", {"monitoring": {"alerts": {"availability": 0.999}}}).monitoring.alerts
    assert "> 0.0144" in strict[0].query


def test_latency_is_alerted_on_where_it_has_a_limit() -> None:
    names = [
        alert.name for alert in plan_of("gpu", {"monitoring": {"alerts": {"availability": 0.9}}}).monitoring.alerts
    ]
    assert names == ["errors-1h", "errors-6h", "ready-gemma-2b-it"]
    names = [alert.name for alert in plan_of("gpu", DASHBOARD_AND_ALERTS).monitoring.alerts]
    assert names[3:] == ["first-token", "token"]


def test_the_resources_are_those_of_the_plan() -> None:
    graph = graph_of("gpu", DASHBOARD_AND_ALERTS)
    dashboard = graph.one("gcp:monitoring/dashboard:Dashboard", "dashboard")
    written = json.loads(str(dashboard.inputs["dashboardJson"]))
    plan = plan_of("gpu", DASHBOARD_AND_ALERTS).monitoring
    assert plan.dashboard is not None
    assert written == dashboard_of(plan.dashboard)
    policies = [resource for resource in graph if resource.type == "gcp:monitoring/alertPolicy:AlertPolicy"]
    assert len(policies) == len(plan.alerts) == 5


def test_panels_fill_the_mosaic_without_overlap() -> None:
    plan = plan_of("gpu", DASHBOARD_AND_ALERTS).monitoring.dashboard
    assert plan is not None
    layout = dashboard_of(plan)["mosaicLayout"]
    places = {(tile["xPos"], tile["yPos"]) for tile in layout["tiles"]}
    assert len(places) == len(plan.panels)
    assert all(tile["xPos"] + tile["width"] <= layout["columns"] <= 48 for tile in layout["tiles"])
