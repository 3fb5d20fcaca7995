"""The decisions of the cluster autoscaler, without a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llm_d_gke.rehearsal.autoscaler.fitting import refusal, room, shortage, take
from llm_d_gke.rehearsal.autoscaler.node_pools import Pool
from llm_d_gke.rehearsal.autoscaler.quantities import Amounts, requests
from llm_d_gke.rehearsal.kube import Manifest
from llm_d_gke.rehearsal.kube.conditions import find_condition


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
        and _is_unschedulable(find_condition(pod, "PodScheduled"))
    ]
    return sorted(pending, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))


def _is_unschedulable(scheduled: Manifest | None) -> bool:
    return scheduled is not None and scheduled["status"] == "False" and scheduled.get("reason") == "Unschedulable"


def decide(
    pods: Sequence[Manifest],
    pools: Sequence[Pool],
    sizes: Mapping[str, int],
    free: Mapping[str, Sequence[Amounts]],
) -> Decision:
    """Decide which pools grow for the unschedulable `pods`.

    `sizes` are the target sizes of the pools, `free` the free resources of existing nodes. Existing and coming nodes
    are filled first, so that a pod whose node is coming adds no other.
    """
    coming: list[tuple[Pool, Amounts]] = []
    for pool in pools:
        empty_nodes = free.get(pool.name, ())
        coming += [(pool, amounts) for amounts in empty_nodes]
        coming += [(pool, room(pool)) for _ in range(sizes[pool.name] - len(empty_nodes))]
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
            coming += [(chosen, room(chosen)) for _ in range(chosen.machines_per_step)]
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
    amounts = room(pool)
    chips = sum(int(amounts[name]) for name in ("nvidia.com/gpu", "google.com/tpu") if name in amounts)
    return pool.rank, chips, float(amounts["cpu"]), pool.name
