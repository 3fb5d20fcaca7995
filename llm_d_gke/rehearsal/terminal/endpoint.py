"""The address of a stack on this machine."""

from __future__ import annotations

import json

from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.paths import StackPaths


def reachable(paths: StackPaths) -> str:
    """The URL of the stack's first Gateway: its address, and the port of Envoy on this machine.

    Raises RehearsalError when no Gateway listens.
    """
    listening = paths.envoy / "gateways.json"
    gateways = json.loads(listening.read_text(encoding="utf-8")) if listening.exists() else {}
    for gateway in gateways.values():
        for requested, port in sorted(gateway["ports"].items()):
            scheme, usual = ("https", 443) if requested == "443" else ("http", 80)
            return f"{scheme}://{gateway['address']}" + ("" if port == usual else f":{port}")
    raise RehearsalError(f"stack {paths.stack} has no listening Gateway: make up STACK={paths.stack}")
