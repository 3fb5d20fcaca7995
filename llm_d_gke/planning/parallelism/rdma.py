"""RDMA network cards of a replica, and the managed DRANET that hands them out."""

from __future__ import annotations

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.parallelism.layout import Parallelism

DRANET_LABEL = "cloud.google.com/gke-networking-dra-driver"


def uses_rdma(ctx: PlanContext, parallelism: Parallelism) -> bool:
    """Whether a replica's pods use RDMA network cards, among each other or to the other stage.

    A pod takes all cards of its node: replicas that share one do without.
    """
    whole_node_role = parallelism.accelerators == ctx.per_node and ctx.role != "both"
    return ctx.machine.rdma and (parallelism.is_multi_node or whole_node_role)
