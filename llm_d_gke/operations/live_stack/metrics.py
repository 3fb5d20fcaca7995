"""The Prometheus of a rehearsed stack."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from llm_d_gke.operations.live_stack.stack import LiveStackError
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.monitoring.prometheus import address
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.store import CloudStore
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.waiting import happens_within

_READY_SECONDS = 60.0


def prometheus_of(paths: StackPaths, report: Callable[[str], None]) -> str:
    """The address of a rehearsed stack's Prometheus, which it starts on the first call.

    Returns when every target was scraped once. Raises LiveStackError where it does not come up.
    """
    try:
        # The daemon of the stack starts it, and must not wait for a compiler.
        binaries(["prometheus"], report)
    except RehearsalError as error:
        raise LiveStackError(str(error)) from error
    paths.prometheus.mkdir(parents=True, exist_ok=True)
    host, port = address(CloudStore(paths.cloud).read()["block"])
    base = f"http://{host}:{port}"
    if not happens_within(_READY_SECONDS, lambda: _scraped(base), pause=0.2):
        raise LiveStackError(
            f"the Prometheus of {paths.stack} did not answer at {base}: see {paths.logs / 'prometheus.log'}"
        )
    return base


def _scraped(base: str) -> bool:
    """Whether each target has been scraped."""
    try:
        targets = httpx.get(f"{base}/api/v1/targets", timeout=5.0, trust_env=False).json()["data"]["activeTargets"]
    except (httpx.HTTPError, ValueError, KeyError):
        return False
    return bool(targets) and all(target["health"] != "unknown" for target in targets)
