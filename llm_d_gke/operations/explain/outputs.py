"""Computes the stack's outputs without building resources, and finds the part of a plan that an output uses."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any

import pulumi

from llm_d_gke.components.outputs import outputs
from llm_d_gke.planning import StackPlan
from llm_d_gke.resource_graph import Graph, record

# The only outputs that do not depend on the plan.
_ADDRESS = "(address of the Gateway)"


def outputs_of(plan: StackPlan) -> Graph:
    def program() -> None:
        for name, value in outputs(plan, pulumi.Output.from_input(_ADDRESS)).items():
            pulumi.export(name, value)

    return record(program, stack=plan.stack)


def part_read(plan: StackPlan, others: Sequence[StackPlan], tell: Callable[[StackPlan], object]) -> str | None:
    """The innermost part of the plan that determines an output in each of the other plans.

    Found by replacing single parts of the plan by those of the others; None if no part is enough for all of them.
    """
    readings = [tuple(_read(plan, other, tell(other), tell)) for other in others]
    common = itertools.takewhile(lambda steps: len(set(steps)) == 1, zip(*readings, strict=False))
    return "".join(steps[0] for steps in common).lstrip(".") or None


def _read(part: Any, other: Any, target: object, tell: Callable[[Any], object]) -> Iterator[str]:
    """Descend to the innermost part that determines the output. `tell` returns the output for a changed part."""
    for step, before, after, rebuild in _children(part, other):

        def output_of(new: Any, rebuild: Callable[[Any], Any] = rebuild) -> object:
            return tell(rebuild(new))

        if before != after and output_of(after) == target:
            yield step
            yield from _read(before, after, target, output_of)
            return


def _children(part: Any, other: Any) -> Iterator[tuple[str, Any, Any, Callable[[Any], Any]]]:
    """Parts in the same place of both: the step to it, it in either, and the whole with another in its place."""
    if type(part) is not type(other):
        return
    if is_dataclass(part) and not isinstance(part, type):
        for field in fields(part):
            yield (
                f".{field.name}",
                getattr(part, field.name),
                getattr(other, field.name),
                partial(_with_field, part, field.name),
            )
    elif isinstance(part, tuple) and len(part) == len(other):
        for index, (before, after) in enumerate(zip(part, other, strict=True)):
            yield f"[{index}]", before, after, partial(_with_item, part, index)


def _with_field(part: Any, name: str, new: Any) -> Any:
    return replace(part, **{name: new})


def _with_item(part: tuple[Any, ...], index: int, new: Any) -> tuple[Any, ...]:
    return (*part[:index], new, *part[index + 1 :])
