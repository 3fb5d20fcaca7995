"""Whether a replica can be spread as it is meant to be: rules of vLLM, of the hosts, and of what lies between them."""

from __future__ import annotations

from catalog.engine import load_engine
from catalog.schema import Model
from planning.context import Site
from planning.parallelism.layout import Parallelism, parallelism_of
from planning.parallelism.ports import MOST_PORTS
from planning.parallelism.rdma import DRANET_SINCE, uses_rdma
from planning.sizing.memory_check import version_of
from planning.versions import reaches
from settings.models import ModelSettings


def check_spread(site: Site, index: int, settings: ModelSettings, model: Model | None) -> None:
    """Findings about parallelism within one replica."""
    parallelism = parallelism_of(site, settings)
    if site.accelerator.kind == "tpu":
        _check_tpu(site, index, parallelism)
    else:
        _check_hosts(site, index, parallelism)
        _check_ranks(site, index, parallelism)
        _check_gateway(site, parallelism)
        _check_network(site, index, settings, parallelism)
    _check_experts(site, index, settings, parallelism, model)
    _check_engine(site, index, settings, parallelism)


def _check_tpu(site: Site, index: int, parallelism: Parallelism) -> None:
    chips = site.chips * site.accelerator.devices_per_chip
    given = {"pipelineParallel": parallelism.pipeline, "dataParallel": parallelism.data}
    for name, size in given.items():
        if size > 1:
            site.findings.error(
                "models",
                index,
                name,
                value=size,
                rule=f"on TPU the {chips} chips of a slice work as one rank: tensorParallel shares all among them",
                fix="remove it",
            )
    if parallelism.tensor != chips and parallelism.data == 1:
        site.findings.error(
            "models",
            index,
            "tensorParallel",
            value=parallelism.tensor,
            rule=f"a pod on {site.machine.name} takes all chips of its slice: tensor parallelism is {chips} there",
            fix=f"use {chips}, remove tensorParallel, or choose another machineType",
        )


def _check_hosts(site: Site, index: int, parallelism: Parallelism) -> None:
    """A replica fits a host, or fills several."""
    tensor, on_host = parallelism.tensor, site.per_node
    if tensor > on_host and not site.machine.rdma:
        stages = f", or tensorParallel: {on_host} with pipelineParallel: {tensor // on_host}" if on_host > 1 else ""
        site.findings.error(
            "models",
            index,
            "tensorParallel",
            value=tensor,
            rule=f"a node has {on_host} {site.accelerator.title}, and without RDMA between nodes each"
            " layer would wait for the network",
            fix=f"use {on_host} or fewer, or a machineType with more{stages}",
        )
    elif parallelism.grouped and parallelism.accelerators % on_host:
        sizes = {"dataParallel": parallelism.data, "pipelineParallel": parallelism.pipeline, "tensorParallel": tensor}
        last = next(name for name, size in sizes.items() if size > 1)
        site.findings.error(
            "models",
            index,
            last,
            value=sizes[last],
            rule=f"a replica takes {parallelism.accelerators} accelerators, and its hosts have {on_host} each:"
            " a group has whole hosts",
            fix=f"make the product of tensorParallel, pipelineParallel and dataParallel a multiple of {on_host}",
        )


def _check_ranks(site: Site, index: int, parallelism: Parallelism) -> None:
    if parallelism.data == 1:
        return
    path = ("models", index, "dataParallel")
    if parallelism.pipeline > 1:
        site.findings.error(
            *path,
            value=parallelism.data,
            rule="ranks that share experts go through every layer together: they cannot be cut into stages",
            fix="use one of dataParallel and pipelineParallel",
        )
    elif parallelism.grouped and site.per_node % parallelism.tensor:
        site.findings.error(
            "models",
            index,
            "tensorParallel",
            value=parallelism.tensor,
            rule=f"a data-parallel rank lives on one host, and ranks of {parallelism.tensor} do not fill one of"
            f" {site.per_node} {site.accelerator.title}",
            fix=f"use a divisor of {site.per_node}",
        )
    elif parallelism.ranks_per_host > MOST_PORTS:
        site.findings.error(
            *path,
            value=parallelism.data,
            rule=f"{parallelism.ranks_per_host} ranks in a pod need as many ports, and an InferencePool names"
            f" {MOST_PORTS}",
            fix=f"use tensorParallel: {parallelism.tensor * 2} with half as many ranks",
        )


