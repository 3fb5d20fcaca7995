"""Random stacks that have a plan: the API server takes their objects, the scheduler finds a node for every pod."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from llm_d_gke.maintenance.fuzz.run import planned
from llm_d_gke.maintenance.fuzz.stacks import working
from tests.stacks import graph_of

from .test_validation import Server, admitted_and_placed, server

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

__all__ = ["server"]

# Of each kind of accelerator.
STACKS = 3


def test_random_stacks_are_admitted_and_scheduled(server: Server) -> None:
    by_accelerator: dict[str, list[dict[str, Any]]] = defaultdict(list)
    # Hypothesis prefers the first accelerator, so that the last one is rare.
    for stack in planned(working(), 60, number=5):
        by_accelerator[stack["accelerator"]["type"]].append(stack)
    assert len(by_accelerator) == 3
    stacks = [values for planned_stacks in by_accelerator.values() for values in planned_stacks[-STACKS:]]
    assert len(stacks) >= 2 * STACKS
    for values in stacks:
        # Each replaces the value in the stack file; a stack that existed already has nothing to place.
        values |= {"cluster": values.get("cluster", {}) | {"existing": None}, "namespace": {}}
        try:
            admitted_and_placed(server, graph_of("gpu", values, preview=False), silent=False)
        except AssertionError as error:
            raise AssertionError(f"{values}") from error
