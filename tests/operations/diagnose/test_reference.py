"""The page of causes is complete."""

from __future__ import annotations

from llm_d_gke.maintenance.reference.causes import page
from llm_d_gke.operations.diagnose.messages import messages


def test_every_cause_has_its_section() -> None:
    text = page()
    assert [name for name in messages() if f"\n### {name}\n" not in text] == []
