"""The console: as wide as the terminal, or wide enough for whole names without one."""

from __future__ import annotations

import sys

from rich.console import Console

from llm_d_gke.cli.text import wrapped
from llm_d_gke.rehearsal.differences import recorded_differences
from llm_d_gke.rehearsal.paths import StackPaths

_WIDTH_WITHOUT_TERMINAL = 200


def console() -> Console:
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL)


def print_differences(to: Console, paths: StackPaths) -> None:
    """Print the differences from GKE."""
    to.print("\nin this rehearsal, unlike on GKE", style="bold")
    for sentence in recorded_differences(paths):
        to.print(wrapped(f"  - {sentence}"), markup=False)
