"""What the planned replicas serve, and whether that is enough for the load and latencies that the settings state."""

from __future__ import annotations

import functools
import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.plan.estimates import CapacityPlan, CurvePoint, MemoryVerdict, SpeedEstimate
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.sizing.memory import EngineRun
from llm_d_gke.planning.sizing.memory_check import run_of
from llm_d_gke.planning.sizing.speed import Load, estimate, held_out_errors_of, is_measured, replicas_for
from llm_d_gke.settings.models import ModelSettings
from llm_d_gke.settings.workload import LoadSettings

# Enough for a batch to pay.
_IN_FLIGHT = 16
_PROMPT, _OUTPUT = 128, 128
# What models[].replicas and autoscaling.maximum take at most.
MAX_REPLICAS = 256


def plan_capacity(served: ServedModel, verdict: MemoryVerdict | None) -> CapacityPlan | None:
    """Estimate of one model's replicas, as if the stack were not paused; with warnings where they are too few.

    None where the catalog lacks a figure, where there is no replica, or where not one such request fits.
    """
    settings = served.settings
    run = run_of(served)
    if run is None or verdict is None or settings.replicas < 1:
        return None
    lengths = lengths_of(served, run)
    if lengths is None:
        return None
    engines = _Engines(served.ctx, run, verdict, *lengths)
    single_request, saturated = engines.at(1, 1), engines.at(settings.replicas, 10**9)
    if single_request is None or saturated is None:
        return None
    saturation = max(1, math.floor(saturated.batch) * settings.replicas * run.data_parallel)
    full = engines.at(settings.replicas, saturation)
    if full is None:
        return None
    load = settings.load
    if load.requests_per_second is not None:
        at_load = _at_rate(engines, settings.replicas, load.requests_per_second, saturation)
    else:
        at_load = engines.at(settings.replicas, in_flight(load, settings.replicas))
    capacity = CapacityPlan(
        prompt_tokens=engines.prompt,
        output_tokens=engines.output,
        replicas=settings.replicas,
        basis=basis_of(load, settings.replicas, engines.prompt, engines.output),
        is_rate=load.requests_per_second is not None,
        alone=single_request,
        full=full,
        at_load=at_load,
        needed=_needed(engines, settings, at_load),
        curve_points=lambda: curve_of(functools.partial(engines.at, settings.replicas), saturation),
        error=single_request.error,
        typical_error=held_out_errors_of(run.kind).typical,
        measured=is_measured(run, served.accelerator),
        within_objectives=_within_objectives(engines, settings, saturation),
    )
    _check(served, capacity)
    _check_timeout(served, capacity)
    return capacity


@dataclass(frozen=True)
class _Engines:
    """Equal engines, and the lengths of their requests."""

    ctx: PlanContext
    run: EngineRun
    verdict: MemoryVerdict
    prompt: int
    output: int
    estimates: dict[tuple[int, float], SpeedEstimate | None] = field(default_factory=dict, compare=False)

    def at(self, replicas: int, concurrency: float) -> SpeedEstimate | None:
        key = replicas, concurrency
        if key not in self.estimates:
            load = Load(self.prompt, self.output, concurrency)
            self.estimates[key] = estimate(self.run, self.ctx.accelerator, load, replicas, self.verdict)
        return self.estimates[key]


def has_objectives(load: LoadSettings) -> bool:
    """Whether a load states how long requests may take."""
    return load.time_to_first_token_ms is not None or load.time_per_output_token_ms is not None


def keeps_objectives(speed: SpeedEstimate | None, load: LoadSettings, *, first: bool = True) -> bool:
    """Whether a speed keeps the objectives; without `first` only that of further tokens."""
    if speed is None:
        return False
    first_limit, token_limit = load.time_to_first_token_ms, load.time_per_output_token_ms
    return (not first or first_limit is None or speed.time_to_first_token * 1000 <= first_limit) and (
        token_limit is None or speed.time_per_output_token * 1000 <= token_limit
    )


def in_flight(load: LoadSettings, replicas: int) -> int:
    """Requests answered at once: as stated, or enough for a batch on every replica."""
    return load.concurrency or _IN_FLIGHT * replicas


def basis_of(load: LoadSettings, replicas: int, prompt: int, output: int) -> str:
    """The load as people say it. `prompt` and `output` are tokens of one request."""
    load_text = (
        f"{load.requests_per_second:g} requests/s"
        if load.requests_per_second is not None
        else f"{in_flight(load, replicas)} requests in flight"
    )
    return f"{load_text} of {prompt:,} prompt and {output:,} output tokens"


