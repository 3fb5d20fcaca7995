"""Weights on one rank, under tensor, pipeline, data and expert parallelism.

Against start-up logs (tests/planning/figures): dense, mixture-of-experts and latent attention within 0.5 %, 4-bit
within 1 %.
"""

from __future__ import annotations

from catalog.parameters import GIB, count
from catalog.schema import Attention, Model
from planning.parallelism.sharding import padded_vocabulary
from planning.sizing.memory.run import EngineRun

# Vision towers are sharded in part, and which part differs between models: the middle between a full copy and an even
# share. Kimi-VL at TP 2 logs 15.53 GiB, which is what this gives.
_ENCODER_SHARDED = 0.5


def stage_layers(layers: int, stages: int) -> tuple[int, ...]:
    """Layers of each pipeline stage: what is left over goes to the stages before the last (vLLM `get_pp_indices`).

    >>> stage_layers(40, 3)
    (13, 14, 13)
    """
    each = [layers // stages] * stages
    for index in range(2, layers % stages + 2):
        each[-index] += 1
    return tuple(each)


def kv_heads_per_rank(heads: int, tensor_parallel: int) -> int:
    """Fewer key-value heads than ranks are replicated, one on each rank."""
    return max(1, heads // tensor_parallel)


def weights_gib(run: EngineRun, stage: int = 0) -> float:
    """GiB of weights on one rank of a pipeline stage, with the table of rotary positions that is loaded beside them."""
    model, tensor = run.model, run.tensor_parallel
    share = stage_layers(model.layers, run.pipeline_parallel)[stage] / model.layers
    experts, rest = _linear(run)
    plain = run.dtype_bytes
    quantized = run.quantized
    if quantized is None:
        linear = (experts + rest) * plain
    else:
        bits = quantized.bits
        if quantized.group:
            bits += (quantized.scale_bits + quantized.zero_point_bits) / quantized.group
        linear = experts * bits / 8 + rest * (plain if quantized.experts_only else bits / 8)
        # Latent attention multiplies by parts of this matrix, so that a quantized one is kept a second time, unpacked.
        linear += _latent_up(model, tensor) * plain
    parts = count(model)
    table = padded_vocabulary(model.vocabulary) / tensor * model.hidden * plain
    first, last = stage == 0, stage == run.pipeline_parallel - 1
    # A tied model has one table, unless its first and last stage are different ranks.
    tables = (first or last) if model.tied_embeddings else first + last
    encoder = 0.0
    if first and run.has_encoder and model.vision_gib is not None:
        encoder = model.vision_gib * GIB * (_ENCODER_SHARDED / tensor + 1 - _ENCODER_SHARDED) * plain / 2
    return (
        linear * share + (parts.router + parts.norms) * plain * share + table * tables + encoder + _rotary(run)
    ) / GIB


def _linear(run: EngineRun) -> tuple[float, float]:
    """Parameters of one rank if it held every layer: routed experts, and all other linear layers."""
    model, tensor = run.model, run.tensor_parallel
    parts = count(model)
    experts = parts.experts / run.expert_ranks
    if run.expert_parallel and model.experts is not None:
        experts = parts.experts * -(-model.experts.count // run.expert_ranks) / model.experts.count
    attention = sum(_attention(model, group, tensor) * group.layers for group in model.attention)
    return experts, parts.mlp / tensor + attention


def _attention(model: Model, group: Attention, tensor: int) -> float:
    """Parameters of one layer's attention on one rank."""
    hidden, heads = model.hidden, model.attention_heads / tensor
    if group.kind == "mla" and model.mla is not None:
        mla = model.mla
        query = heads * (mla.qk_nope_head_dim + mla.qk_rope_head_dim)
        # Projections down to the latent vector are the same on every rank.
        down = hidden * (mla.kv_lora_rank + mla.qk_rope_head_dim) + hidden * (mla.q_lora_rank or 0)
        queries = (hidden if mla.q_lora_rank is None else mla.q_lora_rank) * query
        up = mla.kv_lora_rank * heads * (mla.qk_nope_head_dim + mla.v_head_dim)
        return down + queries + up + heads * mla.v_head_dim * hidden
    if group.kind == "linear" and group.linear is not None:
        state = group.linear
        keys, values = state.key_heads * state.key_dim, state.value_heads * state.value_dim
        inputs = hidden * (2 * keys + 2 * values + 2 * state.value_heads)
        return (inputs + (2 * keys + values) * state.convolution + values * hidden) / tensor
    head_dim = group.head_dim or model.head_dim
    query = heads * head_dim
    key = kv_heads_per_rank(group.kv_heads or model.kv_heads, tensor) * head_dim
    projections = hidden * (query * (3 if model.output_gate else 2) + key * (1 if group.keys_are_values else 2))
    bias = {"none": 0.0, "qkv": query + 2 * key, "all": query + 2 * key + hidden}[model.attention_bias]
    return projections + bias


def _latent_up(model: Model, tensor: int) -> float:
    """Parameters of one rank's projections up from the latent vector, all layers."""
    mla = model.mla
    if mla is None:
        return 0.0
    layers = sum(group.layers for group in model.attention if group.kind == "mla")
    return layers * mla.kv_lora_rank * model.attention_heads / tensor * (mla.qk_nope_head_dim + mla.v_head_dim)


def _rotary(run: EngineRun) -> float:
    """Bytes of the table of sines and cosines, one row per position: 32 MiB for Llama 3.1, shared by all layers."""
    dim = run.model.mla.qk_rope_head_dim if run.model.mla is not None else run.model.head_dim
    return float(run.model.context * dim * run.dtype_bytes)
