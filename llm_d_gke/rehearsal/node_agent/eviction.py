"""Pods that write more to their node's disk than their limits allow, in the kubelet's words.

Source: k8s.io/kubernetes v1.36.3, pkg/kubelet/eviction (localStorageEviction). The kubelet measures every 10 s, and
gives such a pod one second to end, whatever its own grace period.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from llm_d_gke.kube import Manifest
from llm_d_gke.quantities import quantity
from llm_d_gke.rehearsal.host.files import folder_bytes

REASON = "Evicted"
INTERVAL_SECONDS = 10.0
GRACE_SECONDS = 1.0

_STORAGE = "ephemeral-storage"


def eviction_message(pod: Manifest, folders: Mapping[str, str]) -> str:
    """Why the kubelet evicts a pod; empty while it keeps its limits.

    `folders` are the pod's volumes by name. Only emptyDir volumes on disk count: the rehearsal has no container layers
    and rotates no logs. A file counts with its whole length, so that one with a hole fills a disk
    that this machine does not have.
    """
    total = 0
    for volume in pod["spec"].get("volumes") or []:
        name, source = volume["name"], volume.get("emptyDir")
        if source is None or source.get("medium") == "Memory" or name not in folders:
            continue
        used, limit = folder_bytes(Path(folders[name])), source.get("sizeLimit")
        total += used
        if limit is not None and 0 < quantity(limit) < used:
            return f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". '
    allowed = _limit(pod)
    if allowed and total > allowed:
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {_text(allowed)}. "
    return ""


def _limit(pod: Manifest) -> Decimal:
    """The sum of the containers' limits in bytes; 0 where none is stated."""
    sidecars = [item for item in pod["spec"].get("initContainers") or [] if item.get("restartPolicy") == "Always"]
    resources = [item.get("resources") or {} for item in (*sidecars, *(pod["spec"].get("containers") or []))]
    return sum((quantity((item.get("limits") or {}).get(_STORAGE, 0)) for item in resources), Decimal(0))


def _text(amount: Decimal) -> str:
    """Bytes with the largest binary suffix that leaves a whole number, as Kubernetes prints a sum."""
    whole = int(amount)
    for suffix, unit in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if whole % unit == 0:
            return f"{whole // unit}{suffix}"
    return str(whole)
