"""Random stacks with many settings at once are planned or refused on every release, never a crash."""

from __future__ import annotations

from itertools import islice

import pytest

from llm_d_gke import catalog
from llm_d_gke.maintenance.fuzz.features import featured
from llm_d_gke.maintenance.fuzz.run import outcome

# Of each release; `python -m llm_d_gke.maintenance.fuzz` plans more.
STACKS = 40


@pytest.mark.parametrize("release", sorted(catalog.load().releases))
def test_every_release_plans_or_refuses_them(release: str) -> None:
    outcomes = [outcome(values) for values in islice(featured(release, seed=0), STACKS)]
    assert "plan" in outcomes


def test_the_same_seed_gives_the_same_stacks() -> None:
    first, repeated, other = (list(islice(featured("llm-d-0.9", seed), 5)) for seed in (1, 1, 2))
    assert first == repeated != other


def test_an_answer_of_one_token_has_a_capacity() -> None:
    """Its decoding server takes one step; a rate per token that is never computed would divide by zero."""
    values = next(
        stack
        for stack in featured("llm-d-0.9", seed=2)
        if stack["pattern"] == "disaggregated" and outcome(stack) == "plan"
    )
    values["models"][0]["load"] = {"outputTokens": 1}
    assert outcome(values) == "plan"
