"""One step of an upgrade, and the whole upgrade."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from llm_d_gke.planning.findings import Finding


class Loss(StrEnum):
    """What clients lose while a step runs. In the order of severity."""

    NOTHING = "nothing"
    CAPACITY = "capacity"
    REQUESTS = "requests"
    OUTAGE = "outage"

    @property
    def severity(self) -> int:
        return list(Loss).index(self)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A component or resource of the program, by Pulumi's type token and logical name."""

    type: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Span:
    """Seconds at best and at worst. `verified`: every figure in it comes from a timed run."""

    best: float
    worst: float
    verified: bool = False

    def __add__(self, other: Span) -> Span:
        return Span(
            best=self.best + other.best, worst=self.worst + other.worst, verified=self.verified and other.verified
        )

    def times(self, count: int) -> Span:
        return Span(best=self.best * count, worst=self.worst * count, verified=self.verified)


def longest(spans: Iterable[Span]) -> Span:
    """The span with the longest worst case: the duration of steps that run at the same time."""
    return max(spans, key=lambda span: span.worst)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: what it replaces, how, how long it takes, what is lost, how to go back.

    `seconds` is None where no duration is established. `parts` are what the step updates; the last step of an upgrade
    has none and updates everything that is left. `settings` hold during this step only. `by_hand` is a command for the
    operator: the step changes something that the program does not own. `instead` names a way that loses less. A step
    with `frees` updates nothing: in these namespaces it takes KServe's finalizer off presets.
    """

    name: str
    title: str
    changes: tuple[str, ...]
    method: str
    loss: Loss = Loss.NOTHING
    consequence: str = "nothing"
    back: str
    seconds: Span | None = None
    parts: tuple[Part, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    by_hand: str | None = None
    instead: str | None = None
    frees: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class UpgradePlan:
    """The steps from one release to another, in order.

    `findings` are reasons against it: errors, which refuse the upgrade, and warnings. `warnings` are those of the stack
    after it that the stack before does not have. With `back` it is the way back from an upgrade.
    """

    stack: str
    before: str
    after: str
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    back: bool = False

    @property
    def loss(self) -> Loss:
        """The worst loss of any step."""
        return max((step.loss for step in self.steps), key=lambda loss: loss.severity, default=Loss.NOTHING)
