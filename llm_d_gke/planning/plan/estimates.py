"""Memory, speed, capacity and cost of a stack. Money is in US dollars per hour unless noted otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypedDict

HOURS_A_MONTH = 730

When = Literal["running", "idle", "paused"]
Bound = Literal["memory bandwidth", "compute", "host", "KV cache", "batch size", "prefill"]
Status = Literal["fits", "marginal", "refused"]
Limit = Literal["loading", "weights", "kv-cache", "warm-up", "states"]


@dataclass(frozen=True, kw_only=True)
class MemoryParts:
    """GiB on the rank that decides. `cuda_graphs` counts against `requested` only where the version reserves it."""

    weights: float
    activation: float
    cuda_graphs: float
    non_torch: float


@dataclass(frozen=True, kw_only=True)
class MemoryVerdict:
    """Memory of one device in GiB, by use, and the KV cache that fits.

    `available_gib` is left for the KV cache; `needed_gib` is what one request of `max_model_len` tokens takes of it.
    `free_gib` is free after the KV cache is allocated; startup needs `warm_up_gib` of it. `error_gib` is the stated
    error of `available_gib`: nearer than that to a limit the status is `marginal`. `limit` names the nearest limit,
    `longest` the longest request that fits (at most the model's own context), `max_concurrency` requests of
    `max_model_len` at once. All are of one rank that attends for itself; a replica has `ranks` of them.
    """

    status: Status
    limit: Limit
    total_gib: float
    requested_gib: float
    parts: MemoryParts
    available_gib: float
    needed_gib: float
    free_gib: float
    warm_up_gib: float
    error_gib: float
    max_model_len: int
    kv_tokens: int
    kv_blocks: int
    block_size: int
    max_concurrency: float
    longest: int
    ranks: int = 1

    @property
    def replica_tokens(self) -> int:
        """Tokens of KV cache of a whole replica: each rank that attends for itself has a separate cache."""
        return self.kv_tokens * self.ranks

    @property
    def replica_concurrency(self) -> float:
        return self.max_concurrency * self.ranks

    @property
    def margin_gib(self) -> float:
        """Distance to the limit; negative beyond it. States of linear layers have no distance: it is the KV cache's."""
        if self.limit == "warm-up":
            return self.free_gib - self.warm_up_gib
        return self.available_gib - self.needed_gib


@dataclass(frozen=True, kw_only=True)
class SpeedEstimate:
    """Times in seconds, of one request; rates per second, over all replicas.

    `batch` are sequences that run at once on one replica; requests beyond that wait, which `time_to_first_token` holds.
    `error` is relative: nine of ten published rates and times per token that were held out of every fit were nearer.
    `method` names the source of the step times.
    """

    time_to_first_token: float
    time_per_output_token: float
    latency: float
    requests_per_second: float
    output_tokens_per_second: float
    batch: float
    bound: Bound
    error: float
    method: str = "roofline"


class Simulation(TypedDict):
    """Timings and cache of a simulated engine."""

    time_to_first_token_ms: int
    inter_token_latency_ms: int
    kv_cache_blocks: int
    block_size: int


@dataclass(frozen=True)
class Total:
    """A sum and the names of parts without a price. With any of them it is a lower bound."""

    usd: float
    unknown: tuple[str, ...] = ()

    @property
    def exact(self) -> float | None:
        """The sum, or None where a part is unknown: never a guess."""
        return None if self.unknown else self.usd

    @property
    def monthly(self) -> float:
        return round(self.usd * HOURS_A_MONTH, 2)

    def __sub__(self, other: Total) -> Total:
        """The difference of two sums. A part that is unknown in both is assumed to be unchanged."""
        return Total(round(self.usd - other.usd, 4), tuple(dict.fromkeys((*self.unknown, *other.unknown))))


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One point of a capacity curve: requests in flight over all replicas, and the resulting speed."""

    concurrency: int
    speed: SpeedEstimate


@dataclass(frozen=True, kw_only=True)
class StageRate:
    """Requests a second that one stage's servers could do beside an endlessly fast other one.

    `limits`: the other stage is faster. `needed` as of `CapacityPlan`, of this stage's replicas.
    """

    role: Literal["decode", "prefill"]
    replicas: int
    requests_per_second: float
    limits: bool
    needed: int | None


@dataclass(frozen=True, kw_only=True)
class CapacityPlan:
    """Estimated throughput of one model's replicas. Token counts are per request.

    `alone`: one request at a time. `full`: every replica's batch is full. `at_load`: at the load in the settings;
    None where the replicas cannot serve it. `needed` are the replicas that the stated rate or objectives take, None
    without a stated load, or if no number of replicas is enough. `measured`: published
    measurements of this accelerator and of models with such attention were held against the estimate, so that `error`
    (relative; of `SpeedEstimate`) holds, and `typical_error`, which half of them kept; else it is extrapolated.
    `stages` are decode and prefill where each has separate servers: `replicas` are then those of decode, `needed` is
    given per stage, and nothing was fitted.
    """

    prompt_tokens: int
    output_tokens: int
    replicas: int
    basis: str
    alone: SpeedEstimate
    full: SpeedEstimate
    at_load: SpeedEstimate | None
    needed: int | None
    # A quarter of the time of a plan, and only reports and bench look at it.
    curve_points: Callable[[], tuple[CurvePoint, ...]] = field(repr=False, compare=False)
    error: float
    typical_error: float
    measured: bool
    stages: tuple[StageRate, ...] = ()
    # The load is stated as requests per second, which `at_load` then repeats.
    is_rate: bool = False
    # The most that keeps the stated latencies; None without any, or where not even a single request keeps them.
    within_objectives: SpeedEstimate | None = None

    @cached_property
    def curve(self) -> tuple[CurvePoint, ...]:
        """Speed from one request in flight to half as many again as full batches hold."""
        return self.curve_points()


@dataclass(frozen=True, kw_only=True)
class CostLine:
    """One component by the hour. None: no price is known.

    `running`: every replica serves. `idle`: no request comes, so that the fewest replicas run; each pool keeps its
    minimum. `paused`: no model server and no accelerator node. `most`: every pool at its largest.
    """

    name: str
    running: float | None
    idle: float | None
    paused: float | None
    most: float | None
    note: str

    def at(self, when: When) -> float | None:
        return {"running": self.running, "idle": self.idle, "paused": self.paused}[when]


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """The same stack with its accelerators bought in another way."""

    provisioning: str
    chosen: bool
    accelerators: float | None
    total: Total


@dataclass(frozen=True, kw_only=True)
class ChoiceCost:
    """The same stack with its accelerators from one choice of its compute class, an hour."""

    machine_type: str
    provisioning: str
    total: Total


@dataclass(frozen=True, kw_only=True)
class UnitCost:
    """Dollars for a million, by the rule cost an hour / (requests a second x 3600).

    `basis` describes those requests: a price per token depends on their number and length.
    """

    requests_per_second: float
    basis: str
    requests: Total
    tokens: Total
    output_tokens: Total


@dataclass(frozen=True, kw_only=True)
class CostPlan:
    """`date` is of the oldest price in it, empty without any.

    `scaled_down`: the idle hour, with the fewest replicas of each model; None where their number does not follow the
    load.
    """

    lines: tuple[CostLine, ...]
    alternatives: tuple[Alternative, ...]
    units: UnitCost | None
    date: str
    scaled_down: Total | None = None
    # By the choices of a compute class, in their order; empty where the stack has node pools.
    choices: tuple[ChoiceCost, ...] = ()

    def total(self, when: When) -> Total:
        return total((line.name, line.at(when)) for line in self.lines)

    @property
    def at_most(self) -> Total:
        """With every node pool at its largest."""
        return total((line.name, line.most) for line in self.lines)

    @property
    def idle(self) -> float | None:
        return self.total("idle").exact

    @property
    def running(self) -> float | None:
        return self.total("running").exact

    @property
    def saved_by_pausing(self) -> Total:
        return total(
            (line.name, None if line.running is None or line.paused is None else line.running - line.paused)
            for line in self.lines
        )


def total(parts: Iterable[tuple[str, float | None]]) -> Total:
    """The sum of named parts, and the names of those without a price."""
    listed = list(parts)
    known_sum = sum(usd for _, usd in listed if usd is not None)
    return Total(round(known_sum, 4), tuple(name for name, usd in listed if usd is None))
