"""Runs one operation, kills it at a moment, destroys what there is, and looks for remains."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from llm_d_gke.cli.options import overrides
from llm_d_gke.maintenance.interruptions.moments import Moment
from llm_d_gke.maintenance.interruptions.remains import cluster_objects, recorded, remains
from llm_d_gke.planning import plan_config
from llm_d_gke.rehearsal.commands import resume_interrupted
from llm_d_gke.rehearsal.engine_choice import EngineChoice
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.existing import create_existing
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.pulumi_engine.engine import engine
from llm_d_gke.rehearsal.pulumi_engine.engine_simulation import write_engine_simulation
from llm_d_gke.rehearsal.pulumi_engine.needed_programs import needed_programs
from llm_d_gke.rehearsal.terminal.progress import show
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.stackfile import PROJECT_ROOT

_ENGINE = "pulumi"
_LIMIT = 420.0
# The setting of a stack in an existing cluster: its objects have to go, and the cluster stays.
_EXISTING = "llm-d:cluster.existing"


class BrokenOffError(Exception):
    """An operation that must not fail failed. The message ends with its output."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One interruption. `seconds` is the time from the begin of the operation to the kill.

    `resources` is the number of resources in the state after the kill. `remains` is empty where nothing is left.
    """

    moment: Moment
    seconds: float
    killed: bool
    resources: int
    remains: tuple[str, ...]

    @property
    def survived(self) -> bool:
        return not self.remains


class Operation:
    """A running worker, in a process group of its own."""

    def __init__(self, operation: str, paths: StackPaths, changes: Mapping[str, str]) -> None:
        argv = [
            sys.executable,
            "-m",
            "llm_d_gke.maintenance.interruptions.run",
            operation,
            paths.stack,
            str(paths.root),
        ]
        argv += [f"{path}={value}" for path, value in changes.items()]
        self._child = subprocess.Popen(
            argv,
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._began = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._lines.append(line)
            if line.startswith(BEGUN):
                self._began.set()
        self._began.set()

    def until_begun(self) -> float:
        """The moment in which the engine begins, by the monotonic clock."""
        self._began.wait(_LIMIT)
        return time.monotonic()

    def kill(self, moment: Moment) -> bool:
        """SIGKILL to the victim. False if the operation ended before."""
        if self._child.poll() is not None:
            return False
        if moment.victim == "command":
            os.killpg(self._child.pid, signal.SIGKILL)
        else:
            engines = [p for p in psutil.Process(self._child.pid).children(recursive=True) if _name(p) == _ENGINE]
            if not engines:
                return False
            for engine in engines:
                engine.kill()
        return True

    def wait(self) -> int:
        try:
            code = self._child.wait(_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(self._child.pid, signal.SIGKILL)
            code = self._child.wait()
            self._lines.append(f"killed after {_LIMIT:.0f} s\n")
        self._reader.join(5.0)
        return code

    def succeed(self) -> None:
        if (code := self.wait()) != 0:
            raise BrokenOffError(f"exit status {code}:\n{''.join(self._lines[-40:])}")


def durations(paths: StackPaths, changes: Mapping[str, str]) -> dict[str, float]:
    """Seconds of `up` and of `destroy`, each from the engine's begin to its end, without any interruption."""
    seconds = {}
    for operation in ("up", "destroy"):
        running = Operation(operation, paths, changes)
        began = running.until_begun()
        running.succeed()
        seconds[operation] = time.monotonic() - began
    if left := remains(paths):
        raise BrokenOffError("without any interruption something is left:\n" + "\n".join(left))
    clear(paths)
    return seconds


def interrupt(moment: Moment, paths: StackPaths, seconds: Mapping[str, float], changes: Mapping[str, str]) -> Outcome:
    """Bring a stack to the moment, kill it there, destroy, and look for remains."""
    before: frozenset[str] = frozenset()
    if any(path.startswith(_EXISTING) for path in changes):
        Operation("prepare", paths, changes).succeed()
        before = cluster_objects(paths)
    if moment.operation == "destroy":
        Operation("up", paths, changes).succeed()
    running = Operation(moment.operation, paths, changes)
    began = running.until_begun()
    time.sleep(moment.share * seconds[moment.operation])
    killed = running.kill(moment)
    after = time.monotonic() - began
    running.wait()
    resources = len(list(recorded(paths)))
    try:
        Operation("destroy", paths, changes).succeed()
        left = tuple(remains(paths, before))
    except BrokenOffError as error:
        left = (f"destroy failed: {error}", *remains(paths, before))
    clear(paths)
    return Outcome(moment=moment, seconds=after, killed=killed, resources=resources, remains=left)


def clear(paths: StackPaths) -> None:
    """Stop and remove everything, so that the next moment starts from nothing."""
    processes.stop_all(paths)
    shutil.rmtree(paths.base, ignore_errors=True)


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""


# Printed when the engine starts its operation.
BEGUN = "the engine begins"


def main(operation: str, stack: str, root: Path, changes: list[str]) -> None:
    """Run one engine operation in this process: `prepare`, `up` or `destroy`. `changes` are PATH=VALUE.

    Unlike `make down`, a failed destroy is not followed by the removal of all processes and files: what it leaves is
    what the test is about. `prepare` creates the cluster and network that the stack file names as existing.
    """
    paths = StackPaths(stack, root)
    configuration = load(PROJECT_ROOT, stack, overrides(changes))
    plan = plan_config(stack, configuration)
    binaries(needed_programs(plan, EngineChoice.SIMULATOR), show)
    with engine(paths, configuration, show) as pulumi:
        resume_interrupted(pulumi, destroying=operation == "destroy")
        create_existing(paths, plan.project, plan.network, plan.cluster, show)
        write_engine_simulation(paths, configuration)
        show(BEGUN)
        if operation == "prepare":
            return
        if operation == "up":
            pulumi.stack.up(on_output=show, on_error=show, color="never", suppress_outputs=True)
        else:
            pulumi.stack.destroy(on_output=show, on_error=show, color="never")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
