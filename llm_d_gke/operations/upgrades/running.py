"""The steps of an upgrade that already run, by the objects in the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llm_d_gke.operations.live_stack.stack import Cluster
from llm_d_gke.planning.plan.pods import PodPlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.upgrades.open_pickers import OPEN_PICKERS
from llm_d_gke.planning.upgrades.servers import passes_without_picker
from llm_d_gke.planning.upgrades.step import UpgradePlan

Manifest = Mapping[str, Any]
_DEPLOYMENT = ("apps/v1", "Deployment")
_POOL = ("inference.networking.k8s.io/v1", "InferencePool")
_GROUP = ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet")


def finished_steps(plan: UpgradePlan, after: StackPlan, cluster: Cluster) -> frozenset[str]:
    """Names of the steps whose workloads run the new image and arguments in every replica.

    Only steps that replace pods, or open pools, can be judged so; a finished step changes nothing when it is run again.
    """
    workloads = dict(_workloads(after))
    pools = [model.pool.name for model in after.models if passes_without_picker(model)]
    return frozenset(
        step.name
        for step in plan.steps
        if (step.name == OPEN_PICKERS and all(_passes(cluster, after, pool) for pool in pools))
        or (
            step.name in workloads
            and all(_runs(cluster, after, name, pod) for name, pod in workloads[step.name].items())
        )
    )


def _workloads(plan: StackPlan) -> Iterator[tuple[str, dict[str, PodPlan]]]:
    """Pods by the name of their workload, by the step that replaces them."""
    for model in plan.models:
        servers = {server.name: server.pod for server in model.servers}
        picker = {model.picker.name: model.picker.pod}
        if model.inference_service is None:
            yield f"picker-{model.key}", picker
            yield f"servers-{model.key}", servers
        else:
            yield f"servers-{model.key}", servers | picker
    if plan.router is not None:
        yield "router", {plan.router.name: plan.router.pod}
    if plan.models_endpoint is not None:
        yield "models-endpoint", {plan.models_endpoint.name: plan.models_endpoint.pod}


def is_complete(workload: Manifest) -> bool:
    """Whether every replica is of the newest template and available."""
    status, replicas = workload.get("status") or {}, (workload.get("spec") or {}).get("replicas", 1)
    newest = status.get("observedGeneration") in (None, workload["metadata"].get("generation"))
    counts = [status.get(name, 0) for name in ("updatedReplicas", "readyReplicas", "replicas")]
    return newest and counts == [replicas] * 3


def _passes(cluster: Cluster, plan: StackPlan, pool: str) -> bool:
    """Whether a pool lets requests pass without a picker."""
    declared = cluster.find(*_POOL, pool, plan.namespace.name) if cluster.serves(*_POOL) else None
    return declared is not None and declared["spec"]["endpointPickerRef"].get("failureMode") == "FailOpen"


def _runs(cluster: Cluster, plan: StackPlan, name: str, pod: PodPlan) -> bool:
    for api_version, kind in (_DEPLOYMENT, _GROUP):
        if not cluster.serves(api_version, kind):
            continue
        workload = cluster.find(api_version, kind, name, plan.namespace.name)
        if workload is not None:
            return is_complete(workload) and _has(workload["spec"], pod)
    return False


def _has(spec: Manifest, pod: PodPlan) -> bool:
    """Whether a workload's template has the planned container."""
    group = spec.get("leaderWorkerTemplate") or {}
    template = spec.get("template") or group.get("leaderTemplate") or group.get("workerTemplate") or {}
    containers = (template.get("spec") or {}).get("containers") or ()
    return any(
        container["name"] == pod.container
        and container["image"] == pod.image
        and tuple(container.get("args") or ()) == pod.args
        for container in containers
    )
