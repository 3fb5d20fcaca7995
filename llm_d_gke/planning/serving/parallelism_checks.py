"""Validates the parallelism settings of one replica: rules of vLLM, of the hosts, and of the links between them."""

from __future__ import annotations

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.images import load_images
from llm_d_gke.catalog.schema import Model
from llm_d_gke.catalog.versions import reaches
from llm_d_gke.planning.alternatives import any_of, machines_with, releases_since
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.gke_versions import DRANET_SINCE, newer_version
from llm_d_gke.planning.parallelism.layout import Parallelism, parallelism_of
from llm_d_gke.planning.parallelism.ports import MAX_PORTS
from llm_d_gke.planning.parallelism.rdma import uses_rdma
from llm_d_gke.planning.parallelism.sharding import shares
from llm_d_gke.planning.platform.engine_images import image_of
from llm_d_gke.planning.sizing.memory_check import version_of
from llm_d_gke.settings.models import ModelSettings


def check_spread(ctx: PlanContext, index: int, settings: ModelSettings, model: Model | None) -> None:
    """Findings about parallelism within one replica."""
    parallelism = parallelism_of(ctx, settings)
    if ctx.accelerator.kind == "tpu":
        _check_tpu(ctx, index, parallelism)
    else:
        _check_hosts(ctx, index, parallelism, model)
        _check_ranks(ctx, index, parallelism)
        _check_gateway(ctx, parallelism)
        _check_network(ctx, index, settings, parallelism)
    _check_experts(ctx, index, settings, parallelism, model)
    _check_engine(ctx, index, settings, parallelism)
    _check_image(ctx, index, settings, parallelism)


def _check_image(ctx: PlanContext, index: int, settings: ModelSettings, parallelism: Parallelism) -> None:
    """Images that are known not to work on this accelerator, or with this pattern."""
    image, version = image_of(ctx, settings), version_of(ctx, settings)
    exchanges = parallelism.is_multi_node and (parallelism.all_to_all or "").startswith("deepep")
    for fault in load_images().faults:
        applies = (
            (not fault.accelerators or ctx.accelerator.name in fault.accelerators)
            and (not fault.disaggregated or ctx.role != "both")
            and (not fault.deepep or exchanges)
        )
        if applies and fault.covers(image, version):
            before = f", of vLLM {fault.before} or newer" if fault.before else ""
            ctx.findings.warning(
                "LLMD-IMAGE-FAULT",
                "models",
                index,
                "image",
                value=image,
                rule=f"{fault.what} ({load_images().sources[fault.sources[0]].citation})",
                fix=f"use another image{before}" + (", or allToAll: allgather_reducescatter" if fault.deepep else ""),
            )


def _check_tpu(ctx: PlanContext, index: int, parallelism: Parallelism) -> None:
    chips = ctx.chips * ctx.accelerator.devices_per_chip
    sizes = {"pipelineParallel": parallelism.pipeline, "dataParallel": parallelism.data}
    for name, size in sizes.items():
        if size > 1:
            ctx.findings.error(
                "LLMD-TPU-RANKS",
                "models",
                index,
                name,
                value=size,
                rule=f"on TPU the {chips} chips of a slice form one rank, and tensorParallel spans all of them",
                fix="remove it",
            )
    if parallelism.tensor != chips and parallelism.data == 1:
        ctx.findings.error(
            "LLMD-TP-TPU-CHIPS",
            "models",
            index,
            "tensorParallel",
            value=parallelism.tensor,
            rule=f"a pod on {ctx.machine.name} takes all chips of its slice: tensor parallelism is {chips} there",
            fix=f"use {chips}, {_slice_with(ctx, parallelism.tensor)}or remove tensorParallel",
        )


def _check_hosts(ctx: PlanContext, index: int, parallelism: Parallelism, model: Model | None) -> None:
    """A replica fits a host, or fills several."""
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
        ctx.findings.error(
            "LLMD-TP-ACROSS-NODES",
            "models",
            index,
            "tensorParallel",
            value=tensor,
            rule=f"a node has {on_host} {ctx.accelerator.title}, and without RDMA between nodes each"
            " layer would wait for the network",
            fix=f"use {fewer}{' or fewer' if fewer == on_host > 1 else ''}, {machine}{with_size}{stages}",
        )
    elif parallelism.is_multi_node and parallelism.accelerators % on_host:
        sizes = {"dataParallel": parallelism.data, "pipelineParallel": parallelism.pipeline, "tensorParallel": tensor}
        last = next(name for name, size in sizes.items() if size > 1)
        ctx.findings.error(
            "LLMD-GROUP-HOSTS",
            "models",
            index,
            last,
            value=sizes[last],
            rule=f"a replica takes {parallelism.accelerators} accelerators, and its hosts have {on_host} each:"
            " a group consists of whole hosts",
            fix=f"make the product of tensorParallel, pipelineParallel and dataParallel a multiple of {on_host}",
        )


