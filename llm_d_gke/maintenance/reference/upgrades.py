"""The table of neighboring releases in docs/upgrades.md."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from llm_d_gke import catalog
from llm_d_gke.cli import markdown
from llm_d_gke.operations.upgrades.show import LOSSES
from llm_d_gke.planning import RefusedError, StackPlan, plan_config, plan_raw
from llm_d_gke.planning.findings import Severity
from llm_d_gke.planning.rules import RULES
from llm_d_gke.planning.upgrades.planner import images_deleted, plan_upgrade
from llm_d_gke.stackfile import NAMESPACE, PROJECT_ROOT, project_stacks
from llm_d_gke.stackfile.assumptions import load_assumed
from llm_d_gke.stackfile.model_files import model_files

PAGE = PROJECT_ROOT / "docs" / "upgrades.md"
_WITHDRAWN = "llmd-pd-release-withdrawn"
_BEGIN, _END = "<!-- neighbors: begin -->", "<!-- neighbors: end -->"


def page() -> str:
    return with_table(PAGE.read_text(encoding="utf-8"))


def with_table(text: str) -> str:
    """The page with the table as it is today between its two marks."""
    head, begin, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no {_BEGIN} ... {_END}")
    return "".join((head, begin, "\n", *(f"{line}\n" for line in table()), end, tail))


def neighbors() -> list[tuple[str, str]]:
    """Pairs of consecutive releases, oldest first."""
    releases = catalog.load().releases
    firsts = [name for name, release in releases.items() if release.follows is None]
    pairs: list[tuple[str, str]] = []
    for first in firsts:
        name: str | None = first
        while name is not None:
            after = next((other for other, release in releases.items() if release.follows == name), None)
            if after is not None:
                pairs.append((name, after))
            name = after
    return pairs


@functools.cache
def table() -> tuple[str, ...]:
    """The lines of the table."""
    return tuple(_table())


def _table() -> Iterator[str]:
    """A row for each stack of the project, a column for each pair: number of steps and the worst loss."""
    pairs = neighbors()
    head = ("stack", *(f"{before} -> {after}" for before, after in pairs))
    stacks = project_stacks()
    return markdown.table(head, [(stack, *(_cell(stack, *pair) for pair in pairs)) for stack in stacks])


def _cell(stack: str, before: str, after: str) -> str:
    releases = catalog.load().releases
    old, new = _plan(stack, before), _plan(stack, after)
    if isinstance(old, str):
        return old
    if isinstance(new, str):
        return new
    plan = plan_upgrade(old, new, releases[before], releases[after])
    by_hand = " and 1 by hand" if any(step.by_hand for step in plan.steps) else ""
    steps = sum(step.by_hand is None for step in plan.steps)
    deleted = f"; [images deleted](findings.md#{_WITHDRAWN})" if images_deleted(new, releases[after]) else ""
    return f"{steps} steps{by_hand}; {LOSSES[plan.loss]}{deleted}"


@functools.cache
def _plan(stack: str, release: str) -> StackPlan | str:
    """The plan, or a link to the first finding that refuses it.

    With a pull secret, which Red Hat's images need, and every error acknowledged that a stack file can acknowledge.
    """
    try:
        return _planned(stack, release)
    except RefusedError as refused:
        errors = [finding.id for finding in refused.findings if finding.severity is Severity.ERROR]
        return f"[{errors[0]}](findings.md#{errors[0].lower()})"


def _planned(stack: str, release: str) -> StackPlan:
    changes = {f"{NAMESPACE}:release": release, f"{NAMESPACE}:registry.existingSecret": "pull-secret"}
    config = load_assumed(stack, changes)
    try:
        return plan_config(stack, config)
    except RefusedError as refused:
        own = [
            {"id": finding.id, "reason": "the table of neighboring releases"}
            for finding in refused.findings
            if finding.severity is Severity.ERROR and RULES[finding.id].acknowledgeable
        ]
        values = config.settings()
        values["acknowledge"] = [*values.get("acknowledge", []), *own]
        return plan_raw(stack, values, config.encrypted(), files=model_files(values))
