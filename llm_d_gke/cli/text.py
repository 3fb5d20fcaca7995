"""Text for terminals of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from llm_d_gke.wording import WIDTH


def shell_lines(words: Sequence[str], width: int = WIDTH) -> str:
    """A command of a shell. Where it is too long for a line, each of `words` but the first is on one that continues it.

    A word longer than the line stays whole.
    """
    command = " ".join(words)
    return command if len(command) <= width else " \\\n  ".join(words)


def print_line(text: str) -> None:
    """Print a line of work in progress.

    Without a reader (`llmd up gpu | head -3`) the line is lost and the work goes on. An error here would end the
    thread that reads the engine's output, and the engine would wait indefinitely for a reader.
    """
    with suppress(BrokenPipeError):
        print(text, flush=True)


def print_step(text: str) -> None:
    """Print a step of a command, which may take minutes."""
    print_line(f"  {text}")
