"""Text for terminals of 80 columns."""

from __future__ import annotations

import textwrap

WIDTH = 80


def wrapped(text: str, width: int = WIDTH) -> str:
    """The lines of a text, broken between words. A path or command longer than a line stays whole.

    The rest of a broken line is indented as the line is.
    """
    lines: list[str] = []
    for line in text.splitlines():
        start = line[: len(line) - len(line.lstrip())]
        lines += textwrap.wrap(
            line.strip(),
            width,
            initial_indent=start,
            subsequent_indent=start,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return "\n".join(lines)


def print_step(text: str) -> None:
    """Print a step of a command, which may take minutes."""
    print(f"  {text}", flush=True)
