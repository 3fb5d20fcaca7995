"""Number of nodes for the replicas, resources of each on its node, and the remaining room of the pool."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

from llm_d_gke.planning.allocatable import EPHEMERAL_SHARE, allocatable
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.parallelism.layout import Parallelism, parallelism_of, pod_accelerators, pods_of
from llm_d_gke.planning.parallelism.packing import enough_nodes, fewest_nodes
from llm_d_gke.planning.plan.infrastructure import NodePoolPlan
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.settings.models import ModelSettings
from llm_d_gke.wording import count


def with_derived_nodes(ctx: PlanContext) -> PlanContext:
    """The context with as many nodes as replicas may take, where GKE creates nodes and the stack file bounds none."""
    accelerator = ctx.settings.accelerator
    creates = ctx.autopilot or accelerator.compute_class is not None
    if not creates or "nodes" in accelerator.model_fields_set:
        return ctx
    most = enough_nodes(all_pods(ctx), ctx.per_node)
    nodes = accelerator.nodes.model_copy(update={"max": max(1, most)})
    bounded = accelerator.model_copy(update={"nodes": nodes})
    return replace(ctx, settings=ctx.settings.model_copy(update={"accelerator": bounded}))


def check_capacity(ctx: PlanContext) -> None:
    """All replicas together have to fit the largest size of the pool.

    Of models that scale, each has to reach its maximum while the others are at their minimum.
    """
    if ctx.settings.paused or not all(_fits_nodes(ctx, model) for model in ctx.settings.models):
        return
    models, most = ctx.settings.models, ctx.settings.accelerator.nodes.max
    _check_zero(ctx)
    needed, enough = fewest_nodes(all_pods(ctx), ctx.per_node), enough_nodes(all_pods(ctx), ctx.per_node)
    together = max(fewest_nodes(all_pods(ctx, full={index}), ctx.per_node) for index in range(len(models)))
    if together > most:
        replicas = sum(model.replicas for model in models)
        hosts = max(parallelism_of(ctx, model).hosts for model in models)
        size_note = f" of {hosts} hosts" if hosts > 1 else ""
        up_to = "up to " if any(model.autoscaling is not None for model in models) else ""
        ctx.error(
            "LLMD-POOL-REPLICAS",
            "accelerator.nodes.max",
            up_to=up_to,
            replicas=count(replicas, "replica"),
            size_note=size_note,
            need="needs" if replicas == 1 else "need",
            needed=needed,
            fix=f"use {needed} or more{', or fewer replicas' if replicas > 1 else ''}",
        )
    elif needed > most:
        ctx.warning("LLMD-AUTOSCALING-SHARED", "accelerator.nodes.max", needed=needed)
    elif enough > most:
        ctx.warning("LLMD-POOL-PACKING", "accelerator.nodes.max", enough=enough)


def _fits_nodes(ctx: PlanContext, settings: ModelSettings) -> bool:
    """Whether nodes of this machine type can carry the layers of a replica. Of others no number is enough.

    LLMD-TP-TPU-CHIPS and LLMD-TP-ACROSS-NODES refuse those.
    """
    parallelism = parallelism_of(ctx, settings)
    if ctx.accelerator.kind == "tpu":
        return parallelism.tensor == ctx.chips * ctx.accelerator.devices_per_chip or parallelism.data > 1
    return parallelism.tensor <= ctx.per_node or ctx.machine.rdma


def all_pods(ctx: PlanContext, full: Collection[int] | None = None) -> list[int]:
    """Accelerators of each pod of all replicas, or, of models whose index is not in `full`, of the fewest."""
    return [
        pod
        for index, model in enumerate(ctx.settings.models)
        for pod in pods_of(ctx, model, None if full is None or index in full else least_replicas(model))
    ]


def _check_zero(ctx: PlanContext) -> None:
    for index, model in enumerate(ctx.settings.models):
        # Prefill without decode servers is an error of its pattern.
        if model.replicas == 0 and model.autoscaling is None and model.prefill is None:
            ctx.warning("LLMD-REPLICAS-ZERO", f"models[{index}].replicas", model=model.name)


def least_replicas(settings: ModelSettings) -> int:
    """The fewest replicas of a model that runs."""
    return settings.replicas if settings.autoscaling is None else settings.autoscaling.minimum


def busy_nodes(
    ctx: PlanContext, pools: Sequence[NodePoolPlan], *, scaled_down: bool = False
) -> list[tuple[NodePoolPlan, int]]:
    """Each pool with the nodes of it that run while all replicas do: what they take, and what the pool keeps anyway.

    Whether or not the stack is paused. `scaled_down`: with the fewest replicas of each model instead.
    """
    nodes_left = fewest_nodes(all_pods(ctx, full=() if scaled_down else None), ctx.per_node)
    if any(model.autoscaling is not None for model in ctx.settings.models):
        # Models may share the last nodes.
        nodes_left = min(nodes_left, max(sum(pool.max_nodes for pool in pools), 0))
    busy = []
    for pool in pools:
        # What no pool holds is a finding already, and costs as if it were there.
        nodes = nodes_left if pool is pools[-1] else min(nodes_left, pool.max_nodes)
        busy.append((pool, max(nodes, pool.min_nodes)))
        nodes_left -= nodes
    return busy


def has_spare(served: ServedModel) -> bool:
    """Whether one more replica of a model surely finds room beside all models' own: a rolling update without loss."""
    ctx, settings = served.ctx, served.settings
    needed = enough_nodes(pods_of(ctx, settings, 1), ctx.per_node, standing=all_pods(ctx))
    return settings.replicas > 0 and needed <= ctx.settings.accelerator.nodes.max


