"""Validates the parallelism settings of one replica: rules of vLLM, of the hosts, and of the links between them."""

from __future__ import annotations

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.images import load_images
from llm_d_gke.catalog.versions import reaches
from llm_d_gke.planning.alternatives import any_of, machines_with, releases_since
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.gke_versions import DRANET_SINCE, newer_version
from llm_d_gke.planning.parallelism.ports import MAX_PORTS
from llm_d_gke.planning.parallelism.rdma import uses_rdma
from llm_d_gke.planning.parallelism.sharding import shares
from llm_d_gke.planning.platform.engine_images import image_of
from llm_d_gke.planning.served_model import ServedModel


def check_parallelism(served: ServedModel) -> None:
    """Findings about parallelism within one replica."""
    if served.accelerator.kind == "tpu":
        _check_tpu(served)
    else:
        _check_hosts(served)
        _check_ranks(served)
        _check_gateway(served)
        _check_network(served)
    _check_experts(served)
    _check_engine(served)
    _check_image(served)


def _check_image(served: ServedModel) -> None:
    """Images that are known not to work on this accelerator, or with this pattern."""
    image, parallelism = image_of(served.ctx, served.settings), served.parallelism
    exchanges = parallelism.is_multi_node and (parallelism.all_to_all or "").startswith("deepep")
    for fault in load_images().faults:
        applies = (
            (not fault.accelerators or served.accelerator.name in fault.accelerators)
            and (not fault.disaggregated or served.ctx.role != "both")
            and (not fault.deepep or exchanges)
        )
        if applies and fault.covers(image, served.version):
            before = f", of vLLM {fault.before} or newer" if fault.before else ""
            served.add_finding(
                "LLMD-IMAGE-FAULT",
                "image",
                certain=fault.ends,
                value=image,
                what=fault.what,
                citation=load_images().sources[fault.sources[0]].citation,
                fix=fault.instead
                or f"use another image{before}" + (", or allToAll: allgather_reducescatter" if fault.deepep else ""),
            )


def _check_tpu(served: ServedModel) -> None:
    ctx, parallelism = served.ctx, served.parallelism
    chips = ctx.chips * ctx.accelerator.devices_per_chip
    sizes = {"pipelineParallel": parallelism.pipeline, "dataParallel": parallelism.data}
    for name, size in sizes.items():
        if size > 1:
            served.error(
                "LLMD-TPU-RANKS", name, value=size, chips=chips, fix=_without_ranks(ctx, parallelism.tensor, size)
            )
    if served.settings.all_to_all is not None:
        served.error("LLMD-ALL-TO-ALL-UNUSED", "allToAll", case="tpu")
    if parallelism.tensor != chips and parallelism.data == 1:
        machine = slice_with(ctx, parallelism.tensor)
        served.error("LLMD-TP-TPU-CHIPS", "tensorParallel", chips=chips, slice=f"or {machine}, " if machine else "")


def _check_hosts(served: ServedModel) -> None:
    """A replica fits a host, or fills several."""
    model, ctx, parallelism = served.model, served.ctx, served.parallelism
    tensor, on_host = parallelism.tensor, ctx.per_node
    if tensor > on_host and not ctx.machine.rdma:
        # A size that the model's heads and layers cannot be cut into is no fix, wherever it would find the devices.
        works = [size for size in range(1, 2 * tensor) if model is None or shares(model, size)]
        fewer = max((size for size in works if size <= on_host), default=1)
        stages = (
            f", or tensorParallel: {on_host} with pipelineParallel: {tensor // on_host}"
            if on_host > 1 and tensor % on_host == 0 and on_host in works
            else ""
        )
        larger = min((size for size in works if size >= tensor), default=tensor)
        machine = machine_with(ctx, larger)
        with_size = f" with tensorParallel: {larger}" if larger != tensor and "no machine type" not in machine else ""
        served.error(
            "LLMD-TP-ACROSS-NODES",
            "tensorParallel",
            on_host=on_host,
            fix=f"use {fewer}{' or fewer' if fewer == on_host > 1 else ''}, {machine}{with_size}{stages}",
        )
    elif parallelism.is_multi_node and parallelism.accelerators % on_host:
        sizes = {"dataParallel": parallelism.data, "pipelineParallel": parallelism.pipeline, "tensorParallel": tensor}
        last = next(name for name, size in sizes.items() if size > 1)
        served.error(
            "LLMD-GROUP-HOSTS", last, value=sizes[last], accelerators=parallelism.accelerators, on_host=on_host
        )