def _slice_with(ctx: PlanContext, devices: int) -> str:
    """The machine type with just so many devices of a TPU, as the middle of a fix. Empty where there is none."""
    accelerator = ctx.accelerator
    if ctx.settings.accelerator.topology is not None:
        return ""
    for machine in ctx.catalog.machines_for(accelerator.name):
        if machine.accelerator_count * accelerator.devices_per_chip == devices:
            return f"or accelerator.machineType: {machine.name}, "
    return ""


def machine_with(ctx: PlanContext, devices: int) -> str:
    """The smallest machine type with so many of the same accelerator, as the second half of a fix."""
    accelerator = ctx.accelerator
    options = [
        (count, machine)
        for machine in ctx.catalog.machines_for(accelerator.name)
        for count in machine.counts_of(accelerator.name)
        if count * accelerator.devices_per_chip >= devices
    ]
    if not options:
        return "or another accelerator: no machine type has more"
    count, machine = min(options, key=lambda option: option[0])
    return f"or accelerator.{f'perNode: {count}' if machine.is_attachable else f'machineType: {machine.name}'}"


def _check_ranks(ctx: PlanContext, index: int, parallelism: Parallelism) -> None:
    if parallelism.data == 1:
        return
    path = ("models", index, "dataParallel")
    if parallelism.pipeline > 1:
        ctx.findings.error(
            "LLMD-DP-PP",
            *path,
            value=parallelism.data,
            rule="ranks that share experts compute each layer together, so they cannot be divided into stages",
            fix="use only one of dataParallel and pipelineParallel",
        )
    elif parallelism.is_multi_node and ctx.per_node % parallelism.tensor:
        ctx.findings.error(
            "LLMD-DP-RANK-HOST",
            "models",
            index,
            "tensorParallel",
            value=parallelism.tensor,
            rule=f"a data-parallel rank runs on one host, and ranks of {parallelism.tensor} do not fill one of"
            f" {ctx.per_node} {ctx.accelerator.title}",
            fix="use 1" if ctx.per_node == 1 else f"use a divisor of {ctx.per_node}",
        )
    elif parallelism.is_multi_node and parallelism.ranks_per_host < 2:
        smaller = ctx.per_node // 2
        ctx.findings.error(
            "LLMD-DP-LOCAL-RANKS",
            "models",
            index,
            "tensorParallel",
            value=parallelism.tensor,
            rule=f"ranks of {parallelism.tensor} leave one to a host of {ctx.per_node} {ctx.accelerator.title}, and"
            " vLLM's supervisor, which starts the ranks of a host, refuses fewer than two",
            fix=f"use {smaller} or less" if smaller else "use a machine type with more accelerators, or one host",
        )
    elif parallelism.ranks_per_host > MAX_PORTS:
        ctx.findings.error(
            "LLMD-DP-PORTS",
            *path,
            value=parallelism.data,
            rule=f"{parallelism.ranks_per_host} ranks in a pod need a port each, and an InferencePool lists at most"
            f" {MAX_PORTS}",
            fix=f"use tensorParallel: {parallelism.tensor * 2} with half as many ranks",
        )


def _check_gateway(ctx: PlanContext, parallelism: Parallelism) -> None:
    if parallelism.ranks_per_host > 1 and ctx.settings.gateway.implementation == "gke":
        ctx.findings.warning(
            "LLMD-DP-PORTS-GATEWAY",
            "gateway",
            "implementation",
            value="gke",
            rule=f"{parallelism.ranks_per_host} ports of a pod are endpoints of their own: llm-d tested it with Istio,"
            " and no document says whether Google's load balancers do it",
            fix="look at which ports answer after the first up, or use implementation: istio",
        )


