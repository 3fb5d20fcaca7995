"""Bad input never crashes: random stacks end in a plan or in findings."""

from __future__ import annotations

import pytest

from llm_d_gke.maintenance.fuzz.run import fuzz, outcome
from llm_d_gke.maintenance.fuzz.stacks import KINDS

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
