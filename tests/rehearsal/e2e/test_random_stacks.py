"""Random stacks that have a plan: the API server takes their objects, the scheduler finds a node for every pod."""

from __future__ import annotations

import pytest

from operations.fuzz.run import planned
from operations.fuzz.stacks import working
from tests.stacks import graph_of

from .test_validation import Server, admitted_and_placed, server

pytestmark = pytest.mark.rehearsal

__all__ = ["server"]

# About 1.2 s each on two cores.
STACKS = 12


def test_random_stacks_are_admitted_and_scheduled(server: Server) -> None:
    stacks = planned(working(), STACKS, number=5)
    assert len(stacks) == STACKS
    assert len({stack["accelerator"]["type"] for stack in stacks}) == 3
    for values in stacks:
        # Each of them takes the place of what the stack file says; a stack that was there already has nothing to place.
        values |= {"cluster": values.get("cluster", {}) | {"existing": None}, "namespace": {}}
        try:
            admitted_and_placed(server, graph_of("gpu", values, preview=False), silent=False)
        except AssertionError as error:
            raise AssertionError(f"{values}") from error
