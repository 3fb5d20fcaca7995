"""The lines that Pulumi's engine prints during an update, each once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

# ` +  kubernetes:apps/v1:Deployment gemma-2b-it-vllm creating (12s) Waiting for ...`
_STEP: Final = re.compile(r" (?:[+~-]{1,2}|[<>=]) +\S+:\S+ .*")
_SECONDS: Final = re.compile(r" ?\(\d+(?:\.\d+)?s\)")
# Pulumi's advice below a destroy, which `down` follows itself.
_ADVICE: Final = ("The resources in the stack have been deleted", "If you want to remove the stack completely")
_COLORS: Final = re.compile(r"\x1b\[[0-9;]*m")


def each_step_once(show: Callable[[str], None]) -> Callable[[str], None]:
    """A printer that leaves out lines that differ from an earlier one only in seconds.

    The engine prints a line for every event of a resource, most of them twice. Other lines pass unchanged, except its
    advice to remove the stack.
    """
    seen: set[str] = set()

    def printer(text: str) -> None:
        line = _COLORS.sub("", text.rstrip("\n"))
        if line.startswith(_ADVICE):
            return
        step = _SECONDS.sub("", line).rstrip()
        if _STEP.fullmatch(line):
            if step in seen:
                return
            seen.add(step)
        show(text)

    return printer
