"""Replicas that follow the load: the KEDA settings of each workload, and checks of the settings for it.

KEDA owns the number of replicas between the limits. Everything else plans with the maximum, which `fully_scaled` puts
in place of `replicas`: nodes, quota, capacity and costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.findings import Findings
from llm_d_gke.planning.picker_config import queues_requests
from llm_d_gke.planning.picker_config.build import can_count
from llm_d_gke.planning.plan.serving import ModelServerPlan, ScalingPlan, ScalingSpeedPlan, TriggerPlan
from llm_d_gke.planning.platform.queries import Queries
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.backends import backend_of
from llm_d_gke.planning.serving.scaling_windows import check_windows
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.autoscaling import AutoscalingSettings, ScalingSpeed
from llm_d_gke.settings.disaggregation import PrefillSettings
from llm_d_gke.settings.models import ModelSettings

# Google's endpoint of the Prometheus API (docs.cloud.google.com/stackdriver/docs/managed-prometheus/query-api-ui).
_ADDRESS = "https://monitoring.googleapis.com/v1/projects/{project}/location/global/prometheus"
# Of KEDA's operator: it reads time series, which the Prometheus API needs.
METRICS_ROLE = "roles/monitoring.viewer"

# Seconds between two looks at the triggers, as in llm-d's guide.
_POLLING_SECONDS = 15
# How long many replicas have to be enough before some go. Kubernetes' own default, and llm-d's guide's.
_STABILIZATION = {"up": 0, "down": 300}
_QUANTILE = 0.95
# Far above what is ever counted: the trigger wakes the workload and never asks for more than one replica.
_ONLY_WAKES = 1_000_000


def fully_scaled(settings: StackSettings) -> StackSettings:
    """The settings with each model's maximum as its `replicas`."""
    if all(model.autoscaling is None for model in settings.models):
        return settings
    models = tuple(
        model if model.autoscaling is None else model.model_copy(update={"replicas": model.autoscaling.maximum})
        for model in settings.models
    )
    return settings.model_copy(update={"models": models})


def check_autoscaling(settings: StackSettings, findings: Findings) -> None:
    """What of the limits, targets and windows contradicts itself. `settings` are those of the stack file."""
    for index, model in enumerate(settings.models):
        stages: list[tuple[tuple[str | int, ...], ModelSettings | PrefillSettings]] = [(("models", index), model)]
        if model.prefill is not None:
            stages.append((("models", index, "prefill"), model.prefill))
        for path, stage in stages:
            autoscaling = stage.autoscaling
            if autoscaling is None:
                continue
            if "replicas" in stage.model_fields_set:
                findings.error("LLMD-AUTOSCALING-REPLICAS", *path, "replicas", value=stage.replicas)
            _check_limits(autoscaling, path, findings)
            check_windows(autoscaling, (*path, "autoscaling", "windows"), findings)
            if not settings.monitoring.enabled:
                findings.error("LLMD-AUTOSCALING-MONITORING", *path, "autoscaling", value="set")
            if model.prefill is not None:
                _check_stage(autoscaling, path, findings)


def _check_limits(autoscaling: AutoscalingSettings, path: tuple[str | int, ...], findings: Findings) -> None:
    if autoscaling.minimum > autoscaling.maximum:
        findings.error(
            "LLMD-AUTOSCALING-LIMITS",
            *path,
            "autoscaling",
            "minimum",
            value=autoscaling.minimum,
            maximum=autoscaling.maximum,
        )
    if autoscaling.minimum == autoscaling.maximum:
        findings.warning("LLMD-AUTOSCALING-FIXED", *path, "autoscaling", "maximum", value=autoscaling.maximum)
    if autoscaling.minimum > 0 and "idle_seconds" in autoscaling.model_fields_set:
        findings.warning(
            "LLMD-AUTOSCALING-IDLE",
            *path,
            "autoscaling",
            "idleSeconds",
            value=autoscaling.idle_seconds,
            minimum=autoscaling.minimum,
        )
    if not any(value is not None for value in autoscaling.target.model_dump().values()):
        findings.error("LLMD-AUTOSCALING-TARGET", *path, "autoscaling", "target", value="(missing)")


