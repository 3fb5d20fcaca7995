"""What the status of a Node says."""

from __future__ import annotations

from llm_d_gke.rehearsal.kube.types import Manifest


def internal_ip(node: Manifest) -> str:
    """The address of a node in its network; empty where it has none yet."""
    for address in (node.get("status") or {}).get("addresses") or []:
        if address["type"] == "InternalIP":
            return str(address["address"])
    return ""
