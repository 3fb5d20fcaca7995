"""Conditions of Gateway API objects."""

from __future__ import annotations

from llm_d_gke.rehearsal.kube import Manifest, Manifests
from llm_d_gke.rehearsal.kube.conditions import timestamp

CONTROLLER = "networking.gke.io/gateway"


def condition(kind: str, ok: bool, reason: str, message: str = "") -> Manifest:
    return {"type": kind, "status": "True" if ok else "False", "reason": reason, "message": message[:32000]}


def dated(fresh: Manifests, previous: Manifests, generation: int) -> Manifests:
    """Conditions with transition times, those of `previous` where status, reason and message are the same."""
    earlier = {condition["type"]: condition for condition in previous}
    result = []
    for new_condition in fresh:
        before = earlier.get(new_condition["type"])
        same = before is not None and all(
            before.get(key) == new_condition[key] for key in ("status", "reason", "message")
        )
        moment = before["lastTransitionTime"] if same and before else timestamp()
        result.append({**new_condition, "observedGeneration": generation, "lastTransitionTime": moment})
    return result