def _check_stage(autoscaling: AutoscalingSettings, path: tuple[str | int, ...], findings: Findings) -> None:
    """What only one stage of disaggregated serving can be held to."""
    stage = "prefill" if path[-1] == "prefill" else "decode"
    if stage == "decode" and autoscaling.target.time_to_first_token_ms is not None:
        findings.error(
            "LLMD-AUTOSCALING-STAGE",
            *path,
            "autoscaling",
            "target",
            "timeToFirstTokenMs",
            value=autoscaling.target.time_to_first_token_ms,
        )
    if autoscaling.minimum == 0:
        findings.error(
            "LLMD-AUTOSCALING-ZERO-STAGE",
            *path,
            "autoscaling",
            "minimum",
            case=stage,
            value=0,
        )


def check_zero(served: ServedModel) -> None:
    """What a request sees that finds no replica."""
    settings, ctx = served.settings, served.ctx
    if settings.autoscaling is None or settings.autoscaling.minimum > 0 or ctx.role == "prefill":
        return
    seen = (
        "the picker then keeps requests in its queue until a replica answers or their time is over, and loses them"
        " when it restarts"
        if queues_requests(ctx)
        else "requests then get 503 until a replica answers, and the first of them wakes it"
    )
    served.warning(
        "LLMD-AUTOSCALING-ZERO",
        "autoscaling",
        "minimum",
        idle_seconds=settings.autoscaling.idle_seconds,
        seen=seen,
        fix="use 1, add a window for the hours of use, or acknowledge it"
        + ("" if queues_requests(ctx) else "; with picker.flowControl: true requests wait instead"),
    )


def check_held_back(served: ServedModel) -> None:
    """Targets that are never exceeded, because the picker keeps what is above a number of requests on each replica."""
    autoscaling, ctx = served.settings.autoscaling, served.ctx
    picker = ctx.settings.picker
    most = picker.max_concurrency
    if autoscaling is None or most is None or not picker.flow_control or ctx.role == "prefill":
        return
    if picker.config is not None or not can_count(ctx.picker):
        return
    target, batch = autoscaling.target, served.settings.max_num_seqs
    waiting = None if batch is None else max(0, most - batch)
    for key, value, reached in (
        ("requestsPerReplica", target.requests_per_replica, most),
        ("queuePerReplica", target.queue_per_replica, waiting),
    ):
        if value is not None and reached is not None and value >= reached:
            served.warning("LLMD-AUTOSCALING-HELD", "autoscaling", "target", key, most=most, reached=reached)


def check_kserve(served: ServedModel) -> None:
    """Whether KServe leaves the number of replicas alone."""
    ctx = served.ctx
    if (
        served.settings.autoscaling is None
        or not backend_of(ctx.settings).needs_kserve
        or ctx.release.charts.kserve_keeps_scale
    ):
        return
    version, keeps = ctx.release.charts.kserve.version, ctx.release.charts.kserve_keeps_scale
    keeping = [name for name, release in ctx.catalog.releases.items() if release.charts.kserve_keeps_scale]
    served.error(
        "LLMD-AUTOSCALING-KSERVE",
        "autoscaling",
        case="resets" if keeps is False else "unestablished",
        value="set",
        keeping=keeping[0],
        version=version,
    )


def plan_scaling(served: ServedModel, server: ModelServerPlan, cluster: str, picker: str) -> ScalingPlan | None:
    """How the number of one workload's replicas changes. `cluster` and `picker` are the names that metrics carry."""
    ctx, autoscaling = served.ctx, served.settings.autoscaling
    if autoscaling is None:
        return None
    queries = Queries(ctx.release.picker.metric_prefix, cluster, ctx.namespace)
    triggers = [*_targets(ctx, autoscaling, server.name, queries)]
    if autoscaling.minimum == 0:
        triggers.append(_activity(ctx, server.name, picker, queries))
    triggers += [
        TriggerPlan(
            name=f"window-{number + 1}",
            kind="cron",
            metadata={
                "timezone": window.time_zone,
                "start": window.start,
                "end": window.end,
                "desiredReplicas": str(window.replicas),
            },
            metric_type="AverageValue",
        )
        for number, window in enumerate(autoscaling.windows)
    ]
    target = (
        ("apps/v1", "Deployment", server.name)
        if server.group is None
        else ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", server.name)
    )
    return ScalingPlan(
        name=server.name,
        target=target,
        minimum=autoscaling.minimum,
        maximum=autoscaling.maximum,
        paused=ctx.settings.paused,
        triggers=tuple(triggers),
        polling_seconds=_POLLING_SECONDS,
        idle_seconds=autoscaling.idle_seconds,
        up=_speed(autoscaling.up, "up"),
        down=_speed(autoscaling.down, "down"),
    )


