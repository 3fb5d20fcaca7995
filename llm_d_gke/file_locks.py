"""Locks on files: one process holds each, and the others learn which process that is and since when."""

from __future__ import annotations

import fcntl
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# As many words of a command as tell what it does to which stack. Later ones may be secrets.
_WORDS = 2


@contextmanager
def locked(path: Path, refusal: Callable[[str], Exception]) -> Iterator[None]:
    """Hold the lock until the context ends or the process dies.

    Raises what `refusal` makes of the name of the process that holds it.
    """
    with path.open("a+", encoding="utf-8") as file:
        if not take(file):
            raise refusal(holder(file)[0])
        yield


@contextmanager
def waited(path: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock as soon as it is free. `report` gets the name of the process that this one has to wait for."""
    with path.open("a+", encoding="utf-8") as file:
        if not take(file):
            report(holder(file)[0])
            fcntl.flock(file, fcntl.LOCK_EX)
            note(file)
        yield


def take(file: IO[str]) -> bool:
    """Whether this process now holds the lock on a file that is open for `a+`. Its close releases it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    note(file)
    return True


def note(file: IO[str], progress: str = "") -> None:
    """Write for others who holds the lock, and what it does at the moment."""
    file.seek(0)
    earlier = file.readline().strip() if progress else ""
    file.truncate(0)
    file.write(f"{earlier or f'{os.getpid()} {time.time():.0f} {_command()}'}\n{progress}")
    file.flush()


def holder(file: IO[str]) -> tuple[str, str]:
    """Who holds the lock, for example "`llmd up gpu`, process 4242, for 12 s", and its progress."""
    file.seek(0)
    first, _, progress = file.read().partition("\n")
    process, _, rest = first.partition(" ")
    since, _, command = rest.partition(" ")
    if not (process.isdigit() and since.isdigit() and command):
        return "a process that has not said its name yet", ""
    return f"`{command}`, process {process}, for {max(0.0, time.time() - int(since)):.0f} s", progress


def _command() -> str:
    program = Path(sys.argv[0])
    name = "llmd" if program.parent.name == "llm_d_gke" else program.name
    return shlex.join([name, *sys.argv[1 : 1 + _WORDS]])
