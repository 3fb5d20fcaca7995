"""How long a step takes, from the dated figures of catalog/timeline.yaml."""

from __future__ import annotations

from llm_d_gke.catalog.timeline import load_timeline
from llm_d_gke.planning.plan.pods import PodPlan
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.upgrades.step import Span

_START = ("image", "weights", "engine", "compile")


def of_change(name: str) -> Span:
    """The duration of a change that is the same for every stack: `controller` or `program`."""
    figures = load_timeline()
    change = figures.changes[name]
    best, worst = change.seconds
    return Span(best=best, worst=worst, verified=figures.sources[change.source].verified)


def of_replica(plan: StackPlan, pod: PodPlan, *, new_node: bool = False) -> Span:
    """From the start of a pod until it counts as available. `new_node`: a node has to be added for it first."""
    steps = [step for step in plan.timeline.steps if step.name in _START] if plan.timeline is not None else []
    if new_node and plan.timeline is not None:
        steps += [step for step in plan.timeline.steps if step.name == "node"]
    start = Span(
        best=sum(step.best for step in steps),
        worst=sum(step.worst for step in steps),
        verified=all(step.verified for step in steps),
    )
    return start + Span(best=pod.min_ready_seconds, worst=pod.min_ready_seconds, verified=True)


def of_end(pod: PodPlan) -> Span:
    """From the deletion of a pod until its accelerators are free: at best it has no request to finish."""
    return Span(best=pod.pre_stop_seconds, worst=pod.grace_seconds, verified=True)


def of_rollout(plan: StackPlan, server: ModelServerPlan, *, new_node: bool) -> Span:
    """All replicas of a workload, one after another."""
    replica = of_replica(plan, server.pod) + of_end(server.pod)
    first = of_replica(plan, server.pod, new_node=new_node) + of_end(server.pod)
    return first + replica.times(max(0, server.replicas - 1))


def of_pool(plan: StackPlan) -> Span:
    """A node pool that is created again, until its first node is there."""
    steps = [step for step in plan.timeline.steps if step.name in ("pools", "node")] if plan.timeline else []
    return Span(
        best=sum(step.best for step in steps),
        worst=sum(step.worst for step in steps),
        verified=all(step.verified for step in steps),
    )
