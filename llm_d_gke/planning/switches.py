"""Changes of a running stack that the pool has no room for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from llm_d_gke.planning.findings import Finding
from llm_d_gke.planning.plan.stack import StackPlan


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The state after the last `up`: the back end of the model servers, and the number of nodes of their pools."""

    deployment: str
    nodes: int
    pools: tuple[str, ...]


def standing_of(plan: StackPlan, deployment: str) -> Standing:
    return Standing(deployment=deployment, nodes=_nodes(plan), pools=_pools(plan))


def check_switch(before: Standing, plan: StackPlan, deployment: str) -> list[Finding]:
    """An error where the servers of another deployment would wait for nodes that never come.

    They start before the old ones stop, because requests go to the old ones until the new ones are ready. On another
    pool, that of another accelerator, the old ones take no room.
    """
    if not set(before.pools) & set(_pools(plan)):
        return []
    maximum = sum(pool.max_nodes for pool in plan.accelerator_pools)
    needed = _nodes(plan)
    if deployment == before.deployment or not needed or before.nodes + needed <= maximum:
        return []
    return [
        Finding(
            id="LLMD-PREFLIGHT-SWITCH",
            path="llm-d:deployment",
            value=deployment,
            rule=f"model servers take {before.nodes} of at most {maximum} accelerator nodes, and the new ones need"
            f" {needed} more before the old ones stop: `up` would wait indefinitely",
            fix=f"set llm-d:accelerator.nodes.max to {before.nodes + needed} for the switch, or run one up with"
            " llm-d:paused: true before it, during which no requests are answered",
        )
    ]


def _pools(plan: StackPlan) -> tuple[str, ...]:
    return tuple(pool.name for pool in plan.accelerator_pools)


def _nodes(plan: StackPlan) -> int:
    """Accelerator nodes that all replicas take."""
    per_node = max((pool.accelerators_per_node for pool in plan.accelerator_pools), default=0) or 1
    accelerators = 0
    for server in (server for model in plan.models for server in model.servers):
        pods = server.most_replicas * (server.group.size if server.group is not None else 1)
        accelerators += pods * max(map(_count, server.pod.requests.items()), default=0)
    return math.ceil(accelerators / per_node)


def _count(request: tuple[str, str]) -> int:
    name, amount = request
    return int(amount) if name in ("nvidia.com/gpu", "google.com/tpu") else 0


def standing_from(saved: Mapping[str, object]) -> Standing | None:
    """From what an earlier `up` saved; None where it saved nothing of it."""
    deployment, nodes, pools = saved.get("deployment"), saved.get("nodes"), saved.get("pools")
    if isinstance(deployment, str) and isinstance(nodes, int) and isinstance(pools, list | tuple):
        return Standing(deployment=deployment, nodes=nodes, pools=tuple(map(str, pools)))
    return None
