"""Waiting for something with a time limit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential

Result = TypeVar("Result")


def wait_until(
    attempt: Callable[[], Result],
    *,
    timeout: float,
    on_timeout: Callable[[], Exception],
    first_pause: float = 0.05,
    longest_pause: float = 0.5,
) -> Result:
    """Call `attempt` until it returns something true, and return that.

    Pauses grow by half from `first_pause` to `longest_pause` seconds. After `timeout` seconds raises the exception that
    `on_timeout` builds. An exception of `attempt` ends the wait.
    """
    retrying = Retrying(
        retry=retry_if_result(lambda result: not result),
        stop=stop_after_delay(timeout),
        wait=wait_exponential(multiplier=first_pause, exp_base=1.5, max=longest_pause),
    )
    try:
        return retrying(attempt)
    except RetryError:
        raise on_timeout() from None


@contextmanager
def repeated(look: Callable[[], None], *, every: float) -> Iterator[None]:
    """Call `look` in a thread, every `every` seconds while the block runs."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(every):
            look()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=2 * every)


def happens_within(seconds: float, condition: Callable[[], bool], *, pause: float = 0.05) -> bool:
    """Whether a condition holds within `seconds`. Returns as soon as it does."""
    try:
        return wait_until(condition, timeout=seconds, on_timeout=TimeoutError, first_pause=pause, longest_pause=pause)
    except TimeoutError:
        return False
