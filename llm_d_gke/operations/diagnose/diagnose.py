"""From facts to causes, in the order in which one follows from another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from llm_d_gke.operations.diagnose import pods, routing
from llm_d_gke.operations.diagnose.cause import Cause
from llm_d_gke.operations.diagnose.facts import Facts

# What comes first may explain what comes later: without a node no pod, without a pod no healthy backend.
RULES: tuple[Callable[[Facts], Iterator[Cause]], ...] = (
    routing.presets_missing,
    pods.not_created,
    pods.not_scheduled,
    pods.not_started,
    pods.ended,
    pods.not_ready,
    routing.gateway_problems,
    routing.health_check_changed,
    routing.service_conditions,
    routing.endpoint_answer,
)


def causes_of(facts: Facts) -> tuple[Cause, ...]:
    """All causes, most fundamental first. Pods of one workload share a cause.

    Causes that only need patience come last, because something broken as well matters more.
    """
    causes_by_key: dict[tuple[str, str], Cause] = {}
    for rule in RULES:
        for cause in rule(facts):
            causes_by_key.setdefault((cause.id, cause.evidence), cause)
    causes = list(causes_by_key.values())
    if not causes:
        causes = list(pods.missing(facts))
    return tuple(sorted(causes, key=lambda cause: cause.waits))
