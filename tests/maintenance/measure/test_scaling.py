"""Rounds of a measurement survive a call that was cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke.maintenance.measure.scaling import Round, record, recorded
from llm_d_gke.rehearsal.paths import StackPaths


def test_rounds_are_continued_and_then_forgotten(tmp_path: Path) -> None:
    paths = StackPaths("autoscaled-gpu", tmp_path)
    assert recorded(paths) == []
    done = Round(seconds={"pod ready": 6.5}, down=13.2, nodes_gone=23.4, requests=81, unanswered=1)
    record(paths, [done])
    assert recorded(paths) == [done]
    record(paths, [])
    assert recorded(paths) == []


@pytest.mark.parametrize("rounds", [1, 3])
def test_every_round_counts(tmp_path: Path, rounds: int) -> None:
    paths = StackPaths("autoscaled-gpu", tmp_path)
    record(paths, [Round(requests=number) for number in range(rounds)])
    assert [done.requests for done in recorded(paths)] == list(range(rounds))
