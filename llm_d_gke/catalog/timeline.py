"""Typed access to timeline.yaml: how long each step from the first `pulumi up` to the first answer takes."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from .reading import reader
from .schema import Entry, Source

Span = tuple[float, float]


class Step(Entry):
    """One step. `seconds` are the quickest and the slowest seen; None where they depend on the stack."""

    title: str
    seconds: Span | None = None
    by_kind: Mapping[Literal["gpu", "tpu"], Span] = Field(default_factory=dict)
    after: tuple[str, ...]
    source: str
    source_by_kind: Mapping[Literal["gpu", "tpu"], str] = Field(default_factory=dict)


class Change(Entry):
    """A change of a running stack: seconds at best and at worst."""

    title: str
    seconds: Span
    source: str


class Rate(Entry):
    values: Span
    source: str


class Timeline(Entry):
    """The content of timeline.yaml. Each step follows the steps that it waits for."""

    sources: Mapping[str, Source]
    steps: Mapping[str, Step]
    changes: Mapping[str, Change]
    download_mib_per_second: Rate

    @model_validator(mode="after")
    def _steps_follow_each_other(self) -> Self:
        names: set[str] = set()
        for name, step in self.steps.items():
            missing = [step_before for step_before in step.after if step_before not in names]
            if missing:
                raise ValueError(f"timeline.yaml: steps: {name}: waits for {', '.join(missing)}, which is not above it")
            sources = (step.source, *step.source_by_kind.values())
            if unknown := [source for source in sources if source not in self.sources]:
                raise ValueError(f"timeline.yaml: steps: {name}: there is no source {', '.join(unknown)}")
            names.add(name)
        for name, change in self.changes.items():
            if change.source not in self.sources:
                raise ValueError(f"timeline.yaml: changes: {name}: there is no source {change.source}")
        return self


load_timeline = reader(Timeline, "timeline.yaml")
