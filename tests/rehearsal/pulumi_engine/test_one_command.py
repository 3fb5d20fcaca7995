"""One command at a time: another process that works on the stack is not disturbed."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from llm_d_gke.rehearsal import commands
from llm_d_gke.rehearsal.errors import BusyError
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.one_command import only_command


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackPaths:
    own = StackPaths("gpu", root=tmp_path)
    monkeypatch.setattr(commands, "StackPaths", lambda _: own)
    return own


def test_a_process_takes_the_stack_again(paths: StackPaths) -> None:
    for _ in range(2):
        with only_command(paths), only_command(paths):
            pass


def test_a_second_command_changes_nothing(paths: StackPaths) -> None:
    """It would write its settings for the first one's engine; a `down` would take the processes of an `up`."""
    paths.home.mkdir(parents=True)
    left = paths.home / "left"
    left.touch()
    with (paths.home / "command.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="wait for it to end"):
            commands.down("gpu")
    assert left.exists()
