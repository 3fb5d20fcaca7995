"""What the commands do to files before the engine starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke.rehearsal.pulumi_engine.checkpoints import restore_checkpoint


@pytest.mark.parametrize(
    ("now", "before", "after"),
    [
        ("", '{"version": 3}', '{"version": 3}'),
        ('{"version": 3, "deploy', '{"version": 3}', '{"version": 3}'),
        ('{"version": 4}', '{"version": 3}', '{"version": 4}'),
        ("", "", ""),
    ],
)
def test_a_checkpoint_that_a_kill_cut_short_is_the_one_before(
    tmp_path: Path, now: str, before: str, after: str
) -> None:
    checkpoint = tmp_path / "gpu.json"
    checkpoint.write_text(now, encoding="utf-8")
    (tmp_path / "gpu.json.bak").write_text(before, encoding="utf-8")
    restore_checkpoint(checkpoint)
    assert checkpoint.read_text(encoding="utf-8") == after


def test_a_stack_without_a_checkpoint_has_none_afterwards(tmp_path: Path) -> None:
    restore_checkpoint(tmp_path / "gpu.json")
    assert list(tmp_path.iterdir()) == []
