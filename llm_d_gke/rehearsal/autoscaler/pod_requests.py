"""What a pod requests of a node."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from llm_d_gke.kube import Manifest
from llm_d_gke.quantities import quantity

Amounts = dict[str, Decimal]


def requests(pod: Manifest) -> Amounts:
    """The requests of a pod for the scheduler: containers with sidecars or the largest init container, and overhead."""
    spec = pod["spec"]
    running: defaultdict[str, Decimal] = defaultdict(Decimal)
    peak: Amounts = {}
    for container in spec.get("initContainers") or []:
        requested = _requests_of(container)
        if container.get("restartPolicy") == "Always":
            _add(running, requested)
            requested = {}
        for name, amount in requested.items():
            peak[name] = max(peak.get(name, Decimal(0)), amount + running[name])
    for container in spec.get("containers") or []:
        _add(running, _requests_of(container))
    total = {name: max(running[name], peak.get(name, Decimal(0))) for name in {*running, *peak}}
    for name, text in (spec.get("overhead") or {}).items():
        total[name] = total.get(name, Decimal(0)) + quantity(text)
    total["pods"] = Decimal(1)
    return total


def _requests_of(container: Manifest) -> Amounts:
    resources = container.get("resources") or {}
    # A limit without a request is the request too.
    merged = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: quantity(text) for name, text in merged.items()}


def _add(total: defaultdict[str, Decimal], amounts: Amounts) -> None:
    for name, amount in amounts.items():
        total[name] += amount
