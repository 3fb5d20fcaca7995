"""Checks of a change against the model servers that run: room beside them, and who decides about their number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llm_d_gke.planning.findings import Finding
from llm_d_gke.planning.parallelism.packing import enough_nodes, fewest_nodes
from llm_d_gke.planning.plan.infrastructure import NodePoolPlan
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.serving.backends import BACKENDS
from llm_d_gke.planning.serving.labels import ROLE_LABEL

# What a change of the pods of an only replica means in a pool without a spare node (`max_surge` 0).
OUTAGE = (
    "no request is answered from the end of its only replica until the new one is ready, because the pool has no spare"
    " node. With a larger llm-d:accelerator.nodes.max in the same update the new one starts first"
)


@dataclass(frozen=True, kw_only=True)
class RolePools:
    """The node pools of one role, and the model servers on them with the nodes that these take.

    `pods` are the accelerators of each pod. What an older version saved has none: its pods take whole nodes.
    """

    pools: tuple[str, ...]
    servers: tuple[str, ...]
    nodes: int
    pods: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DeployedServers:
    """The model servers after the last `up`, by node pool, and the back end that created them.

    Field names are keys of the saved settings: a stack that an older version created is read by them. `scaled` has
    the fewest and most replicas between which an autoscaler holds each workload that it changes itself. `groups` names
    the servers whose replicas have several pods, and both it and `namespace` are None where an older version saved.
    `roles` are those of all servers, also of those without a replica; an older version saved none.
    """

    deployment: str
    places: tuple[RolePools, ...]
    scaled: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    namespace: str | None = None
    groups: tuple[str, ...] | None = None
    roles: Mapping[str, str] = field(default_factory=dict)

    def moves(self, plan: StackPlan) -> bool:
        """Whether all servers get a new namespace, KServe's aside: its services are deleted first, the others last."""
        is_kserve = any(backend.needs_kserve for name, backend in BACKENDS.items() if name == self.deployment)
        return not is_kserve and self.leaves_namespace(plan)

    def leaves_namespace(self, plan: StackPlan) -> bool:
        """Whether the plan has another namespace, as far as the last `up` saved its own."""
        return self.namespace not in (None, plan.namespace.name)

    def becomes_another_kind(self, server: ModelServerPlan) -> bool:
        """Whether a LeaderWorkerSet takes the place of a Deployment, or the other way around."""
        return self.groups is not None and (server.name in self.groups) is (server.group is None)


def deployed_servers_of(plan: StackPlan, deployment: str) -> DeployedServers:
    return DeployedServers(
        deployment=deployment,
        places=tuple(
            RolePools(
                pools=_names(pools),
                servers=_names(servers),
                nodes=busy_nodes(servers, pools),
                pods=tuple(_pods(servers)),
            )
            for pools, servers in by_role(plan)
        ),
        scaled={
            server.name: (0, 0) if server.scaling.paused else (server.scaling.minimum, server.scaling.maximum)
            for server in _own_workloads(plan)
            if server.scaling is not None
        },
        namespace=plan.namespace.name,
        groups=tuple(server.name for server in _own_workloads(plan) if server.group is not None),
        roles={server.name: server.role for model in plan.models for server in model.servers},
    )


def _own_workloads(plan: StackPlan) -> Iterator[ModelServerPlan]:
    """Model servers whose workload this program writes. KServe gives its own the number of replicas again and again."""
    return (server for model in plan.models if model.inference_service is None for server in model.servers)


def check_autoscaler_end(before: DeployedServers, plan: StackPlan) -> list[Finding]:
    """Errors where a fixed number takes the place of an autoscaler that may hold another one.

    Pulumi deletes last: the autoscaler sees the new number first and sets its own again, which then stays.
    """
    return [
        Finding(
            id="LLMD-PREFLIGHT-AUTOSCALER",
            path="llm-d:models",
            value=server.name,
            rule=f"its autoscaler, which holds it between {least} and {most} replicas, is deleted after it has"
            f" {server.replicas}, and would set another number before that",
            fix=(
                f"run one up with autoscaling.minimum and maximum {server.replicas}, and take autoscaling out after it"
                if server.replicas
                else "run one up with llm-d:paused: true first, and take autoscaling out after it"
            ),
        )
        for server in _own_workloads(plan)
        if server.scaling is None and server.name in before.scaled
        for least, most in [before.scaled[server.name]]
        if (least, most) != (server.replicas, server.replicas)
    ]


