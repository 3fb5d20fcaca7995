"""Implements the commands `diff`, `review-stack` and `expired-stacks`.

`diff` compares two stacks of one checkout: settings, verdicts, costs, and with `--objects` the rendered objects. A
review stack belongs to a pull request: it is written from another stack, with a time to live and a budget.
"""

from __future__ import annotations

import datetime
import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml
from rich.console import Console
from rich.markdown import Markdown

from llm_d_gke.cli.exits import DONE, REFUSED
from llm_d_gke.cli.files import write_file
from llm_d_gke.operations.report.compare import compare_stacks
from llm_d_gke.operations.report.facts import StackFacts
from llm_d_gke.operations.report.load import load_facts
from llm_d_gke.planning import plan_config
from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.rendering import cloud_resources, manifests
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.stackfile import NAMESPACE, PROJECT_ROOT, StackFileError, stack_file
from llm_d_gke.stackfile.assumptions import load_assumed
from llm_d_gke.stackfile.base import BASE, with_base
from llm_d_gke.stackfile.document import parse


def print_difference(before: str, after: str, *, with_objects: bool, out: Path | None) -> int:
    """Print or write how a second stack differs from a first: Markdown, laid out on a terminal."""
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
        write_file(out, text)
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
    old, new = (_rendered_texts(graph, name) for graph, name in zip((before, after), names, strict=True))
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


def _rendered_texts(graph: Graph, stack: str) -> dict[str, str]:
    texts: dict[Path, str] = {**manifests(graph), **cloud_resources(graph)}
    return {_without_stack_name(str(path), stack): _without_stack_name(text, stack) for path, text in texts.items()}


def _without_stack_name(text: str, stack: str) -> str:
    """A text with the stack's name replaced where it is a whole word."""
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(stack)}(?![A-Za-z0-9])", "<stack>", text)


PREFIX = "pr-"
# Of the resources, and of the stack file. A label of Google Cloud holds no colon: 2026-11-28t17-30.
_EXPIRES = "expires"
_FORM = "%Y-%m-%dt%H-%M"


class ReviewError(StackFileError):
    """No stack can be written for this pull request."""


def write_review_stack(
    root: Path, number: int, source: str, hours: float, budget: float, now: datetime.datetime
) -> tuple[Path, float]:
    """Write Pulumi.pr-<number>.yaml, and return it with the dollars that it may cost until it expires.

    `hours` is the time to live, `budget` the most dollars for all of it. Raises ReviewError above the budget or without
    a price, and RefusedError for a stack that cannot work; the file is then removed again.
    """
    base = stack_file(root, source)
    own = parse(base).get("config") or {}
    # In whole, not with the source as its base: main, whose program ends the stack, may have another source, or none.
    settings = with_base(
        {
            BASE: str(base.relative_to(root)),
            "labels": {"review": f"{PREFIX}{number}", _EXPIRES: _text(now + datetime.timedelta(hours=hours))},
            "cluster": {"deletionProtection": False},
        },
        root,
        f"Pulumi.{PREFIX}{number}.yaml",
    )
    config = {f"{NAMESPACE}:{key}": value for key, value in settings.items()}
    # A base holds no key of other namespaces: they go into the new file.
    config |= {key: value for key, value in own.items() if ":" in key and not key.startswith(f"{NAMESPACE}:")}
    target = root / f"Pulumi.{PREFIX}{number}.yaml"
    target.write_text(yaml.safe_dump({"config": config}, sort_keys=False), encoding="utf-8")
    try:
        return target, _within_budget(root, f"{PREFIX}{number}", hours, budget)
    except Exception:
        target.unlink()
        raise


def expired(files: Iterable[Path], now: datetime.datetime) -> Iterator[str]:
    """Yields the stacks whose time is over. A file without a readable time counts as expired: nothing would end it."""
    for file in sorted(files):
        labels = (parse(file).get("config") or {}).get(f"{NAMESPACE}:labels") or {}
        try:
            end = datetime.datetime.strptime(str(labels.get(_EXPIRES)), _FORM).replace(tzinfo=datetime.UTC)
        except ValueError:
            end = now
        if end <= now:
            yield file.name.removeprefix("Pulumi.").removesuffix(".yaml")


def _within_budget(root: Path, stack: str, hours: float, budget: float) -> float:
    config = load_assumed(stack, root=root)
    plan = plan_config(stack, config)
    most = plan.cost.at_most
    if most.unknown:
        raise ReviewError(
            f"the price of {' and '.join(most.unknown)} is not known, so a budget of ${budget:,.2f} is not checked:"
            f" give it in the stack file under {NAMESPACE}:prices (items, such as hyperdisk-balanced for boot disks,"
            " machines or accelerators), or choose another machine or region for it"
        )
    hourly = most.usd
    dollars = hourly * hours
    if dollars > budget:
        raise ReviewError(
            f"{stack} costs up to ${dollars:,.2f} in {hours:g} hours (${hourly:,.2f} an hour with all nodes), and the"
            f" budget is ${budget:,.2f}: fewer nodes (accelerator.nodes.max), fewer hours, or a larger budget"
        )
    return dollars


def _text(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime(_FORM)
