"""Priorities of clients: InferenceObjectives that the Gateway names for them, and the queue in the picker.

Sources: kubernetes-sigs/gateway-api-inference-extension v1.2.0, v1.4.0 and v1.5.0, apix/v1alpha2, pkg/epp/metadata,
pkg/epp/requestcontrol/admission.go, pkg/epp/flowcontrol/registry/config.go; llm-d/llm-d-router, the same files.
"""

from __future__ import annotations

from llm_d_gke.planning.alternatives import releases_with_picker
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.gke_versions import INFERENCE_POOL_SINCE, gke_brings_inference_pool
from llm_d_gke.planning.picker_config import can_count, can_queue, queues_requests
from llm_d_gke.planning.plan.routing import ObjectivePlan
from llm_d_gke.planning.serving.backends import backend_of
from llm_d_gke.settings.edge import ApiKeysAuth

OBJECTIVE_GROUP = "inference.networking.x-k8s.io"
"""The API group of the InferenceObjectives of a stack."""


def plan_objectives(ctx: PlanContext, pool: str) -> tuple[ObjectivePlan, ...]:
    """One for each client with a priority, of its name. Clients without one have priority 0."""
    priorities = ctx.settings.gateway.priorities
    return tuple(ObjectivePlan(name=name, pool=pool, priority=value) for name, value in sorted(priorities.items()))


def check_priorities(ctx: PlanContext) -> None:
    """Findings for priorities and queues that would have no effect."""
    _check_queue(ctx)
    _check_single(ctx)
    _check_concurrency(ctx)
    if not ctx.settings.gateway.priorities:
        return
    _check_keys(ctx)
    _check_names(ctx)
    _check_group(ctx)
    first = _needs_queue(ctx)
    if can_queue(ctx.picker) and not queues_requests(ctx) and first:
        ctx.error(
            "LLMD-PRIORITIES-QUEUE",
            "gateway.priorities",
            case="generated" if ctx.settings.picker.config is None else "own-config",
            value=", ".join(f"{name}: {ctx.settings.gateway.priorities[name]}" for name in first),
            clients=" and ".join(first),
        )


def _needs_queue(ctx: PlanContext) -> list[str]:
    """Clients that shall go first. Those below 0 are refused while all replicas are busy, by any picker."""
    return sorted(name for name, priority in ctx.settings.gateway.priorities.items() if priority > 0)


def _check_queue(ctx: PlanContext) -> None:
    settings = ctx.settings
    if (settings.picker.flow_control or _needs_queue(ctx)) and not can_queue(ctx.picker):
        path = ("picker", "flowControl") if settings.picker.flow_control else ("gateway", "priorities")
        ctx.error(
            "LLMD-FLOW-CONTROL-RELEASE", *path, value="true" if settings.picker.flow_control else _priorities_text(ctx)
        )


def _check_single(ctx: PlanContext) -> None:
    """Warns of pools with one replica, whose metrics may be too old for the picker."""
    picker = ctx.settings.picker
    if not (picker.flow_control and can_queue(ctx.picker)):
        return
    if picker.max_concurrency is not None and can_count(ctx.picker):
        return  # no metric decides then
    for index, model in enumerate(ctx.settings.models):
        if model.replicas == 1 and model.autoscaling is None:
            ctx.warning("LLMD-FLOW-CONTROL-SINGLE", f"models[{index}].replicas")


def _check_concurrency(ctx: PlanContext) -> None:
    """Refuses a maximum of requests in progress that the picker does not enforce."""
    picker = ctx.settings.picker
    if picker.max_concurrency is None or picker.config is not None:
        return
    if not picker.flow_control:
        rule, fix = "without a queue no request waits in the picker", "set picker.flowControl: true, or remove it"
    elif not can_count(ctx.picker):
        rule = (
            f"{ctx.picker.title} cannot hold requests back by the number of those in progress: it has no detector for"
            " that, or one that reads an old number"
        )
        fix = f"use release {' or '.join(releases_with_picker(ctx.catalog, can_count))}, or remove it"
    else:
        return
    ctx.error("LLMD-FLOW-CONTROL-CONCURRENCY", "picker.maxConcurrency", rule=rule, fix=fix)


def _check_keys(ctx: PlanContext) -> None:
    gateway = ctx.settings.gateway
    if gateway.auth.kind == "api-keys":
        return
    ctx.error(
        "LLMD-PRIORITIES-AUTH",
        "gateway.priorities",
        case="anonymous" if gateway.auth.kind != "jwt" else "token",
        value=_priorities_text(ctx),
    )


def _check_names(ctx: PlanContext) -> None:
    """Names that no key has."""
    settings = ctx.settings
    auth = settings.gateway.auth
    in_stack_file = isinstance(auth, ApiKeysAuth) and auth.keys_in_stack_file
    clients = {name.partition(".")[0] for name in settings.api_keys}
    for name in settings.gateway.priorities:
        if "." in name or (in_stack_file and clients and name not in clients):
            ctx.error(
                "LLMD-PRIORITIES-CLIENT",
                "gateway.priorities",
                name,
                case="clients" if clients else "key-names",
                value=name,
                clients=", ".join(sorted(clients)),
                client=name.partition(".")[0],
            )


def _check_group(ctx: PlanContext) -> None:
    """Warns of definitions that others bring, which decide which API group's InferenceObjectives the picker reads.

    KServe's chart brings them with InferencePools (kserve v0.20.0, charts/kserve-llmisvc-resources, gieCRDNames).
    """
    cluster = ctx.settings.cluster
    preferred = ctx.release.picker.objective_groups[0]
    by_chart = backend_of(ctx.settings).needs_kserve and not gke_brings_inference_pool(cluster)
    if preferred != OBJECTIVE_GROUP and (cluster.existing is not None or by_chart):
        ctx.warning(
            "LLMD-PRIORITIES-GROUP",
            "gateway.priorities",
            value=_priorities_text(ctx),
            preferred=preferred,
            group=OBJECTIVE_GROUP,
            cluster=cluster.existing.name if cluster.existing else "the new cluster, to which KServe's chart brings it",
            since=INFERENCE_POOL_SINCE,
        )


def _priorities_text(ctx: PlanContext) -> str:
    return ", ".join(f"{name}: {value}" for name, value in sorted(ctx.settings.gateway.priorities.items()))
