"""What torch's allocator rounds up: of a large tensor alone in its segment, what stays with it.

c10/cuda/CUDACachingAllocator.cpp: tensors from 10 MiB on get a segment in steps of 2 MiB, of which at most 1 MiB stays
with the tensor. Qwen3-4B logs 7.55 GiB and has 7.50, Qwen2.5-7B 14.25 for 14.19. With torch 2.11, which vLLM has since
0.20, logs show tensors from 20 MiB on that keep all of it, and smaller ones nothing: Qwen2.5-7B has 14.29 then, and
Qwen2.5-1.5B 2.98 in place of 2.89. That source was not at hand (AllocatorConfig.h of 2.11 makes the 20 MiB a setting).
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.parameters import dense_layers
from llm_d_gke.planning.sizing.memory.run import EngineRun

_MIB = 2**20
_STEP = 2 * _MIB
# From which size on, and how much at most: before vLLM 0.20, and since.
_BEFORE, _SINCE = (10 * _MIB, _MIB), (20 * _MIB, _STEP)
_CHANGED = "0.20"


def kept_bytes(size: float, version: str) -> int:
    """Bytes beyond a tensor's own that stay with it.

    >>> kept_bytes(47.5 * 2**20, "0.19.0") / 2**20
    0.5
    >>> [kept_bytes(24.5 * 2**20, version) / 2**20 for version in ("0.19.0", "0.22.0")]
    [0.0, 1.5]
    """
    least, most = _SINCE if load_engine().has(version, _CHANGED) else _BEFORE
    rest = -int(size) % _STEP
    return rest if size >= least and rest <= most else 0


def rounded_bytes(run: EngineRun) -> float:
    """Bytes that the matrices of all layers on one rank take beyond their own. 0 on TPUs.

    Logs of weights in 8 bits show it with some checkpoints only.
    """
    if run.kind != "gpu" or (run.quantized is not None and run.quantized.bits == 8):
        return 0.0
    size = run.dtype_bytes if run.quantized is None else run.quantized.bits / 8
    return sum(layers * kept_bytes(weights * size, run.version) for layers, weights in _matrices(run))


def _matrices(run: EngineRun) -> Iterator[tuple[int, float]]:
    """Layers, and the weights of one matrix of each of them as vLLM joins them."""
    model, tensor = run.model, run.dense_parallel
    hidden = model.hidden
    for group in model.attention:
        if group.linear is not None:
            state = group.linear
            values = state.value_heads * state.value_dim
            yield group.layers, hidden * 2 * (state.key_heads * state.key_dim + values) / tensor
            yield group.layers, hidden * values / tensor
        elif group.kind in ("full", "sliding", "chunked"):
            head_dim = group.head_dim or model.head_dim
            query = model.attention_heads * head_dim / tensor
            key = max(1, (group.kv_heads or model.kv_heads) // tensor) * head_dim
            yield group.layers, hidden * (query * (2 if model.output_gate else 1) + 2 * key)
            yield group.layers, hidden * query
    inputs = 2 if model.gated_mlp else 1
    dense = dense_layers(model) - 2 * model.wide_layers
    yield dense, hidden * inputs * model.intermediate / tensor
    yield dense, hidden * model.intermediate / tensor
