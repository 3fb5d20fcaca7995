"""Tables in Markdown, for pages and for figures that commands print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[int] = ()) -> Iterator[str]:
    """The lines of a table; the columns numbered in `right` are numbers."""
    yield row(head)
    yield "|" + "|".join("--:" if index in right else "---" for index in range(len(head))) + "|"
    yield from map(row, rows)


def row(cells: Iterable[object]) -> str:
    """The line of one row. A line break in a cell stays one, and a vertical bar does not end the cell."""
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", "<br>") for cell in cells) + " |"


def print_head(*names: str) -> None:
    """Print the head of a table whose rows follow as they are measured, after an empty line."""
    print("", *table(names, ()), sep="\n", flush=True)


def print_row(*cells: object) -> None:
    """Print one row of a table."""
    print(row(cells), flush=True)
