"""Text for terminals of 80 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from contextlib import suppress

WIDTH = 80

# A command in a sentence: a program and its words, to a word of the sentence or a sign that ends a clause. In backticks
# it ends there. A shell would take a broken command for two.
_COMMAND = re.compile(
    r"`[^`\n]+`"
    r"|(?<![\w./-])(?:pulumi|gcloud|kubectl)"
    r"(?: (?!(?:or|and|prints|is|in|to|with|get|gets|until|after|before|for|says|names)(?![\w-]))"
    r"(?:\$\([^)\n]*\)|[^\s,;()`]+))+"
)
_GLUE = "\0"


def wrapped(text: str, width: int = WIDTH) -> str:
    """The lines of a text, broken between words. Commands stay whole, and paths that are longer than a line.

    The rest of a broken line is indented as the line is, of an entry of a list as its text.
    """
    lines: list[str] = []
    for line in text.splitlines():
        start = line[: len(line) - len(line.lstrip())]
        lines += textwrap.wrap(
            _COMMAND.sub(lambda command: command[0].replace(" ", _GLUE), line.strip()),
            width,
            initial_indent=start,
            subsequent_indent=start + ("  " if line.lstrip().startswith("- ") else ""),
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return "\n".join(lines).replace(_GLUE, " ")


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
