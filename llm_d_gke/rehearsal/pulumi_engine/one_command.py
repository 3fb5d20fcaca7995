"""One command at a time works on a rehearsed stack."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

from llm_d_gke.file_locks import locked
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
    with locked(lock, functools.partial(BusyError, paths.stack)):
        _LOCKS.add(lock)
        try:
            yield
        finally:
            _LOCKS.discard(lock)
