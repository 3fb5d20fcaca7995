"""Accelerators of nodes that no replica takes: paid for, and serving nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from llm_d_gke.catalog.schema import MachineType
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.parallelism.layout import pods_of
from llm_d_gke.planning.parallelism.packing import fewest_nodes
from llm_d_gke.planning.plan.estimates import HOURS_A_MONTH
from llm_d_gke.planning.serving.resources import all_pods
from llm_d_gke.planning.sizing.prices import billed, prices_of
from llm_d_gke.wording import count


def check_idle(ctx: PlanContext) -> None:
    """Accelerators that stay idle even when all replicas run, on their own nodes and on those the pool always keeps.

    Autopilot decides itself which pods share a node.
    """
    pods, nodes = all_pods(ctx), ctx.settings.accelerator.nodes
    if ctx.autopilot or ctx.settings.paused or not pods:
        return
    needed = fewest_nodes(pods, ctx.per_node)
    if needed > nodes.max:
        return
    if idle := needed * ctx.per_node - sum(pods):
        index, more = _further_replicas(ctx, pods, needed)
        path = (f"models[{index}]", *ctx.settings.models[index].replicas_path)
        ways = [f"{path[-1]}: {ctx.settings.models[index].replicas + more} on the same nodes"] if more else []
        if (smaller := _smaller_nodes(ctx, pods, idle)) is not None:
            ways.append(smaller)
        instead = ", or ".join(ways or ["a larger tensorParallel"])
        ctx.warning(
            "LLMD-ACCELERATORS-IDLE", *path, case="replicas", instead=instead, **_figures(ctx, idle=idle, nodes=needed)
        )
    if nodes.min > needed:
        ctx.warning(
            "LLMD-ACCELERATORS-IDLE",
            "accelerator.nodes.min",
            case="minimum",
            needed=needed,
            **_figures(ctx, idle=(nodes.min - needed) * ctx.per_node, nodes=nodes.min),
        )


def _figures(ctx: PlanContext, *, idle: int, nodes: int) -> dict[str, object]:
    """`idle` accelerators of `nodes` nodes, and what they cost, for the texts of a finding."""
    hourly = _hourly(ctx, ctx.machine, ctx.per_node)
    cost = "at an unknown price"
    if hourly is not None:
        cost = f"for ${hourly * idle / ctx.per_node * HOURS_A_MONTH:,.0f} a month"
    return {
        "idle": idle,
        "total": nodes * ctx.per_node,
        # The same numbers of both stages are two findings.
        "nodes": count(nodes, f"{'' if ctx.role == 'both' else ctx.role + ' '}{ctx.machine.name} node"),
        "cost": cost,
        "stay": "stays" if idle == 1 else "stay",
    }


def _hourly(ctx: PlanContext, machine: MachineType, per_node: int) -> float | None:
    """Dollars an hour of one node, bought as the stack's are."""
    way = billed(ctx.settings.accelerator.provisioning)
    attached = (ctx.accelerator.name, per_node) if machine.is_attachable else None
    price = prices_of(ctx).machine(machine.name, ctx.region, way, attached)
    return None if price is None else price.hourly


def _further_replicas(ctx: PlanContext, pods: Sequence[int], nodes: int) -> tuple[int, int]:
    """The model, by index, that would use most of the same nodes' room, and how many more of its replicas do."""
    best, most = (0, 0), 0
    for index, model in enumerate(ctx.settings.models):
        replica, more = pods_of(ctx, model, 1), 0
        while fewest_nodes([*pods, *replica * (more + 1)], ctx.per_node) <= nodes:
            more += 1
        if more * sum(replica) > most:
            best, most = (index, more), more * sum(replica)
    return best


def _smaller_nodes(ctx: PlanContext, pods: Sequence[int], idle: int) -> str | None:
    """The setting of other nodes with the same accelerators, of which the pods leave fewest idle."""
    best = min((other for other in _others(ctx, pods) if other[1] < idle), default=None)
    if best is None:
        return None
    not_on_demand, _, _, nodes, name, per_node = best
    text = f"perNode: {per_node}" if name == ctx.machine.name else f"machineType: {name}"
    if nodes > ctx.settings.accelerator.nodes.max:
        text += f" with nodes.max: {nodes}"
    return text + (", which is sold as spot or flex-start only" if not_on_demand else "")


def _others(ctx: PlanContext, pods: Sequence[int]) -> Iterator[tuple[bool, int, float, int, str, int]]:
    on_demand = ctx.settings.accelerator.provisioning == "on-demand" and ctx.settings.accelerator.reservation is None
    for machine in ctx.catalog.machines_for(ctx.accelerator.name):
        if machine.arm != ctx.machine.arm or machine.accelerator_share != ctx.machine.accelerator_share:
            continue
        if machine.is_attachable and machine.name != ctx.machine.name:
            continue
        for per_node in machine.counts_of(ctx.accelerator.name):
            if per_node < max(pods):
                continue
            nodes = fewest_nodes(pods, per_node)
            hourly = _hourly(replace(ctx, machine=machine), machine, per_node)
            dollars = math.inf if hourly is None else hourly * nodes
            idle = nodes * per_node - sum(pods)
            yield on_demand and not machine.on_demand_ok, idle, dollars, nodes, machine.name, per_node
