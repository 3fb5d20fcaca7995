"""Implements the command `fleet`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from llm_d_gke.cli.exits import DONE, REFUSED
from llm_d_gke.operations.fleet.preview import Row, preview_fleet
from llm_d_gke.stackfile import PROJECT_ROOT, StackFileError
from llm_d_gke.stackfile.project import own_stacks
from llm_d_gke.wording import count

_HEAD = f"{'stack':<32}{'resources':>10}{'cloud':>7}{'$/h':>10}{'at most':>10}{'seconds':>9}  findings"


def print_fleet(stacks: Sequence[str], folder: Path | None, jobs: int | None) -> int:
    """Preview stacks, by default all of the folder, and print a line for each. Return the exit status."""
    root = (folder or PROJECT_ROOT).resolve()
    names = list(stacks) or own_stacks(root)
    if not names:
        raise StackFileError(f"{root} holds no stack file: name one Pulumi.<stack>.yaml")
    began = time.perf_counter()
    print(_HEAD)
    rows: list[Row] = []
    for row in preview_fleet(root, names, jobs or os.cpu_count() or 1):
        rows.append(row)
        print(_line(row), flush=True)
    seconds = time.perf_counter() - began
    refused = sum(row.is_refused for row in rows)
    total = sum(row.running for row in rows if row.running is not None)
    unknown = sum(row.running is None and not row.is_refused for row in rows)
    print(
        f"\n{count(len(rows), 'stack')}, {refused} refused, ${total:,.2f} an hour running"
        f"{f' without {unknown} of unknown price' if unknown else ''}; {seconds:.1f} s,"
        f" {seconds / len(rows):.2f} s a stack"
    )
    return REFUSED if refused else DONE


def _line(row: Row) -> str:
    words = [count(len(row.warnings), "warning")] if row.warnings else []
    words += [f"{len(row.acknowledged)} acknowledged"] if row.acknowledged else []
    findings = row.fault or ", ".join(row.errors) or " and ".join(words)
    verdict = f"refused: {findings}" if row.is_refused else findings
    return (
        f"{row.stack:<32}{row.resources or '-':>10}{row.cloud or '-':>7}{_dollars(row.running):>10}"
        f"{_dollars(row.at_most):>10}{row.seconds:>9.2f}  {verdict}"
    ).rstrip()


def _dollars(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"