def _without_ranks(ctx: PlanContext, tensor: int, ranks: int) -> str:
    """What to use instead of several ranks on one slice."""
    smaller = slice_with(ctx, tensor)
    return f"remove it, or use {smaller} with replicas: {ranks}" if smaller else "remove it"


def slice_with(ctx: PlanContext, devices: int) -> str:
    """The setting of the machine type with exactly `devices` devices of a TPU. Empty where there is none."""
    accelerator = ctx.accelerator
    if ctx.settings.accelerator.topology is not None:
        return ""
    for machine in ctx.catalog.machines_for(accelerator.name):
        if machine.accelerator_count * accelerator.devices_per_chip == devices:
            return f"accelerator.machineType: {machine.name}"
    return ""


def machine_with(ctx: PlanContext, devices: int) -> str:
    """The smallest machine type with `devices` of the same accelerator, as the second half of a fix."""
    accelerator = ctx.accelerator
    options = [
        (count, machine)
        for machine in ctx.catalog.machines_for(accelerator.name)
        for count in machine.counts_of(accelerator.name)
        if count * accelerator.devices_per_chip >= devices
    ]
    if not options:
        return f"or another accelerator: no machine type has {devices} of {accelerator.title}"
    count, machine = min(options, key=lambda option: option[0])
    return f"or accelerator.{f'perNode: {count}' if machine.is_attachable else f'machineType: {machine.name}'}"


def _check_ranks(served: ServedModel) -> None:
    ctx, parallelism = served.ctx, served.parallelism
    if parallelism.data == 1 or _is_dense(served):
        return
    if parallelism.pipeline > 1:
        served.error("LLMD-DP-PP", "dataParallel")
    elif parallelism.is_multi_node and ctx.per_node % parallelism.tensor:
        served.error("LLMD-DP-RANK-HOST", "tensorParallel", case="one" if ctx.per_node == 1 else "several")
    elif parallelism.is_multi_node and parallelism.ranks_per_host < 2:
        smaller = ctx.per_node // 2
        served.error("LLMD-DP-LOCAL-RANKS", "tensorParallel", case="smaller" if smaller else "none", smaller=smaller)
    elif parallelism.ranks_per_host > MAX_PORTS:
        served.error(
            "LLMD-DP-PORTS",
            "dataParallel",
            ranks_per_host=parallelism.ranks_per_host,
            most=MAX_PORTS,
            doubled=parallelism.tensor * 2,
        )


def _check_gateway(served: ServedModel) -> None:
    if served.parallelism.ranks_per_host > 1 and served.ctx.settings.gateway.implementation == "gke":
        served.ctx.warning(
            "LLMD-DP-PORTS-GATEWAY", "gateway.implementation", ranks_per_host=served.parallelism.ranks_per_host
        )


def _check_network(served: ServedModel) -> None:
    ctx, parallelism = served.ctx, served.parallelism
    chosen = served.settings.all_to_all
    kind = load_engine().all_to_all.get(parallelism.all_to_all or "") if parallelism.expert else None
    # DeepEPHTAll2AllManager of vllm/distributed/device_communicators/all2all.py: no RDMA buffer within one host.
    within = (
        parallelism.all_to_all == "deepep_high_throughput"
        and not parallelism.is_multi_node
        and ctx.accelerator.interconnect == "nvlink"
    )
    if chosen is not None and not (parallelism.data > 1 and parallelism.expert):
        served.error("LLMD-ALL-TO-ALL-UNUSED", "allToAll", case="gpu")
    elif kind is not None and kind.rdma and not ctx.machine.rdma and not within:
        served.error("LLMD-ALL-TO-ALL-RDMA", "allToAll", rdma_machines=_with_rdma(ctx))
    elif chosen == "deepep_high_throughput":
        served.warning(
            "LLMD-DEEPEP-DRIVER",
            "allToAll",
            fix=f"use {'deepep_low_latency' if ctx.machine.rdma else 'allgather_reducescatter'}, or install an older"
            " driver yourself",
        )
    # Tensor parallelism over such hosts, and ranks of a model without experts, are refused already.
    refused = parallelism.tensor > ctx.per_node or (parallelism.data > 1 and _is_dense(served))
    if parallelism.is_multi_node and not ctx.machine.rdma and not refused:
        ctx.warning(
            "LLMD-HOSTS-WITHOUT-RDMA",
            "accelerator.machineType",
            value=ctx.machine.name,
            hosts=parallelism.hosts,
            tcpx=_without_tcpx(ctx),
            rdma_machines=_with_rdma(ctx),
        )
    cluster = ctx.settings.cluster
    version = cluster.gke_version
    if uses_rdma(ctx, parallelism) and version is not None and not reaches(version, DRANET_SINCE):
        ctx.error(
            "LLMD-RDMA-GKE-VERSION", *cluster.version_path, since=DRANET_SINCE, fix=newer_version(cluster, "1.35")
        )


