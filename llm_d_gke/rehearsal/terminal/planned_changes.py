"""The changes that a preview of a running stack plans: a line for each resource, with the values that differ."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from typing import Any

from pulumi.automation.events import EngineEvent, StepEventMetadata, StepEventStateMetadata

from llm_d_gke.nested import value_at
from llm_d_gke.planning.surge_capacity import OUTAGE
from llm_d_gke.wording import wrapped

# The fields with which a Deployment and a LeaderWorkerSet say how pods follow each other, and the pods' own.
_ROLLOUTS = {
    "Deployment": (("spec", "strategy", "rollingUpdate"), "spec.template"),
    "LeaderWorkerSet": (("spec", "rolloutStrategy", "rollingUpdateConfiguration"), "spec.leaderWorkerTemplate"),
}

# What the engine plans with a resource. A replacement is three steps, of which one is listed.
_SIGNS = {"create": "+", "import": "=", "update": "~", "replace": "+-", "delete": "-"}
# As many values of one resource as the list has.
_VALUES = 4
# As many characters as it has of one value.
_CHARACTERS = 40


def to_all(*takers: Callable[[EngineEvent], None]) -> Callable[[EngineEvent], None]:
    """One function for the engine that hands each event to all."""

    def take(event: EngineEvent) -> None:
        for taker in takers:
            taker(event)

    return take


class PlannedChanges:
    """Collects the changed resources of a preview: `stack.preview(on_event=changes.take)`."""

    def __init__(self) -> None:
        self._steps: list[StepEventMetadata] = []

    def take(self, event: EngineEvent) -> None:
        if event.resource_pre_event is not None and event.resource_pre_event.metadata.op.value in _SIGNS:
            self._steps.append(event.resource_pre_event.metadata)

    def show(self, stack: str) -> None:
        """Print the list, and the command that shows every value."""
        if lines := list(self.lines()):
            print("changes of the stack that runs:", *(wrapped(f"  {line}") for line in lines), sep="\n")
            print(
                f"every value: make preview STACK={stack} ARGS=--diff",
                *map(wrapped, self.outages()),
                sep="\n",
                flush=True,
            )

    def lines(self) -> Iterator[str]:
        """`~ Deployment gemma-2b-it-vllm: spec.replicas 1 -> 2`. Components of the program are left out."""
        for step in self._steps:
            kind, name = step.type.rpartition(":")[2], step.urn.rpartition("::")[2]
            if step.type.startswith(("llm-d:", "pulumi:pulumi:")):
                continue
            values = list(_values(step)) if step.op.value in ("update", "replace") else []
            more = [f"and {len(values) - _VALUES} more"] if len(values) > _VALUES else []
            differing = ", ".join([*values[:_VALUES], *more])
            yield f"{_SIGNS[step.op.value]} {kind} {name}{f': {differing}' if differing else ''}"

    def outages(self) -> Iterator[str]:
        """One sentence for each workload whose only replica ends before the new one starts."""
        return (sentence for step in self._steps if (sentence := _outage(step)) is not None)


def announced(show: Callable[[str], None]) -> Callable[[EngineEvent], None]:
    """A taker of an update's events that shows an outage as it begins."""

    def take(event: EngineEvent) -> None:
        started = event.resource_pre_event
        if started is not None and (sentence := _outage(started.metadata)) is not None:
            show(wrapped(sentence))

    return take


def _outage(step: StepEventMetadata) -> str | None:
    ends = step.op.value == "update" and _stops_first(step)
    return f"{step.urn.rpartition('::')[2]}: {OUTAGE}" if ends else None


def _stops_first(step: StepEventMetadata) -> bool:
    """Whether an update changes the pods of a workload that may not have one more, and has no other."""
    rollout, template = _ROLLOUTS.get(step.type.rpartition(":")[2], ((), ""))
    if not rollout or step.new is None or not any(path.startswith(template) for path in step.detailed_diff or ()):
        return False
    counts = value_at(step.new.inputs or {}, *rollout) or {}
    replicas = [value_at(state.inputs or {}, "spec", "replicas") for state in (step.old, step.new) if state]
    # An autoscaler's number of replicas is not among the inputs.
    return counts.get("maxSurge") == 0 and all(count == 1 for count in replicas)


def _values(step: StepEventMetadata) -> Iterator[str]:
    """The inputs that differ, each with its value before and after; where the provider names none, their names."""
    if not step.detailed_diff:
        yield from step.diffs or ()
        return
    listed: set[str] = set()
    for path in step.detailed_diff:
        parts = [int(index) if index else key or quoted for key, index, quoted in _PART.findall(path)]
        before, after = (_value(state, parts[:-1]) for state in (step.old, step.new))
        if isinstance(parts[-1], int) and _are_words(before) and _are_words(after):
            owner = path.rpartition("[")[0]
            if owner not in listed:
                yield from _differing_words(owner, before, after)
            listed.add(owner)
            continue
        before, after = (_text(_value(state, parts)) for state in (step.old, step.new))
        yield f"{path} {before} -> {after}" if before != after else path


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _differing_words(path: str, before: list[str], after: list[str]) -> Iterator[str]:
    """The differences of two lists such as arguments. An added word moves those behind it, which have not changed."""
    for tag, start, end, new_start, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            old, new = (_text(" ".join(words) or None) for words in (before[start:end], after[new_start:new_end]))
            yield f"{path}[{new_start if tag == 'insert' else start}] {old} -> {new}"


def _value(state: StepEventStateMetadata | None, parts: list[str | int]) -> Any:
    """An input, or where the resource has none at this path what it runs with."""
    if state is None:
        return None
    declared = value_at(state.inputs or {}, *parts)
    return declared if declared is not None else value_at(state.outputs or {}, *parts)


# `spec.args[3]`, `metadata.labels["example.com/a"]`
_PART = re.compile(r'([^.\[\]"]+)(?=[.\[]|$)|\[(\d+)\]|\["([^"]*)"\]')


def _text(value: Any) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, dict | list):
        return "(some)" if value else "(empty)"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 3]}..."
