"""The command that runs measurements."""

from __future__ import annotations

import pytest

from llm_d_gke.maintenance.measure.__main__ import PARTS, main


def test_an_unknown_part_is_refused_with_the_parts_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "edges"]) == 2
    message = capsys.readouterr().err
    assert "no part edges" in message
    assert all(name in message for name in PARTS)
