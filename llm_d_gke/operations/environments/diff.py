"""Compares two stacks of one checkout: their settings, verdicts, costs, and the objects that are rendered for them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from llm_d_gke.operations.report.compare import compare_stacks
from llm_d_gke.operations.report.facts import StackFacts
from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.rendering import cloud_resources, manifests


def verdicts(before: StackFacts, after: StackFacts) -> Iterator[str]:
    """Lines of Markdown: changed figures, settings and findings. Nothing where two stacks are alike."""
    yield from compare_stacks(f"{before.stack} → {after.stack}", before.as_json(), after.as_json())


def objects(before: Graph, after: Graph, names: tuple[str, str]) -> Iterator[str]:
    """Lines of a unified diff over all rendered objects, by object. `names` are those of the stacks.

    Both names read `<stack>` in the objects, because every name of a stack's own would differ otherwise.
    """
    old, new = (_texts(graph, name) for graph, name in zip((before, after), names, strict=True))
    for path in sorted({*old, *new}):
        was, now = (texts.get(path, "").splitlines() for texts in (old, new))
        yield from difflib.unified_diff(
            was,
            now,
            fromfile=f"{names[0]}: {path}" if path in old else "/dev/null",
            tofile=f"{names[1]}: {path}" if path in new else "/dev/null",
            lineterm="",
            n=2,
        )


def change_counts(lines: list[str]) -> Mapping[str, int]:
    """The number of objects that a diff of `objects` adds, removes and changes."""
    old = [line for line in lines if line.startswith("--- ")]
    new = [line for line in lines if line.startswith("+++ ")]
    removed = sum(line == "+++ /dev/null" for line in new)
    added = sum(line == "--- /dev/null" for line in old)
    return {"added": added, "removed": removed, "changed": len(old) - added - removed}


def _texts(graph: Graph, stack: str) -> dict[str, str]:
    texts: dict[Path, str] = {**manifests(graph), **cloud_resources(graph)}
    return {_neutral(str(path), stack): _neutral(text, stack) for path, text in texts.items()}


def _neutral(text: str, stack: str) -> str:
    """A text with the stack's name replaced where it is a whole word."""
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(stack)}(?![A-Za-z0-9])", "<stack>", text)
