"""Processes that outlive the command that started them, one file each below `.rehearsal/<stack>/run/`.

Each runs in a session of its own, so Ctrl-C in a terminal does not reach it. A process is known by its pid together
with the moment it started and the boot it started in: a pid the kernel has given to somebody else is never signaled.
Its environment also carries a mark, by which it is found should its starter have died before writing the file. Linux
only (/proc).
"""

from __future__ import annotations

import json
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

from rehearsal.paths import StackPaths

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MARK = "REHEARSAL_PROCESS"
_POLL_SECONDS = 0.02

# Children of this very interpreter: they stay zombies until somebody waits for them, and we may live long (the daemon).
_children: dict[int, subprocess.Popen[bytes]] = {}
_children_lock = threading.Lock()


class ProcessError(Exception):
    """A process that could not be started or ended; the text is one sentence for the user."""


@dataclass(frozen=True)
class Process:
    """One process as it was started.

    `started` is the kernel's start time in clock ticks since the boot `boot`; `order` the wall clock in ns.
    """

    name: str
    pid: int
    started: int
    boot: str
    order: int
    argv: list[str]
    log: str

    @property
    def alive(self) -> bool:
        """Runs still, and is the process that was started (a zombie is not alive)."""
        _reap(self.pid)
        stat = _stat(self.pid)
        return stat is not None and stat.state not in "ZX" and stat.started == self.started and self.boot == _boot()


def start(
    paths: StackPaths,
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    log: Path,
    cwd: Path | None = None,
) -> Process:
    """Start `argv` detached, its output appended to `log`; `env` replaces the environment (None: ours).

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
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(
                [str(part) for part in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise ProcessError(f"cannot start {name} ({argv[0]}): {error.strerror or error}") from error
    try:
        with _children_lock:
            _children[child.pid] = child
        stat = _stat(child.pid)
        process = Process(
            name=name,
            pid=child.pid,
            started=stat.started if stat else 0,
            boot=_boot(),
            order=time.time_ns(),
            argv=[str(part) for part in argv],
            log=str(log),
        )
        temporary = paths.run / f".{name}.{os.getpid()}.tmp"
        temporary.write_text(json.dumps(asdict(process), indent=1))
        temporary.replace(_file(paths, name))
    except BaseException:  # Ctrl-C as well: nothing may run that no file tells of
        child.kill()
        child.wait()
        raise
    return process


def stop(paths: StackPaths, name: str, grace: float = 5.0) -> bool:
    """SIGTERM, and SIGKILL after `grace` seconds, to the process and whatever it started; False when it did not run.

    Returns when it is gone. Forgets the process in any case.
    """
    process = find(paths, name)
    running = process is not None and process.alive
    if process is not None and running:
        _end(process, grace)
    for pid in _marked(_mark(paths, name)):
        _signal(pid, signal.SIGKILL)
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
        _signal(pid, signal.SIGKILL)
    return stopped


def alive(paths: StackPaths, name: str) -> bool:
    process = find(paths, name)
    return process is not None and process.alive


def find(paths: StackPaths, name: str) -> Process | None:
    """What was started under that name, alive or not."""
    return _read(_file(paths, name))


def listing(paths: StackPaths) -> list[Process]:
    """Every process that was started and not stopped, alive or not, in the order of their starts."""
    found = [_read(file) for file in paths.run.glob("[!.]*.json")] if paths.run.is_dir() else []
    return sorted((process for process in found if process is not None), key=lambda process: process.order)


def exit_code(process: Process) -> int | None:
    """Exit code (minus the signal, if killed) of a process we started ourselves; None while it runs or if unknown."""
    with _children_lock:
        child = _children.get(process.pid)
    return None if child is None else child.poll()


def resident_bytes(process: Process) -> int:
    """Resident memory; 0 when it does not run."""
    try:
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") if process.alive else 0


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 400 * lines))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def _end(process: Process, grace: float) -> None:
    deadline = time.monotonic() + grace
    _signal_group(process.pid, signal.SIGTERM)
    while process.alive:
        if time.monotonic() > deadline:
            _signal_group(process.pid, signal.SIGKILL)
            deadline = time.monotonic() + 5.0
            while process.alive:
                if time.monotonic() > deadline:
                    raise ProcessError(f"{process.name} (pid {process.pid}) does not end, not even by SIGKILL")
                time.sleep(_POLL_SECONDS)
            return
        time.sleep(_POLL_SECONDS)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)  # it leads its own session and therefore its own group


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _reap(pid: int) -> None:
    with _children_lock:
        child = _children.get(pid)
    if child is not None:
        child.poll()


@dataclass(frozen=True)
class _Stat:
    state: str
    started: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command, in parentheses, may hold some itself: count fields from the last one (proc(5): fields 3 and 22).
    fields = text[text.rindex(")") + 2 :].split()
    return _Stat(state=fields[0], started=int(fields[19]))


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _mark(paths: StackPaths, name: str) -> str:
    return f"{paths.run.absolute()}/{name}"


def _marked(mark: str) -> list[int]:
    """Pids whose environment carries the mark (or, when it ends in `/`, one below it), ourselves excepted."""
    entry = f"{_MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        if pid == os.getpid():
            continue
        try:
            variables = _environment(folder).split(b"\0")
        except OSError:  # another user's, or gone
            continue
        if any(one == entry or (mark.endswith("/") and one.startswith(entry)) for one in variables):
            found.append(pid)
    return found


def _environment(folder: Path) -> bytes:
    """Raises OSError. It is empty for threads of the kernel, and for a moment in which a new program takes over."""
    found = (folder / "environ").read_bytes()
    for _ in range(5):
        if found or not (folder / "exe").exists():
            break
        time.sleep(_POLL_SECONDS)
        found = (folder / "environ").read_bytes()
    return found


def _file(paths: StackPaths, name: str) -> Path:
    return paths.run / f"{name}.json"


def _read(file: Path) -> Process | None:
    try:
        return Process(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):  # absent, or of another user
        return None
