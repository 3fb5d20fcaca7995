"""Waiting for what has to come. Nothing here is a measurement: machines differ, and some are busy."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

# Seconds to wait for what takes a few of them on an idle machine.
PATIENCE = 120.0


def eventually(
    condition: Callable[[], bool], what: str = "the condition", *, every: float = 0.05, patience: float = PATIENCE
) -> None:
    """Return as soon as the condition holds; fail when it does not within `patience` seconds.

    It is evaluated every `every` seconds. A condition that sends a request which is not answered does not hold yet.
    """
    deadline = time.monotonic() + patience

    def holds() -> bool:
        try:
            return condition()
        except httpx.HTTPError:
            return False

    while not holds():
        assert time.monotonic() < deadline, f"after {patience:.0f} s still not: {what}"
        time.sleep(every)
