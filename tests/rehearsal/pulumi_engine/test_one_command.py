"""One command at a time: another process that works on the stack is not disturbed."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

import pytest
from pulumi import automation as auto
from pulumi.automation._cmd import CommandResult

from llm_d_gke.file_locks import locked
from llm_d_gke.rehearsal import commands
from llm_d_gke.rehearsal.errors import BusyError
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.one_command import only_command
from llm_d_gke.rehearsal.terminal.failures import explain


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackPaths:
    own = StackPaths("gpu", root=tmp_path)
    monkeypatch.setattr(commands, "StackPaths", lambda _: own)
    return own


def test_a_process_takes_the_stack_again(paths: StackPaths) -> None:
    for _ in range(2):
        with only_command(paths), only_command(paths):
            pass


def test_a_second_command_changes_nothing(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would write its settings for the first one's engine; a `down` would take the processes of an `up`."""
    paths.home.mkdir(parents=True)
    left = paths.home / "left"
    left.touch()
    monkeypatch.setattr(sys, "argv", ["/here/llm_d_gke/__main__.py", "up", "gpu", "-c", "llm-d:apiKeys.a=secret"])
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    with locked(paths.home / "command.lock", RuntimeError):
        monkeypatch.setattr(time, "time", lambda: 1042.0)
        with pytest.raises(BusyError) as error:
            commands.down("gpu")
    assert str(error.value) == (
        f"another command is working on stack gpu: `llmd up gpu`, process {os.getpid()}, for 42 s. Wait for it to end,"
        " then run this one again; `make status STACK=gpu` shows what runs by now"
    )
    assert left.exists()


def test_a_lock_without_a_name_is_no_error(paths: StackPaths) -> None:
    """For a moment the file is empty; and an older version wrote nothing into it."""
    paths.home.mkdir(parents=True)
    lock = paths.home / "command.lock"
    with lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(RuntimeError, match="has not said its name yet"), locked(lock, RuntimeError):
            pass


def test_a_lock_of_pulumi_itself_names_its_process() -> None:
    printed = (
        "code: 255 stderr: error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to"
        " end or delete the lock file with `pulumi cancel`.\n"
        "  file:///stacks/gpu/locks/1.json: created by root@host (pid 77) at 2026-11-30T13:00:00Z"
    )
    assert explain(auto.ConcurrentUpdateError(CommandResult(stderr=printed, stdout="", code=255))) == (
        "Pulumi is changing the state of this stack: process 77 of root@host, since 2026-11-30T13:00:00Z. Wait for it"
        " to end, then run this command again"
    )
