"""How fast one engine answers: an *estimate* from the times of its steps.

The scheduler of vLLM computes a token of every running sequence in each step, and fills what is left of
`max_num_batched_tokens` with prompts. How long a step takes comes from planning/sizing/steps.py, or from anything else
that knows. The error was measured on published benchmarks that no constant was fitted to: `held_out_errors` in
catalog/engine.yaml, docs/speed.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_speed import HeldOutErrors, generation
from llm_d_gke.catalog.schema import Accelerator
from llm_d_gke.planning.plan.estimates import Bound, MemoryVerdict, Simulation, SpeedEstimate
from llm_d_gke.planning.sizing.memory import EngineRun, judge
from llm_d_gke.planning.sizing.memory.kv_cache import layers_of, layout
from llm_d_gke.planning.sizing.steps import Roofline, StepTimes, read

METHOD = Roofline.name  # where a plan's step times come from

_ROUNDS = 4  # of finding how many of the requests in flight decode: each halves what is left of the error


@dataclass(frozen=True)
class Load:
    """What clients ask for: tokens of a prompt and of an answer, and requests in flight over all replicas.

    `cached_tokens` of the prompt are in the prefix cache already. `interrupted`: other requests' prompts are computed
    between the tokens of an answer, as where one engine does both.
    """

    prompt_tokens: int
    output_tokens: int
    concurrency: float = 1.0
    cached_tokens: int = 0
    interrupted: bool = True

    @cached_property
    def fresh(self) -> int:
        """Tokens of a prompt to compute."""
        return max(1, self.prompt_tokens - self.cached_tokens)

    @cached_property
    def further(self) -> int:
        """Tokens of an answer after the first."""
        return max(1, self.output_tokens - 1)

    @cached_property
    def context(self) -> float:
        """Mean length of a running sequence."""
        return self.prompt_tokens + self.output_tokens / 2


def estimate(
    run: EngineRun,
    accelerator: Accelerator,
    load: Load,
    replicas: int = 1,
    verdict: MemoryVerdict | None = None,
    *,
    steps: StepTimes | None = None,
) -> SpeedEstimate | None:
    """Speed of `replicas` equal engines under an evenly spread load. `verdict` is the run's, where it is known already.

    Data-parallel ranks of one replica are engines, too. `steps` knows step times better than the roofline does.

    None when the catalog lacks bandwidth or compute, or when the cache does not hold one such request.
    """
    verdict = verdict or judge(run)
    steps = steps or step_times(run, accelerator)
    max_sequences = _max_sequences(run, verdict, load)
    if steps is None or max_sequences < 1 or replicas < 1:
        return None
    engines = replicas * run.data_parallel
    in_flight = max(1.0, load.concurrency / engines)
    batch = min(in_flight, float(run.sequences), float(max_sequences))
    served = _closed_loop(run, steps, load, batch)
    waiting = in_flight / served.rate - batch / served.rate
    # Fewer requests in flight than engines leave some of them idle.
    rate = served.rate * min(float(engines), load.concurrency)
    return SpeedEstimate(
        time_to_first_token=served.first + waiting,
        time_per_output_token=served.seconds_per_token,
        latency=batch / served.rate + waiting,
        requests_per_second=rate,
        output_tokens_per_second=rate * load.output_tokens,
        batch=batch,
        bound=_bound(steps, served, batch, in_flight, run.sequences, max_sequences),
        error=_stated_error(steps.name, run.kind),
        method=steps.name,
    )


def _stated_error(method: str, kind: str) -> float:
    """The 90th percentile of a method's errors; 1.0 for a method without measurements."""
    errors = load_engine().speed.held_out_errors.get(f"{method}-{kind}")
    return errors.percentile_90 if errors is not None else 1.0


def held_out_errors_of(kind: str) -> HeldOutErrors:
    """Errors of the estimate on this kind of accelerator."""
    return load_engine().speed.held_out_errors[f"{METHOD}-{kind}"]


