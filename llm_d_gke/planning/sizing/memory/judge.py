"""The memory verdict: does one engine start, how much does it hold, and how sure is that."""

from __future__ import annotations

import math
from dataclasses import replace

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.planning.plan.estimates import Limit, MemoryParts, MemoryVerdict, Status
from llm_d_gke.planning.sizing.memory.kv_cache import Layout, layout
from llm_d_gke.planning.sizing.memory.overhead import (
    FITTED_TOKENS,
    GB10_CAPABILITY,
    activation_gib,
    captures_whole_graphs,
    encoder_gib,
    graphs_gib,
    non_torch_gib,
)
from llm_d_gke.planning.sizing.memory.run import EngineRun
from llm_d_gke.planning.sizing.memory.warm_up import WarmUp, warm_up
from llm_d_gke.planning.sizing.memory.weights import stage_layers, weights_gib


def judge(run: EngineRun, measured_gib: float | None = None) -> MemoryVerdict:
    """The verdict about one engine. `measured_gib` replaces the estimate of the memory left for the KV cache."""
    stages = range(run.pipeline_parallel)
    layouts = [layout(run, stage) for stage in stages]
    parts = [_parts(run, stage) for stage in stages]
    # As vLLM's request_memory: rounded up to a whole byte.
    requested = math.ceil(run.total_gib * run.utilization * 2**30) / 2**30
    left = [_available(run, requested, part, measured_gib) for part in parts]
    blocks = [layout.blocks(gib) for layout, gib in zip(layouts, left, strict=True)]
    # The rank with the fewest blocks sets the number for all.
    decides = min(stages, key=lambda stage: (blocks[stage], left[stage]))
    chosen = layouts[decides]
    per_request = chosen.blocks_per_request(run.max_model_len)
    needed = per_request * chosen.block_bytes / 2**30
    last_layers = stage_layers(run.model.layers, run.pipeline_parallel)[-1]
    room = _warm_up(run, run.total_gib - requested, parts[-1].activation, last_layers)
    error = 0.0 if measured_gib is not None else _error(run, parts[decides])
    fewest = chosen.blocks(left[decides] - error)
    most = chosen.blocks(left[decides] + error)
    status, limit = _judge(run, chosen, left[decides] - needed, room, error, (fewest, most))
    weights = parts[decides].weights
    if measured_gib is None and run.kv_cache_gib is None and weights - _weights_error(run, weights) > requested:
        # However much the rest takes, nothing is left beside the weights.
        status, limit = "refused", "kv-cache"
    if limit == "kv-cache" and left[decides] <= 0:
        limit = "weights"
    whole = max(unconverted_gib(run, stage) for stage in stages)
    if whole - whole * load_engine().errors.weights > run.total_gib:
        status, limit = "refused", "loading"
    return MemoryVerdict(
        status=status,
        limit=limit,
        total_gib=run.total_gib,
        requested_gib=requested,
        parts=parts[decides],
        available_gib=left[decides],
        needed_gib=needed,
        free_gib=room.room_gib,
        warm_up_gib=room.refused_gib if status == "refused" else room.passed_gib,
        error_gib=error,
        max_model_len=run.max_model_len,
        kv_tokens=chosen.tokens(blocks[decides], run.max_model_len, run.band.logged_tokens),
        kv_blocks=blocks[decides],
        block_size=chosen.block_tokens,
        max_concurrency=blocks[decides] / chosen.logged_blocks(run.max_model_len),
        longest=chosen.longest(blocks[decides], run.model.context),
        ranks=run.data_parallel * run.attention_ranks,
    )


def unconverted_gib(run: EngineRun, stage: int = 0) -> float:
    """GiB of a stage in 16 bits where all are on the device before the first becomes fp8. Otherwise 0.

    quantization/fp8.py of vLLM 0.11.2 to 0.15.1 makes them on it with the model; 0.16.0 makes them one layer at a time.
    """
    engine = load_engine()
    if run.kind == "tpu" or not run.converts_to_fp8 or engine.has(run.version, engine.features.fp8_by_layer):
        return 0.0
    return weights_gib(replace(run, quantization=None), stage)


def fits(run: EngineRun, **changes: object) -> bool:
    """Whether the engine fits beyond doubt with some of its settings changed."""
    return judge(replace(run, **changes)).status == "fits"  # type: ignore[arg-type]


def _parts(run: EngineRun, stage: int) -> MemoryParts:
    return run.once("parts", stage, lambda: _computed_parts(run, stage))


def _computed_parts(run: EngineRun, stage: int) -> MemoryParts:
    weights = weights_gib(run, stage)
    if run.kind == "tpu":
        # The TPU back end profiles nothing: compiled programs live in what utilization leaves free.
        return MemoryParts(weights=weights, activation=0.0, cuda_graphs=0.0, non_torch=0.0)
    layers = stage_layers(run.model.layers, run.pipeline_parallel)[stage]
    return MemoryParts(
        weights=weights,
        activation=activation_gib(run, stage),
        cuda_graphs=graphs_gib(run, layers),
        non_torch=non_torch_gib(run, stage),
    )


def _available(run: EngineRun, requested: float, parts: MemoryParts, measured: float | None) -> float:
    if measured is not None:
        return measured
    if run.kv_cache_gib is not None:
        return run.kv_cache_gib
    graphs = parts.cuda_graphs if run.reserves_graphs else 0.0
    return requested - parts.weights - parts.activation - parts.non_torch - graphs


