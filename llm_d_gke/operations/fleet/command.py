"""Implements the command `fleet`: previews stacks from nothing, several at a time.

The program of each stack runs against the recording monitor, so neither engine nor credentials are needed, and nothing
is compared with what runs: that is the part of `pulumi preview`.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from llm_d_gke import catalog
from llm_d_gke.cli.exits import DONE, REFUSED
from llm_d_gke.planning import Finding, RefusedError, plan_config
from llm_d_gke.planning.findings import errors_in
from llm_d_gke.planning.plan.estimates import Total
from llm_d_gke.planning.plan.stack import Place
from llm_d_gke.planning.setting_errors.unread_parts import own_findings
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.stackfile import PROJECT_ROOT, StackFileError, stack_file
from llm_d_gke.stackfile.assumptions import load_assumed
from llm_d_gke.stackfile.project import own_stacks
from llm_d_gke.wording import count, wrapped

_HEAD = f"{'stack':<32}{'resources':>10}{'cloud':>7}{'$/h':>10}{'at most':>10}{'seconds':>9}"


def print_fleet(stacks: Sequence[str], folder: Path | None, jobs: int | None) -> int:
    """Preview stacks, by default all of the folder, and print a line for each. Return the exit status."""
    root = (folder or PROJECT_ROOT).resolve()
    # With commas between them, as lists are written elsewhere, they are the same names.
    stacks = [name for text in stacks for name in text.split(",") if name]
    for stack in stacks:
        stack_file(root, stack)
    names = list(stacks) or own_stacks(root)
    if not names:
        raise StackFileError(f"{root} holds no stack file: name one Pulumi.<stack>.yaml")
    began = time.perf_counter()
    jobs = min(jobs or os.cpu_count() or 1, len(names))
    print(wrapped(f"previewing {count(len(names), 'stack')}, {jobs} at a time; a line is printed as each is done"))
    print(_HEAD)
    rows: list[Row] = []
    _print_next(names, rows)
    first_at: dict[Place, str] = {}
    for previewed in preview_fleet(root, names, jobs):
        row = _refused_beside(previewed, first_at)
        rows.append(row)
        print(_line(row), flush=True)
        _print_next(names, rows)
    seconds = time.perf_counter() - began
    refused = sum(row.is_refused for row in rows)
    sums = [row.running for row in rows if row.running is not None]
    lacking = ", ".join(sorted({name for part in sums for name in part.unknown}))
    summary = (
        f"{count(len(rows), 'stack')}, {refused} refused, {'at least ' if lacking else ''}"
        f"${sum(part.usd for part in sums):,.2f} an hour running"
        f"{f' (+: without {lacking}, of unknown price)' if lacking else ''}; {seconds:.1f} s,"
        f" {seconds / len(rows):.2f} s a stack"
    )
    print(f"\n{wrapped(summary)}")
    return REFUSED if refused else DONE


def _refused_beside(row: Row, first_at: dict[Place, str]) -> Row:
    """The row of a stack, refused where an earlier one has its namespace in the same cluster. Adds it to `first_at`."""
    other = row.stack if row.place is None else first_at.setdefault(row.place, row.stack)
    if row.place is None or other == row.stack:
        return row
    return Row(stack=row.stack, seconds=row.seconds, fault=row.place.refusal(row.stack, other))


def _print_next(names: Sequence[str], rows: Sequence[Row]) -> None:
    """On a terminal, name the stack that is awaited. The line of a row takes its place."""
    if len(rows) < len(names) and sys.stdout.isatty():
        text = f"... {names[len(rows)]} ({len(rows) + 1} of {len(names)})"
        print(f"{text[: len(_HEAD)]:<{len(_HEAD)}}", end="\r", flush=True)


def _line(row: Row) -> str:
    words = [count(len(row.warnings), "warning")] if row.warnings else []
    words += [f"{len(row.acknowledged)} acknowledged"] if row.acknowledged else []
    findings = "; ".join(filter(None, (row.fault, ", ".join(row.errors)))) or " and ".join(words)
    verdict = f"refused: {findings}" if row.is_refused else findings
    figures = (
        f"{row.stack:<32}{row.resources or '-':>10}{row.cloud or '-':>7}{_dollars(row.running):>10}"
        f"{_dollars(row.at_most):>10}{row.seconds:>9.2f}"
    )
    return figures if not verdict else f"{figures}\n{wrapped(f'  {verdict}')}"


def _dollars(value: Total | None) -> str:
    """With a plus where a price is not known: it is that much or more."""
    return "-" if value is None else f"{value.usd:,.2f}{'+' if value.unknown else ''}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One stack. `running` and `at_most` are dollars an hour, None where it is refused. `seconds` of its own.

    `errors` and `warnings` are ids of findings. `fault` is why the file could not be read, or what refuses the stack
    beside others. `place` is None where it has no plan.
    """

    stack: str
    seconds: float
    resources: int = 0
    cloud: int = 0
    running: Total | None = None
    at_most: Total | None = None
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    acknowledged: tuple[str, ...] = ()
    fault: str = ""
    place: Place | None = None

    @property
    def is_refused(self) -> bool:
        return bool(self.errors or self.fault)


def preview_fleet(root: Path, stacks: Sequence[str], jobs: int) -> Iterator[Row]:
    """Yields a row for each stack, in their order. `jobs` processes share the work."""
    if jobs <= 1 or len(stacks) <= 1:
        yield from map(partial(preview_stack, root), stacks)
        return
    # Loaded once, before the processes divide: importing the SDKs takes longer than a preview.
    catalog.load()
    importlib.import_module("llm_d_gke.components.stack")
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(max_workers=min(jobs, len(stacks)), mp_context=context) as pool:
        yield from pool.map(partial(preview_stack, root), stacks)


def preview_stack(root: Path, stack: str) -> Row:
    began = time.perf_counter()
    try:
        config = load_assumed(stack, root=root)
    except StackFileError as error:
        ids = _ids(own_findings(error))
        return Row(stack=stack, seconds=time.perf_counter() - began, fault=str(error), errors=ids)
    try:
        plan = plan_config(stack, config)
    except RefusedError as refused:
        errors = errors_in(refused.findings)
        return Row(stack=stack, seconds=time.perf_counter() - began, errors=_ids(errors))
    graph = record_stack(stack, config)
    kinds = Counter(resource.type.partition(":")[0] for resource in graph.resources)
    return Row(
        stack=stack,
        resources=len(graph.resources),
        cloud=kinds["gcp"],
        place=plan.place,
        running=plan.cost.total("running"),
        at_most=plan.cost.at_most,
        warnings=_ids([finding for finding in plan.warnings if finding.acknowledged is None]),
        acknowledged=_ids([finding for finding in plan.warnings if finding.acknowledged is not None]),
        seconds=time.perf_counter() - began,
    )


def _ids(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.id for finding in findings))
