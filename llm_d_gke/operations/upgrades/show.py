"""An upgrade as text for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from llm_d_gke.cli.drawing import drawn
from llm_d_gke.planning.findings import errors_in
from llm_d_gke.planning.upgrades.step import Loss, Span, Step, UpgradePlan
from llm_d_gke.wording import WIDTH, count, wrapped

LOSSES = {Loss.NOTHING: "nothing", Loss.CAPACITY: "capacity", Loss.REQUESTS: "some requests", Loss.OUTAGE: "OUTAGE"}


def plan_text(plan: UpgradePlan, *, running: frozenset[str] = frozenset()) -> str:
    """The table of steps, and what each replaces and loses, and the way back. `running`: names of finished steps."""
    lines = [f"{plan.stack}: {plan.before} -> {plan.after}", ""]
    if not plan.steps:
        return "\n".join([*lines, wrapped("No step: nothing differs between the two.")])
    lines.append(drawn(_table(plan, running)))
    for number, step in enumerate(plan.steps, 1):
        lines += ["", *_details(number, step)]
    for finding in plan.findings:
        lines += ["", wrapped(f"{finding.severity} {finding}")]
    for warning in plan.warnings:
        lines += ["", wrapped(f"new warning {warning}")]
    lines += ["", wrapped(_sum(plan))]
    return "\n".join(line.rstrip() for line in lines)


def _table(plan: UpgradePlan, running: frozenset[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", justify="right")
    table.add_column("step", overflow="fold", ratio=1)
    table.add_column("takes", no_wrap=True)
    table.add_column("lost", no_wrap=True)
    for number, step in enumerate(plan.steps, 1):
        state = " (runs already)" if step.name in running else " (by hand)" if step.by_hand else ""
        table.add_row(str(number), step.title + state, duration(step.seconds), LOSSES[step.loss])
    return table


def _details(number: int, step: Step) -> Iterator[str]:
    yield wrapped(f"{number}. {step.name}")
    rows = [("changes", "; ".join(step.changes)), ("how", step.method), ("lost", step.consequence), ("back", step.back)]
    if step.by_hand is not None:
        rows.append(("run", step.by_hand))
    if step.instead is not None:
        rows.append(("instead", step.instead))
    for name, text in rows:
        yield _row(name, text)


def _row(name: str, text: str) -> str:
    first, *rest = wrapped(text, WIDTH - 12).splitlines() or [""]
    return "\n".join([f"   {name:<9}{first}", *(f"{'':12}{line}" for line in rest)])


def duration(span: Span | None) -> str:
    """`~6 to 20 min`; ~ where a figure is a rule of thumb."""
    if span is None:
        return "not established"
    if span.worst == 0:
        return "0 s"
    mark = "" if span.verified else "~"
    if span.worst < 120:
        return f"{mark}{span.best:.0f} to {span.worst:.0f} s"
    return f"{mark}{_minutes(span.best)} to {_minutes(span.worst)} min"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}".removesuffix(".0") if seconds < 120 else f"{seconds / 60:.0f}"


def _sum(plan: UpgradePlan) -> str:
    if errors := errors_in(plan.findings):
        return f"The steps are refused: {count(len(errors), 'error')}, nothing was changed."
    texts = {
        Loss.NOTHING: "No step is expected to lose a request.",
        Loss.CAPACITY: "No step is an outage; meanwhile fewer replicas answer.",
        Loss.REQUESTS: "No step is an outage; requests can fail in the steps marked so.",
        Loss.OUTAGE: "At least one step is an outage.",
    }
    return f"{texts[plan.loss]} ~: rule of thumb (catalog/timeline.yaml)."