def is_measured(run: EngineRun, accelerator: Accelerator) -> bool:
    """Whether published measurements of this accelerator and of such a model were held against the estimate.

    A model is alike where every kind of its attention is among those of the measured models.
    """
    speed = load_engine().speed
    return accelerator.name in speed.measured and run.model.attention_kinds <= {*speed.measured_attention[run.kind]}


def step_times(run: EngineRun, accelerator: Accelerator) -> StepTimes | None:
    """The roofline of a run. None where the catalog lacks bandwidth or compute."""
    if accelerator.bandwidth_gbs is None or not (accelerator.bf16_tflops or accelerator.fp16_tflops):
        return None
    constants = load_engine().speed.constants
    return run.once(
        "steps", 0, lambda: Roofline(run, accelerator, constants.of(generation(accelerator.compute_capability)))
    )


def replicas_for(
    run: EngineRun,
    accelerator: Accelerator,
    requests_per_second: float,
    load: Load,
    keeps: Callable[[SpeedEstimate], bool] = lambda _: True,
    verdict: MemoryVerdict | None = None,
) -> int | None:
    """Fewest replicas that serve a rate of requests as in `load`, each at a speed that `keeps` its objectives.

    None when even one request at a time is too slow. Rates are those of a closed loop: bursts need more.
    """
    best = 0.0
    concurrency = 1
    verdict = verdict or judge(run)
    while concurrency <= run.sequences * run.data_parallel:
        speed = estimate(run, accelerator, replace(load, concurrency=concurrency), verdict=verdict)
        if speed is None or speed.batch < concurrency / run.data_parallel or not keeps(speed):
            break
        best = max(best, speed.requests_per_second)
        concurrency = concurrency + max(1, concurrency // 8)
    return math.ceil(requests_per_second / best) if best > 0 else None


def simulation(
    run: EngineRun, accelerator: Accelerator, load: Load | None = None, verdict: MemoryVerdict | None = None
) -> Simulation | None:
    """Timings of one request alone and the cache's size, for an engine that only pretends. None as for `estimate`."""
    judged = verdict or judge(run)
    speed = estimate(run, accelerator, load or Load(128, 128), verdict=judged)
    if speed is None:
        return None
    return Simulation(
        time_to_first_token_ms=max(1, round(speed.time_to_first_token * 1000)),
        inter_token_latency_ms=max(1, round(speed.time_per_output_token * 1000)),
        kv_cache_blocks=judged.kv_blocks * run.attention_ranks,
        block_size=judged.block_size,
    )


def prefill_seconds(run: EngineRun, accelerator: Accelerator, tokens: int) -> float | None:
    """Computing one prompt alone. None where the catalog lacks bandwidth or compute."""
    steps = step_times(run, accelerator)
    return None if steps is None else _prompt_only(steps, tokens, 0, run.max_num_batched_tokens)


def cache_bytes(run: EngineRun, tokens: int) -> float:
    """Bytes of keys and values, or of states, of one sequence of `tokens` tokens on one rank."""
    return sum(read(kind, tokens) for stage in range(run.pipeline_parallel) for kind in layers_of(run, stage))


@dataclass(frozen=True)
class _Served:
    """One engine under a steady load: seconds to the first token and for each further one, requests per second.

    `decoding` sequences are past their first token; `filled`: steps carry as many tokens as they may.
    """

    first: float
    seconds_per_token: float
    rate: float
    decoding: float
    filled: bool


def _max_sequences(run: EngineRun, verdict: MemoryVerdict, load: Load) -> int:
    """Sequences that fit into the KV cache at once. Their answers are on average half written; prefixes are shared."""
    length = math.ceil(load.fresh + load_engine().speed.output_share * load.output_tokens)
    pages = layout(run)
    if verdict.kv_blocks < max(1, pages.blocks_per_request(load.prompt_tokens + load.output_tokens)):
        return 0
    return verdict.kv_blocks // max(1, pages.blocks_per_request(length)) * run.attention_ranks


def _closed_loop(run: EngineRun, steps: StepTimes, load: Load, batch: float) -> _Served:
    """A closed loop of `batch` requests in flight on one engine."""
    fresh, further = load.fresh, load.further
    budget = float(run.max_num_batched_tokens)
    beside = load_engine().speed.request_seconds[run.kind]
    if load.output_tokens <= 1:
        first = beside + _prompt_only(steps, fresh, load.cached_tokens, budget)
        return _Served(first, 0.0, batch / (first * batch), 0.0, filled=False)
    if not load.interrupted:
        seconds_per_token = steps.step(batch, load.context)
        first = beside + _prompt_only(steps, fresh, load.cached_tokens, budget)
        return _Served(first, seconds_per_token, batch / (first + further * seconds_per_token), batch, filled=False)
    # Each step brings every sequence a token further, and `carried` tokens of prompts for those that take their place.
    max_sequences = budget / (1 + fresh / further)
    decoding = min(batch, max_sequences)
    for _ in range(_ROUNDS):
        seconds_per_token = _mean_step(steps, load, decoding, budget)
        first = beside + _computing_first_token(steps, load, decoding, seconds_per_token, batch, budget)
        before, decoding = decoding, min(max_sequences, batch / (1 + first / (further * seconds_per_token)))
        if decoding == before:
            break
    seconds_per_token = _mean_step(steps, load, decoding, budget)
    rate = decoding / (further * seconds_per_token)
    return _Served(
        batch / rate - further * seconds_per_token, seconds_per_token, rate, decoding, filled=decoding >= max_sequences
    )


def _mean_step(steps: StepTimes, load: Load, decoding: float, budget: float) -> float:
    """Mean time of a step: some carry a chunk of a prompt, the others none."""
    carried = decoding * load.fresh / load.further
    chunk = max(1.0, carried, min(load.fresh, budget - decoding))
    share = min(1.0, carried / chunk)
    depth = max(0.0, load.fresh - chunk) / 2
    mixed = steps.step(decoding, load.context, chunk, depth)
    return mixed if share == 1 else (1 - share) * steps.step(decoding, load.context) + share * mixed


def _computing_first_token(
    steps: StepTimes, load: Load, decoding: float, seconds_per_token: float, batch: float, budget: float
) -> float:
    """Seconds of the engine until the first token of a request that is admitted at once."""
    count = math.ceil(load.fresh / max(1.0, budget - decoding))
    chunk = load.fresh / count
    decoding_load = decoding if batch > 1 else 0.0
    looked_at = min(count, 8)
    computing = 0.0
    for index in range(looked_at):
        computing += steps.step(decoding_load, load.context, chunk, load.cached_tokens + index * chunk)
    computing *= count / looked_at
    if batch <= 1:
        return computing
    # A request comes in the middle of a step, and behind the prompts of others: at random, though never of all of them.
    busy = min(0.95, decoding * computing / (load.further * seconds_per_token))
    queueing = computing * min(busy / (2 * (1 - busy)), (batch - 1) / 2)
    return computing + seconds_per_token / 2 + queueing


def _prompt_only(steps: StepTimes, tokens: float, depth: float, budget: float) -> float:
    count = math.ceil(tokens / budget)
    return sum(steps.step(0.0, 0.0, tokens / count, depth + index * tokens / count) for index in range(count))


def _bound(
    steps: StepTimes, served: _Served, batch: float, in_flight: float, sequences: int, max_sequences: int
) -> Bound:
    if batch < in_flight:
        return "KV cache" if max_sequences < sequences else "batch size"
    if served.filled:
        return "prefill"
    return steps.bound(served.decoding) if isinstance(steps, Roofline) else "memory bandwidth"
