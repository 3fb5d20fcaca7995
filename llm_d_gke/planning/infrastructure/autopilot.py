"""GKE Autopilot: the rules for clusters and accelerator nodes.

GPU types, their numbers on a node and versions: docs.cloud.google.com/kubernetes-engine/docs/how-to/autopilot-gpus
(last updated 2026-04-10). TPUs are requested by type and topology:
docs.cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus. Both read 2026-11-28.
"""

from __future__ import annotations

from llm_d_gke.catalog.versions import reaches
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.gke_versions import newer_version
from llm_d_gke.settings.accelerator import CpuPoolSettings

# GiB of ephemeral storage that a pod without accelerators can have at most; the bounds of GPU pods are larger and not
# in the catalog (docs.cloud.google.com/kubernetes-engine/docs/concepts/autopilot-resource-requests).
_MIN_STORAGE_GIB = 10

_WITH_CLASS = "add accelerator.computeClass: {}, with which the stack names machine type, disk and zones"


def check_autopilot(ctx: PlanContext) -> None:
    """Findings about settings of the cluster that Autopilot decides itself."""
    settings = ctx.settings
    if settings.location != ctx.region:
        ctx.error("LLMD-AUTOPILOT-LOCATION", "location")
    if settings.cpu_pool != CpuPoolSettings():
        ctx.error("LLMD-AUTOPILOT-POOL", "cpuPool", case="cpu-pool", value="set")
    cluster = settings.cluster
    if cluster.intranode_visibility and cluster.existing is None:
        ctx.error("LLMD-AUTOPILOT-CLUSTER", "cluster.intranodeVisibility", case="intranode-visibility")
    if cluster.encryption.disk_key is not None and settings.accelerator.compute_class is None:
        ctx.error("LLMD-AUTOPILOT-CLUSTER", "cluster.encryption.diskKey", case="disk-key")


def check_autopilot_nodes(ctx: PlanContext, weights_gib: float, *, rdma: bool) -> None:
    """Findings about accelerator nodes. `weights_gib` is the size of the weights on a node's disk."""
    settings = ctx.settings.accelerator
    if not _check_type(ctx):
        return
    if ctx.hosts > 1 or rdma:
        what = f"a {ctx.topology} slice of several hosts" if ctx.hosts > 1 else f"{ctx.machine.name} with RDMA networks"
        ctx.error("LLMD-AUTOPILOT-HOSTS", "cluster.mode", value=f"autopilot, {what}")
    if settings.nodes.min > 0:
        ctx.error("LLMD-AUTOPILOT-POOL", "accelerator.nodes.min", case="minimum")
    if settings.compute_class is not None:
        return
    for key, value in _needs_class(ctx):
        ctx.error("LLMD-AUTOPILOT-CLASS", "accelerator", key, value=value, key=key, with_class=_WITH_CLASS)
    if weights_gib > _MIN_STORAGE_GIB:
        ctx.warning(
            "LLMD-AUTOPILOT-STORAGE",
            "accelerator.type",
            value=f"{settings.type}, {weights_gib:.0f} GiB of weights on a node",
            fix=_WITH_CLASS.replace("machine type, disk and zones", "the size of the boot disk")
            + ", or read the weights from a volume: models[].source.kind: volume-claim",
        )


def _check_type(ctx: PlanContext) -> bool:
    """Whether Autopilot has the accelerator at all, with findings about it."""
    accelerator, cluster = ctx.accelerator, ctx.settings.cluster
    if accelerator.kind == "tpu":
        return True
    listed = accelerator.autopilot
    if listed is None:
        every = [entry.name for entry in ctx.catalog.accelerators.values() if entry.autopilot is not None]
        ctx.error("LLMD-AUTOPILOT-ACCELERATOR", "accelerator.type", value=accelerator.name, every=", ".join(every))
        return False
    if ctx.per_node not in listed.counts:
        ctx.error(
            "LLMD-AUTOPILOT-COUNT",
            "accelerator.perNode",
            value=ctx.per_node,
            counts=" or ".join(map(str, listed.counts)),
            first_count=listed.counts[0],
        )
    version = cluster.gke_version
    if version is not None and listed.since is not None and not reaches(version, listed.since):
        ctx.error(
            "LLMD-AUTOPILOT-VERSION",
            *cluster.version_path,
            since=listed.since,
            fix=newer_version(cluster, listed.since),
        )
    return True


def _needs_class(ctx: PlanContext) -> list[tuple[str, object]]:
    """Settings of nodes that a pod cannot select, with their values."""
    settings = ctx.settings.accelerator
    return [
        (key, value)
        for key, value in (
            ("machineType", settings.machine_type if _has_choice(ctx) else None),
            ("diskGib", settings.disk_gib),
            ("provisioning", settings.provisioning if settings.provisioning in ("flex-start", "queued") else None),
            ("reservation", settings.reservation),
            ("zones", ", ".join(settings.zones) if len(settings.zones) > 1 else None),
        )
        if value is not None
    ]


def _has_choice(ctx: PlanContext) -> bool:
    """Whether several machine types have this number of the accelerator, so that Autopilot may choose another one.

    The machine type of a TPU slice follows from its type and topology.
    """
    name = ctx.accelerator.name
    alike = [machine for machine in ctx.catalog.machines_for(name) if ctx.per_node in machine.counts_of(name)]
    return ctx.accelerator.kind == "gpu" and len(alike) > 1
