"""How fast one engine answers: an *estimate* from a roofline model with constants fitted to a handful of measurements.

A decode step reads the weights and the cached keys and values of its batch once and then computes, which overlap badly
at the batch sizes measured; no step is shorter than the host's work, and each sequence adds a little. Prefill computes.

The constants are in catalog/engine.yaml: fitted on T4 (gemma-2b, Qwen2.5-3B) and v6e (Qwen2.5-3B), prompts of about 80
tokens; tests/planning/sizing/test_speed.py prints the error there. On other accelerators, long prompts and large models
the model is extrapolated: take it for an order of magnitude. The measurements were not streamed, so only the
sum of time to first token and decoding is checked, not how it divides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from catalog.engine import load_engine
from catalog.parameters import GIB, per_layer_tables
from catalog.schema import Accelerator
from planning.parallelism.sharding import padded_vocabulary
from planning.plan.estimates import Bound, MemoryVerdict, Simulation, SpeedEstimate
from planning.sizing.memory import EngineRun, judge
from planning.sizing.memory.kv_cache import layers_of, layout
from planning.sizing.memory.weights import weights_gib


@dataclass(frozen=True)
class Load:
    """What clients ask for: tokens of a prompt and of an answer, and requests in flight over all replicas."""

    prompt_tokens: int
    output_tokens: int
    concurrency: float = 1.0


def estimate(
    run: EngineRun,
    accelerator: Accelerator,
    load: Load,
    replicas: int = 1,
    verdict: MemoryVerdict | None = None,
    *,
    interrupted: bool = True,
) -> SpeedEstimate | None:
    """Speed of `replicas` equal engines under an evenly spread load. `verdict` is the run's, where it is known already.

    Data-parallel ranks of one replica are engines, too. `interrupted`: other requests' prompts are computed between the
    steps of decoding, as where one engine does both.

    None when the catalog lacks bandwidth or compute, or when the cache does not hold one such request.
    """
    hardware = _hardware(run, accelerator)
    verdict = verdict or judge(run)
    length = load.prompt_tokens + load.output_tokens
    most = verdict.kv_blocks // max(1, layout(run).blocks_per_request(length))
    if hardware is None or most < 1 or replicas < 1:
        return None
    engine = load_engine().speed
    engines = replicas * run.data_parallel
    wanted = max(1.0, load.concurrency / engines)
    batch = min(wanted, float(run.max_num_seqs), float(most))
    step, bound = _step(run, hardware, batch, load.prompt_tokens + load.output_tokens / 2)
    if batch < wanted:
        bound = "KV cache" if most < run.max_num_seqs else "batch size"
    prefill = _prefill_seconds(run, hardware, load.prompt_tokens)
    floor = engine.host_floor_seconds[run.kind]
    # While it decodes, a request waits for the prompts of the others in its batch, once each.
    per_token = step + ((batch - 1) * prefill / max(1, load.output_tokens) if interrupted else 0.0)
    first = engine.request_seconds[run.kind] + max(prefill, floor) + (step / 2 if batch > 1 else 0.0)
    served = first + (load.output_tokens - 1) * per_token
    per_replica = batch / served
    waiting = wanted / per_replica - served
    # Fewer requests in flight than engines leave some of them idle.
    busy = min(float(engines), load.concurrency)
    return SpeedEstimate(
        time_to_first_token=first + waiting,
        time_per_output_token=per_token,
        latency=served + waiting,
        requests_per_second=per_replica * busy,
        output_tokens_per_second=per_replica * busy * load.output_tokens,
        batch=batch,
        bound=bound,
        error=engine.error,
    )


def replicas_for(
    run: EngineRun,
    accelerator: Accelerator,
    requests_per_second: float,
    prompt_tokens: int,
    output_tokens: int,
    *,
    time_to_first_token: float | None = None,
    time_per_output_token: float | None = None,
    verdict: MemoryVerdict | None = None,
) -> int | None:
    """Fewest replicas that serve a rate within the latency objectives, in seconds.

    None when even one request at a time is too slow. Rates are those of a closed loop: bursts need more.
    """
    best = 0.0
    concurrency = 1
    verdict = verdict or judge(run)
    while concurrency <= run.max_num_seqs * run.data_parallel:
        speed = estimate(run, accelerator, Load(prompt_tokens, output_tokens, concurrency), verdict=verdict)
        if speed is None or speed.batch < concurrency:
            break
        late = time_to_first_token is not None and speed.time_to_first_token > time_to_first_token
        slow = time_per_output_token is not None and speed.time_per_output_token > time_per_output_token
        if late or slow:
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
        kv_cache_blocks=judged.kv_blocks,
        block_size=judged.block_size,
    )


def prefill_seconds(run: EngineRun, accelerator: Accelerator, tokens: int) -> float | None:
    """Computing one prompt alone. None where the catalog lacks bandwidth or compute."""
    hardware = _hardware(run, accelerator)
    if hardware is None:
        return None
    return max(_prefill_seconds(run, hardware, tokens), load_engine().speed.host_floor_seconds[run.kind])


def cache_bytes(run: EngineRun, tokens: int) -> float:
    """Keys and values, or states, of one sequence of so many tokens on one rank."""
    return _cache_read(run, tokens)


@dataclass(frozen=True)
class _Hardware:
    """One device: bytes and operations per second, of the data sheet."""

    bandwidth: float
    flops: float


def _hardware(run: EngineRun, accelerator: Accelerator) -> _Hardware | None:
    tflops = accelerator.bf16_tflops or accelerator.fp16_tflops
    quantized = run.quantized
    if quantized is not None and quantized.bits == 8 and accelerator.fp8_tflops is not None:
        tflops = accelerator.fp8_tflops
    if tflops is None or accelerator.bandwidth_gbs is None:
        return None
    # A fractional machine has its part of the device's speed as of its memory.
    part = run.total_gib / (accelerator.usable_gib or run.total_gib) / accelerator.devices_per_chip
    return _Hardware(accelerator.bandwidth_gbs * 1e9 * part, tflops * 1e12 * part)


def _step(run: EngineRun, hardware: _Hardware, batch: float, context: float) -> tuple[float, Bound]:
    """Seconds of one decode step, every sequence of which stands at `context` tokens; and what it waits for."""
    engine = load_engine().speed
    read = _weights_read(run, batch) + batch * _cache_read(run, context)
    reading = read / (hardware.bandwidth * engine.bandwidth_share)
    computing = batch * _flops_per_token(run) / run.tensor_parallel / (hardware.flops * engine.decode_share)
    if run.tensor_parallel > 1:
        reading += 2 * run.model.layers * engine.collective_seconds[run.interconnect]
    if run.data_parallel > 1 and run.model.experts is not None:
        reading += run.model.experts.layers * engine.all_to_all_seconds
    host = engine.host_floor_seconds[run.kind]
    bound: Bound = "host" if host > reading + computing else "compute" if computing > reading else "memory bandwidth"
    return max(reading + computing, host) + batch * engine.per_sequence_seconds[run.kind], bound


def _prefill_seconds(run: EngineRun, hardware: _Hardware, tokens: int) -> float:
    """Computing one prompt: linear layers, and attention with the square of its length."""
    model = run.model
    attending = sum(group.layers for group in model.attention if group.kind != "linear")
    attention = 2 * attending * model.attention_heads * model.head_dim * tokens**2
    work = (tokens * _flops_per_token(run) + attention) / run.tensor_parallel
    return work / (hardware.flops * load_engine().speed.prefill_share)


def _flops_per_token(run: EngineRun) -> float:
    """Two operations per weight a token meets."""
    parts, experts = run.parameters, run.model.experts
    routed = parts.experts * experts.active / experts.count if experts else 0.0
    every = parts.attention + parts.linear + parts.mlp + parts.shared + parts.latent
    return 2 * (every + routed + (parts.lm_head or parts.embedding))


def _weights_read(run: EngineRun, batch: float) -> float:
    """Bytes of weights a rank reads in a step: of an untied embedding only rows, of experts those that are asked."""
    model = run.model
    # The stages of a pipeline work one after another on a token.
    total = sum(weights_gib(run, stage) for stage in range(run.pipeline_parallel)) * GIB
    if not model.tied_embeddings:
        total -= padded_vocabulary(model.vocabulary) * model.hidden * run.dtype_bytes / run.tensor_parallel
    total -= per_layer_tables(model) * run.dtype_bytes / run.tensor_parallel
    experts = model.experts
    if experts is not None:
        stored = run.parameters.experts * run.stored_bytes("experts") / run.expert_ranks
        # All data-parallel ranks send tokens to the experts of this one.
        asked = 1 - (1 - experts.active / experts.count) ** max(1.0, batch * run.data_parallel)
        total -= stored * (1 - asked)
    return max(0.0, total)


def _cache_read(run: EngineRun, context: float) -> float:
    """Bytes of keys and values, or of states, that one sequence reads in a step on one rank."""
    total = 0.0
    for stage in range(run.pipeline_parallel):
        for layers in layers_of(run, stage):
            seen = min(context, layers.window) if layers.window else context
            total += layers.count * (layers.state_bytes + layers.token_bytes * seen)
    return total
