"""The verification after a step of an upgrade."""

from __future__ import annotations

from llm_d_gke.operations.live_stack.stack import LiveStack
from llm_d_gke.operations.verify.result import Outcome
from llm_d_gke.operations.verify.run import verify

# Between the steps some objects are still those of the release before: only what clients and load balancer see counts.
BETWEEN = frozenset(
    ("gateway", "routes", "pools", "kserve", "replicas", "address", "models", "chat", "completion", "stream", "health")
)


def failures(live: LiveStack, *, patience: float, whole: bool) -> list[str]:
    """A sentence for each failed check. `whole`: all checks, also that every object is as planned."""
    result = verify(
        live,
        patience=patience,
        requests=60,
        headers={},
        report=lambda _: None,
        only=None if whole else BETWEEN,
    )
    return [
        f"{check.summary}: {check.result.evidence} (next: {check.result.next_command})"
        for check in result.checks
        if check.outcome is Outcome.FAILED
    ]
