"""The ComputeClass from which GKE creates accelerator nodes, in place of a node pool."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from llm_d_gke.components.custom_resources.base import Enabled, Named, custom_resource
from llm_d_gke.components.custom_resources.compute_class import (
    ActiveMigration,
    ComputeClassSpec,
    Gpu,
    Location,
    NodePoolConfig,
    Priority,
    ReservationBlock,
    Reservations,
    SpecificReservation,
    Storage,
    Tpu,
)
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.options import after
from llm_d_gke.planning.plan.infrastructure import ComputeClassPlan, NodeChoicePlan, NodePoolPlan, ReservationPlan


def compute_class(
    plan: ComputeClassPlan, pool: NodePoolPlan, depends_on: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    """Create the class. `pool` describes the nodes of its first choice: disk, driver, labels and zones."""
    return custom_resource(
        plan.name,
        ComputeClassSpec(
            node_pool_auto_creation=Enabled(enabled=True),
            node_pool_config=NodePoolConfig(
                service_account=plan.service_account,
                node_labels=dict(pool.node_labels),
                image_streaming=Enabled(enabled=True),
            ),
            priorities=[_priority(choice, plan, pool) for choice in plan.choices],
            active_migration=ActiveMigration(optimize_rule_priority=True) if plan.active_migration else None,
        ),
        metadata=metadata(plan.name),
        opts=after(opts, *depends_on),
    )


def _priority(choice: NodeChoicePlan, plan: ComputeClassPlan, pool: NodePoolPlan) -> Priority:
    gpu = plan.tpu_topology is None
    return Priority(
        # A TPU's machine type follows from its type, count and topology.
        machine_type=choice.machine_type if gpu else None,
        spot=choice.provisioning == "spot",
        location=Location(zones=list(pool.zones)) if pool.zones and choice.reservation is None else None,
        reservations=_reservations(choice.reservation, pool) if choice.reservation is not None else None,
        flex_start=Enabled(enabled=True) if choice.provisioning == "flex-start" else None,
        gpu=Gpu.model_validate(
            {
                "type": plan.accelerator,
                "count": choice.accelerators,
                "driver_version": None if pool.driver_version is None else pool.driver_version.lower(),
            }
        )
        if gpu
        else None,
        tpu=None
        if plan.tpu_topology is None
        else Tpu(type=plan.accelerator, count=choice.accelerators, topology=plan.tpu_topology),
        storage=Storage(boot_disk_type=pool.disk_type, boot_disk_size=pool.disk_gib, boot_disk_kms_key=pool.disk_key),
    )


def _reservations(plan: ReservationPlan, pool: NodePoolPlan) -> Reservations:
    part = Named(name=plan.sub_block) if plan.sub_block is not None else None
    block = ReservationBlock(name=plan.block, reservation_sub_block=part) if plan.block is not None else None
    return Reservations(
        specific=[
            SpecificReservation(
                name=plan.name, project=plan.project, zones=list(pool.zones) or None, reservation_block=block
            )
        ]
    )
