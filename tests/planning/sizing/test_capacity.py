"""The capacity of a plan: the stated load, the replicas it takes, and how sure that is."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.planning.plan.estimates import CapacityPlan
from tests.planning.refusals.case import findings_of
from tests.stacks import plan_of


def capacity(stack: str = "gpu", changes: dict[str, Any] | None = None, **load: Any) -> CapacityPlan:
    plan = plan_of(stack, {**(changes or {}), **({"models[0].load": load} if load else {})})
    capacity_plan = plan.models[0].capacity
    assert capacity_plan is not None
    return capacity_plan


def test_without_a_load_it_is_sixteen_in_flight_for_each_replica() -> None:
    capacity_plan = capacity("prefix-cache-gpu")
    assert capacity_plan.basis == "48 requests in flight of 128 prompt and 128 output tokens"
    assert capacity_plan.at_load is not None
    assert capacity_plan.at_load.batch == 16


def test_default_lengths_fit_into_a_short_model() -> None:
    capacity_plan = capacity(changes={"models[0].maxModelLen": 128})
    assert (capacity_plan.prompt_tokens, capacity_plan.output_tokens) == (64, 32)
    stated = capacity(changes={"models[0].maxModelLen": 128}, promptTokens=120)
    assert (stated.prompt_tokens, stated.output_tokens) == (120, 8)


def test_a_stated_rate_is_the_rate_served() -> None:
    """At half the capacity the estimate is of that rate, with the latency of that many in flight."""
    full = capacity().full
    capacity_plan = capacity(requestsPerSecond=full.requests_per_second / 2)
    assert capacity_plan.at_load is not None
    assert capacity_plan.at_load.requests_per_second == pytest.approx(full.requests_per_second / 2)
    assert (
        capacity_plan.alone.time_per_output_token
        < capacity_plan.at_load.time_per_output_token
        < full.time_per_output_token
    )
    assert capacity_plan.needed == 1


def test_replicas_are_added_until_the_rate_is_served() -> None:
    rate = capacity().full.requests_per_second * 2.5
    capacity_plan = capacity(requestsPerSecond=rate)
    assert capacity_plan.at_load is None
    assert capacity_plan.needed == 3
    enough = capacity(changes={"models[0].replicas": 3}, requestsPerSecond=rate)
    assert enough.at_load is not None
    assert not [
        f
        for f in findings_of("gpu", {"models[0].replicas": 3, "models[0].load": {"requestsPerSecond": rate}})
        if "takes" in f.rule
    ]


def test_replicas_are_added_until_a_token_comes_in_time() -> None:
    capacity_plan = capacity(concurrency=64, timePerOutputTokenMs=40)
    assert capacity_plan.needed is not None
    assert capacity_plan.needed > 1
    enough = capacity(changes={"models[0].replicas": capacity_plan.needed, "accelerator.nodes.max": 9}, concurrency=64)
    fewer = capacity(
        changes={"models[0].replicas": capacity_plan.needed - 1, "accelerator.nodes.max": 9}, concurrency=64
    )
    assert enough.at_load is not None
    assert fewer.at_load is not None
    assert enough.at_load.time_per_output_token <= 0.040 < fewer.at_load.time_per_output_token


def test_the_curve_rises_and_then_requests_wait() -> None:
    capacity_plan = capacity("prefix-cache-gpu")
    rates = [point.speed.requests_per_second for point in capacity_plan.curve]
    assert rates == sorted(rates)
    assert capacity_plan.curve[0].concurrency == 1
    assert capacity_plan.curve[-1].speed.time_to_first_token > 2 * capacity_plan.full.time_to_first_token
    assert max(rates) == pytest.approx(capacity_plan.full.requests_per_second, rel=0.01)


@pytest.mark.parametrize(
    ("stack", "changes", "measured"),
    [
        ("gpu", {}, True),
        ("tpu", {}, True),
        ("gpu", {"accelerator": {"type": "nvidia-l4"}}, True),
        ("gpu", {"accelerator": {"type": "nvidia-rtx-pro-6000"}, "location": "us-central1-b"}, False),
    ],
)
def test_the_error_holds_where_measurements_were_published(stack: str, changes: dict[str, Any], measured: bool) -> None:
    capacity_plan = capacity(stack, changes)
    assert capacity_plan.error == load_engine().speed.held_out_errors[f"roofline-{stack}"].percentile_90
    assert capacity_plan.measured is measured


def test_a_paused_stack_keeps_its_capacity() -> None:
    assert capacity(changes={"paused": True}) == capacity()


def test_no_replica_has_no_capacity() -> None:
    assert plan_of("gpu", {"models[0].replicas": 0}).models[0].capacity is None