def _check_experts(served: ServedModel) -> None:
    parallelism = served.parallelism
    if _is_dense(served):
        for name, is_set in (("dataParallel", parallelism.data > 1), ("expertParallel", parallelism.expert)):
            if is_set:
                served.error(
                    "LLMD-DENSE-RANKS", name, value=served.settings.data_parallel if name == "dataParallel" else "true"
                )


def _is_dense(served: ServedModel) -> bool:
    """Known to have no experts, so that its ranks are refused whatever their number."""
    if served.model is not None:
        return served.model.experts is None
    return served.outline is not None and served.outline.dense


def _check_engine(served: ServedModel) -> None:
    """Check against the engine's version."""
    ctx, parallelism = served.ctx, served.parallelism
    version, features = served.version, load_engine().features
    several = parallelism.is_multi_node or parallelism.data > 1
    if several and ctx.accelerator.kind == "gpu" and not ctx.release.engine.command:
        needed = features.rank_ports if parallelism.data > 1 else features.multi_node
        serving = releases_since(ctx.catalog, ctx.accelerator, needed)
        served.error(
            "LLMD-ENGINE-ENTRY-POINT",
            "dataParallel" if parallelism.data > 1 else "pipelineParallel",
            value=parallelism.data if parallelism.data > 1 else parallelism.pipeline,
            serving=serving,
        )
    elif parallelism.data > 1 and not served.has(features.rank_ports):
        served.error(
            "LLMD-DP-ENGINE-VERSION",
            "dataParallel",
            since=features.rank_ports,
            releases=releases_since(ctx.catalog, ctx.accelerator, features.rank_ports),
        )
    elif parallelism.is_multi_node and ctx.accelerator.kind == "tpu" and not served.has(features.tpu_multi_host):
        ctx.error(
            "LLMD-TPU-MULTI-HOST-ENGINE",
            "accelerator.topology",
            value=ctx.topology,
            version=version,
            since=features.tpu_multi_host,
            releases=releases_since(ctx.catalog, ctx.accelerator, features.tpu_multi_host),
        )
    elif parallelism.is_multi_node and ctx.accelerator.kind == "gpu" and not served.has(features.multi_node):
        served.error(
            "LLMD-PP-ENGINE-VERSION",
            "pipelineParallel",
            since=features.multi_node,
            releases=releases_since(ctx.catalog, ctx.accelerator, features.multi_node),
        )


def _with_rdma(ctx: PlanContext) -> str:
    """Machine types with RDMA: those of the accelerator, or else others, each with the type of its accelerator."""
    accelerator_name = ctx.accelerator.name
    if any(machine.rdma and not machine.arm for machine in ctx.catalog.machines_for(accelerator_name)):
        return machines_with(ctx.catalog, lambda machine: machine.rdma and machine.accelerator == accelerator_name)
    others = [machine for machine in ctx.catalog.machines.values() if machine.rdma and not machine.arm]
    return any_of(f"{machine.name} (type: {machine.accelerator})" for machine in others)


def _without_tcpx(ctx: PlanContext) -> str:
    return ", and GPUDirect-TCPX is not set up" if ctx.machine.name.startswith("a3-") else ""
