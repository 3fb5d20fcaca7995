"""A stack with API keys under bad requests: all are refused, and nothing behind the Gateway notices."""

from __future__ import annotations

import pytest

from llm_d_gke.operations.measure.edge import CHANGES, STACK, bad_input

from .project import Project

pytestmark = pytest.mark.rehearsal

# `python -m llm_d_gke.operations.measure edge` sends 10,000. All kinds are among these, slow ones included.
REQUESTS = 220


def test_bad_requests_are_refused_and_reach_no_engine(fresh: Project) -> None:
    fresh.run("up", STACK, *CHANGES)
    result = bad_input(fresh.paths(STACK), REQUESTS)
    assert len(result.refusals) == REQUESTS
    assert (result.served, result.unclear) == ([], [])
    assert result.reached_engines == 0
    assert result.good
    assert [sample for sample in result.good if not sample.answered] == []
    assert (result.unready, result.restarts) == (set(), 0)
