"""docs/findings.md holds every rule, as the table has it."""

from __future__ import annotations

import pytest

from llm_d_gke.maintenance.reference.findings import page
from llm_d_gke.planning.rules import RULES, Rule


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: str(rule.id))
def test_a_rule_says_what_why_and_how(rule: Rule) -> None:
    assert rule.id.startswith("LLMD-")
    for text in (rule.summary, rule.why, rule.fix):
        assert text.endswith("."), text
        assert 8 < len(text) <= 250, text


def test_every_rule_names_the_file_that_checks_it() -> None:
    assert page().count("- Checked in: `") == len(RULES)
