"""Scraping, and on request a dashboard and alert policies of Cloud Monitoring, in PromQL over the catalog's metrics."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from pydantic.alias_generators import to_camel

from llm_d_gke.catalog.metrics import load_metrics
from llm_d_gke.planning.context import STACK_LABEL, PlanContext
from llm_d_gke.planning.plan.estimates import SpeedEstimate
from llm_d_gke.planning.plan.platform import (
    AlertPlan,
    BudgetPlan,
    DashboardPlan,
    MonitoringPlan,
    PanelPlan,
    RecordingPlan,
)
from llm_d_gke.planning.platform.queries import WINDOW, Queries, bucket_of
from llm_d_gke.settings.monitoring import AlertSettings

# Multi-window, multi-burn-rate alerts (Google's SRE Workbook, chapter 5): long and short window, burn rate, severity.
# The first burns 2 % of a month's budget in an hour, the second 5 % in six.
_BURN_RATES: tuple[tuple[str, str, float, Literal["CRITICAL", "WARNING"]], ...] = (
    ("1h", "5m", 14.4, "CRITICAL"),
    ("6h", "30m", 6.0, "WARNING"),
)
_QUANTILE = 0.95
_NEARLY_ALL = 0.99


def plan_monitoring(
    ctx: PlanContext, cluster: str, namespace: str, pools: tuple[str, ...], waking: tuple[str, ...] = ()
) -> MonitoringPlan:
    """What is scraped, shown and alerted on.

    `pools` are the InferencePools of the stack, `waking` those that may be without replicas until a request comes.
    """
    settings = ctx.settings.monitoring
    for key, value in (("dashboard", settings.dashboard), ("alerts", settings.alerts)):
        if value and not settings.enabled:
            ctx.error("LLMD-MONITORING-OFF", "monitoring", key, value="true" if key == "dashboard" else "set", key=key)
    if not settings.enabled and "interval_seconds" in settings.model_fields_set:
        ctx.warning("LLMD-MONITORING-INTERVAL", "monitoring.intervalSeconds")
    queries = Queries(ctx.release.picker.metric_prefix, cluster, namespace)
    alerts = settings.alerts
    return MonitoringPlan(
        enabled=settings.enabled,
        interval_seconds=settings.interval_seconds,
        dashboard=_dashboard(ctx.stack, queries) if settings.dashboard else None,
        alerts=tuple(_alerts(ctx, alerts, queries, [pool for pool in pools if pool not in waking]))
        if alerts is not None
        else (),
        notification_channels=alerts.notification_channels if alerts is not None else (),
        recordings=tuple(_recordings(alerts, queries)) if alerts is not None else (),
        budget=_budget(ctx, alerts),
    )


def _budget(ctx: PlanContext, alerts: AlertSettings | None) -> BudgetPlan | None:
    budget = ctx.settings.budget
    if budget is not None and budget.billing_account is None and "notify_at" in budget.model_fields_set:
        ctx.warning(
            "LLMD-BUDGET-NOTIFY", "budget.notifyAt", value=", ".join(f"{share:g}" for share in budget.notify_at)
        )
    if budget is None or budget.billing_account is None:
        return None
    return BudgetPlan(
        billing_account=budget.billing_account,
        title=f"llm-d {ctx.stack}",
        project=ctx.settings.project,
        label=(STACK_LABEL, ctx.labels[STACK_LABEL]),
        monthly_usd=budget.max_monthly_usd,
        notify_at=budget.notify_at,
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


def _alerts(ctx: PlanContext, settings: AlertSettings, queries: Queries, pools: Sequence[str]) -> Iterator[AlertPlan]:
    stack = ctx.stack
    for long, short, rate, severity in _BURN_RATES:
        for name, ratio, budget, what, text in _objectives(settings, queries):
            # A share is at most 1: a budget that a rate uses up whole could never be exceeded.
            limit = f"{min(rate * budget, _NEARLY_ALL):g}"
            yield AlertPlan(
                name=f"{name}-{long}",
                title=f"llm-d {stack}: {what} use up the budget {rate:g} times too fast",
                query=f"({ratio(long)}) > {limit} and ({ratio(short)}) > {limit}",
                duration_seconds=0,
                severity=severity,
                text=f"{text} Run: make diagnose STACK={stack}",
            )
    if ctx.settings.paused:
        # Without replicas by intent.
        return
    for pool in pools:
        ready = queries.series("picker-ready", more=f',name="{pool}"')
        yield AlertPlan(
            name=f"ready-{pool}",
            title=f"llm-d {stack}: {pool} has no replica",
            query=f"(sum({ready}) or vector(0)) < 1",
            duration_seconds=300,
            severity="CRITICAL",
            text=f"The picker of {pool} has nothing to choose from. Run: make diagnose STACK={stack}",
        )
    if settings.idle_hours is not None:
        window = f"{settings.idle_hours}h"
        busy = queries.series("engine-running")
        # The second part holds only once there are series as old as the window.
        yield AlertPlan(
            name="idle",
            title=f"llm-d {stack}: accelerators have been idle for {settings.idle_hours} h",
            query=f"sum(max_over_time({busy}[{window}])) == 0 and count({busy} offset {window}) > 0",
            duration_seconds=0,
            severity="WARNING",
            text="Model servers run and nobody asks them. Pause the stack (llm-d:paused: true), or use"
            " models[].autoscaling with minimum: 0.",
        )


def check_limits(ctx: PlanContext, alone: Sequence[SpeedEstimate]) -> None:
    """Limits of latency that no request could break, or that all do. `alone`: single requests of every model."""
    settings = ctx.settings.monitoring.alerts
    for metric, seconds, _ in () if settings is None else _limits(settings):
        field = {"engine-first-token": "time_to_first_token", "engine-token": "time_per_output_token"}[metric]
        path = ("monitoring", "alerts", f"{to_camel(field)}Seconds")
        largest, bound = load_metrics().metrics[metric].buckets[-1], bucket_of(metric, seconds)
        fastest = min((getattr(speed, field) * (1 - speed.error) for speed in alone), default=0.0)
        if seconds > largest:
            ctx.error("LLMD-ALERT-UNSEEN", *path, largest=largest)
        elif bound < fastest:
            ctx.warning("LLMD-ALERT-ALWAYS", *path, bound=bound, fastest=f"{fastest:.2g}")


_Objective = tuple[str, Callable[[str], str], float, str, str]


def _objectives(settings: AlertSettings, queries: Queries) -> Iterator[_Objective]:
    """Name, share of bad requests over a window, budget of these, and two texts."""
    yield (
        "errors",
        queries.error_ratio,
        1 - settings.availability,
        "errors",
        f"Of requests, {settings.availability:.2%} are meant to end without an error.",
    )
    for metric, seconds, what in _limits(settings):
        bound = bucket_of(metric, seconds)
        yield (
            metric.removeprefix("engine-"),
            functools.partial(queries.slower_ratio, metric, seconds),
            1 - _QUANTILE,
            f"{what} over {bound:g} s",
            f"Of {what}, {_QUANTILE:.0%} are meant to take at most {seconds:g} s; the histogram's next bound is"
            f" {bound:g} s. More replicas or less load: make report says how many.",
        )


def _limits(settings: AlertSettings) -> Iterator[tuple[str, float, str]]:
    for metric, seconds, what in (
        ("engine-first-token", settings.time_to_first_token_seconds, "first tokens"),
        ("engine-token", settings.time_per_output_token_seconds, "further tokens"),
    ):
        if seconds is not None:
            yield metric, seconds, what


def _recordings(settings: AlertSettings, queries: Queries) -> Iterator[RecordingPlan]:
    """The shares that alerts compare, by window, and the quantiles of the dashboard."""
    for name, ratio, _, _, _ in _objectives(settings, queries):
        for window in dict.fromkeys(window for long, short, _, _ in _BURN_RATES for window in (short, long)):
            yield RecordingPlan(record=f"llm_d:{name.replace('-', '_')}:ratio_rate{window}", query=ratio(window))
    for metric in ("engine-first-token", "engine-token", "engine-latency"):
        name = metric.removeprefix("engine-").replace("-", "_")
        yield RecordingPlan(record=f"llm_d:{name}_seconds:p95_{WINDOW}", query=queries.quantile(metric, _QUANTILE))
