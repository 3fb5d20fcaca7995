"""Ctrl-C during an engine operation: the engine is told by the terminal itself; we only have to stay until it has ended."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def patient() -> Iterator[None]:
    """Survive interrupts while the engine runs, and raise KeyboardInterrupt afterwards.

    The engine is a child in the same process group: the terminal interrupts it too. It then finishes what is under
    way, through providers that live in this very process, and writes its state.
    """
    interrupted = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if not interrupted:
            print("\ninterrupting: the engine finishes what is under way and writes its state", flush=True)
        interrupted = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    except Exception:
        if interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        raise KeyboardInterrupt
