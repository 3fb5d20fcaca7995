"""The page of causes is current and complete."""

from __future__ import annotations

from llm_d_gke.operations.diagnose.messages import messages
from llm_d_gke.operations.diagnose.reference import REFERENCE, reference


def test_the_page_is_written_from_the_messages() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == reference()


def test_every_cause_has_its_section() -> None:
    text = reference()
    assert [name for name in messages() if f"\n### {name}\n" not in text] == []
