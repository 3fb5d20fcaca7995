"""The trace of prompts that routing is measured with, and the figures made of its answers."""

from __future__ import annotations

import pytest

from llm_d_gke.maintenance.measure.routing import imbalance
from llm_d_gke.maintenance.measure.trace import Trace
from llm_d_gke.maintenance.measure.traffic import Sample


def test_a_router_that_knows_the_trace_keeps_each_group_on_one_replica_and_the_load_even() -> None:
    assignment = Trace(groups=(0, 0, 1, 1, 2, 2), words=60).partition(3)
    assert sorted(assignment.values()) == [0, 1, 2]


def test_prompts_of_a_group_have_its_beginning_and_a_question_of_their_own() -> None:
    trace = Trace(groups=(0, 1, 0), words=60)
    first, other, same = (trace.prompt(number).partition("Question") for number in range(3))
    assert first[0] == same[0] != other[0]
    assert first[2] != same[2]


def test_popular_groups_are_drawn_more_often_and_the_same_seed_draws_the_same() -> None:
    trace = Trace.drawn(groups=9, exponent=1.0, prompts=2000, words=60, seed=1)
    assert trace.groups.count(0) > 4 * trace.groups.count(8)
    assert trace == Trace.drawn(groups=9, exponent=1.0, prompts=2000, words=60, seed=1)


@pytest.mark.parametrize(("pods", "expected"), [("abc", 1.0), ("aab", 2.0), ("aaa", 3.0), ("", 0.0)])
def test_the_busiest_replica_is_compared_with_the_mean_of_all(pods: str, expected: float) -> None:
    """Replicas without an answer count, requests without one do not."""
    samples = [Sample(began=0.0, seconds=0.1, status=200, pod=pod) for pod in pods]
    assert imbalance([*samples, Sample(began=0.0, seconds=0.1, status=503, pod="a")], 3) == expected
