"""Finds the inputs that change a field, by changing each of them and planning and building the stack again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from llm_d_gke.components.stack import InferenceStack
from llm_d_gke.nested import value_at
from llm_d_gke.operations.explain.fields import MISSING, FieldPath, Objects, changed_leaves, objects
from llm_d_gke.operations.explain.inputs import Input, Origin, StackInput, inputs, plan_with, plan_with_facts
from llm_d_gke.planning import StackPlan
from llm_d_gke.resource_graph import EngineRefusalError, Graph, record

UNBUILT = object()
# A change of more leaves of the plan than this is built alone: nearly every other change meets it.
_BROAD = 100


@dataclass(frozen=True, kw_only=True)
class Moved:
    """An input that changes the field, the value tried in its place, and the resulting field."""

    origin: Origin
    other: str
    becomes: object


@dataclass(frozen=True, kw_only=True)
class Change:
    """A plan with one changed input, and the leaves of the plan that changed."""

    input: Input
    other: str
    plan: StackPlan
    paths: frozenset[str]


def components_of(plan: StackPlan) -> Graph:
    return record(lambda: InferenceStack(plan.stack, plan, prefix=""), stack=plan.stack)


class Builder:
    """Objects of plans, each plan built once: explaining a second field looks at the same ones again."""

    def __init__(self, program: Callable[[StackPlan], Graph] = components_of) -> None:
        self._program = program
        self._built: dict[int, tuple[StackPlan, Objects | None]] = {}
        self._merged: dict[tuple[int, ...], tuple[Sequence[Change], StackPlan]] = {}

    def merged(self, plan: StackPlan, batch: Sequence[Change]) -> StackPlan:
        """The plan with all changes of a batch, made once: many fields are searched with the same batches."""
        key = tuple(map(id, batch))
        if key not in self._merged:
            together = plan
            for change in batch:
                together = _merged(plan, together, change.plan)
            self._merged[key] = (batch, together)
        return self._merged[key][1]

    def build(self, plan: StackPlan) -> Objects | None:
        """The stack of a plan. None if it cannot be built: a changed fact can be inconsistent."""
        cached = self._built.get(id(plan))
        if cached is None:
            cached = self._built[id(plan)] = (plan, self._objects_of(plan))
        return cached[1]

    def _objects_of(self, plan: StackPlan) -> Objects | None:
        try:
            return objects(self._program(plan))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, EngineRefusalError):
            return None


def changes(stack_input: StackInput, plan: StackPlan, *, facts: bool = True, figures: bool = False) -> list[Change]:
    """Every input that changes the plan. Other inputs cannot change a rendered field.

    Of an input's other values the first that changes the plan counts, and further ones that reach more of it: a weight
    of zero does what no other number does. With the plan's `figures` all of them count: one token more may be lost in
    rounding.
    """

    def paths_of(changed: StackPlan) -> frozenset[str]:
        return frozenset(changed_leaves(plan, changed, figures=figures))

    candidates = list(inputs(stack_input, facts=facts))
    unused = _unused(stack_input, [candidate for candidate in candidates if candidate.is_fact], paths_of)
    effective = []
    for candidate in candidates:
        if candidate.origin in unused:
            continue
        reached: set[str] = set()
        for other, change in candidate.others:
            changed = plan_with(stack_input, change)
            if changed is None:
                continue
            paths = paths_of(changed)
            if not paths <= reached or (figures and paths):
                effective.append(Change(input=candidate, other=other, plan=changed, paths=paths))
                reached |= paths
    return effective


def _unused(
    stack_input: StackInput, facts: Sequence[Input], paths_of: Callable[[StackPlan], frozenset[str]]
) -> frozenset[Origin]:
    """Facts that no other value of which changes the plan, found by changing many at once.

    A plan takes tens of milliseconds and uses a small part of a thousand facts. A group whose other values together
    leave the plan unchanged has no effect; other groups are halved. Two changes that cancel out would be missed.
    """
    unused = list(facts)
    for number in range(max((len(fact.others) for fact in facts), default=0)):
        ineffective = [fact for fact in unused if number >= len(fact.others)]
        groups = [[fact for fact in unused if number < len(fact.others)]]
        while groups:
            group = groups.pop()
            changed = plan_with_facts(stack_input, [fact.others[number][1] for fact in group])
            if changed is not None and not paths_of(changed):
                ineffective += group
            elif len(group) > 1:
                groups += [group[: len(group) // 2], group[len(group) // 2 :]]
        unused = ineffective
    return frozenset(fact.origin for fact in unused)


def moved_output(path: FieldPath, plan: StackPlan, candidates: Sequence[Change], builder: Builder) -> Iterator[Moved]:
    """The inputs that change an output. Each is tried separately, because rounding can hide a change."""
    value = value_of(builder, plan, path, plan)
    reported: set[Origin] = set()
    for candidate in candidates:
        now = UNBUILT if candidate.input.origin in reported else value_of(builder, candidate.plan, path, plan)
        if now not in (value, UNBUILT):
            reported.add(candidate.input.origin)
            yield Moved(origin=candidate.input.origin, other=candidate.other, becomes=now)


def moved(
    path: FieldPath, plan: StackPlan, candidates: Sequence[Change], builder: Builder, likely: Set[str]
) -> Iterator[Moved]:
    """The inputs that change one field, in the order of `candidates`.

    A build takes much longer than a plan, so changes of separate parts of the plan are built together. Where a batch
    leaves the field as it is, none of its members is an origin; otherwise its halves are tried. A change that only
    reaches leaves that were found to leave the field as it is needs no build. Changes of `likely`, the leaves that
    probably hold the field's value, are built alone, which keeps them out of the batches.
    """
    search = _Search(path=path, plan=plan, builder=builder)
    # A change of many leaves that leaves the field as it is spares the builds of changes of fewer.
    pending = sorted(candidates, key=lambda change: (not change.paths & likely, -len(change.paths)))
    while pending := [change for change in pending if search.is_open(change)]:
        if pending[0].paths & likely:
            batch, pending = pending[:1], pending[1:]
        else:
            batch, pending = _independent_batch(pending)
        search.run(batch)
    reported: set[Origin] = set()
    for change in candidates:
        if id(change) not in search.moving or change.input.origin in reported:
            continue
        now = value_of(builder, change.plan, path, plan)
        if now not in (search.value, UNBUILT):
            reported.add(change.input.origin)
            yield Moved(origin=change.input.origin, other=change.other, becomes=now)


class _Search:
    """Finds the changes that move a field, by halving batches of changes."""

    def __init__(self, *, path: FieldPath, plan: StackPlan, builder: Builder) -> None:
        self._path, self._plan, self._builder = path, plan, builder
        self.value = value_of(builder, plan, path, plan)
        self.moving: set[int] = set()
        self._cleared: set[str] = set()

    def is_open(self, change: Change) -> bool:
        """Whether the change reaches a leaf that was not yet found to leave the field as it is."""
        return not change.paths <= self._cleared

    def run(self, batch: Sequence[Change], *, moves: bool = False) -> None:
        """Add the members of a batch that change the field to `moving`. `moves`: at least one of them does."""
        if not moves and self._value_with(batch) == self.value:
            self._cleared.update(leaf for change in batch for leaf in change.paths)
        elif len(batch) == 1:
            self.moving.add(id(batch[0]))
        else:
            half = len(batch) // 2
            before = len(self.moving)
            self.run(batch[:half])
            self.run(batch[half:], moves=len(self.moving) == before)

    def _value_with(self, batch: Sequence[Change]) -> object:
        return value_of(self._builder, self._builder.merged(self._plan, batch), self._path, self._plan)


def _independent_batch(changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """A batch of changes that reach separate leaves of the plan, and the remaining changes."""
    batch: list[Change] = []
    remaining: list[Change] = []
    leaves: set[str] = set()
    parts: set[str] = set()
    for change in changes:
        above = {part for leaf in change.paths for part in _parts_of(leaf)}
        if (len(change.paths) > _BROAD and batch) or change.paths & parts or above & leaves:
            remaining.append(change)
        else:
            batch.append(change)
            leaves |= change.paths
            parts |= above
            if len(change.paths) > _BROAD:
                return batch, [*remaining, *changes[len(batch) + len(remaining) :]]
    return batch, remaining


def _parts_of(leaf: str) -> Iterator[str]:
    """A leaf and all parts of the plan that contain it: `a.b[0]` is in `a.b` and in `a`."""
    yield leaf
    for match in re.finditer(r"[.\[]", leaf):
        yield leaf[: match.start()]


def value_of(builder: Builder, plan: StackPlan, path: FieldPath, before: StackPlan) -> object:
    """The field, even if its name contains the changed name of its model or stack."""
    built = builder.build(plan)
    if built is None:
        return UNBUILT
    name = path.name
    for old, new in _renamed(before, plan):
        if old != new:
            name = name.replace(old, new)
    match = built.get((path.kind, path.name)) or built.get((path.kind, name))
    if match is None:
        return MISSING
    value = value_at(match[1], *path.parts, default=MISSING)
    if value is MISSING:
        served = {old.served_name: new.served_name for old, new in zip(before.models, plan.models, strict=False)}
        parts = (served.get(part, part) if isinstance(part, str) else part for part in path.parts)
        value = value_at(match[1], *parts, default=MISSING)
    return value


def _renamed(before: StackPlan, after: StackPlan) -> Iterator[tuple[str, str]]:
    for old, new in zip(before.models, after.models, strict=False):
        yield old.key, new.key
    yield before.gateway.name, after.gateway.name
    yield before.namespace.name, after.namespace.name


def _merged(base: Any, first: Any, second: Any) -> Any:
    """Both changes of a base applied. The second counts where they change the same leaf."""
    if second == base:
        return first
    if first == base:
        return second
    if type(base) is not type(first) or type(base) is not type(second):
        return second
    if is_dataclass(base):
        names = [plan_field.name for plan_field in fields(base)]
        kind: Any = type(base)
        return kind(**{name: _merged(*(getattr(value, name) for value in (base, first, second))) for name in names})
    if isinstance(base, tuple | list):
        members = _merged(*(dict(enumerate(value)) for value in (base, first, second)))
        return type(base)(members[index] for index in sorted(members))
    if isinstance(base, Mapping):
        keys = dict.fromkeys((*first, *second))
        return {
            key: _merged(base.get(key), first.get(key), second.get(key))
            for key in keys
            if not (key in base and (key not in first or key not in second))
        }
    return second