def _check_gateway(site: Site, parallelism: Parallelism) -> None:
    if parallelism.ranks_per_host > 1 and site.settings.gateway.implementation == "gke":
        site.findings.warning(
            "gateway",
            "implementation",
            value="gke",
            rule=f"{parallelism.ranks_per_host} ports of a pod are endpoints of their own: llm-d tested it with Istio,"
            " and no document says whether Google's load balancers do it",
            fix="look at which ports answer after the first up, or use implementation: istio",
        )


def _check_network(site: Site, index: int, settings: ModelSettings, parallelism: Parallelism) -> None:
    path = ("models", index, "allToAll")
    chosen = settings.all_to_all
    if chosen is not None and not (parallelism.data > 1 and parallelism.expert):
        site.findings.error(
            *path,
            value=chosen,
            rule="tokens travel between data-parallel ranks with experts of their own: there are none",
            fix="remove it, or set dataParallel and expertParallel: true",
        )
    elif chosen is not None and load_engine().all_to_all[chosen].rdma and not site.machine.rdma:
        site.findings.error(
            *path,
            value=chosen,
            rule=f"DeepEP sends tokens over RDMA network cards, and {site.machine.name} has none",
            fix="use allgather_reducescatter, or machineType: a3-ultragpu-8g or a4-highgpu-8g",
        )
    if parallelism.grouped and not site.machine.rdma:
        site.findings.warning(
            "accelerator",
            "machineType",
            value=site.machine.name,
            rule=f"the {parallelism.hosts} hosts of a replica talk over their ordinary network: this machine has no"
            " RDMA, and GPUDirect-TCPX is not set up",
            fix="use a3-ultragpu-8g or a4-highgpu-8g",
        )
    cluster = site.settings.cluster
    version = cluster.existing.version if cluster.existing else cluster.version
    if uses_rdma(site, parallelism) and version is not None and not reaches(version, DRANET_SINCE):
        site.findings.error(
            *(("cluster", "existing", "version") if cluster.existing else ("cluster", "version")),
            value=version,
            rule=f"pods get RDMA network cards of {site.machine.name} through managed DRANET,"
            f" which came with {DRANET_SINCE}",
            fix="use 1.35 or newer, or leave the version to the release channel",
        )


def _check_experts(
    site: Site, index: int, settings: ModelSettings, parallelism: Parallelism, model: Model | None
) -> None:
    if model is not None and model.experts is None:
        for name, given in (("dataParallel", parallelism.data > 1), ("expertParallel", parallelism.expert)):
            if given:
                site.findings.error(
                    "models",
                    index,
                    name,
                    value=settings.data_parallel if name == "dataParallel" else "true",
                    rule=f"{model.id} has no experts to share: ranks of a dense model are replicas",
                    fix="remove it, or use replicas",
                )


def _check_engine(site: Site, index: int, settings: ModelSettings, parallelism: Parallelism) -> None:
    """What the engine's version can do."""
    engine, version = load_engine(), version_of(site, settings)
    features = engine.features
    if parallelism.data > 1 and not engine.has(version, features.rank_ports):
        site.findings.error(
            "models",
            index,
            "dataParallel",
            value=parallelism.data,
            rule=f"vLLM {version} has no port for each rank, by which the picker could choose one: that came with"
            f" {features.rank_ports}",
            fix="use release: llm-d-0.9, or an image of that version",
        )
    elif parallelism.grouped and site.accelerator.kind == "tpu" and not engine.has(version, features.tpu_multi_host):
        site.findings.error(
            "accelerator",
            "topology",
            value=site.topology,
            rule=f"a slice over {site.hosts} hosts takes Ray on TPU, which vLLM {version} does not have: that came with"
            f" {features.tpu_multi_host}",
            fix="use release: llm-d-0.9 or gaie-1.5, or a topology of one host",
        )
    elif parallelism.grouped and site.accelerator.kind == "gpu" and not engine.has(version, features.multi_node):
        site.findings.error(
            "models",
            index,
            "pipelineParallel",
            value=parallelism.pipeline,
            rule=f"vLLM {version} runs on several hosts only with Ray: without came with {features.multi_node}",
            fix="use release: llm-d-0.9 or gaie-1.5",
        )
