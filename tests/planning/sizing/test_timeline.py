"""Duration of the first `up`: the longest chain of steps, from dated figures."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from llm_d_gke.catalog import download_gib, load
from llm_d_gke.catalog.timeline import Timeline, load_timeline
from llm_d_gke.operations.report.formatting import timeline_sentence
from llm_d_gke.planning.plan.timeline import TimelinePlan
from tests.stacks import plan_of


def timeline(stack: str = "gpu", changes: dict[str, Any] | None = None) -> TimelinePlan:
    plan = plan_of(stack, changes).timeline
    assert plan is not None
    return plan


def test_the_whole_is_the_longest_chain() -> None:
    plan = timeline()
    by_name = {step.name: step for step in plan.steps}
    ends = {step.name: step.starts_at + step.worst for step in plan.steps}
    for step in plan.steps:
        assert step.starts_at == pytest.approx(max((ends[name] for name in step.after), default=0), abs=3)
        assert set(step.after) <= by_name.keys()
    assert plan.worst == pytest.approx(sum(step.worst for step in plan.critical_path), abs=6)
    assert plan.worst == pytest.approx(max(ends.values()), abs=3)
    assert plan.best < plan.worst


def test_the_load_balancer_is_not_on_the_critical_path() -> None:
    assert [step.name for step in timeline().critical_path][-2:] == ["compile", "answer"]
    assert "load-balancer" not in {step.name for step in timeline().critical_path}


def test_a_larger_model_downloads_longer() -> None:
    def weights(plan: TimelinePlan) -> float:
        return next(step.worst for step in plan.steps if step.name == "weights")

    quick, slow = load_timeline().download_mib_per_second.values
    model = load().find_model("google/gemma-2b-it")
    assert model is not None
    assert weights(timeline()) == round(download_gib(model) * 1024 / slow)
    assert quick > slow
    larger = timeline("gpu", {"models[0].id": "Qwen/Qwen2.5-3B-Instruct"})
    assert weights(larger) > weights(timeline())


def test_an_existing_network_takes_no_time() -> None:
    existing = {"network": "shared", "subnetwork": "nodes", "podRange": "pods", "serviceRange": "services"}
    steps = {step.name: step for step in timeline("gpu", {"network.existing": existing}).steps}
    assert "network" not in steps
    # The cluster waits for what the network would have waited for.
    assert steps["cluster"].after == ("apis",)


def test_compilation_depends_on_the_kind_of_accelerator() -> None:
    seconds = {
        stack: next(step.worst for step in timeline(stack).steps if step.name == "compile") for stack in ("gpu", "tpu")
    }
    assert seconds["gpu"] != seconds["tpu"]


def test_a_paused_stack_answers_nobody() -> None:
    assert plan_of("gpu", {"paused": True}).timeline is None


def test_every_step_names_its_source() -> None:
    for step in timeline().steps:
        assert step.source
    assert any(step.verified for step in timeline().steps)


def test_a_step_cannot_wait_for_a_later_one() -> None:
    figures = load_timeline().model_dump()
    figures["steps"]["apis"]["after"] = ["cluster"]
    with pytest.raises(ValidationError, match="apis: waits for cluster"):
        Timeline.model_validate(figures)


@pytest.mark.parametrize(
    ("source", "from_hub"),
    [
        ({"kind": "hugging-face"}, True),
        ({"kind": "bucket", "bucket": "my-models", "path": "a"}, False),
        ({"kind": "volume-claim", "claim": "a", "path": "a"}, False),
    ],
)
def test_weights_that_are_not_from_the_hub_take_an_unknown_time(source: dict[str, str], from_hub: bool) -> None:
    timeline = plan_of("gpu", {"models[0].source": source}).timeline
    assert timeline is not None
    [weights] = [step for step in timeline.steps if step.name == "weights"]
    assert (weights.has_figures, timeline.is_complete) == (from_hub, from_hub)
    sentence = timeline_sentence(timeline)
    assert ("First answer at least" in sentence) is not from_hub
    assert (f"{weights.title} not known" in sentence) is not from_hub
