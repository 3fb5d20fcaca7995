"""Processes that outlive the command that started them, one file each below `.rehearsal/<stack>/run/`.

Each runs in a separate session, so Ctrl-C in a terminal does not reach it. The environment of a process has a
mark. A pid that the kernel has given to another program has no such mark and is never signaled, and a process whose
starter ended before it wrote the file is found by it.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.waiting import happens_within

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MARK = "REHEARSAL_PROCESS"
_POLL_SECONDS = 0.02
_KILL_SECONDS = 5.0

# Children of this interpreter. They stay zombies until it waits for them, and a daemon lives long.
_children: dict[int, subprocess.Popen[bytes]] = {}
_children_lock = threading.Lock()


class ProcessError(RehearsalError):
    """A process could not be started or ended."""


@dataclass(frozen=True)
class Process:
    """One process as it was started. `mark` is in its environment; `order` is the wall clock of its start in ns."""

    name: str
    pid: int
    mark: str
    order: int
    argv: list[str]
    log: str

    @property
    def alive(self) -> bool:
        """Whether it runs and is the process that was started. A zombie is not alive."""
        with _children_lock:
            child = _children.get(self.pid)
        if child is not None:
            return child.poll() is None
        try:
            process = psutil.Process(self.pid)
            return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) and _mark_of(process) == self.mark
        except psutil.Error:
            return False


def environment_and_folder(process: Process) -> tuple[dict[str, str], str]:
    """The environment of a process without the variable that identifies it, and its working directory.

    Raises ProcessError when it has ended.
    """
    try:
        running = psutil.Process(process.pid)
        environment = {key: value for key, value in running.environ().items() if key != _MARK}
        return environment, running.cwd()
    except psutil.Error as error:
        raise ProcessError(f"{process.name} has ended") from error


def start(
    paths: StackPaths,
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    log: Path,
    cwd: Path | None = None,
) -> Process:
    """Start `argv` detached and append its output to `log`; `env` replaces the environment (None: this process's).

    `name` is unique within the stack (letters, digits, `.`, `_`, `-`). Raises ProcessError when one of that name runs
    already or the program cannot be executed.
    """
    if not _NAME.fullmatch(name):
        raise ProcessError(f"{name!r} cannot name a process")
    if alive(paths, name):
        raise ProcessError(f"{name} runs already")
    paths.run.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**(os.environ if env is None else env), _MARK: _mark(paths, name)}
    try:
        child = _detached(argv, environment, log, cwd)
    except OSError as error:
        raise ProcessError(f"cannot start {name} ({argv[0]}): {error.strerror or error}") from error
    try:
        with _children_lock:
            _children[child.pid] = child
        process = Process(
            name=name,
            pid=child.pid,
            mark=environment[_MARK],
            order=time.time_ns(),
            argv=[str(part) for part in argv],
            log=str(log),
        )
        atomic_write(_file(paths, name), json.dumps(asdict(process), indent=1))
    except BaseException:  # Ctrl-C included: no process may run without its file
        child.kill()
        child.wait()
        raise
    return process


def _detached(
    argv: Sequence[str], environment: Mapping[str, str], log: Path, cwd: Path | None
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            start_new_session=True,
        )


@dataclass
class Restarts:
    """When a process that has to run, but ended, starts again: not more often than every `pause` seconds."""

    paths: StackPaths
    name: str
    log: Path
    pause: float
    _not_before: float = 0.0

    def due(self) -> bool:
        """Whether to start it now. Logs the last words of one that ended."""
        if alive(self.paths, self.name) or time.monotonic() < self._not_before:
            return False
        self._not_before = time.monotonic() + self.pause
        if find(self.paths, self.name) is not None:
            log.warning("%s ended; its log ends:\n%s", self.name.capitalize(), tail(self.log, lines=5))
            stop(self.paths, self.name, grace=0)
        return True


def stop(paths: StackPaths, name: str, grace: float = 5.0) -> bool:
    """SIGTERM, and SIGKILL after `grace` seconds, to the process and whatever it started; False when it did not run.

    Returns when it has ended. Removes the process's record in any case.
    """
    process = find(paths, name)
    running = process is not None and process.alive
    if process is not None and running:
        _end(process, grace)
    for pid in _marked(_mark(paths, name)):
        _kill(pid)
    _file(paths, name).unlink(missing_ok=True)
    if process is not None:
        with _children_lock:
            child = _children.pop(process.pid, None)
        if child is not None:
            child.wait()  # it has ended; only its parent can have it forgotten
    return running


def stop_all(paths: StackPaths, grace: float = 5.0) -> list[str]:
    """Stop every process of the stack, the last started first; returns the names of those that ran."""
    stopped = [process.name for process in reversed(listing(paths)) if stop(paths, process.name, grace)]
    for pid in _marked(_mark(paths, "")):
        _kill(pid)
    return stopped


def alive(paths: StackPaths, name: str) -> bool:
    process = find(paths, name)
    return process is not None and process.alive


def find(paths: StackPaths, name: str) -> Process | None:
    """The process that was started under a name, alive or not."""
    return _read(_file(paths, name))


def listing(paths: StackPaths) -> list[Process]:
    """Every process that was started and not stopped, alive or not, in the order of their starts."""
    read = [_read(file) for file in paths.run.glob("[!.]*.json")] if paths.run.is_dir() else []
    return sorted((process for process in read if process is not None), key=lambda process: process.order)


def exit_code(process: Process) -> int | None:
    """Exit code (minus the signal, if killed) of a process we started ourselves; None while it runs or if unknown."""
    with _children_lock:
        child = _children.get(process.pid)
    return None if child is None else child.poll()


def resident_bytes(process: Process) -> int:
    """Resident memory in bytes; 0 when it does not run."""
    try:
        return int(psutil.Process(process.pid).memory_info().rss) if process.alive else 0
    except psutil.Error:
        return 0


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 400 * lines))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def _end(process: Process, grace: float) -> None:
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, _KILL_SECONDS)):
        signal_group(process.pid, number)
        if happens_within(seconds, lambda: not process.alive, pause=_POLL_SECONDS):
            return
    raise ProcessError(f"{process.name} (pid {process.pid}) did not end within {_KILL_SECONDS:g} s of SIGKILL")


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signal a process that was started here, and whatever it started."""
    with suppress(ProcessLookupError):
        os.killpg(pid, number)  # it leads its own session and therefore its own group


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _mark(paths: StackPaths, name: str) -> str:
    return f"{paths.run.absolute()}/{name}"


def _marked(mark: str) -> list[int]:
    """Pids of the processes with this mark (or, when it ends in `/`, one below it), except this process."""
    marks = {process.pid: _mark_of(process) for process in psutil.process_iter() if process.pid != os.getpid()}
    return [pid for pid, own in marks.items() if own == mark or (mark.endswith("/") and own.startswith(mark))]


def _mark_of(process: psutil.Process) -> str:
    """The mark in a process's environment, empty where there is none or it belongs to another user.

    An environment is empty for threads of the kernel, and for a moment in which a new program takes over.
    """
    try:
        for _ in range(5):
            variables = process.environ()
            if variables or not process.exe():
                break
            time.sleep(_POLL_SECONDS)
        return variables.get(_MARK, "")
    except psutil.Error:
        return ""


def _file(paths: StackPaths, name: str) -> Path:
    return paths.run / f"{name}.json"


def _read(file: Path) -> Process | None:
    try:
        return Process(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):  # absent, or of another user
        return None
