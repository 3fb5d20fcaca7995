"""The canary of `verify` over real engines: every rank of a pod, and every pair of prefill and decode."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..e2e.project import project_in
from .running import START_SECONDS, canary, other_weights

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

RANKS = ("id=Qwen/Qwen3-30B-A3B", "dataParallel=2", "tensorParallel=1")
# Blocks are shorter than the canary, so that a decode server could have whole ones of it cached.
PAIRS = ("prefill.replicas=1", "blockSize=16")


@pytest.mark.parametrize(
    ("stack", "settings", "deployment"),
    [
        ("mixture-of-experts-gpu", RANKS, "qwen3-30b-a3b-vllm"),
        ("disaggregated-gpu", PAIRS, "qwen3-32b-prefill"),
    ],
    ids=("ranks", "pairs"),
)
def test_two_places_give_one_answer_and_those_with_other_weights_are_named(
    tmp_path: Path, stack: str, settings: tuple[str, ...], deployment: str
) -> None:
    """Two ranks, and two decode servers with one prefill server; then as many with a pod of other weights."""
    changes = tuple(word for setting in settings for word in ("-c", f"models[0].{setting}"))
    with project_in(tmp_path) as project:
        project.run("up", stack, "--engine", "vllm", *changes, patience=START_SECONDS)
        outcome, evidence = canary(project, stack, changes, code=0)
        assert (outcome, evidence.partition(": ")[2]) == ("passed", "2 places, one answer")
        with other_weights(project, stack, deployment) as name:
            outcome, evidence = canary(project, stack, changes, code=2)
    assert outcome == "failed"
    usual, _, others = evidence.partition(", but ")
    assert "2 places say" in usual
    assert others.count(name) == 2
