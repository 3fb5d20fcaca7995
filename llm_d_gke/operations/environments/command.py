"""Implements the command `diff`."""

from __future__ import annotations

import datetime
import difflib
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from llm_d_gke.cli.exits import DONE, REFUSED
from llm_d_gke.operations.environments.review import PREFIX, expired, write_review_stack
from llm_d_gke.operations.report.compare import compare_stacks
from llm_d_gke.operations.report.facts import StackFacts
from llm_d_gke.operations.report.load import load_facts
from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.rendering import cloud_resources, manifests
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.stackfile import PROJECT_ROOT
from llm_d_gke.stackfile.assumptions import load_assumed


def print_difference(before: str, after: str, *, with_objects: bool, out: Path | None) -> int:
    """Print or write what a second stack has otherwise than a first: Markdown, laid out on a terminal."""
    facts = load_facts(PROJECT_ROOT, before), load_facts(PROJECT_ROOT, after)
    lines = list(verdicts(*facts)) or [f"{before} and {after} have the same settings, verdict and cost."]
    refused = [fact.stack for fact in facts if fact.refused]
    if with_objects:
        lines += ["", *_objects(before, after, refused)]
    text = "\n".join(lines) + "\n"
    if out is None and sys.stdout.isatty():
        Console().print(Markdown(text.replace("<br>", " ")))
    elif out is None:
        print(text, end="")
    else:
        out.write_text(text, encoding="utf-8")
        print(out)
    return REFUSED if refused else DONE


def print_review_stack(number: int, source: str, hours: float, budget: float) -> int:
    """Write the stack file of a pull request. Return the exit status."""
    now = datetime.datetime.now(datetime.UTC)
    file, dollars = write_review_stack(PROJECT_ROOT, number, source, hours, budget, now)
    print(f"{file.name}: up to ${dollars:,.2f} in {hours:g} hours")
    return DONE


def print_expired(folder: Path) -> int:
    """Print the names of expired stacks. Return the exit status."""
    for stack in expired(folder.glob(f"Pulumi.{PREFIX}*.yaml"), datetime.datetime.now(datetime.UTC)):
        print(stack)
    return DONE


def _objects(before: str, after: str, refused: list[str]) -> Iterator[str]:
    if refused:
        yield f"Objects are not compared: {' and '.join(refused)} renders none while it is refused."
        return
    old, new = (record_stack(name, load_assumed(name)) for name in (before, after))
    changed = list(objects(old, new, (before, after)))
    totals = change_counts(changed)
    yield ", ".join(f"{number} {what}" for what, number in totals.items()) + " objects" + (":" if changed else ".")
    if changed:
        yield from ("", "```diff", *changed, "```")


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