def _check_network(ctx: PlanContext, index: int, settings: ModelSettings, parallelism: Parallelism) -> None:
    path = ("models", index, "allToAll")
    chosen = settings.all_to_all
    # DeepEPHTAll2AllManager of vllm/distributed/device_communicators/all2all.py: no RDMA buffer within one host.
    within = (
        chosen == "deepep_high_throughput"
        and not parallelism.is_multi_node
        and ctx.accelerator.interconnect == "nvlink"
    )
    if chosen is not None and not (parallelism.data > 1 and parallelism.expert):
        ctx.findings.error(
            "LLMD-ALL-TO-ALL-UNUSED",
            *path,
            value=chosen,
            rule="allToAll applies only with dataParallel above 1 and expertParallel: true",
            fix="remove it, or set dataParallel and expertParallel: true",
        )
    elif chosen is not None and load_engine().all_to_all[chosen].rdma and not ctx.machine.rdma and not within:
        ctx.findings.error(
            "LLMD-ALL-TO-ALL-RDMA",
            *path,
            value=chosen,
            rule=f"DeepEP sends tokens over RDMA network cards, and {ctx.machine.name} has none",
            fix=f"use allgather_reducescatter, or machineType: {_with_rdma(ctx)}",
        )
    elif chosen == "deepep_high_throughput":
        ctx.findings.warning(
            "LLMD-DEEPEP-DRIVER",
            *path,
            value=chosen,
            rule="with drivers R580, which GKE 1.36 installs as default and as latest, these kernels were"
            " seen to end with cudaErrorIllegalAddress on H200 (llm-d/llm-d pull request 2379)",
            fix=f"use {'deepep_low_latency' if ctx.machine.rdma else 'allgather_reducescatter'}, or install an older"
            " driver yourself",
        )
    if parallelism.is_multi_node and not ctx.machine.rdma:
        ctx.findings.warning(
            "LLMD-HOSTS-WITHOUT-RDMA",
            "accelerator",
            "machineType",
            value=ctx.machine.name,
            rule=f"the {parallelism.hosts} hosts of a replica communicate over the standard network: this machine has"
            f" no RDMA{_without_tcpx(ctx)}",
            fix=f"use {_with_rdma(ctx)}, or parallelism that one host holds",
        )
    cluster = ctx.settings.cluster
    version = cluster.existing.version if cluster.existing else cluster.version
    if uses_rdma(ctx, parallelism) and version is not None and not reaches(version, DRANET_SINCE):
        ctx.findings.error(
            "LLMD-RDMA-GKE-VERSION",
            *(("cluster", "existing", "version") if cluster.existing else ("cluster", "version")),
            value=version,
            rule=f"pods get RDMA network cards of {ctx.machine.name} through managed DRANET,"
            f" which came with {DRANET_SINCE}",
            fix=newer_version(cluster, "1.35"),
        )


def _check_experts(
    ctx: PlanContext, index: int, settings: ModelSettings, parallelism: Parallelism, model: Model | None
) -> None:
    if model is not None and model.experts is None:
        for name, is_set in (("dataParallel", parallelism.data > 1), ("expertParallel", parallelism.expert)):
            if is_set:
                ctx.findings.error(
                    "LLMD-DENSE-RANKS",
                    "models",
                    index,
                    name,
                    value=settings.data_parallel if name == "dataParallel" else "true",
                    rule=f"{model.id} has no experts to share: ranks of a dense model are replicas",
                    fix="remove it, or use replicas",
                )


def _check_engine(ctx: PlanContext, index: int, settings: ModelSettings, parallelism: Parallelism) -> None:
    """Check against the engine's version."""
    engine, version = load_engine(), version_of(ctx, settings)
    features = engine.features
    several = parallelism.is_multi_node or parallelism.data > 1
    if several and ctx.accelerator.kind == "gpu" and not ctx.release.engine.command:
        needed = features.rank_ports if parallelism.data > 1 else features.multi_node
        serving = releases_since(ctx.catalog, ctx.accelerator, needed)
        ctx.findings.error(
            "LLMD-ENGINE-ENTRY-POINT",
            "models",
            index,
            "dataParallel" if parallelism.data > 1 else "pipelineParallel",
            value=parallelism.data if parallelism.data > 1 else parallelism.pipeline,
            rule=f"images of {ctx.release.name} start vLLM's API server as a module, which accepts --headless without "
            "effect and has no supervisor of ranks: only vllm serve has. Hosts beyond the first never join, and "
            "probes ask a port that stays closed",
            fix=f"use {serving}, or one host and one rank",
        )
    elif parallelism.data > 1 and not engine.has(version, features.rank_ports):
        ctx.findings.error(
            "LLMD-DP-ENGINE-VERSION",
            "models",
            index,
            "dataParallel",
            value=parallelism.data,
            rule=f"vLLM {version} has no port for each rank, by which the picker could choose one: that came with"
            f" {features.rank_ports}",
            fix=f"use {releases_since(ctx.catalog, ctx.accelerator, features.rank_ports)}, or an image of that version",
        )
    elif (
        parallelism.is_multi_node and ctx.accelerator.kind == "tpu" and not engine.has(version, features.tpu_multi_host)
    ):
        ctx.findings.error(
            "LLMD-TPU-MULTI-HOST-ENGINE",
            "accelerator",
            "topology",
            value=ctx.topology,
            rule=f"a slice over {ctx.hosts} hosts needs multi-host support on TPU, which vLLM {version} does not have:"
            f" that came with {features.tpu_multi_host}",
            fix=f"use {releases_since(ctx.catalog, ctx.accelerator, features.tpu_multi_host)},"
            " or a topology of one host",
        )
    elif parallelism.is_multi_node and ctx.accelerator.kind == "gpu" and not engine.has(version, features.multi_node):
        ctx.findings.error(
            "LLMD-PP-ENGINE-VERSION",
            "models",
            index,
            "pipelineParallel",
            value=parallelism.pipeline,
            rule=f"vLLM {version} runs on several hosts only with Ray; running without Ray came with"
            f" {features.multi_node}",
            fix=f"use {releases_since(ctx.catalog, ctx.accelerator, features.multi_node)}",
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
