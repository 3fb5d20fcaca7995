"""Scraping, and on request a dashboard and alert policies of Cloud Monitoring, in PromQL over the catalog's metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from planning.context import PlanContext
from planning.plan.platform import AlertPlan, DashboardPlan, MonitoringPlan, PanelPlan
from planning.platform.queries import WINDOW, Queries
from settings.stack import AlertSettings

# Multi-window, multi-burn-rate alerts (Google's SRE Workbook, chapter 5): long and short window, burn rate, severity.
# The first burns 2 % of a month's budget in an hour, the second 5 % in six.
_BURN_RATES: tuple[tuple[str, str, float, Literal["CRITICAL", "WARNING"]], ...] = (
    ("1h", "5m", 14.4, "CRITICAL"),
    ("6h", "30m", 6.0, "WARNING"),
)
_QUANTILE = 0.95


def plan_monitoring(ctx: PlanContext, cluster: str, namespace: str, pools: tuple[str, ...]) -> MonitoringPlan:
    """Scraping, dashboard and alerts. `pools` are the InferencePools of the stack."""
    settings = ctx.settings.monitoring
    for key, value in (("dashboard", settings.dashboard), ("alerts", settings.alerts)):
        if value and not settings.enabled:
            ctx.findings.error(
                "LLMD-MONITORING-OFF",
                "monitoring",
                key,
                value="true" if key == "dashboard" else "set",
                rule="nothing is scraped with monitoring.enabled: false, so there is nothing to show or to alert on",
                fix=f"set monitoring.enabled: true, or remove monitoring.{key}",
            )
    queries = Queries(ctx.release.picker.metric_prefix, cluster, namespace)
    alerts = settings.alerts
    return MonitoringPlan(
        enabled=settings.enabled,
        interval_seconds=settings.interval_seconds,
        dashboard=_dashboard(ctx.stack, queries) if settings.dashboard else None,
        alerts=tuple(_alerts(alerts, ctx.stack, queries, pools)) if alerts is not None else (),
        notification_channels=alerts.notification_channels if alerts is not None else (),
    )


def _dashboard(stack: str, queries: Queries) -> DashboardPlan:
    by_model = "sum by (model_name)"
    panels = (
        ("Requests", "1/s", f"{by_model} ({queries.rate('picker-requests')})"),
        ("Errors, share of requests", "1", queries.error_ratio(WINDOW)),
        ("Replicas that can be chosen", "1", f"sum by (name) ({queries.series('picker-ready')})"),
        ("Time to first token, 95 %", "s", queries.quantile("engine-first-token", _QUANTILE)),
        ("Time per further token, 95 %", "s", queries.quantile("engine-token", _QUANTILE)),
        ("Time to the last token, 95 %", "s", queries.quantile("engine-latency", _QUANTILE)),
        ("Requests in a batch, by replica", "1", f"sum by (pod) ({queries.series('engine-running')})"),
        ("Requests that wait, by replica", "1", f"sum by (pod) ({queries.series('engine-waiting')})"),
        ("KV cache in use, by replica", "1", f"max by (pod) ({queries.series('engine-kv-cache')})"),
        ("Generated tokens", "1/s", f"{by_model} ({queries.rate('engine-generated')})"),
        (
            "Prefix cache hits, share of prompt tokens, by replica",
            "1",
            f"sum by (pod) ({queries.rate('engine-cache-hits')})"
            f" / sum by (pod) ({queries.rate('engine-cache-queries')})",
        ),
        ("Mean queue that the picker sees", "1", f"max by (name) ({queries.series('picker-queue')})"),
    )
    return DashboardPlan(
        title=f"llm-d {stack}",
        panels=tuple(PanelPlan(title=title, unit=unit, query=query) for title, unit, query in panels),
    )


def _alerts(settings: AlertSettings, stack: str, queries: Queries, pools: tuple[str, ...]) -> Iterator[AlertPlan]:
    budget = 1 - settings.availability
    for long, short, rate, severity in _BURN_RATES:
        limit = f"{rate * budget:g}"
        yield AlertPlan(
            name=f"errors-{long}",
            title=f"llm-d {stack}: errors use up the budget {rate:g} times too fast",
            query=f"({queries.error_ratio(long)}) > {limit} and ({queries.error_ratio(short)}) > {limit}",
            duration_seconds=0,
            severity=severity,
            text=f"Of requests, {settings.availability:.2%} are meant to end without an error."
            f" Run: make diagnose STACK={stack}",
        )
    for pool in pools:
        ready = queries.series("picker-ready", more=f',name="{pool}"')
        yield AlertPlan(
            name=f"ready-{pool}",
            title=f"llm-d {stack}: {pool} has no replica",
            query=f"sum({ready}) < 1 or absent({ready})",
            duration_seconds=300,
            severity="CRITICAL",
            text=f"The picker of {pool} has nothing to choose from. Run: make diagnose STACK={stack}",
        )
    for metric, seconds, what in (
        ("engine-first-token", settings.time_to_first_token_seconds, "the first token"),
        ("engine-token", settings.time_per_output_token_seconds, "a further token"),
    ):
        if seconds is not None:
            yield AlertPlan(
                name=metric.removeprefix("engine-"),
                title=f"llm-d {stack}: {what} takes more than {seconds:g} s",
                query=f"{queries.quantile(metric, _QUANTILE)} > {seconds:g}",
                duration_seconds=600,
                severity="WARNING",
                text="95 % of requests are meant to stay below. More replicas or less load: make report says how many.",
            )
