"""Dashboard and alerts use only metrics that their release exports, and exist only if enabled."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.catalog.metrics import load_metrics
from llm_d_gke.components.platform.dashboards import dashboard_of
from llm_d_gke.planning.plan.platform import MonitoringPlan
from llm_d_gke.planning.platform.queries import bucket_of
from tests.planning.refusals.autoscaling import scaled
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
    alerts = {alert.name: alert for alert in plan_of("gpu", DASHBOARD_AND_ALERTS).monitoring.alerts}
    latency = ["first-token-1h", "first-token-6h", "token-1h", "token-6h"]
    assert sorted(alerts) == sorted([*names, *latency])
    # A limit of 2 s is judged at the next bound of the histogram, whose budget is 5 % of the requests.
    assert 'le=~"2.5"' in alerts["first-token-1h"].query
    assert alerts["first-token-1h"].query.count("> 0.72") == 2
    assert alerts["first-token-6h"].query.count("> 0.3") == 2
    assert "at most 2 s; the histogram's next bound is 2.5 s" in alerts["first-token-1h"].text


def test_a_budget_that_a_rate_uses_up_whole_can_be_exceeded() -> None:
    alerts = plan_of("gpu", {"monitoring": {"alerts": {"availability": 0.9}}}).monitoring.alerts
    assert alerts[0].query.count("> 0.99") == 2


@pytest.mark.parametrize("metric", ["engine-first-token", "engine-token"])
def test_a_bound_is_the_next_one_and_the_last_one_at_most(metric: str) -> None:
    buckets = load_metrics().metrics[metric].buckets
    assert list(buckets) == sorted(set(buckets))
    assert [bucket_of(metric, bound) for bound in buckets] == list(buckets)
    assert bucket_of(metric, buckets[3] + 1e-6) == buckets[4]
    assert bucket_of(metric, buckets[-1] + 1) == buckets[-1]


def test_who_has_no_replica_by_intent_sets_off_no_alarm() -> None:
    def ready(changes: dict[str, Any]) -> list[str]:
        plan = plan_of("gpu", {"monitoring": {"alerts": {"idleHours": 4}}, **changes}).monitoring
        return [alert.name for alert in plan.alerts if not alert.name.startswith("errors")]

    assert ready({}) == ["ready-gemma-2b-it", "idle"]
    assert ready({"paused": True}) == []
    assert ready(scaled(minimum=0)) == ["idle"]
    assert ready(scaled(minimum=1)) == ["ready-gemma-2b-it", "idle"]


def test_a_budget_is_over_the_stacks_label_and_only_where_it_has_an_account() -> None:
    budget = {"maxMonthlyUsd": 2000.5, "billingAccount": "012345-6789AB-CDEF01"}
    channel = "projects/p/notificationChannels/1"
    graph = graph_of("gpu", {"budget": budget, "monitoring": {"alerts": {"notificationChannels": [channel]}}})
    [resource] = graph.by_type("gcp:billing/budget:Budget")
    assert resource.inputs["billingAccount"] == "012345-6789AB-CDEF01"
    assert resource.inputs["budgetFilter"] == {
        "projects": ["projects/golden-project"],
        "labels": {"llm-d-stack": "gpu"},
        "calendarPeriod": "MONTH",
    }
    assert resource.inputs["amount"] == {"specifiedAmount": {"currencyCode": "USD", "units": "2001"}}
    assert [rule["thresholdPercent"] for rule in resource.inputs["thresholdRules"]] == [0.5, 0.9, 1.0]
    assert resource.inputs["allUpdatesRule"] == {"monitoringNotificationChannels": [channel]}
    assert "billingbudgets.googleapis.com" in plan_of("gpu", {"budget": budget}).services
    without = graph_of("gpu", {"budget": {"maxMonthlyUsd": 2000}})
    assert without.by_type("gcp:billing/budget:Budget") == []


def test_the_resources_are_those_of_the_plan() -> None:
    graph = graph_of("gpu", DASHBOARD_AND_ALERTS)
    dashboard = graph.one("gcp:monitoring/dashboard:Dashboard", "dashboard")
    written = json.loads(str(dashboard.inputs["dashboardJson"]))
    plan = plan_of("gpu", DASHBOARD_AND_ALERTS).monitoring
    assert plan.dashboard is not None
    assert written == dashboard_of(plan.dashboard)
    policies = [resource for resource in graph if resource.type == "gcp:monitoring/alertPolicy:AlertPolicy"]
    assert len(policies) == len(plan.alerts) == 7


@pytest.mark.parametrize(("scraped", "evaluated"), [(5, "30s"), (30, "30s"), (45, "60s"), (150, "150s")])
def test_alerts_are_evaluated_at_multiples_of_30_seconds(scraped: int, evaluated: str) -> None:
    graph = graph_of("gpu", {"monitoring": {"intervalSeconds": scraped, "alerts": {"availability": 0.99}}})
    policies = graph.by_type("gcp:monitoring/alertPolicy:AlertPolicy")
    (interval,) = {
        policy.inputs["conditions"][0]["conditionPrometheusQueryLanguage"]["evaluationInterval"] for policy in policies
    }
    assert interval == evaluated


def test_panels_fill_the_mosaic_without_overlap() -> None:
    plan = plan_of("gpu", DASHBOARD_AND_ALERTS).monitoring.dashboard
    assert plan is not None
    layout = dashboard_of(plan)["mosaicLayout"]
    places = {(tile["xPos"], tile["yPos"]) for tile in layout["tiles"]}
    assert len(places) == len(plan.panels)
    assert all(tile["xPos"] + tile["width"] <= layout["columns"] <= 48 for tile in layout["tiles"])
