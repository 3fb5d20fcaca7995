"""Processes that outlive their starter, and that only their own end or `stop` ends."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.waiting import eventually

SLEEP = ["sleep", "300"]


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[StackPaths]:
    stack = StackPaths("stack", tmp_path)
    yield stack
    processes.stop_all(stack, grace=0.5)


def start(paths: StackPaths, name: str, argv: list[str]) -> processes.Process:
    return processes.start(paths, name, argv, log=paths.logs / f"{name}.log")


def exists(pid: int) -> bool:
    """Runs: neither ended nor a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class TestStart:
    def test_it_runs_until_it_is_stopped(self, paths: StackPaths) -> None:
        process = start(paths, "one", SLEEP)
        assert processes.alive(paths, "one")
        assert processes.stop(paths, "one")
        assert not exists(process.pid)
        assert not processes.alive(paths, "one")
        assert processes.listing(paths) == []

    def test_it_leads_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(self, paths: StackPaths) -> None:
        process = start(paths, "one", SLEEP)
        assert os.getsid(process.pid) == process.pid != os.getsid(0)

    def test_output_is_appended_to_its_log(self, paths: StackPaths) -> None:
        for word in ("first", "second"):
            process = start(paths, "one", ["sh", "-c", f"echo {word}; echo {word} >&2"])
            eventually(lambda: not process.alive)  # noqa: B023
            processes.stop(paths, "one")
        assert (paths.logs / "one.log").read_text().split() == ["first", "first", "second", "second"]

    def test_a_second_one_of_the_same_name_is_refused(self, paths: StackPaths) -> None:
        start(paths, "one", SLEEP)
        with pytest.raises(processes.ProcessError, match="one runs already"):
            start(paths, "one", SLEEP)

    def test_a_name_whose_process_has_ended_may_be_used_again(self, paths: StackPaths) -> None:
        first = start(paths, "one", ["true"])
        eventually(lambda: not first.alive)
        assert start(paths, "one", SLEEP).pid != first.pid

    def test_a_missing_program_is_one_sentence(self, paths: StackPaths) -> None:
        with pytest.raises(processes.ProcessError, match=r"cannot start one \(/no/such\): No such file"):
            start(paths, "one", ["/no/such"])
        assert processes.listing(paths) == []

    def test_the_exit_code_of_a_child_is_known(self, paths: StackPaths) -> None:
        process = start(paths, "one", ["sh", "-c", "exit 7"])
        eventually(lambda: processes.exit_code(process) == 7)

    def test_an_ended_child_does_not_stay_a_zombie(self, paths: StackPaths) -> None:
        process = start(paths, "one", ["true"])
        eventually(lambda: not process.alive)
        assert not Path(f"/proc/{process.pid}").exists()


class TestItsStarter:
    def test_may_die(self, paths: StackPaths) -> None:
        program = f"""
            import sys
            sys.path.insert(0, {str(PROJECT_ROOT)!r})
            from pathlib import Path
            from llm_d_gke.rehearsal.host import processes
            from llm_d_gke.rehearsal.paths import StackPaths
            paths = StackPaths("stack", Path({str(paths.root)!r}))
            print(processes.start(paths, "one", ["sleep", "300"], log=paths.logs / "one.log").pid)
        """
        answer = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
        )
        pid = int(answer.stdout)
        assert exists(pid)
        assert processes.alive(paths, "one")
        assert processes.stop(paths, "one")
        eventually(lambda: not exists(pid))

    def test_may_die_before_it_wrote_the_file_down(self, paths: StackPaths) -> None:
        process = start(paths, "one", SLEEP)
        (paths.run / "one.json").unlink()
        processes.stop_all(paths)
        eventually(lambda: not exists(process.pid))


class TestStop:
    def test_a_reused_pid_is_left_alone(self, paths: StackPaths) -> None:
        """After a reboot, or a long time, another process may have the recorded pid."""
        stranger = subprocess.Popen(SLEEP, start_new_session=True)
        time.sleep(0.05)  # the kernel's start times have steps of 10 ms
        try:
            ours = start(paths, "one", ["true"])
            eventually(lambda: not ours.alive)
            (paths.run / "one.json").write_text(json.dumps(dataclasses.asdict(ours) | {"pid": stranger.pid}))
            assert not processes.alive(paths, "one")
            assert not processes.stop(paths, "one")
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()

    def test_another_stack_is_left_alone(self, paths: StackPaths) -> None:
        other = StackPaths("stack-2", paths.root)
        process = start(other, "one", SLEEP)
        start(paths, "one", SLEEP)
        assert processes.stop_all(paths) == ["one"]
        assert process.alive
        processes.stop_all(other)

    def test_what_it_started_ends_with_it(self, paths: StackPaths) -> None:
        start(paths, "one", ["sh", "-c", "setsid sleep 300 & echo $!; wait"])
        eventually(lambda: processes.tail(paths.logs / "one.log").strip().isdigit())
        grandchild = int(processes.tail(paths.logs / "one.log"))
        processes.stop(paths, "one")
        eventually(lambda: not exists(grandchild))

    def test_one_that_ignores_the_request_is_killed_after_its_grace(self, paths: StackPaths) -> None:
        process = start(paths, "one", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"])
        eventually(lambda: "ready" in processes.tail(paths.logs / "one.log"))
        began = time.monotonic()
        assert processes.stop(paths, "one", grace=0.3)
        assert time.monotonic() - began >= 0.3
        assert not exists(process.pid)

    def test_stop_of_what_never_ran_is_no_error(self, paths: StackPaths) -> None:
        assert not processes.stop(paths, "one")

    def test_stop_all_ends_the_last_started_first(self, paths: StackPaths) -> None:
        for name in ("b", "a", "c"):
            start(paths, name, SLEEP)
        assert [process.name for process in processes.listing(paths)] == ["b", "a", "c"]
        assert processes.stop_all(paths) == ["c", "a", "b"]

    def test_a_killed_one_counts_as_ended(self, paths: StackPaths) -> None:
        process = start(paths, "one", SLEEP)
        os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: not processes.alive(paths, "one"))
        assert processes.stop_all(paths) == []


def test_resident_memory_is_that_of_a_running_process(paths: StackPaths) -> None:
    process = start(paths, "one", SLEEP)
    # Right after the fork it is still the few pages of a program that has not been loaded.
    eventually(lambda: processes.resident_bytes(process) > 100_000)
    processes.stop(paths, "one")
    assert processes.resident_bytes(process) == 0
