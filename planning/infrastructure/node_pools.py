"""Node pools: CPU nodes, and the accelerator pool with the rules no provider checks before it is too late."""

from __future__ import annotations

from dataclasses import replace

from planning import names
from planning.allocatable import EPHEMERAL_SHARE, allocatable
from planning.context import Site
from planning.parallelism.layout import parallelism_of
from planning.parallelism.rdma import DRANET_LABEL, uses_rdma
from planning.plan.infrastructure import NodePoolPlan

# Unpacked vLLM images: CUDA ones are about 20 GiB, TPU ones about 12; the rest is the system and logs.
_IMAGE_GIB = {"gpu": 40, "tpu": 30}
_LEAST_DISK_GIB = 100
_SMALLEST_DISK_GIB = 50


# pd-balanced does not attach to these families: they take Hyperdisk only
# (cloud.google.com/compute/docs/disks/hyperdisks, "Machine series support").
_HYPERDISK_FAMILIES = ("a3-ultragpu", "a4-highgpu", "a4x", "ct6e", "tpu7x", "g4")


def plan_cpu_pool(site: Site) -> NodePoolPlan:
    """Nodes for picker and system pods. Made before the accelerator pool, so that GKE taints the latter."""
    settings = site.settings.cpu_pool
    machine = site.catalog.machines.get(settings.machine_type)
    if machine is None or machine.accelerator is not None:
        cpu = [m.name for m in site.catalog.machines.values() if m.accelerator is None]
        site.findings.error(
            "cpuPool",
            "machineType",
            value=settings.machine_type,
            rule="not a machine type without accelerators that the catalogue knows",
            fix=f"use one of {', '.join(cpu)}",
        )
    if settings.nodes.min < 1:
        site.findings.error(
            "cpuPool",
            "nodes",
            "min",
            value=settings.nodes.min,
            rule="accelerator nodes are tainted: without a CPU node neither picker nor system pods have a place",
            fix="use 1 or more",
        )
    return NodePoolPlan(
        name="cpu",
        private_nodes=_private_nodes(site),
        machine_type=settings.machine_type,
        zones=_cpu_zones(site),
        min_nodes=settings.nodes.min,
        max_nodes=settings.nodes.max,
        autoscaled=settings.nodes.min != settings.nodes.max,
        disk_gib=settings.disk_gib,
        disk_type="pd-balanced",
        labels=site.labels,
    )


def plan_accelerator_pools(site: Site, weights_gib: float) -> tuple[NodePoolPlan, ...]:
    """The accelerator pool, or one for each slice of several hosts, which exists whole or not at all.

    `weights_gib` is the most that a node's replicas download together onto its disk.
    """
    settings = site.settings.accelerator
    gpu = site.accelerator.kind == "gpu"
    multi_host = site.hosts > 1
    _check(site)
    rdma = any(uses_rdma(site, parallelism_of(site, model)) for model in site.settings.models)
    least_disk = _least_disk(site, weights_gib)
    disk = settings.disk_gib or max(_LEAST_DISK_GIB, least_disk)
    if disk < least_disk:
        site.findings.error(
            "accelerator",
            "diskGib",
            value=disk,
            rule=f"image, weights and caches need about {least_disk} GiB of boot disk",
            fix=f"use {least_disk} or more, or remove diskGib",
        )
    least = 0 if site.settings.paused or settings.provisioning in ("flex-start", "queued") else settings.nodes.min
    most = settings.nodes.max
    if multi_host and (most % site.hosts or least % site.hosts):
        site.findings.error(
            "accelerator",
            "nodes",
            value=f"{settings.nodes.min} to {most}",
            rule=f"a {site.topology} slice of {site.machine.name} has {site.hosts} hosts, all of them or none",
            fix=f"use multiples of {site.hosts}",
        )
    name = names.join("acc", site.accelerator.name.removeprefix("nvidia-"), length=names.CLUSTER_LENGTH - 3)
    whole = NodePoolPlan(
        name=name,
        private_nodes=_private_nodes(site),
        machine_type=site.machine.name,
        zones=site.zones,
        min_nodes=least,
        max_nodes=most,
        autoscaled=least != most,
        disk_gib=disk,
        disk_type="hyperdisk-balanced" if site.machine.name.startswith(_HYPERDISK_FAMILIES) else "pd-balanced",
        guest_accelerator=site.accelerator.node_label_value if gpu else None,
        accelerators_per_node=site.per_node,
        driver_version=settings.driver_version.upper() if gpu else None,
        threads_per_core=site.machine.threads_per_core,
        placement_topology=site.topology if multi_host else None,
        provisioning=settings.provisioning,
        reservation=settings.reservation,
        accelerator_network_profile="auto" if site.machine.rdma else None,
        labels=site.labels,
        node_labels={DRANET_LABEL: "true"} if rdma else {},
    )
    if not multi_host:
        return (whole,)
    always, slices = least // site.hosts, max(1, most // site.hosts)
    return tuple(
        replace(
            whole,
            name=name if number == 0 else f"{name}-{number + 1}",
            min_nodes=site.hosts if number < always else 0,
            max_nodes=site.hosts,
            autoscaled=number >= always,
        )
        for number in range(slices)
    )


def _least_disk(site: Site, weights_gib: float) -> int:
    """GiB, in steps of ten: room for the image, and for what the node's pods write within what GKE leaves to pods."""
    written = 1.1 * weights_gib + 8
    disk = _SMALLEST_DISK_GIB
    while (
        allocatable(site.machine, disk).ephemeral_gib * EPHEMERAL_SHARE < written
        or 0.9 * disk < _IMAGE_GIB[site.accelerator.kind] + written
    ):
        disk += 10
    return disk


def _private_nodes(site: Site) -> bool | None:
    cluster = site.settings.cluster
    return None if cluster.existing else cluster.private_nodes


def _cpu_zones(site: Site) -> tuple[str, ...]:
    # A zonal cluster has one zone; a regional one lets GKE choose: naming zones would be a guess.
    return (site.settings.location,) if site.settings.location != site.region else ()


def _check(site: Site) -> None:
    settings, findings = site.settings.accelerator, site.findings
    if settings.reservation is not None and settings.provisioning != "on-demand":
        findings.error(
            "accelerator",
            "reservation",
            value=settings.reservation,
            rule=f"{settings.provisioning} capacity cannot come from a reservation",
            fix="remove reservation, or use provisioning: on-demand",
        )
    if settings.provisioning in ("flex-start", "queued") and settings.nodes.min > 0:
        findings.error(
            "accelerator",
            "nodes",
            "min",
            value=settings.nodes.min,
            rule=f"{settings.provisioning} nodes come when pods ask for them: the pool starts at zero",
            fix="use 0",
        )
    if not site.machine.on_demand_ok and settings.provisioning == "on-demand" and settings.reservation is None:
        findings.warning(
            "accelerator",
            "provisioning",
            value=settings.provisioning,
            rule=f"{site.machine.name} is said to be sold as spot, flex-start or reservation only",
            fix="use provisioning: spot or flex-start, or name a reservation",
        )
