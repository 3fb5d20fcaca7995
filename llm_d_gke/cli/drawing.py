"""What rich draws, as text for terminals of 80 columns."""

from __future__ import annotations

from io import StringIO

from rich.console import Console, RenderableType

from llm_d_gke.wording import WIDTH


def drawn(*parts: RenderableType, width: int = WIDTH) -> str:
    """Tables and texts of 80 columns below each other, without colors, and without spaces at the ends of lines."""
    console = Console(
        file=StringIO(),
        width=width,
        color_system=None,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())