def node_share(ctx: PlanContext, parallelism: Parallelism) -> float:
    """The part of a node that one pod gets, by its accelerators."""
    return pod_accelerators(ctx, parallelism) / ctx.per_node


# GiB that an engine writes beside its weights: compiled kernels and graphs, temporary files.
_OWN_FILES_GIB = 4
# GiB of the volume /tmp, and of a container's logs; its root file system is read-only.
TMP_GIB, _LOGS_GIB = 4, 1
# GiB beside the weights for which a node's disk has room, for each replica: kernels and graphs, /tmp, logs.
BESIDE_WEIGHTS_GIB = 3 + TMP_GIB + _LOGS_GIB


def _storage_gib(ctx: PlanContext, parallelism: Parallelism, disk_gib: int) -> int:
    """GiB of the node's disk that one replica may request, with what its sidecars do."""
    return int(allocatable(ctx.machine, disk_gib).ephemeral_gib * 0.8 * node_share(ctx, parallelism))


def bucket_cache_gib(ctx: PlanContext, parallelism: Parallelism, disk_gib: int, cached: float) -> int:
    """GiB to request for a bucket's file cache, which holds `cached` GiB: at most what leaves the engine 1 GiB."""
    return max(1, min(_storage_gib(ctx, parallelism, disk_gib) - 1, math.ceil(cached)))


def requests(served: ServedModel, disk_gib: int, size: float) -> dict[str, str]:
    """Three quarters of what the node leaves to pods, by accelerators: the rest is for GKE's own DaemonSets.

    `size` are the GiB of the weights, which the engine writes only where it downloads them: a bucket's are in its
    sidecar's cache, an image's belong to no pod, a claim's are elsewhere.
    """
    ctx, parallelism, source = served.ctx, served.parallelism, served.settings.source.kind
    downloads = size if source == "hugging-face" else 0.0
    room, share = allocatable(ctx.machine, disk_gib), node_share(ctx, parallelism)
    storage = _storage_gib(ctx, parallelism, disk_gib)
    if source == "bucket":
        storage -= bucket_cache_gib(ctx, parallelism, disk_gib, size)
    return {
        "cpu": _cores(int(room.cpu_millis * 0.75 * share)),
        "memory": f"{int(room.memory_mib * 0.8 * share)}Mi",
        "ephemeral-storage": f"{max(1, min(storage, math.ceil(_OWN_FILES_GIB + downloads)))}Gi",
        ctx.accelerator.resource_name: str(pod_accelerators(ctx, parallelism)),
    }


def cache_gib(ctx: PlanContext, parallelism: Parallelism, disk_gib: int, downloads: float) -> int:
    """GiB of the volume for downloads, kernels and graphs, of which `downloads` GiB are weights.

    The kubelet evicts a pod whose volumes on disk, logs and layers together exceed its containers' limits, whatever the
    limits of the volumes (podEphemeralStorageLimitEviction in pkg/kubelet/eviction of Kubernetes v1.36.3).
    """
    room = _storage_limit_gib(ctx, parallelism, disk_gib) - TMP_GIB - _LOGS_GIB
    return min(room, math.ceil(10 + 1.5 * downloads))


def _storage_limit_gib(ctx: PlanContext, parallelism: Parallelism, disk_gib: int) -> int:
    room = allocatable(ctx.machine, disk_gib).ephemeral_gib * EPHEMERAL_SHARE
    return int(room * node_share(ctx, parallelism))


def limits(ctx: PlanContext, parallelism: Parallelism, disk_gib: int) -> dict[str, str]:
    room, share = allocatable(ctx.machine, disk_gib), node_share(ctx, parallelism)
    return {
        "cpu": _cores(int(ctx.machine.vcpus * 1000 * share)),
        "memory": f"{int(room.memory_mib * 0.8 * share)}Mi",
        "ephemeral-storage": f"{_storage_limit_gib(ctx, parallelism, disk_gib)}Gi",
        ctx.accelerator.resource_name: str(pod_accelerators(ctx, parallelism)),
    }


def _cores(millis: int) -> str:
    """As the API server stores it: `4`, not `4000m`, which would show as a change whenever nothing can be compared."""
    return str(millis // 1000) if millis % 1000 == 0 else f"{millis}m"
