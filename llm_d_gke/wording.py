"""Words and lines of messages."""

from __future__ import annotations

import re
import textwrap
from decimal import Decimal


def count(number: int, noun: str) -> str:
    """`1 error`, `2 errors`"""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def plain_number(value: float) -> str:
    """A number as people write it: 0.5, 3000000. With an exponent and no dot, such as 3e+06, YAML would read text."""
    return f"{Decimal(f'{value:.15g}'):f}"


WIDTH = 80
# The engine indents what a program logs, and puts the severity before it.
INDENTED_WIDTH = WIDTH - len("    ")
LOGGED_WIDTH = INDENTED_WIDTH - len("warning: ")

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