def lengths_of(served: ServedModel, run: EngineRun) -> tuple[int, int] | None:
    """Tokens of prompt and answer. Defaults are shortened to fit into the longest request."""
    longest, load = run.max_model_len, served.settings.load
    prompt, output = load.prompt_tokens, load.output_tokens
    if prompt is None:
        prompt = max(1, min(_PROMPT, longest // 2 if output is None else longest - output))
    if output is None:
        output = max(1, min(_OUTPUT, longest // 4, longest - prompt))
    if prompt + output > longest:
        name, value = ("promptTokens", prompt) if load.prompt_tokens is not None else ("outputTokens", output)
        tokens = f"{prompt} + {output}" if load.output_tokens is not None else f"{prompt} or more"
        served.error("LLMD-LOAD-LENGTH", "load", name, value=value, tokens=tokens, longest=longest)
        return None
    return prompt, output


def _at_rate(engines: _Engines, replicas: int, rate: float, saturation: int) -> SpeedEstimate | None:
    """Speed at `rate` requests a second; None when that is more than full batches serve."""

    def served(concurrency: int) -> float:
        speed = engines.at(replicas, concurrency)
        return speed.requests_per_second if speed is not None else math.inf

    concurrency = smallest_satisfying(saturation, lambda n: served(n) >= rate)
    speed = engines.at(replicas, concurrency) if concurrency is not None else None
    if speed is None:
        return None
    return replace(speed, requests_per_second=rate, output_tokens_per_second=rate * engines.output)


def _within_objectives(engines: _Engines, settings: ModelSettings, saturation: int) -> SpeedEstimate | None:
    """Speed at the most requests in flight that keep the objectives: latencies grow with the batch."""
    if not has_objectives(settings.load):
        return None
    too_many = smallest_satisfying(
        saturation, lambda n: not keeps_objectives(engines.at(settings.replicas, n), settings.load)
    )
    best = saturation if too_many is None else too_many - 1
    return engines.at(settings.replicas, best) if best > 0 else None


def _needed(engines: _Engines, settings: ModelSettings, at_load: SpeedEstimate | None) -> int | None:
    load = settings.load
    if load.requests_per_second is not None:
        return replicas_for(
            engines.run,
            engines.ctx.accelerator,
            load.requests_per_second,
            Load(engines.prompt, engines.output),
            lambda speed: keeps_objectives(speed, load),
            engines.verdict,
        )
    if not has_objectives(load):
        return None
    if keeps_objectives(at_load, load):
        return settings.replicas
    requests = in_flight(load, settings.replicas)
    return smallest_satisfying(MAX_REPLICAS, lambda n: keeps_objectives(engines.at(n, requests), load))


def _check_timeout(served: ServedModel, capacity: CapacityPlan) -> None:
    """An answer of the planned length has to end before the Gateway ends the request."""
    speed, longest = capacity.at_load or capacity.alone, served.ctx.settings.gateway.timeout_seconds
    if speed.latency > longest:
        served.ctx.warning(
            "LLMD-TIMEOUT-SHORT",
            "gateway.timeoutSeconds",
            name=served.settings.name,
            latency=speed.latency,
            output_tokens=capacity.output_tokens,
            basis=capacity.basis,
            seconds=min(86400, math.ceil(2 * speed.latency)),
            index=served.index,
        )


def _check(served: ServedModel, capacity: CapacityPlan) -> None:
    settings = served.settings
    load, needed = settings.load, capacity.needed
    if load.requests_per_second is None and not has_objectives(load):
        return
    doubt = (
        f"(estimate: half of the published measurements are within {capacity.typical_error:.0%} of it, nine of ten"
        f" within {capacity.error:.0%})"
        if capacity.measured
        else "(an estimate: no measurement of this accelerator with such attention was held against it)"
    )
    if needed is None:
        _too_slow(served, capacity, doubt)
    elif needed > settings.replicas:
        limits = [
            f"{name} within {value:g} ms"
            for name, value in (
                ("the first token", load.time_to_first_token_ms),
                ("each further token", load.time_per_output_token_ms),
            )
            if value is not None
        ]
        condition = capacity.basis + (", with " + " and ".join(limits) if limits else "")
        remedy = (
            f"use {needed} replicas with accelerator.nodes.max to match"
            if needed <= MAX_REPLICAS
            else f"a model has at most {MAX_REPLICAS} replicas: use more accelerators for each"
        )
        served.warning(
            "LLMD-LOAD-REPLICAS",
            *settings.replicas_path,
            condition=condition,
            needed=needed,
            doubt=doubt,
            remedy=remedy,
        )


def _too_slow(served: ServedModel, capacity: CapacityPlan, doubt: str) -> None:
    """Not even a request that is alone keeps the objective: no number of replicas helps."""
    alone, load = capacity.alone, served.settings.load
    first, per_token = alone.time_to_first_token * 1000, alone.time_per_output_token * 1000
    late = load.time_to_first_token_ms is not None and first > load.time_to_first_token_ms
    is_first = late or load.time_per_output_token_ms is None
    name, takes = ("timeToFirstTokenMs", first) if is_first else ("timePerOutputTokenMs", per_token)
    served.warning("LLMD-LOAD-OBJECTIVE", "load", name, takes=takes, doubt=doubt)


def curve_of(at: Callable[[int], SpeedEstimate | None], saturation: int) -> tuple[CurvePoint, ...]:
    """From one request in flight to half as many again as full batches hold, in even steps of a logarithm."""
    last, points = max(2, math.ceil(saturation * 1.5)), []
    steps = sorted({1, last, saturation, *(round(last ** (n / 23)) for n in range(1, 23))})
    for concurrency in steps:
        speed = at(concurrency)
        if speed is not None:
            points.append(CurvePoint(concurrency=concurrency, speed=speed))
    return tuple(points)


def smallest_satisfying(high: int, holds: Callable[[int], bool]) -> int | None:
    """The smallest number up to `high` from which on `holds` is true. None if it is false for `high`."""
    if not holds(high):
        return None
    return 1 + bisect_left(range(1, high), True, key=holds)
