"""The ComputeClass of a stack whose accelerator nodes GKE creates, and the rules for its choices.

Fields and behavior: cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes and
docs.cloud.google.com/kubernetes-engine/docs/reference/crds/computeclass (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.catalog.schema import MachineType
from llm_d_gke.catalog.versions import reaches
from llm_d_gke.google_types import account_address
from llm_d_gke.planning import names
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.plan.infrastructure import ComputeClassPlan, NodeChoicePlan, ReservationPlan
from llm_d_gke.planning.suggest import did_you_mean
from llm_d_gke.settings.accelerator import ComputeClassSettings, FallbackSettings

_PATH = ("accelerator", "computeClass")
# github.com/google/skills, gke-compute-classes and gke-cluster-autoscaler at 1af7775.
_CREATES_POOLS_SINCE = "1.33.3-gke.1136000"


def plan_compute_class(ctx: PlanContext, *, rdma: bool) -> ComputeClassPlan | None:
    """The class with its choices, and findings about them."""
    settings, name = ctx.settings.accelerator.compute_class, ctx.compute_class
    if settings is None or name is None:
        return None
    _check(ctx, settings, rdma=rdma)
    own = account_address(names.service_account_id(ctx.stack), ctx.settings.project)
    return ComputeClassPlan(
        name=name,
        choices=tuple(_choices(ctx, settings)),
        active_migration=settings.active_migration,
        service_account=ctx.settings.cluster.node_account or own,
        accelerator=ctx.accelerator.node_label_value,
        tpu_topology=ctx.topology if ctx.accelerator.kind == "tpu" else None,
    )


def _choices(ctx: PlanContext, settings: ComputeClassSettings) -> Iterator[NodeChoicePlan]:
    first, reservation = ctx.settings.accelerator.provisioning, _reservation(ctx.settings.accelerator.reservation)
    seen = set()
    if first != "queued":
        if reservation is None:
            seen.add((ctx.machine.name, first))
        yield NodeChoicePlan(
            machine_type=ctx.machine.name, provisioning=first, accelerators=ctx.per_node, reservation=reservation
        )
    for number, fallback in enumerate(settings.fallbacks):
        machine = _machine(ctx, number, fallback)
        if machine is None:
            continue
        path = (*_PATH, "fallbacks", number)
        if (machine.name, fallback.provisioning) in seen:
            ctx.error("LLMD-COMPUTE-CLASS-REPEATED", *path, value=f"{machine.name}, {fallback.provisioning}")
        seen.add((machine.name, fallback.provisioning))
        if fallback.provisioning == "on-demand" and not machine.on_demand_ok:
            ctx.warning("LLMD-PROVISIONING-ON-DEMAND", *path, "provisioning", case="choice", machine=machine.name)
        yield NodeChoicePlan(
            machine_type=machine.name,
            provisioning=fallback.provisioning,
            accelerators=machine.accelerator_count or ctx.per_node,
        )


def _reservation(path: str | None) -> ReservationPlan | None:
    """The parts of `[projects/P/reservations/]NAME[/reservationBlocks/B[/reservationSubBlocks/S]]`."""
    if path is None:
        return None
    *owner, names = path.split("/reservations/")
    name, block, sub_block, *_ = (*names.split("/")[::2], None, None)
    project = owner[0].removeprefix("projects/") if owner else None
    return ReservationPlan(name=name or names, project=project, block=block, sub_block=sub_block)


def _machine(ctx: PlanContext, number: int, fallback: FallbackSettings) -> MachineType | None:
    """The machine type of a fallback, None with a finding where pods of the stack could not run on it."""
    name = fallback.machine_type
    if name is None:
        return ctx.machine
    path = (*_PATH, "fallbacks", number, "machineType")
    machine = ctx.catalog.machines.get(name)
    alike = [
        other.name
        for other in ctx.catalog.machines.values()
        if _has_accelerator(ctx, other) and _is_as_large(ctx, other)
    ]
    if machine is None or not _has_accelerator(ctx, machine):
        ctx.error("LLMD-COMPUTE-CLASS-MACHINE", *path, fix=did_you_mean(name, alike))
        return None
    if not _is_as_large(ctx, machine):
        ctx.error("LLMD-COMPUTE-CLASS-SMALLER", *path, alike=", ".join(alike))
        return None
    return machine


def _has_accelerator(ctx: PlanContext, machine: MachineType) -> bool:
    """Whether a machine type brings the stack's accelerator, or takes it as the planned one does (N1)."""
    return machine.accelerator == ctx.machine.accelerator and machine.is_attachable == ctx.machine.is_attachable


def _is_as_large(ctx: PlanContext, machine: MachineType) -> bool:
    """Whether a machine has at least what the planned one has. TPU pods take all chips of a node, never fewer."""
    count = machine.accelerator_count or ctx.per_node
    if ctx.accelerator.kind == "tpu" and count != ctx.per_node:
        return False
    return count >= ctx.per_node and machine.vcpus >= ctx.machine.vcpus and machine.memory_gib >= ctx.machine.memory_gib


def _check(ctx: PlanContext, settings: ComputeClassSettings, *, rdma: bool) -> None:
    accelerator = ctx.settings.accelerator
    if (ctx.hosts > 1 or rdma) and not ctx.autopilot:
        what = f"a {ctx.topology} slice of several hosts" if ctx.hosts > 1 else f"{ctx.machine.name} with RDMA networks"
        ctx.error("LLMD-COMPUTE-CLASS-HOSTS", *_PATH, value=what)
    cluster = ctx.settings.cluster
    version = cluster.gke_version
    if not ctx.autopilot and version is not None and not reaches(version, _CREATES_POOLS_SINCE):
        ctx.warning("LLMD-COMPUTE-CLASS-VERSION", *cluster.version_path, since=_CREATES_POOLS_SINCE)
    if accelerator.provisioning == "queued":
        ctx.error("LLMD-COMPUTE-CLASS-PROVISIONING", "accelerator", "provisioning")
    if accelerator.nodes.min > 0 and not ctx.autopilot:
        ctx.error("LLMD-COMPUTE-CLASS-MIN", "accelerator.nodes.min")
    if settings.active_migration and not settings.fallbacks:
        ctx.warning("LLMD-COMPUTE-CLASS-MIGRATION", *_PATH, "activeMigration")
