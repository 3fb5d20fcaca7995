"""The one console: as wide as the terminal, and wide enough for whole names where there is none."""

from __future__ import annotations

import sys

from rich.console import Console

from cli.text import wrapped
from rehearsal.differences import recorded_differences
from rehearsal.paths import StackPaths

_WIDTH_WITHOUT_TERMINAL = 200


def console() -> Console:
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL)


def print_differences(to: Console, paths: StackPaths) -> None:
    """What a rehearsal does otherwise than GKE, each as one line."""
    to.print("\nin this rehearsal, unlike on GKE", style="bold")
    for sentence in recorded_differences(paths):
        to.print(wrapped(f"  - {sentence}"), markup=False)
