"""Steps for the GKE cluster and its node pools."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from llm_d_gke.catalog.versions import version_numbers
from llm_d_gke.planning.plan.infrastructure import ClusterPlan, NodePoolPlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.upgrades import durations
from llm_d_gke.planning.upgrades.differences import changed_fields
from llm_d_gke.planning.upgrades.step import Loss, Part, Step, longest

_CLUSTER = Part(type="gcp:container/cluster:Cluster", name="cluster")
_POOL = "gcp:container/nodePool:NodePool"

# Fields of a pool that GKE changes without touching a node, and those for which it recreates nodes one after another.
_IN_PLACE = frozenset(("min_nodes", "max_nodes", "zones", "labels", "node_labels"))
_NODE_BY_NODE = frozenset(("disk_gib", "disk_type", "machine_type"))
_NEVER = ("name", "location", "create", "identifier")


def infrastructure_steps(before: StackPlan, after: StackPlan) -> Iterator[Step]:
    """Control plane first: nodes may be older than it, never newer."""
    if before.cluster.create and after.cluster.create:
        yield from _cluster(before.cluster, after.cluster)
    yield from _pools(before, after)


def minor_of(version: str | None) -> tuple[int, int] | None:
    return None if version is None else version_numbers(version)[:2]


def _cluster(before: ClusterPlan, after: ClusterPlan) -> Iterator[Step]:
    yield from (_control_plane(version, before, after) for version in _versions(before, after))
    changed = changed_fields(before, after, ("min_version",))
    if changed:
        replaced = sorted(set(changed) & set(_NEVER))
        yield Step(
            name="cluster",
            title=f"cluster {after.name}",
            changes=(", ".join(name.replace("_", " ") for name in changed),),
            method="the cluster and everything in it is deleted and created again" if replaced else "in place",
            loss=Loss.OUTAGE if replaced else Loss.NOTHING,
            consequence="all requests until the whole stack is up again" if replaced else "nothing",
            back="the same step with the settings before",
            parts=(_CLUSTER,),
        )


def _versions(before: ClusterPlan, after: ClusterPlan) -> list[str]:
    """The minor versions on the way, one step each: a control plane skips none. Empty where nothing is raised."""
    if after.min_version is None or after.min_version == before.min_version:
        return []
    old, new = minor_of(before.min_version), minor_of(after.min_version)
    if old is None or new is None or old[0] != new[0] or new[1] <= old[1]:
        return [after.min_version] if old is None or new is None or new >= old else []
    return [*(f"{new[0]}.{minor}" for minor in range(old[1] + 1, new[1])), after.min_version]


def _control_plane(version: str, before: ClusterPlan, after: ClusterPlan) -> Step:
    zonal = after.location.count("-") == 2
    return Step(
        name=f"control-plane-{version}",
        title=f"GKE control plane {version}",
        changes=(f"at least {version} instead of {before.min_version or 'the version of the channel'}",),
        method="in place; nodes follow by themselves, in the maintenance window where there is one",
        consequence=(
            "no request; kubectl and Pulumi get no answer meanwhile, because the cluster is zonal"
            if zonal
            else "nothing"
        ),
        back="none: a completed upgrade to a newer minor version stays",
        parts=(_CLUSTER,),
        settings={"llm-d:cluster.version": version},
    )


def _pools(before: StackPlan, after: StackPlan) -> Iterator[Step]:
    pairs = [
        ("cpu", before.cpu_pool, after.cpu_pool),
        *(
            (f"accelerator-{number}", old, new)
            for number, (old, new) in enumerate(zip_longest(before.accelerator_pools, after.accelerator_pools))
        ),
    ]
    for name, old, new in pairs:
        # An Autopilot cluster has no pools: its nodes follow the pods, which have steps of their own.
        if new is not None and old != new and not new.autopilot:
            yield _pool(name, old, new, after)


def _pool(name: str, before: NodePoolPlan | None, after: NodePoolPlan, plan: StackPlan) -> Step:
    part = Part(type=_POOL, name=name)
    if before is None:
        return Step(
            name=f"nodes-{name}",
            title=f"node pool {after.name}",
            changes=("new",),
            method="created",
            back="the same step with the settings before",
            seconds=durations.of_pool(plan),
            parts=(part,),
        )
    changed = changed_fields(before, after)
    phrases = tuple(
        f"{field.replace('_', ' ')} {getattr(before, field)} -> {getattr(after, field)}" for field in changed
    )
    if set(changed) <= _IN_PLACE:
        method, loss, consequence, seconds = "in place", Loss.NOTHING, "nothing", None
    elif set(changed) <= _IN_PLACE | _NODE_BY_NODE:
        method = "GKE drains and recreates one node after another"
        loss = Loss.CAPACITY
        consequence = "the replicas of one node at a time; with a single replica its requests until it runs again"
        seconds = None
    elif name == "cpu":
        method = "the pool is deleted, then created again: GKE refuses a second one of its name"
        loss = Loss.OUTAGE
        consequence = "all requests until endpoint pickers run on the new nodes"
        seconds = durations.of_pool(plan)
    else:
        method = "the pool is deleted, then created again: there is no quota for two"
        loss = Loss.OUTAGE
        consequence = "all requests until a node and a replica are there again"
        seconds = durations.of_pool(plan)
        starts = [durations.of_replica(plan, server.pod) for model in plan.models for server in model.servers]
        seconds = seconds + longest(starts) if starts else seconds
    return Step(
        name=f"nodes-{name}",
        title=f"node pool {after.name}",
        changes=phrases,
        method=method,
        loss=loss,
        consequence=consequence,
        back="the same step with the settings before, with the same loss",
        seconds=seconds,
        parts=(part,),
        instead=(
            "a second stack in this cluster with a pool of its own, and a change of the address that clients use"
            if loss is Loss.OUTAGE
            else None
        ),
    )
