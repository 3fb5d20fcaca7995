"""What vLLM needs beside weights and KV cache: the profile's peak, CUDA graphs, memory outside torch. GPUs only.

The constants are fits to start-up logs by version (catalog/engine.yaml). The profile's peak against 59 logs of 0.19:
mean error 0.05 GiB, worst 0.30.
"""

from __future__ import annotations

from catalog.engine import load_engine
from catalog.parameters import GIB
from planning.sizing.memory.run import EngineRun

# Sampling sorts the vocabulary: 8 bytes an entry, for every sequence of the warm-up that follows the allocation of the
# KV cache. gemma-2b: 256 sequences x 256,000 entries x 8 B are the 500.00 MiB of the familiar error on a T4.
_WARM_UP_BYTES = 8

_LARGEST_GRAPH = 512


def activation_gib(run: EngineRun, stage: int = 0) -> float:
    """Peak of the profile run on one rank: the widest layer, or on the last stage the sampler over all the vocabulary.

    It does not depend on the longest request, and tensor parallelism does not shrink the sampler: logits are gathered.
    """
    model, band = run.model, run.band
    tokens = run.max_num_batched_tokens
    layer = run.dtype_bytes * tokens * (3 * model.intermediate / run.tensor_parallel + 4 * model.hidden)
    sampler = 0.0
    if stage == run.pipeline_parallel - 1:
        # The fit is of 16-bit weights; logits of wider ones are wider.
        each = band.sampler_bytes + run.dtype_bytes - 2
        sampler = each * run.sampled_rows * model.vocabulary + run.dtype_bytes * tokens * model.hidden
    # gpt-oss, whose experts alone are quantized, shows no such extra.
    quantized = run.quantized
    routed = model.experts is not None and not (quantized is not None and quantized.experts_only)
    return max(layer, sampler) / GIB + (band.moe_gib if routed else 0.0)


def non_torch_gib(run: EngineRun) -> float:
    """CUDA context, cuBLAS, NCCL and the buffers of expert parallelism of one rank."""
    figures = run.band.non_torch
    if run.expert_ranks > 1:
        joined = figures.nvlink if run.interconnect == "nvlink" else figures.pcie
        return joined + all_to_all_gib(run)
    return figures.pipeline if run.pipeline_parallel > 1 else figures.alone


def all_to_all_gib(run: EngineRun) -> float:
    """Where tokens of all data-parallel ranks arrive: a copy of each batch, or DeepEP's buffers.

    The latter (LowLatencyLayout in DeepEP's csrc/config.hpp) send and receive, twice over, at most `tokens` for each
    expert.
    """
    model, size = run.model, run.model.hidden * 2
    if run.data_parallel == 1 or model.experts is None:
        return 0.0
    kind = load_engine().all_to_all.get(run.all_to_all or "")
    if kind is not None and kind.tokens is not None:
        return 4 * model.experts.count * kind.tokens * size / GIB
    return run.data_parallel * run.max_num_batched_tokens * size / GIB


def graph_sizes(run: EngineRun) -> int:
    """Batch sizes that are captured: 1, 2, 4, then steps of 8 up to 256, of 16 beyond."""
    largest = min(2 * run.max_num_seqs, _LARGEST_GRAPH)
    small = sum(1 for size in (1, 2, 4) if size <= largest)
    return small + min(largest, 256) // 8 + max(0, largest - 256) // 16


def graphs_gib(run: EngineRun, layers: int) -> float:
    """CUDA graphs of a rank with `layers` layers. 0 with --enforce-eager."""
    if run.enforce_eager:
        return 0.0
    figures = load_engine().graphs
    return figures.base_gib + figures.layer_gib * layers * graph_sizes(run) / figures.sizes


def warm_up_gib(run: EngineRun) -> float:
    """What the sampler asks for once more after the KV cache is allocated, on the last stage."""
    return _WARM_UP_BYTES * run.sampled_rows * run.model.vocabulary / GIB
