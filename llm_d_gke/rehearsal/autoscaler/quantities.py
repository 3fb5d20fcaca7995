"""Kubernetes quantities (`500m`, `8Gi`) as numbers, and the requests of a pod."""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import Decimal

from llm_d_gke.rehearsal.kube import Manifest

_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal(10) ** -9,
    "u": Decimal(10) ** -6,
    "m": Decimal(10) ** -3,
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}

Amounts = dict[str, Decimal]


def quantity(text: str | int | float) -> Decimal:
    """`"500m"` is 0.5, `"8Gi"` is 8589934592. Raises ValueError (or decimal.InvalidOperation) on anything else."""
    raw = str(text).strip()
    number = raw.rstrip("numkMGTPEi")
    suffix = raw[len(number) :]
    if suffix not in _SUFFIXES:
        raise ValueError(f"not a quantity: {text}")
    return Decimal(number) * _SUFFIXES[suffix]


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


def seconds(duration: str) -> float:
    """A Gateway API duration (`1s`, `500ms`, `1m30s`) in seconds."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)(ms|h|m|s)", duration))