def _speed(settings: ScalingSpeed, direction: Literal["up", "down"]) -> ScalingSpeedPlan:
    stabilization = settings.stabilization_seconds
    return ScalingSpeedPlan(
        kind="Percent" if settings.replicas is None else "Pods",
        value=100 if settings.replicas is None else settings.replicas,
        period_seconds=settings.period_seconds,
        stabilization_seconds=_STABILIZATION[direction] if stabilization is None else stabilization,
    )


def _targets(ctx: PlanContext, autoscaling: AutoscalingSettings, name: str, queries: Queries) -> Iterator[TriggerPlan]:
    """Sums over all replicas, divided by the target: the result does not depend on how many are ready yet."""
    target, job = autoscaling.target, f',job="{name}"'
    waiting = f"sum({queries.series('engine-waiting', more=job)})"
    running = f"sum({queries.series('engine-running', more=job)})"
    if target.requests_per_replica is not None:
        yield _prometheus(ctx, "requests", f"{running} + {waiting}", target.requests_per_replica)
    if target.queue_per_replica is not None:
        yield _prometheus(ctx, "queue", waiting, target.queue_per_replica)
    if target.kv_cache is not None:
        cache = f"sum({queries.series('engine-kv-cache', more=job)})"
        yield _prometheus(ctx, "kv-cache", cache, target.kv_cache)
    if target.time_to_first_token_ms is not None:
        buckets = f"sum by (le) ({queries.rate('engine-first-token', suffix='_bucket', more=job)})"
        # Without requests the quantile is no number. It then counts as 0, as long as the replicas are scraped at all.
        query = f"(histogram_quantile({_QUANTILE:g}, {buckets}) > 0) or (0 * {running})"
        yield _prometheus(ctx, "first-token", query, target.time_to_first_token_ms / 1000, "Value")


def _activity(ctx: PlanContext, name: str, picker: str, queries: Queries) -> TriggerPlan:
    """Wakes the workload from zero, and keeps its last replica while that works.

    Without replicas the picker is the only one that sees requests: it counts those it refuses, or holds in its queue.
    """
    at_picker, at_engines = f',job="{picker}"', f',job="{name}"'
    work = "".join(
        f" + (sum({queries.series(metric, more=at_engines)}) or vector(0))"
        for metric in ("engine-running", "engine-waiting")
    )
    if queues_requests(ctx):
        arrived = f"(sum({queries.series('picker-flow-queue', more=at_picker)}) or vector(0))"
    else:
        errors = queries.series("picker-errors", more=at_picker)
        # Not a rate: a counter that appears with its first error has none.
        arrived = f"clamp_min((sum({errors}) or vector(0)) - (sum({errors} offset 5m) or vector(0)), 0)"
    return _prometheus(ctx, "activity", arrived + work, _ONLY_WAKES)


def _prometheus(
    ctx: PlanContext,
    name: str,
    query: str,
    threshold: float,
    metric_type: Literal["AverageValue", "Value"] = "AverageValue",
) -> TriggerPlan:
    return TriggerPlan(
        name=name,
        kind="prometheus",
        metadata={
            "serverAddress": _ADDRESS.format(project=ctx.settings.project),
            "query": query,
            "threshold": f"{threshold:g}" if threshold < _ONLY_WAKES else str(_ONLY_WAKES),
            # A lost scrape is an error, at which replicas stay; by default it would count as 0 and end them.
            "ignoreNullValues": "false",
        },
        metric_type=metric_type,
    )
