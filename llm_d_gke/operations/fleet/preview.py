"""Previews stacks from nothing, several at a time: verdict, number of resources, dollars, seconds.

The program of each stack runs against the recording monitor, so neither engine nor credentials are needed, and nothing
is compared with what runs: that is `pulumi preview`'s part.
"""

from __future__ import annotations

import importlib
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from llm_d_gke import catalog
from llm_d_gke.planning import Finding, RefusedError, plan_raw
from llm_d_gke.planning.findings import errors_in
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.stackfile import StackFileError, load
from llm_d_gke.stackfile.assumptions import assume_unset
from llm_d_gke.stackfile.model_files import model_files


@dataclass(frozen=True, kw_only=True)
class Row:
    """One stack. `running` and `at_most` are dollars an hour, None where a price is not known. `seconds` of its own.

    `errors` and `warnings` are ids of findings. `fault` is why the file could not be read.
    """

    stack: str
    seconds: float
    resources: int = 0
    cloud: int = 0
    running: float | None = None
    at_most: float | None = None
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    acknowledged: tuple[str, ...] = ()
    fault: str = ""

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
        config = assume_unset(load(root, stack))
    except StackFileError as error:
        return Row(stack=stack, seconds=time.perf_counter() - began, fault=str(error))
    values = config.settings()
    try:
        plan = plan_raw(stack, values, config.encrypted(), files=model_files(values))
    except RefusedError as refused:
        errors = errors_in(refused.findings)
        return Row(stack=stack, seconds=time.perf_counter() - began, errors=_ids(errors))
    graph = record_stack(stack, config)
    kinds = Counter(resource.type.partition(":")[0] for resource in graph.resources)
    return Row(
        stack=stack,
        resources=len(graph.resources),
        cloud=kinds["gcp"],
        running=plan.cost.running,
        at_most=plan.cost.at_most.exact,
        warnings=_ids([finding for finding in plan.warnings if finding.acknowledged is None]),
        acknowledged=_ids([finding for finding in plan.warnings if finding.acknowledged is not None]),
        seconds=time.perf_counter() - began,
    )


def _ids(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.id for finding in findings))
