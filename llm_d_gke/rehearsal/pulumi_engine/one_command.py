"""One command at a time works on a rehearsed stack."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from llm_d_gke.file_locks import HeldError, locked
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
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(lock))
        except HeldError as other:
            raise BusyError(paths.stack, str(other)) from None
        _LOCKS.add(lock)
        stack.callback(_LOCKS.discard, lock)
        yield
