"""The decisions of the cluster autoscaler, without a cluster, and the scheduler's filters as it applies them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from llm_d_gke.kube import Manifest
from llm_d_gke.kube.conditions import find_condition
from llm_d_gke.quantities import quantity
from llm_d_gke.rehearsal.autoscaler.node_pools import Pool
from llm_d_gke.rehearsal.autoscaler.pod_requests import Amounts, requests


@dataclass(frozen=True)
class Growth:
    """A pool that grows for pods, from `size` to `target` machines."""

    pool: Pool
    size: int
    target: int
    pods: tuple[Manifest, ...]


@dataclass(frozen=True)
class Decision:
    """Pools that grow, and the pods that no pool can hold, with the reasons."""

    growths: tuple[Growth, ...]
    hopeless: tuple[tuple[Manifest, str], ...]


def unschedulable(pods: Iterable[Manifest]) -> list[Manifest]:
    """Pods that the scheduler marked Unschedulable, oldest first."""
    pending = [
        pod
        for pod in pods
        if not pod["spec"].get("nodeName")
        and not pod["metadata"].get("deletionTimestamp")
        and (scheduled := find_condition(pod, "PodScheduled")) is not None
        and (scheduled["status"], scheduled.get("reason")) == ("False", "Unschedulable")
    ]
    return sorted(pending, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))


def decide(
    pods: Sequence[Manifest], pools: Sequence[Pool], sizes: Mapping[str, int], free: Mapping[str, Sequence[Amounts]]
) -> Decision:
    """Decide which pools grow for the unschedulable `pods`.

    `sizes` are the target sizes of the pools, `free` the free resources of existing nodes. Existing and coming nodes
    are filled first, so that a pod whose node is coming adds no other.
    """
    coming: list[tuple[Pool, Amounts]] = []
    for pool in pools:
        empty_nodes = free.get(pool.name, ())
        coming += [(pool, amounts) for amounts in empty_nodes]
        coming += [(pool, node_capacity(pool)) for _ in range(sizes[pool.name] - len(empty_nodes))]
    targets = dict(sizes)
    asked_by: dict[str, list[Manifest]] = {}
    hopeless: list[tuple[Manifest, str]] = []
    for pod in pods:
        amounts_requested = requests(pod)
        place = next(
            (
                n
                for n, (pool, free) in enumerate(coming)
                if refusal(pod, pool) is None and not shortage(amounts_requested, free)
            ),
            None,
        )
        if place is None:
            chosen, why = _choose(pod, pools, targets)
            if chosen is None:
                hopeless.append((pod, why))
                continue
            targets[chosen.name] += chosen.machines_per_step
            asked_by.setdefault(chosen.name, []).append(pod)
            coming += [(chosen, node_capacity(chosen)) for _ in range(chosen.machines_per_step)]
            place = len(coming) - chosen.machines_per_step
        coming[place] = (coming[place][0], take(coming[place][1], amounts_requested))
    by_name = {pool.name: pool for pool in pools}
    growths = tuple(
        Growth(by_name[name], sizes[name], targets[name], tuple(waiting)) for name, waiting in asked_by.items()
    )
    return Decision(growths, tuple(hopeless))


def _choose(pod: Manifest, pools: Sequence[Pool], targets: Mapping[str, int]) -> tuple[Pool | None, str]:
    """The pool that wastes least (fewest accelerators, then fewest CPUs), or None and why no pool fits.

    Choices of a compute class come in their own order.
    """
    fitting: list[Pool] = []
    reasons: list[str] = []
    for pool in pools:
        why = refusal(pod, pool)
        if why is None and not pool.autoscaled:
            why = "node pool has no autoscaling"
        elif why is None and targets[pool.name] + pool.machines_per_step > pool.maximum:
            why = f"max node group size reached ({pool.maximum})"
        if why is None:
            fitting.append(pool)
        else:
            reasons.append(f"{pool.name}: {why}")
    if fitting:
        return min(fitting, key=_waste), ""
    return None, "pod didn't trigger scale-up: " + ("; ".join(reasons) or "the cluster has no node pool")


def _waste(pool: Pool) -> tuple[int, int, float, str]:
    amounts = node_capacity(pool)
    chips = sum(int(amounts[name]) for name in ("nvidia.com/gpu", "google.com/tpu") if name in amounts)
    return pool.rank, chips, float(amounts["cpu"]), pool.name


_NO_SCHEDULE = ("NoSchedule", "NoExecute")


def refusal(pod: Manifest, pool: Pool) -> str | None:
    """Why an empty node of the pool cannot hold the pod, in the autoscaler's words. None if it can."""
    for taint in pool.taints:
        if taint["effect"] in _NO_SCHEDULE and not _tolerated(taint, pod["spec"].get("tolerations") or []):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint['value']}}}"
    if not _selected(pod, pool.labels):
        return "node(s) didn't match Pod's node affinity/selector"
    missing = shortage(requests(pod), node_capacity(pool))
    return f"Insufficient {', '.join(missing)}" if missing else None


def node_capacity(pool: Pool) -> Amounts:
    """The allocatable resources of an empty node of the pool."""
    return {name: quantity(text) for name, text in pool.allocatable.items()}


def shortage(requested: Amounts, free: Amounts) -> list[str]:
    """Names of the insufficient resources, sorted."""
    return sorted(name for name, amount in requested.items() if amount > free.get(name, Decimal(0)))


def take(free: Amounts, requested: Amounts) -> Amounts:
    return {name: amount - requested.get(name, Decimal(0)) for name, amount in free.items()}


def _tolerated(taint: Mapping[str, str], tolerations: list[Manifest]) -> bool:
    for toleration in tolerations:
        if toleration.get("effect") not in (None, "", taint["effect"]):
            continue
        if toleration.get("operator", "Equal") == "Exists":
            if toleration.get("key") in (None, "", taint["key"]):
                return True
        elif toleration.get("key") == taint["key"] and toleration.get("value", "") == taint["value"]:
            return True
    return False


def _selected(pod: Manifest, labels: Mapping[str, str]) -> bool:
    spec = pod["spec"]
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(
        all(_matches(expression, labels) for expression in term.get("matchExpressions") or [])
        for term in required.get("nodeSelectorTerms") or []
        if term.get("matchExpressions")
    )


def _matches(expression: Manifest, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    values: list[str] = expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return value is not None and int(value) > int(values[0])
        case "Lt":
            return value is not None and int(value) < int(values[0])
    return False
