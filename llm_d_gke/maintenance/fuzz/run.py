"""Random stacks through settings and planning."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from llm_d_gke.planning import RefusedError, StackPlan, plan_raw
from llm_d_gke.planning.plan.pods import VolumePlan
from llm_d_gke.quantities import memory_mib


def fuzz(strategy: st.SearchStrategy[dict[str, Any]], examples: int, number: int) -> Counter[str]:
    """Plan `examples` stacks of a strategy, the same ones for the same number. The outcomes are counted.

    Raises what hypothesis raises: the smallest stack that ends in neither a plan nor findings.
    """
    return Counter(what for what, _ in _outcomes(strategy, examples, number))


def planned(strategy: st.SearchStrategy[dict[str, Any]], count: int, number: int) -> list[dict[str, Any]]:
    """`count` stacks of a strategy that have a plan; the later ones, which are less plain."""
    return _planned(strategy, count, number, examples=3 * count)[-count:]


def spread(
    strategy: st.SearchStrategy[dict[str, Any]], count: int, number: int, kind: Callable[[dict[str, Any]], str]
) -> list[dict[str, Any]]:
    """`count` planned stacks of a strategy, taken in turn from each kind."""
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for values in _planned(strategy, count, number, examples=4 * count):
        by_kind.setdefault(kind(values), []).append(values)
    turns = itertools.zip_longest(*(by_kind[name] for name in sorted(by_kind)))
    return [values for turn in turns for values in turn if values is not None][:count]


def _planned(
    strategy: st.SearchStrategy[dict[str, Any]], count: int, number: int, *, examples: int
) -> list[dict[str, Any]]:
    """The stacks that have a plan, `count` or more. Raises LookupError for a strategy with too few of them."""
    stacks: list[dict[str, Any]] = []
    for more in (1, 2, 4, 8):
        stacks = [values for what, values in _outcomes(strategy, more * examples, number) if what == "plan"]
        if len(stacks) >= count:
            return stacks
    raise LookupError(f"of {8 * examples} random stacks {len(stacks)} have a plan, and {count} are needed")


def _outcomes(
    strategy: st.SearchStrategy[dict[str, Any]], examples: int, number: int
) -> list[tuple[str, dict[str, Any]]]:
    results: list[tuple[str, dict[str, Any]]] = []

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(values: dict[str, Any]) -> None:
        results.append((outcome(values), values))

    run()
    return results


def outcome(values: dict[str, Any], stack: str = "fuzz") -> Literal["plan", "findings"]:
    """The outcome of planning a stack. Other exceptions than a refusal are passed on, and so is an empty refusal."""
    try:
        plan = plan_raw(stack, values, frozenset({"huggingFace", "registry", "apiKeys"}))
    except RefusedError as refused:
        if not refused.findings or not all((f.path, f.rule, f.fix) for f in refused.findings):
            raise AssertionError(f"refused without saying why: {refused.findings}") from None
        return "findings"
    if twice := named_twice(plan):
        raise AssertionError(f"named twice, which the API server refuses: {twice}")
    if evicted := beyond_disk(plan):
        raise AssertionError(f"evicted before a volume is full: {evicted}")
    return "plan"


def named_twice(plan: StackPlan) -> list[str]:
    """Variables, ports and mounts that a container of a model server has twice. Server-side apply refuses them."""
    pods = [server.pod for model in plan.models for server in model.servers]
    return [
        f"{pod.labels} {container.container}: {name}"
        for pod in pods
        for container in (pod, *pod.sidecars)
        for names in (
            [variable.name for variable in container.env],
            [port.name for port in container.ports],
            [volume.mount_path for volume in container.volumes],
        )
        for name, count in Counter(names).items()
        if count > 1
    ]


def beyond_disk(plan: StackPlan) -> list[str]:
    """Model servers whose volumes on disk may hold more than their limits allow, of which logs take 1 GiB.

    The kubelet evicts them by that sum, before any volume has reached its own limit.
    """
    return [
        f"{server.pod.labels}: {volumes:.0f} of {limit:.0f} MiB"
        for model in plan.models
        for server in model.servers
        if (volumes := sum(map(_on_disk_mib, server.pod.volumes)))
        > (limit := memory_mib(server.pod.limits["ephemeral-storage"]) - 1024)
    ]


def _on_disk_mib(volume: VolumePlan) -> float:
    on_disk = volume.kind == "emptyDir" and volume.source.get("medium") != "Memory"
    return memory_mib(volume.source["sizeLimit"]) if on_disk else 0.0
