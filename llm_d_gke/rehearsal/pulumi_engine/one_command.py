"""One command at a time works on a rehearsed stack."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from llm_d_gke.rehearsal.errors import BusyError
from llm_d_gke.rehearsal.paths import StackPaths

_LOCKS: set[Path] = set()


@contextlib.contextmanager
def only_command(paths: StackPaths) -> Iterator[None]:
    """Hold the stack against other commands; again within the same process is allowed. Raises BusyError.

    Pulumi's own lock begins with an update. Before, each command writes the settings that Pulumi reads, and between two
    updates of an upgrade there is none.
    """
    lock = paths.home / "command.lock"
    if lock in _LOCKS:
        yield
        return
    paths.home.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released by the close, also when the process dies
        except BlockingIOError:
            raise BusyError from None
        _LOCKS.add(lock)
        try:
            yield
        finally:
            _LOCKS.discard(lock)
