"""Node pools: CPU nodes, and the accelerator pool, with checks that no provider makes before it creates nodes."""

from __future__ import annotations

import math
from dataclasses import replace

from llm_d_gke.planning import names
from llm_d_gke.planning.allocatable import EPHEMERAL_SHARE, allocatable
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.infrastructure.autopilot import check_autopilot, check_autopilot_nodes
from llm_d_gke.planning.infrastructure.compute_class import plan_compute_class
from llm_d_gke.planning.infrastructure.provisioning import check_provisioning
from llm_d_gke.planning.parallelism.layout import parallelism_of, pod_accelerators
from llm_d_gke.planning.parallelism.rdma import DRANET_LABEL, uses_rdma
from llm_d_gke.planning.plan.infrastructure import NodePoolPlan, WorkloadPolicyPlan
from llm_d_gke.planning.platform.engine_images import driver_version
from llm_d_gke.planning.serving.resources import BESIDE_WEIGHTS_GIB
from llm_d_gke.planning.suggest import did_you_mean
from llm_d_gke.planning.zones import is_ai_zone

# Unpacked vLLM images: CUDA ones are about 20 GiB, TPU ones about 12; the rest is the system and logs.
_IMAGE_GIB = {"gpu": 40, "tpu": 30}
_MIN_DISK_GIB = 100
_SMALLEST_DISK_GIB = 50


def plan_cpu_pool(ctx: PlanContext) -> NodePoolPlan:
    """Nodes for picker and system pods. Created before the accelerator pool, so that GKE taints the latter."""
    settings = ctx.settings.cpu_pool
    if ctx.autopilot:
        check_autopilot(ctx)
    machine = ctx.catalog.machines.get(settings.machine_type)
    if machine is None or machine.accelerator is not None:
        cpu = [m.name for m in ctx.catalog.machines.values() if m.accelerator is None]
        ctx.error("LLMD-CPU-MACHINE-TYPE", "cpuPool.machineType", fix=did_you_mean(settings.machine_type, cpu))
    if is_ai_zone(ctx.settings.location):
        ctx.warning("LLMD-ZONE-AI", "location")
    if settings.nodes.min < 1:
        ctx.error("LLMD-CPU-POOL-EMPTY", "cpuPool.nodes.min")
    return NodePoolPlan(
        name=names.join(ctx.stack, "cpu", length=names.CLUSTER_LENGTH),
        private_nodes=_private_nodes(ctx),
        machine_type=settings.machine_type,
        zones=_cpu_zones(ctx),
        min_nodes=settings.nodes.min,
        max_nodes=settings.nodes.max,
        autoscaled=_autoscaled(settings.nodes.min, settings.nodes.max, _cpu_zones(ctx)),
        disk_gib=settings.disk_gib,
        disk_type="pd-balanced" if machine is None else machine.boot_disk,
        disk_key=ctx.settings.cluster.encryption.disk_key,
        autopilot=ctx.autopilot,
        labels=ctx.labels,
        node_labels=ctx.own_nodes,
    )


def plan_accelerator_pools(ctx: PlanContext, weights_gib: float) -> tuple[NodePoolPlan, ...]:
    """The accelerator pool, or one for each slice of several hosts, which exists whole or not at all.

    `weights_gib` is the most that a node's replicas download together onto its disk.
    """
    settings = ctx.settings.accelerator
    gpu = ctx.accelerator.kind == "gpu"
    multi_host = ctx.hosts > 1
    check_provisioning(ctx)
    rdma = any(uses_rdma(ctx, parallelism_of(ctx, model)) for model in ctx.settings.models)
    if ctx.autopilot:
        check_autopilot_nodes(ctx, weights_gib, rdma=rdma)
    disk_gib = _disk_gib(ctx, weights_gib)
    minimum = 0 if ctx.settings.paused or settings.provisioning in ("flex-start", "queued") else settings.nodes.min
    maximum = settings.nodes.max
    if multi_host:
        _check_slices(ctx, minimum, maximum)
    name = names.join(ctx.stack, "acc", ctx.accelerator.name.removeprefix("nvidia-"), length=names.CLUSTER_LENGTH - 3)
    pool = NodePoolPlan(
        name=name,
        private_nodes=_private_nodes(ctx),
        machine_type=ctx.machine.name,
        zones=ctx.zones,
        min_nodes=minimum,
        max_nodes=maximum,
        autoscaled=_autoscaled(minimum, maximum, ctx.zones),
        disk_gib=disk_gib,
        disk_type=ctx.machine.boot_disk,
        disk_key=ctx.settings.cluster.encryption.disk_key,
        guest_accelerator=ctx.accelerator.node_label_value if gpu else None,
        accelerators_per_node=ctx.per_node,
        driver_version=driver_version(ctx),
        threads_per_core=ctx.machine.threads_per_core,
        placement_topology=ctx.topology if multi_host else None,
        workload_policy=_workload_policy(ctx, name),
        provisioning=settings.provisioning,
        reservation=settings.reservation,
        accelerator_network_profile="auto" if ctx.machine.rdma else None,
        compute_class=plan_compute_class(ctx, rdma=rdma),
        autopilot=ctx.autopilot,
        labels=ctx.labels,
        node_labels={**ctx.own_nodes, **({DRANET_LABEL: "true"} if rdma else {})},
    )
    return _slices(ctx, pool) if multi_host else (pool,)


