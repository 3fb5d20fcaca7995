"""The most that a stack may cost in a month, by its stack file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.plan.estimates import CostPlan
from llm_d_gke.planning.plan.infrastructure import NodePoolPlan


def least_cpu_nodes(pool: NodePoolPlan) -> int:
    """Pickers and system pods hold one node, whatever the pool's minimum."""
    return max(1, pool.min_nodes)


def check_budget(
    ctx: PlanContext, cost: CostPlan, cpu_pool: NodePoolPlan, pools: Sequence[tuple[NodePoolPlan, int]]
) -> None:
    """Findings about `budget.maxMonthlyUsd`. `pools` are those with accelerators, each with the nodes that all its
    replicas take: fewer nodes help only down to those."""
    budget, most, running = ctx.settings.budget, cost.at_most, cost.total("running").monthly
    if budget is None:
        return
    if most.monthly > budget.max_monthly_usd:
        spare = ["accelerator.nodes.max"] if any(pool.max_nodes > busy for pool, busy in pools) else []
        most_nodes: Counter[str] = Counter()
        for pool, _ in pools:
            most_nodes[pool.machine_type] += pool.max_nodes
        if not ctx.autopilot:
            spare += ["cpuPool.nodes.max"] if cpu_pool.max_nodes > least_cpu_nodes(cpu_pool) else []
            most_nodes[cpu_pool.machine_type] += cpu_pool.max_nodes
        ctx.error(
            "LLMD-BUDGET",
            "budget.maxMonthlyUsd",
            case="hardware" if not spare else "nodes" if running <= budget.max_monthly_usd else "nodes and hardware",
            running=running,
            spare=" or ".join(spare),
            nodes=" and ".join(f"{number} {machine}" for machine, number in most_nodes.items()),
            monthly=most.monthly,
            lacking=f", without {', '.join(most.unknown)}, of unknown price" if most.unknown else "",
            most=math.ceil(most.monthly),
        )
    elif most.unknown:
        ctx.warning("LLMD-BUDGET-UNKNOWN", "budget.maxMonthlyUsd", unknown=", ".join(most.unknown))
