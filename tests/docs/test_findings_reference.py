"""docs/findings.md holds every rule, as the table has it."""

from __future__ import annotations

from llm_d_gke.maintenance.reference.findings import page
from llm_d_gke.planning.rules import RULES


def test_a_rule_says_what_why_and_how() -> None:
    for rule in RULES.values():
        assert rule.id.startswith("LLMD-"), rule.id
        for text in (rule.summary, rule.why, rule.fix):
            assert text.endswith("."), (rule.id, text)
            assert 8 < len(text) <= 250, (rule.id, text)


def test_every_rule_names_the_file_that_checks_it() -> None:
    assert page().count("- Checked in: `") == len(RULES)
