"""The content of a stack report as plain values, for all renderers and for comparisons in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from llm_d_gke.planning import Finding
from llm_d_gke.planning.plan.estimates import Alternative, CostLine, StageRate, Total, When
from llm_d_gke.planning.plan.timeline import TimelinePlan

Kind = Literal["weights", "engine", "kv-cache", "outside"]

WHENS: tuple[When, ...] = ("running", "idle", "paused")


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of one accelerator's memory, GiB."""

    kind: Kind
    name: str
    gib: float


@dataclass(frozen=True, kw_only=True)
class MemoryFacts:
    """One accelerator's memory. The segments add up to `total_gib` unless weights and engine alone exceed it."""

    status: str
    limit: str
    total_gib: float
    error_gib: float
    margin_gib: float
    segments: tuple[Segment, ...]
    kv_tokens: int
    longest: int
    max_model_len: int
    max_concurrency: float


@dataclass(frozen=True, kw_only=True)
class SpeedFacts:
    """Seconds and rates a second; `concurrency` are requests in flight over all replicas."""

    concurrency: float
    time_to_first_token: float
    time_per_output_token: float
    requests_per_second: float
    output_tokens_per_second: float
    bound: str


@dataclass(frozen=True, kw_only=True)
class CapacityFacts:
    """`is_rate`: the load is stated as requests per second, which `at_load` then repeats."""

    basis: str
    is_rate: bool
    replicas: int
    needed: int | None
    error: float
    typical_error: float
    measured: bool
    method: str
    at_load: SpeedFacts | None
    alone: SpeedFacts
    full: SpeedFacts
    curve: tuple[SpeedFacts, ...]
    stages: tuple[StageRate, ...] = ()
    within_objectives: SpeedFacts | None = None


@dataclass(frozen=True, kw_only=True)
class ServerFacts:
    """The servers of a model in one role."""

    name: str
    role: str
    hardware: str
    # The most, where their number follows the load; `least_replicas` are then the fewest.
    replicas: int
    least_replicas: int
    start_up_seconds: int
    max_surge: int
    memory: MemoryFacts | None


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    name: str
    id: str
    servers: tuple[ServerFacts, ...]
    pool: str | None
    picker: str | None
    capacity: CapacityFacts | None


@dataclass(frozen=True, kw_only=True)
class PoolFacts:
    name: str
    machine_type: str
    low: int
    high: int
    zones: tuple[str, ...]
    provisioning: str


@dataclass(frozen=True, kw_only=True)
class ChoiceFacts:
    """The stack's hourly cost with accelerators from one priority of its compute class."""

    title: str
    total: Total


@dataclass(frozen=True, kw_only=True)
class CostFacts:
    """Dollars an hour, but `monthly` and `per_million`."""

    date: str
    lines: tuple[CostLine, ...]
    hourly: Mapping[When, Total]
    monthly: Mapping[When, Total]
    saved_by_pausing: Total
    at_most_monthly: Total
    # With the fewest replicas of each model; None where their number does not follow the load.
    scaled_down: Total | None
    scaled_down_monthly: Total | None
    alternatives: tuple[Alternative, ...]
    choices: tuple[ChoiceFacts, ...]
    basis: str | None
    per_million: Mapping[str, Total]


@dataclass(frozen=True, kw_only=True)
class SettingFacts:
    """One setting with its value; `replaces` names the resources that a change of it replaces."""

    path: str
    value: str
    default: bool
    replaces: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class StackFacts:
    """The content of a report. A refused stack without a plan has `findings` only.

    `assumptions` are what was put in place of what the stack file does not hold.
    """

    stack: str
    assumptions: tuple[str, ...]
    findings: tuple[Finding, ...]
    refused: bool
    plan: PlanFacts | None
    settings: tuple[SettingFacts, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class PlanFacts:
    location: str
    pattern: str
    release: str
    paused: bool
    cluster: str
    network: str
    gateway: str
    exposure: str
    router: str | None
    models: tuple[ModelFacts, ...]
    pools: tuple[PoolFacts, ...]
    cost: CostFacts
    timeline: TimelinePlan | None = None
