"""Capacity of pattern disaggregated: a rate for each stage, the smaller one limits, and dollars follow."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.operations.report.collect import facts_of
from llm_d_gke.operations.report.command import markdown
from llm_d_gke.operations.report.compare import compare
from llm_d_gke.operations.report.formatting import rate
from llm_d_gke.operations.report.page import page
from llm_d_gke.operations.report.terminal import summary
from llm_d_gke.planning.plan.estimates import CapacityPlan, StageRate
from llm_d_gke.planning.plan.stack import StackPlan
from tests.stacks import graph_of, plan_of

GPU = "disaggregated-gpu"
STACKS = (GPU, "disaggregated-tpu")
LENGTHS = {"promptTokens": 10000, "outputTokens": 500}


def planned(changes: dict[str, Any] | None = None, **load: Any) -> StackPlan:
    return plan_of(GPU, {"accelerator.nodes.max": 9, **(changes or {}), "models[0].load": {**LENGTHS, **load}})


def capacity(plan: StackPlan) -> CapacityPlan:
    capacity = plan.models[0].capacity
    assert capacity is not None
    return capacity


def stages(capacity_plan: CapacityPlan) -> tuple[StageRate, StageRate]:
    decode, prefill = capacity_plan.stages
    assert (decode.role, prefill.role) == ("decode", "prefill")
    return decode, prefill


@pytest.mark.parametrize("stack", STACKS)
def test_the_slower_stage_limits_both(stack: str) -> None:
    capacity_plan = capacity(plan_of(stack))
    decode, prefill = stages(capacity_plan)
    assert decode.limits is not prefill.limits
    slower = decode if decode.limits else prefill
    assert slower.requests_per_second == min(decode.requests_per_second, prefill.requests_per_second)
    assert capacity_plan.full.requests_per_second == pytest.approx(slower.requests_per_second, rel=1e-4)


def test_more_servers_of_the_limiting_stage_help_until_the_other_limits() -> None:
    few, many = capacity(planned()), capacity(planned({"models[0].prefill.replicas": 8}))
    assert stages(few)[1].limits
    assert stages(many)[0].limits
    assert stages(many)[1].requests_per_second == pytest.approx(4 * stages(few)[1].requests_per_second)
    assert stages(many)[0].requests_per_second == stages(few)[0].requests_per_second
    assert many.full.requests_per_second == pytest.approx(stages(few)[0].requests_per_second, rel=1e-4)
    assert many.full.requests_per_second > few.full.requests_per_second


def test_servers_of_the_other_stage_do_not_help() -> None:
    few, many = capacity(planned()), capacity(planned({"models[0].replicas": 4}))
    assert many.full.requests_per_second == pytest.approx(few.full.requests_per_second, rel=1e-4)


def test_longer_prompts_burden_prefill_and_longer_answers_decode() -> None:
    decode, prefill = stages(capacity(planned()))
    prompts = stages(capacity(planned(promptTokens=5000)))
    answers = stages(capacity(planned(outputTokens=1000)))
    assert prompts[1].requests_per_second > 2 * prefill.requests_per_second  # attention grows with the square
    assert answers[1].requests_per_second == prefill.requests_per_second
    assert answers[0].requests_per_second < 0.6 * decode.requests_per_second


@pytest.mark.parametrize("stack", STACKS)
def test_the_curve_rises_to_the_limit_and_then_requests_wait(stack: str) -> None:
    capacity_plan = capacity(plan_of(stack))
    rates = [point.speed.requests_per_second for point in capacity_plan.curve]
    waits = [point.speed.time_to_first_token for point in capacity_plan.curve]
    assert rates == sorted(rates)
    assert waits == sorted(waits)
    assert rates[0] == pytest.approx(1 / capacity_plan.alone.latency)
    assert rates[-1] == pytest.approx(capacity_plan.full.requests_per_second, rel=1e-4)
    for point in capacity_plan.curve:
        speed = point.speed
        assert speed.requests_per_second * speed.latency == pytest.approx(point.concurrency, rel=1e-3)


def test_a_request_alone_never_waits_for_others() -> None:
    """Even where prefill is busy nearly all of the time it takes."""
    single = capacity(planned(outputTokens=2, concurrency=1))
    other = capacity(planned({"models[0].prefill.replicas": 8}, outputTokens=2, concurrency=1))
    assert single.alone.time_to_first_token == pytest.approx(other.alone.time_to_first_token, rel=1e-4)


def test_a_stated_rate_is_the_rate_served() -> None:
    capacity_plan = capacity(planned(requestsPerSecond=2))
    assert capacity_plan.at_load is not None
    assert capacity_plan.at_load.requests_per_second == pytest.approx(2, rel=1e-4)
    assert capacity_plan.alone.latency < capacity_plan.at_load.latency < capacity_plan.full.latency


def test_the_needed_replicas_serve_and_fewer_do_not() -> None:
    short = capacity(planned(requestsPerSecond=9))
    assert short.at_load is None
    decode, prefill = (stage.needed for stage in stages(short))
    assert decode is not None
    assert prefill is not None

    def served(decoding: int, computing: int) -> bool:
        changes = {"models[0].replicas": decoding, "models[0].prefill.replicas": computing}
        return capacity(planned(changes, requestsPerSecond=9)).at_load is not None

    assert served(decode, prefill)
    assert not served(decode - 1, prefill)
    assert not served(decode, prefill - 1)


def test_the_unit_cost_is_of_the_limiting_rate() -> None:
    plan = planned(concurrency=1000)
    assert plan.cost.units is not None
    rate = min(stage.requests_per_second for stage in capacity(plan).stages)
    assert plan.cost.units.requests.usd == pytest.approx(plan.cost.total("running").usd / (rate * 3600) * 1e6, rel=1e-3)


@pytest.mark.parametrize("stack", STACKS)
def test_every_rendering_has_both_rates_and_calls_them_unmeasured(stack: str) -> None:
    plan = plan_of(stack)
    capacity_plan = capacity(plan)
    assert not capacity_plan.measured
    facts = facts_of(stack, plan, plan.warnings)
    rates = [f"{rate(stage.requests_per_second)} requests/s" for stage in capacity_plan.stages]
    table = summary(facts)
    for text in (table, markdown(facts), page(facts)):
        for served in rates:
            assert f"{served} at most" in text or f"at most {served}" in text
    assert "(order of magnitude)" in table
    assert "not fitted to measurements" in markdown(facts)
    assert "not fitted to measurements" in page(facts)
    assert "prefill: requests/s at most" in compare({}, {stack: facts.as_json()})


def test_the_outputs_name_both_rates() -> None:
    (output,) = graph_of(GPU, preview=False).outputs["capacity"].values()
    assert set(output["requestsPerSecondAtMost"]) == {"decode", "prefill"}
    assert output["estimate"]["requestsPerSecond"] <= min(output["requestsPerSecondAtMost"].values()) + 0.01
    assert output["estimate"]["error"] == "not held against a measurement"
