"""The lines that Pulumi's engine prints during an update, each once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from llm_d_gke.cli.text import print_line

# ` +  kubernetes:apps/v1:Deployment gemma-2b-it-vllm creating (12s) Waiting for ...`
_STEP: Final = re.compile(r" (?:[+~-]{1,2}|[<>=]) +\S+:\S+ .*")
_SECONDS: Final = re.compile(r" ?\(\d+(?:\.\d+)?s\)")
# The stack's own line, with the beginning of what its program logged last. All of that follows as diagnostics.
_LOGGED: Final = re.compile(
    r"( [+~-]  pulumi:pulumi:Stack \S+ [a-z]+(?: \(\d+s\)|(?! \())) .*| {4}pulumi:pulumi:Stack \S+ (?! *error:).*"
)
# Pulumi's advice below a destroy, which `down` follows itself.
_ADVICE: Final = ("The resources in the stack have been deleted", "If you want to remove the stack completely")
_COLORS: Final = re.compile(r"\x1b\[[0-9;]*m")


def show(text: str) -> None:
    """Print a line of the engine."""
    print_line(text.rstrip("\n"))


def each_step_once(show: Callable[[str], None], *, steps: bool = True) -> Callable[[str], None]:
    """A printer that leaves out lines that differ from an earlier one only in seconds.

    The engine prints a line for every event of a resource, most of them twice. Other lines pass unchanged, except its
    advice to remove the stack and beginnings of what the program logged. Without `steps` no resource has a line.
    """
    seen: set[str] = set()

    def printer(text: str) -> None:
        line = _COLORS.sub("", text.rstrip("\n"))
        if line.startswith(_ADVICE):
            return
        logged = _LOGGED.fullmatch(line)
        if logged is not None:
            if logged[1] is None:
                return
            text = line = logged[1]
        step = _SECONDS.sub("", line).rstrip()
        if _STEP.fullmatch(line):
            if step in seen or not steps:
                return
            seen.add(step)
        show(text)

    return printer
