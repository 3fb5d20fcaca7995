"""Conditions and addresses in the status of Kubernetes objects."""

from __future__ import annotations

import datetime
from typing import Any

from llm_d_gke.kube.types import Manifest


def timestamp(*, seconds_ago: float = 0.0) -> str:
    """A time as Kubernetes writes it: `2026-11-28T07:00:00Z`."""
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds_ago)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def find_condition(item: Manifest, kind: str) -> dict[str, Any] | None:
    """The condition of a type in an object's status, None when it has none."""
    conditions = (item.get("status") or {}).get("conditions") or []
    return next((condition for condition in conditions if condition["type"] == kind), None)


def is_true(item: Manifest, kind: str) -> bool:
    """Whether an object's condition of a type has the status True."""
    condition = find_condition(item, kind)
    return condition is not None and condition["status"] == "True"


def internal_ip(node: Manifest) -> str:
    """The address of a node in its network; empty where it has none yet."""
    for address in (node.get("status") or {}).get("addresses") or []:
        if address["type"] == "InternalIP":
            return str(address["address"])
    return ""