def check_stages_under_kserve(before: DeployedServers, plan: StackPlan) -> list[Finding]:
    """Errors where a service of KServe's gets prefill servers, or loses them, while it runs.

    Its decode servers then have another role among the labels by which their Deployment selects pods, and Kubernetes
    changes no selector: the service never becomes ready.
    """
    if before.leaves_namespace(plan):
        return []
    return [
        Finding(
            id="LLMD-PREFLIGHT-STAGES",
            path="llm-d:models",
            value=server.name,
            rule="its Deployment selects pods by their role, which prefill servers change, and Kubernetes changes no"
            " selector of a Deployment: `up` would wait indefinitely",
            fix=f"kubectl delete llminferenceservices {model.inference_service.name} -n {plan.namespace.name} first,"
            " after which no request is answered until the new servers are ready, and run up with --refresh",
        )
        for model in plan.models
        if model.inference_service is not None
        for server in model.servers
        if server.group is None and before.roles.get(server.name, server.role) != server.role
    ]


def check_surge_capacity(before: DeployedServers, plan: StackPlan, deployment: str) -> list[Finding]:
    """Errors where servers of another deployment, model or role would wait for nodes that never come.

    They start before the old ones stop, because requests go to the old ones until the new ones are ready. On another
    pool, that of another accelerator, the old ones take no room. A server that keeps its name is updated in place,
    unless its namespace or its kind changes.
    """
    return [
        finding
        for pools, servers in by_role(plan)
        for place in before.places
        if set(place.pools) & set(_names(pools))
        for finding in _check_role(before, place, deployment, plan, pools, servers)
    ]


def _check_role(
    before: DeployedServers,
    place: RolePools,
    deployment: str,
    plan: StackPlan,
    pools: list[NodePoolPlan],
    servers: list[ModelServerPlan],
) -> Iterator[Finding]:
    changed, moves = deployment != before.deployment, before.moves(plan)
    own = set() if changed or moves else set(_names(_own_workloads(plan)))
    turned = {server.name for server in servers if server.name in own and before.becomes_another_kind(server)}
    staying = set() if changed or moves else set(place.servers) - turned
    added = [server for server in servers if server.name not in staying]
    leaving = set(place.servers) - (staying & set(_names(servers)))
    maximum, per_node = sum(pool.max_nodes for pool in pools), _per_node(pools)
    standing = place.pods or (per_node,) * place.nodes
    enough = enough_nodes(_pods(added), per_node, standing=[min(pod, per_node) for pod in standing])
    if not leaving or enough <= maximum:
        return
    yield Finding(
        id="LLMD-PREFLIGHT-SWITCH",
        path="llm-d:deployment" if changed else "llm-d:namespace.name" if moves else "llm-d:models",
        value=deployment if changed else plan.namespace.name if moves else ", ".join(_names(added)),
        rule=f"model servers take {place.nodes} of at most {maximum} accelerator nodes, and the new ones need"
        f" {max(1, enough - place.nodes)} more before the old ones stop: `up` would wait indefinitely",
        fix=f"set llm-d:accelerator.nodes.max to {enough} for the switch, or run one up with"
        " llm-d:paused: true before it, during which no requests are answered",
    )


def by_role(plan: StackPlan) -> list[tuple[list[NodePoolPlan], list[ModelServerPlan]]]:
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


def busy_nodes(servers: Iterable[ModelServerPlan], pools: Iterable[NodePoolPlan]) -> int:
    """Nodes of these pools that all replicas of these servers take."""
    return fewest_nodes(_pods(servers), _per_node(pools))


def _per_node(pools: Iterable[NodePoolPlan]) -> int:
    return max((pool.accelerators_per_node for pool in pools), default=0) or 1


def _pods(servers: Iterable[ModelServerPlan]) -> list[int]:
    """Accelerators of each pod of all replicas."""
    return [
        int(amount)
        for server in servers
        for name, amount in server.pod.requests.items()
        if name in ("nvidia.com/gpu", "google.com/tpu")
        for _ in range(server.most_replicas * (server.group.size if server.group is not None else 1))
    ]


def saved_deployed_servers(saved: Mapping[str, Any]) -> DeployedServers | None:
    """Read the servers that an earlier `up` saved. None where it saved none."""
    if "deployment" not in saved or "places" not in saved:
        return None
    return DeployedServers(
        deployment=str(saved["deployment"]),
        places=tuple(
            RolePools(
                pools=tuple(place["pools"]),
                servers=tuple(place["servers"]),
                nodes=int(place["nodes"]),
                pods=tuple(map(int, place.get("pods", ()))),
            )
            for place in saved["places"]
        ),
        scaled={name: (int(least), int(most)) for name, (least, most) in saved.get("scaled", {}).items()},
        namespace=saved.get("namespace"),
        groups=None if saved.get("groups") is None else tuple(saved["groups"]),
        roles=saved.get("roles", {}),
    )