def _warm_up(run: EngineRun, free: float, activation: float, layers: int) -> WarmUp:
    """GiB left after the KV cache is allocated, and the GiB of them that start-up needs."""
    engine = load_engine()
    if run.kind == "tpu":
        # Compiled programs live there. A rounding of the last digit is no doubt: that share is exactly what was tested.
        tested = run.total_gib * (1 - run.utilization_tested) - 1e-9
        figures = engine.warm_up
        if run.total_gib < figures.tpu_small_gib and not run.model.tpu_tested:
            tested = max(tested, figures.tpu_small_free_gib)
        return WarmUp(free, 0.0, tested)
    return warm_up(run, free, activation, layers)


def _judge(
    run: EngineRun, chosen: Layout, room: float, after: WarmUp, error: float, blocks: tuple[int, int]
) -> tuple[Status, Limit]:
    """Check three limits: the longest request in the cache, start-up in the free memory, states in the blocks."""
    engine = load_engine()
    # Whole graphs of decoding take a block for each sequence. Without them, or in older versions, sequences wait.
    checked = not run.enforce_eager and engine.has(run.version, engine.recurrent_models.blocks_checked_since)
    recurrent = run.kind == "gpu" and any(kind == "linear" for kind, *_ in chosen.groups)
    states = checked and recurrent and captures_whole_graphs(run)
    fewest, most = blocks
    if room < min(0.0, -error):
        return "refused", "kv-cache"
    if states and run.max_num_seqs > most:
        return "refused", "states"
    if after.room_gib < after.refused_gib:
        return "refused", "warm-up"
    if room < error:
        return "marginal", "kv-cache"
    if states and run.max_num_seqs > fewest:
        return "marginal", "states"
    slack = after.room_gib - after.passed_gib
    if slack < 0:
        return "marginal", "warm-up"
    return "fits", "kv-cache" if room <= slack or run.kind == "tpu" else "warm-up"


def _weights_error(run: EngineRun, weights: float) -> float:
    errors = load_engine().errors
    if run.kind == "tpu" and run.model.experts is not None:
        return weights * errors.tpu_experts
    return weights * (errors.weights if run.quantized is None else errors.weights_quantized)


def _error(run: EngineRun, parts: MemoryParts) -> float:
    """Stated error of the memory left for the KV cache, GiB: errors of the parts, taken as independent."""
    engine = load_engine()
    errors = engine.errors
    weights = _weights_error(run, parts.weights)
    if run.kind == "tpu":
        # No log of attention that is whole on every chip has been seen.
        widened = 2.0 if run.attention_ranks > 1 else 1.0
        return max(errors.smallest_gib, widened * math.hypot(weights, errors.tpu_gib))
    fully = run.band.calibrated == "fully"
    activation = errors.activation
    if run.model.experts is not None:
        # As the experts' part of the profile does, its error follows the batch.
        activation = errors.activation_moe * max(1.0, run.max_num_batched_tokens / FITTED_TOKENS)
    if run.has_encoder:
        # As many images as the batch has room for are profiled at once.
        unknown = errors.activation_encoder * max(1.0, run.max_num_batched_tokens / errors.encoder_tokens)
        activation = max(activation, errors.activation_encoder_known if encoder_gib(run) else unknown)
        if run.model.vision_gib is None:
            # The tower's weights are not in the catalog; those that are, are around one GiB.
            weights = math.hypot(weights, errors.activation_encoder)
    if run.uses_model_runner_v2:
        activation = max(activation, errors.activation_model_runner_v2)
    elif not fully:
        activation = max(activation, errors.activation_uncalibrated * parts.activation)
    if run.model.compressed:
        activation = max(activation, errors.activation_compressed * parts.activation)
    measured_link = fully and run.interconnect == "nvlink"
    # No log of ranks that share experts over hosts has been seen.
    alone = run.expert_ranks == 1 or (measured_link and run.data_parallel == 1)
    non_torch = errors.non_torch_one_rank if alone else errors.non_torch_parallel
    if run.capability == GB10_CAPABILITY:
        non_torch = errors.unified_memory_gib if run.has_encoder else errors.unified_memory_text_gib
    graphs = errors.graphs_gib if run.reserves_graphs else 0.0
    if graphs and run.recurrent and run.band.graphs.recurrent_outputs and not run.uses_model_runner_v2:
        # Whether outputs of recurrent layers are counted was seen on few cards.
        graphs = errors.graphs_recurrent_gib
    widened = 1.0 if engine.covers(run.version) else 2.0
    smallest = errors.smallest_plain_gib if _is_plain(run) else errors.smallest_gib
    return max(run.least_error_gib, smallest, widened * math.hypot(weights, activation, non_torch, graphs))


def _is_plain(run: EngineRun) -> bool:
    """Whether it is only a dense model of text on one GPU: no part is there whose size is not known beforehand.

    Before `settled_since` a sampler is taken that may be installed or not.
    """
    model = run.model
    parts = model.experts or model.mla or model.recurrent or model.compressed or run.has_encoder
    ranks = run.expert_ranks * run.pipeline_parallel
    guessed = run.speculative_tokens or run.lora_slots or run.offloaded_gib or run.others_gib
    settled = load_engine().covers(run.version) and load_engine().has(run.version, load_engine().errors.settled_since)
    return settled and ranks == 1 and not parts and not guessed and run.capability != GB10_CAPABILITY
