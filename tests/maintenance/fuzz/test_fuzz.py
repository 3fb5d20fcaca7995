"""Bad input never crashes: random stacks end in a plan or in findings."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from llm_d_gke.maintenance.fuzz.run import fuzz, outcome, planned, spread
from llm_d_gke.maintenance.fuzz.stacks import KINDS
from tests.stacks import values_of

# Of each kind; `python -m llm_d_gke.maintenance.fuzz` runs ten times as many.
EXAMPLES = 125


@pytest.mark.parametrize("kind", KINDS)
def test_every_stack_ends_in_a_plan_or_in_findings(kind: str) -> None:
    counts = fuzz(KINDS[kind], EXAMPLES, number=0)
    assert sum(counts.values()) >= EXAMPLES
    assert set(counts) <= {"plan", "findings"}
    if kind == "working":
        assert counts["plan"] > EXAMPLES / 2


@pytest.mark.parametrize(
    "values", [{}, {"models": None}, {"models": [[]]}, {"accelerator": 7}, {"": {"": ""}}], ids=str
)
def test_nonsense_is_refused(values: dict[str, object]) -> None:
    assert outcome(values) == "findings"


class TestPlannedStacks:
    """As many as are needed, also of a strategy whose stacks are mostly refused."""

    MOSTLY_REFUSED = st.integers(0, 2**40).map(
        lambda number: values_of("gpu", {"project": f"project-{number}" if number % 5 == 0 else ""})
    )

    def test_further_stacks_are_drawn_until_enough_have_a_plan(self) -> None:
        assert [len(planned(self.MOSTLY_REFUSED, count, 0)) for count in (1, 3)] == [1, 3]
        assert len(spread(self.MOSTLY_REFUSED, 3, 0, lambda _values: "gpu")) == 3

    def test_a_strategy_without_plans_is_an_error(self) -> None:
        with pytest.raises(LookupError, match="of 24 random stacks 0 have a plan, and 1 are needed"):
            planned(st.integers().map(lambda number: {"project": number}), 1, 0)
