"""The memory verdict: does one engine start, how much does it hold, and how sure is that."""

from __future__ import annotations

import math
from dataclasses import replace

from catalog.engine import load_engine
from planning.plan.estimates import Limit, MemoryParts, MemoryVerdict, Status
from planning.sizing.memory.kv_cache import Layout, layout
from planning.sizing.memory.overhead import activation_gib, graphs_gib, non_torch_gib, warm_up_gib
from planning.sizing.memory.run import EngineRun
from planning.sizing.memory.weights import stage_layers, weights_gib


def judge(run: EngineRun, measured_gib: float | None = None) -> MemoryVerdict:
    """The verdict about one engine. `measured_gib` replaces the estimate of the memory left for the KV cache."""
    stages = range(run.pipeline_parallel)
    layouts = [layout(run, stage) for stage in stages]
    parts = [_parts(run, stage) for stage in stages]
    # As vLLM's request_memory: rounded up to a whole byte.
    requested = math.ceil(run.total_gib * run.utilization * 2**30) / 2**30
    left = [_available(run, requested, part, measured_gib) for part in parts]
    blocks = [each.blocks(gib) for each, gib in zip(layouts, left, strict=True)]
    # The rank with the fewest blocks sets the number for all.
    decides = min(stages, key=lambda stage: (blocks[stage], left[stage]))
    chosen = layouts[decides]
    per_request = chosen.blocks_per_request(run.max_model_len)
    needed = per_request * chosen.block_bytes / 2**30
    free, warm_up = run.total_gib - requested, _warm_up(run, parts[-1])
    error = 0.0 if measured_gib is not None else _error(run, parts[decides])
    status, limit = _judge(run, chosen, blocks[decides], left[decides] - needed, free - warm_up, error)
    if limit == "kv-cache" and left[decides] <= 0:
        limit = "weights"
    return MemoryVerdict(
        status=status,
        limit=limit,
        total_gib=run.total_gib,
        requested_gib=requested,
        parts=parts[decides],
        available_gib=left[decides],
        needed_gib=needed,
        free_gib=free,
        warm_up_gib=warm_up,
        error_gib=error,
        max_model_len=run.max_model_len,
        kv_tokens=chosen.tokens(blocks[decides], run.max_model_len, run.band.tokens),
        kv_blocks=blocks[decides],
        block_size=chosen.block_tokens,
        max_concurrency=blocks[decides] / per_request,
        longest=chosen.longest(blocks[decides], run.model.context),
        ranks=run.data_parallel,
    )


def fits(run: EngineRun, **changes: object) -> bool:
    """Whether the engine fits beyond doubt with some of its settings changed."""
    return judge(replace(run, **changes)).status == "fits"  # type: ignore[arg-type]


def _parts(run: EngineRun, stage: int) -> MemoryParts:
    weights = weights_gib(run, stage)
    if run.kind == "tpu":
        # The TPU back end profiles nothing: compiled programs live in what utilization leaves free.
        return MemoryParts(weights=weights, activation=0.0, cuda_graphs=0.0, non_torch=0.0)
    layers = stage_layers(run.model.layers, run.pipeline_parallel)[stage]
    return MemoryParts(
        weights=weights,
        activation=activation_gib(run, stage),
        cuda_graphs=graphs_gib(run, layers),
        non_torch=non_torch_gib(run),
    )


def _available(run: EngineRun, requested: float, parts: MemoryParts, measured: float | None) -> float:
    if measured is not None:
        return measured
    if run.kv_cache_gib is not None:
        return run.kv_cache_gib
    graphs = parts.cuda_graphs if run.band.graphs_reserved else 0.0
    return requested - parts.weights - parts.activation - parts.non_torch - graphs


def _warm_up(run: EngineRun, parts: MemoryParts) -> float:
    """What has to be free beside vLLM's share for the start to come through."""
    if run.kind == "tpu":
        return run.total_gib * (1 - load_engine().tpu_utilization_tested)
    return warm_up_gib(run) + (0.0 if run.band.graphs_reserved else parts.cuda_graphs)


def _judge(
    run: EngineRun, chosen: Layout, blocks: int, room: float, slack: float, error: float
) -> tuple[Status, Limit]:
    """Three limits: a request must fit into the cache, start-up into what is left free, states into blocks."""
    if chosen.state_blocks and any(kind == "linear" for kind, *_ in chosen.groups) and run.max_num_seqs > blocks:
        return "refused", "states"
    # The sampler's part is exact; what is uncertain are the graphs.
    uncertain = run.kind == "gpu" and not run.enforce_eager
    slack_error = load_engine().errors.graphs_actual_gib if uncertain else 0.0
    if room < min(0.0, -error):
        return "refused", "kv-cache"
    if slack < -slack_error and run.kind == "gpu":
        return "refused", "warm-up"
    if room < error:
        return "marginal", "kv-cache"
    # A rounding of the last digit is no doubt: 0.92 of a TPU's memory is exactly what was tested.
    if slack < slack_error - 1e-9:
        return "marginal", "warm-up"
    return "fits", "kv-cache" if room <= slack or run.kind == "tpu" else "warm-up"


def _error(run: EngineRun, parts: MemoryParts) -> float:
    """Stated error of the memory left for the KV cache, GiB: independent errors of the parts, at least `least_gib`."""
    engine = load_engine()
    errors = engine.errors
    weights = parts.weights * (errors.weights if run.quantized is None else errors.weights_quantized)
    if run.kind == "tpu":
        return max(errors.least_gib, math.hypot(weights, errors.tpu_gib))
    fully = run.band.calibrated == "fully"
    activation = errors.activation_moe if run.model.experts is not None else errors.activation
    if run.has_encoder:
        activation = errors.activation_encoder
        if run.model.vision_gib is None:
            # The tower's weights are not in the catalog; those that are, are around one GiB.
            weights = math.hypot(weights, errors.activation_encoder)
    if not fully:
        activation = max(activation, errors.activation_uncalibrated * parts.activation)
    measured_link = fully and run.interconnect == "nvlink"
    # No log of ranks that share experts over hosts has been seen.
    alone = run.expert_ranks == 1 or (measured_link and run.data_parallel == 1)
    non_torch = errors.non_torch_alone if alone else errors.non_torch_parallel
    graphs = errors.graphs_gib if run.band.graphs_reserved and not run.enforce_eager else 0.0
    widened = 1.0 if engine.knows(run.version) else 2.0
    return max(errors.least_gib, widened * math.hypot(weights, activation, non_torch, graphs))
