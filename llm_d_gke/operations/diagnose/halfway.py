"""Which pools requests go to while a change of the stack is half done: those of before, or those of the plan."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.operations.diagnose.facts import Facts
from llm_d_gke.operations.live_stack.stack import Manifest, is_ready


def halfway(facts: Facts, *, unfinished: bool) -> tuple[str, ...]:
    """A line for each pool of before and of the plan. Empty where no up is unfinished and requests go to the plan's.

    `unfinished`: an up was interrupted, or failed. The API's routes change last, so until then nothing is lost.
    """
    planned, routed = facts.health_paths.keys(), _routed(facts)
    if not unfinished and not routed - planned:
        return ()
    existing = {pool["metadata"]["name"]: pool for pool in facts.pools}
    return tuple(
        _line(facts, name, existing.get(name), planned=name in planned, routed=name in routed)
        for name in sorted({*existing, *planned, *routed}, key=lambda name: (name not in routed, name))
    )


def _routed(facts: Facts) -> set[str]:
    """Pools to which the routes of the API lead."""
    return {name for route in facts.routes if route["metadata"]["name"] in facts.api_routes for name in _pools(route)}


def _pools(route: Manifest) -> Iterator[str]:
    for rule in route["spec"].get("rules") or ():
        for backend in rule.get("backendRefs") or ():
            if backend.get("kind") == "InferencePool" and backend.get("weight", 1):
                yield backend["name"]


def _line(facts: Facts, name: str, pool: Manifest | None, *, planned: bool, routed: bool) -> str:
    belongs = "of the plan" if planned else "of before"
    requests = (
        "requests go to it" if routed else "no requests go to it yet" if planned else "no requests go to it any more"
    )
    if pool is None:
        return f"pool {name} {belongs}: not created; {requests}"
    labels = ((pool["spec"].get("selector") or {}).get("matchLabels") or {}).items()
    pods = [pod for pod in facts.pods if labels and labels <= (pod["metadata"].get("labels") or {}).items()]
    return f"pool {name} {belongs}: {sum(map(is_ready, pods))} of {len(pods)} pods ready; {requests}"
