"""Checks that node pools have capacity for new model servers while the old ones still run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llm_d_gke.planning.findings import Finding
from llm_d_gke.planning.plan.infrastructure import NodePoolPlan
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.serving.labels import ROLE_LABEL


@dataclass(frozen=True, kw_only=True)
class RolePools:
    """The node pools of one role, and the model servers on them with the nodes that these take."""

    pools: tuple[str, ...]
    servers: tuple[str, ...]
    nodes: int


@dataclass(frozen=True, kw_only=True)
class DeployedServers:
    """The model servers after the last `up`, by node pool, and the back end that created them.

    Field names are keys of the saved settings: a stack that an older version created is read by them.
    """

    deployment: str
    places: tuple[RolePools, ...]


def deployed_servers_of(plan: StackPlan, deployment: str) -> DeployedServers:
    return DeployedServers(
        deployment=deployment,
        places=tuple(
            RolePools(pools=_names(pools), servers=_names(servers), nodes=_nodes(servers, pools))
            for pools, servers in _by_role(plan)
        ),
    )


def check_surge_capacity(before: DeployedServers, plan: StackPlan, deployment: str) -> list[Finding]:
    """Errors where servers of another deployment, model or role would wait for nodes that never come.

    They start before the old ones stop, because requests go to the old ones until the new ones are ready. On another
    pool, that of another accelerator, the old ones take no room. A server that keeps its name is updated in place.
    """
    return [
        finding
        for pools, servers in _by_role(plan)
        for place in before.places
        if set(place.pools) & set(_names(pools))
        for finding in _check_role(before, place, deployment, pools, servers)
    ]


def _check_role(
    before: DeployedServers,
    place: RolePools,
    deployment: str,
    pools: list[NodePoolPlan],
    servers: list[ModelServerPlan],
) -> Iterator[Finding]:
    changed = deployment != before.deployment
    added = [server for server in servers if changed or server.name not in place.servers]
    leaving = changed or set(place.servers) - set(_names(servers))
    maximum = sum(pool.max_nodes for pool in pools)
    needed = _nodes(added, pools)
    if not leaving or not needed or place.nodes + needed <= maximum:
        return
    yield Finding(
        id="LLMD-PREFLIGHT-SWITCH",
        path="llm-d:deployment" if changed else "llm-d:models",
        value=deployment if changed else ", ".join(_names(added)),
        rule=f"model servers take {place.nodes} of at most {maximum} accelerator nodes, and the new ones need"
        f" {needed} more before the old ones stop: `up` would wait indefinitely",
        fix=f"set llm-d:accelerator.nodes.max to {place.nodes + needed} for the switch, or run one up with"
        " llm-d:paused: true before it, during which no requests are answered",
    )


def _by_role(plan: StackPlan) -> list[tuple[list[NodePoolPlan], list[ModelServerPlan]]]:
    """Pools and servers with replicas: those of prefill, which have pools of their own, and the others."""
    servers = [server for model in plan.models for server in model.servers if server.most_replicas]
    return [
        (
            [pool for pool in plan.accelerator_pools if (pool.node_labels.get(ROLE_LABEL) == "prefill") is prefill],
            [server for server in servers if (server.role == "prefill") is prefill],
        )
        for prefill in (False, True)
    ]


def _names(items: Iterable[NodePoolPlan | ModelServerPlan]) -> tuple[str, ...]:
    return tuple(item.name for item in items)


def _nodes(servers: Iterable[ModelServerPlan], pools: Iterable[NodePoolPlan]) -> int:
    """Accelerator nodes that all replicas of these servers take."""
    per_node = max((pool.accelerators_per_node for pool in pools), default=0) or 1
    accelerators = 0
    for server in servers:
        pods = server.most_replicas * (server.group.size if server.group is not None else 1)
        accelerators += pods * max(map(_count, server.pod.requests.items()), default=0)
    return math.ceil(accelerators / per_node)


def _count(request: tuple[str, str]) -> int:
    name, amount = request
    return int(amount) if name in ("nvidia.com/gpu", "google.com/tpu") else 0


def saved_deployed_servers(saved: Mapping[str, Any]) -> DeployedServers | None:
    """Read the servers that an earlier `up` saved. None where it saved none."""
    if "deployment" not in saved or "places" not in saved:
        return None
    return DeployedServers(
        deployment=str(saved["deployment"]),
        places=tuple(
            RolePools(pools=tuple(place["pools"]), servers=tuple(place["servers"]), nodes=int(place["nodes"]))
            for place in saved["places"]
        ),
    )
