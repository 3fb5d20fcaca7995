"""Predicts latency and throughput for the load of a published measurement."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.operations.speed_check.burst import Burst, follow
from llm_d_gke.operations.speed_check.rows import Row
from llm_d_gke.planning.plan.estimates import SpeedEstimate
from llm_d_gke.planning.sizing.memory import EngineRun
from llm_d_gke.planning.sizing.speed import Load, estimate, step_times
from llm_d_gke.planning.sizing.steps import StepTimes


@dataclass(frozen=True)
class Prediction:
    """Seconds to the first token and for each further one; output tokens per second over all replicas."""

    ttft: float
    tpot: float
    tokens: float

    def of(self, figure: str) -> float:
        return float(getattr(self, figure))


def predict(row: Row, steps: StepTimes | None = None) -> Prediction | None:
    """Predict from the step times, or from the roofline. None if the row's load does not fit."""
    run, judged = row.engine, row.verdict
    steps = steps or step_times(run, row.card)
    if steps is None:
        return None

    def at(concurrency: float) -> SpeedEstimate | None:
        load = Load(row.prompt, row.output, concurrency, row.cached)
        return estimate(run, row.card, load, row.replicas, judged, steps=steps)

    if row.burst is not None:
        return _burst(row, run, steps, at(row.burst))
    if row.rate is not None:
        return _of(_at_rate(row.rate, at))
    return _of(at(row.concurrency or 1.0))


def _of(speed: SpeedEstimate | None) -> Prediction | None:
    if speed is None:
        return None
    return Prediction(speed.time_to_first_token, speed.time_per_output_token, speed.output_tokens_per_second)


def _at_rate(rate: float, at: Callable[[float], SpeedEstimate | None]) -> SpeedEstimate | None:
    low, high = 0.01, 1.0
    while (speed := at(high)) is not None and speed.requests_per_second < rate and high < 1e5:
        low, high = high, high * 2
    for _ in range(40):
        middle = (low + high) / 2
        speed = at(middle)
        if speed is None:
            return None
        low, high = (middle, high) if speed.requests_per_second < rate else (low, middle)
    return at(high)


def _burst(row: Row, run: EngineRun, steps: StepTimes, speed: SpeedEstimate | None) -> Prediction | None:
    if speed is None or row.burst is None:
        return None
    engines = row.replicas * run.data_parallel
    requests = math.ceil(row.burst / engines)
    passed = follow(
        Burst(
            requests=requests,
            fresh=max(1, row.prompt - row.cached),
            cached=row.cached,
            output=row.output,
            room=max(1, int(speed.batch)),
            budget=run.max_num_batched_tokens,
        ),
        steps,
    )
    asking = load_engine().speed.request_seconds[run.kind]
    return Prediction(
        asking + passed.first_token_seconds,
        passed.seconds_per_token,
        engines * requests * row.output / (asking + passed.seconds),
    )
