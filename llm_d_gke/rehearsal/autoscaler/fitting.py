"""Checks whether a pod fits on a node of a pool: the scheduler's filters, as the autoscaler applies them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from llm_d_gke.rehearsal.autoscaler.node_pools import Pool
from llm_d_gke.rehearsal.autoscaler.quantities import Amounts, quantity, requests
from llm_d_gke.rehearsal.kube import Manifest

_NO_SCHEDULE = ("NoSchedule", "NoExecute")


def refusal(pod: Manifest, pool: Pool) -> str | None:
    """Why an empty node of the pool cannot hold the pod, in the autoscaler's words. None if it can."""
    for taint in pool.taints:
        if taint["effect"] in _NO_SCHEDULE and not _tolerated(taint, pod["spec"].get("tolerations") or []):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint['value']}}}"
    if not _selected(pod, pool.labels):
        return "node(s) didn't match Pod's node affinity/selector"
    missing = shortage(requests(pod), room(pool))
    return f"Insufficient {', '.join(missing)}" if missing else None


def room(pool: Pool) -> Amounts:
    """The resources of an empty node of the pool."""
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