def _disk_gib(ctx: PlanContext, weights_gib: float) -> int:
    """Boot disk of a node, which holds the images, the weights and caches."""
    smallest = _smallest_disk(ctx, weights_gib)
    disk_gib = ctx.settings.accelerator.disk_gib or max(_MIN_DISK_GIB, smallest)
    if disk_gib < smallest:
        ctx.error("LLMD-DISK-SMALL", "accelerator.diskGib", smallest=smallest)
    return disk_gib


def _check_slices(ctx: PlanContext, minimum: int, maximum: int) -> None:
    nodes = ctx.settings.accelerator.nodes
    if maximum % ctx.hosts or minimum % ctx.hosts:
        ctx.error("LLMD-SLICE-HOSTS", "accelerator.nodes", value=f"{nodes.min} to {nodes.max}")


def _slices(ctx: PlanContext, pool: NodePoolPlan) -> tuple[NodePoolPlan, ...]:
    """One pool for each slice, of which as many stay as the minimum of nodes holds."""
    always, slices = pool.min_nodes // ctx.hosts, max(1, pool.max_nodes // ctx.hosts)
    return tuple(
        replace(
            pool,
            name=pool.name if number == 0 else f"{pool.name}-{number + 1}",
            min_nodes=ctx.hosts if number < always else 0,
            max_nodes=ctx.hosts,
            autoscaled=number >= always,
        )
        for number in range(slices)
    )


def _workload_policy(ctx: PlanContext, name: str) -> WorkloadPolicyPlan | None:
    """The policy that places a slice of several hosts, or machines of one NVLink domain."""
    slices = ctx.topology if ctx.accelerator.workload_policy and ctx.hosts > 1 else None
    topology = slices or ctx.machine.placement
    if slices is None and ctx.machine.placement is not None:
        _check_domain(ctx, ctx.machine.placement)
    return WorkloadPolicyPlan(name=name, region=ctx.region, topology=topology) if topology is not None else None


def _check_domain(ctx: PlanContext, placement: str) -> None:
    """The nodes of one pool against those of an NVLink domain, such as 1x72 accelerators."""
    hosts = math.prod(map(int, placement.split("x"))) // ctx.per_node
    nodes = ctx.settings.accelerator.nodes.max
    if nodes > hosts:
        ctx.error("LLMD-NVLINK-DOMAIN-NODES", "accelerator.nodes.max", hosts=hosts)


def _smallest_disk(ctx: PlanContext, weights_gib: float) -> int:
    """GiB, in steps of ten: room for the image, and for what the node's pods write within what GKE leaves to pods."""
    fewest = min(pod_accelerators(ctx, parallelism_of(ctx, model)) for model in ctx.settings.models)
    written = 1.1 * weights_gib + BESIDE_WEIGHTS_GIB * ctx.per_node / fewest
    disk = _SMALLEST_DISK_GIB
    while (
        allocatable(ctx.machine, disk).ephemeral_gib * EPHEMERAL_SHARE < written
        or 0.9 * disk < _IMAGE_GIB[ctx.accelerator.kind] + written
    ):
        disk += 10
    return disk


def _private_nodes(ctx: PlanContext) -> bool | None:
    cluster = ctx.settings.cluster
    return None if cluster.existing else cluster.private_nodes


def _autoscaled(minimum: int, maximum: int, zones: tuple[str, ...]) -> bool:
    """Whether the pool has limits in place of a fixed size, which GKE takes for each zone and not for all of them."""
    return minimum != maximum or len(zones) != 1


def _cpu_zones(ctx: PlanContext) -> tuple[str, ...]:
    # A zonal cluster has one zone. In a regional one GKE chooses the zones, because their capacity is unknown here.
    return (ctx.settings.location,) if ctx.settings.location != ctx.region else ()
