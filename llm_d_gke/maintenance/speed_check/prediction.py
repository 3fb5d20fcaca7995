"""Predicts latency and throughput for the load of a published measurement."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.maintenance.speed_check.rows import Row
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
        return _prediction_of(_at_rate(row.rate, at))
    return _prediction_of(at(row.concurrency or 1.0))


def _prediction_of(speed: SpeedEstimate | None) -> Prediction | None:
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
    passed = simulate_burst(
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


@dataclass(frozen=True, kw_only=True)
class Burst:
    """Equal requests at one engine: `fresh` tokens of each prompt are computed, `cached` ones are in the cache."""

    requests: int
    fresh: int
    cached: int
    output: int
    room: int  # sequences that run at once
    budget: int  # tokens of a step


@dataclass(frozen=True)
class BurstTimes:
    """Mean seconds to the first token and per further token, and seconds until the last reply ended."""

    first_token_seconds: float
    seconds_per_token: float
    seconds: float


def simulate_burst(burst: Burst, steps: StepTimes) -> BurstTimes:
    """Seconds that a burst takes, step by step through vLLM's scheduler: no steady state applies to it.

    Each step advances every running sequence by a token and fills the rest of the batch with prompts, first come first
    served, while the cache has room.
    """
    further = max(1, burst.output - 1)
    running: deque[tuple[int, float]] = deque()  # the step each ends after, and when its first token came
    first_tokens: list[float] = []
    intervals: list[float] = []
    waiting, admitted, done = burst.requests, 0, 0
    remaining = 0  # tokens of the prompt in progress
    now, number = 0.0, 0
    while done < burst.requests:
        decoding = len(running)
        chunk, finished = 0, 0
        while (space := burst.budget - decoding - chunk) > 0:
            if remaining == 0:
                if waiting == 0 or admitted >= burst.room:
                    break
                waiting, admitted, remaining = waiting - 1, admitted + 1, burst.fresh
            processed = min(space, remaining)
            chunk, remaining = chunk + processed, remaining - processed
            finished += remaining == 0
        context = burst.fresh + burst.cached + further / 2
        # Nothing changes until the next answer ends, when no prompt is in progress.
        count = 1 if chunk or not running else max(1, running[0][0] - number)
        depth = burst.cached + max(0.0, burst.fresh - chunk) / 2 if chunk < burst.fresh else float(burst.cached)
        now += count * steps.step(decoding, context, chunk, depth)
        number += count
        for _ in range(finished):
            first_tokens.append(now)
            running.append((number + further, now))
        while running and running[0][0] <= number:
            _, first_token_seconds = running.popleft()
            intervals.append((now - first_token_seconds) / further)
            admitted, done = admitted - 1, done + 1
    return BurstTimes(statistics.fmean(first_tokens), statistics.fmean(intervals), now)
