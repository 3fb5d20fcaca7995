"""The printed plan fits a terminal, and states all that a step does."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace

import pytest

from llm_d_gke import catalog
from llm_d_gke.operations.upgrades.show import duration, plan_text
from llm_d_gke.planning import RefusedError, StackPlan
from llm_d_gke.planning.findings import Finding
from llm_d_gke.planning.upgrades.planner import plan_upgrade
from llm_d_gke.planning.upgrades.step import Span, UpgradePlan
from tests.stacks import plan_of

RELEASES = catalog.load().releases


@functools.cache
def plan_with(stack: str, release: str) -> StackPlan | None:
    """None where the stack cannot have the release."""
    try:
        return plan_of(stack, {"release": release})
    except RefusedError:
        return None


def planned(stack: str, before: str, after: str) -> UpgradePlan | None:
    old, new = plan_with(stack, before), plan_with(stack, after)
    if old is None or new is None:
        return None
    return plan_upgrade(old, new, RELEASES[before], RELEASES[after])


@pytest.mark.parametrize(
    "stack", ["gpu", "kserve-prefix-cache-gpu", "disaggregated-gpu", "mixture-of-experts-wide-gpu"]
)
def test_no_line_is_wider_than_80_columns(stack: str) -> None:
    pairs = 0
    for before, after in itertools.permutations(RELEASES, 2):
        plan = planned(stack, before, after)
        if plan is None:
            continue
        text = plan_text(plan)
        pairs += 1
        wide = [line for line in text.splitlines() if len(line) > 80]
        assert [line for line in wide if len(line.split()) > 2] == []
    assert pairs


def test_every_step_is_in_the_table_and_below() -> None:
    plan = planned("kserve-prefix-cache-gpu", "gaie-1.5", "llm-d-0.9")
    assert plan is not None
    text = plan_text(plan, running=frozenset(("controller-kserve-llmisvc-resources",)))
    for number, step in enumerate(plan.steps, 1):
        assert f"\n{number}. {step.name}" in text
    assert "(runs already)" in text
    assert "some requests" in text
    assert "requests can fail in the steps marked so" in " ".join(text.split())


def test_refused_steps_do_not_end_in_what_they_would_lose() -> None:
    plan = planned("kserve-prefix-cache-gpu", "gaie-1.5", "llm-d-0.9")
    assert plan is not None
    finding = Finding(id="LLMD-X", path="llm-d:release", value="x", rule="a rule", fix="a fix")
    text = plan_text(replace(plan, findings=(finding,)))
    assert text.splitlines()[-1] == "The steps are refused: 1 error, nothing was changed."


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (None, "not established"),
        (Span(best=0, worst=0, verified=True), "0 s"),
        (Span(best=20, worst=90), "~20 to 90 s"),
        (Span(best=20, worst=90, verified=True), "20 to 90 s"),
        (Span(best=90, worst=600), "~1.5 to 10 min"),
        (Span(best=369, worst=1198), "~6 to 20 min"),
    ],
)
def test_durations_have_a_mark_where_they_are_rules_of_thumb(span: Span | None, text: str) -> None:
    assert duration(span) == text
