"""When each resource would be there, if every resource took a given time and waited only for what it depends on."""

from __future__ import annotations

from collections.abc import Callable

from llm_d_gke.resource_graph.model import Graph, Recorded

Seconds = Callable[[Recorded], float]


def finish_times(graph: Graph, seconds: Seconds) -> dict[str, float]:
    """Seconds from the start of an `up` until each resource is ready, by URN.

    A resource begins when all of its dependencies are ready, as in the engine's order. Components take no time.
    """
    finished_at: dict[str, float] = {}

    def finish(urn: str) -> float:
        if urn not in finished_at:
            finished_at[urn] = 0.0  # the Stack and what no longer exists
            resource = graph.find(urn)
            if resource is not None:
                begin = max((finish(before) for before in graph.waits_for(urn)), default=0.0)
                finished_at[urn] = begin + (seconds(resource) if resource.custom else 0.0)
        return finished_at[urn]

    for resource in graph:
        finish(resource.urn)
    return finished_at


def deciding_chain(graph: Graph, urn: str, seconds: Seconds) -> list[Recorded]:
    """The resources that determine when `urn` is ready, first one first."""
    finished = finish_times(graph, seconds)
    chain: list[Recorded] = []
    at: str | None = urn
    while at is not None:
        resource = graph.find(at)
        if resource is None:
            break
        if resource.custom:
            chain.append(resource)
        at = max(graph.waits_for(at), key=lambda before: finished.get(before, 0.0), default=None)
    return chain[::-1]
