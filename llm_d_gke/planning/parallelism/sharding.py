"""How a model's matrices divide among devices. llm_d_gke/planning/serving/sharding_checks.py reports what does not."""

from __future__ import annotations

import math
from collections.abc import Iterator

from llm_d_gke.catalog.schema import Experts, Model, Quantization

# vLLM pads the vocabulary so that every rank gets the same number of rows (vocab_parallel_embedding.py).
_VOCABULARY_MULTIPLE = 64
# quantization/moe_wna16.py of vLLM 0.11.2 to 0.32.0 halves groups of experts until they fit, and repeats the scales.
_HALVED_GROUPS, _LEAST_GROUP = ("awq", "gptq"), 32
# Their layers end where a group is cut (auto_awq.py and compressed_tensors_wNa16.py of 0.26.0 to 0.32.0). Those of GPTQ
# leave it to the kernel.
_WHOLE_GROUPS = ("awq", "compressed-tensors")


def shares(model: Model, devices: int, by_expert: bool = False) -> bool:
    """Whether this many GPUs can share a model: heads, vocabulary, feed-forward layers, blocks of quantized weights."""
    heads = max(1, model.kv_heads)
    return (
        model.attention_heads % devices == 0
        and (model.mla is not None or heads % devices == 0 or devices % heads == 0)
        and padded_vocabulary(model.vocabulary) % devices == 0
        and not any(uneven_states(model, devices))
        and not (by_expert and loads_equal_slices(model) and _left_over(model.experts, devices))
        and all(width % (devices * edge) == 0 for width, edge in cut_widths(model, by_expert))
        and all(width // devices % edge == 0 for width, edge in cut_heads(model, devices))
    )


def uneven_states(model: Model, devices: int) -> Iterator[tuple[str, int]]:
    """What of recurrent layers, and of DeepSeek V4's output, does not divide by the number of devices: name and number.

    model_executor/layers/mamba (mamba_mixer2.py, mamba_utils.py, gdn) of vLLM 0.11.2 to 0.32.0; one group of Mamba2 is
    copied. models/deepseek_v4/attention.py of 0.26.0 (n_local_groups).
    """
    for group in model.attention:
        mamba, linear, compression = group.mamba, group.linear, group.compression
        if mamba is not None and mamba.heads % devices:
            yield "Mamba heads", mamba.heads
        if mamba is not None and mamba.groups > 1 and mamba.groups % devices:
            yield "Mamba groups", mamba.groups
        if linear is not None and linear.key_heads % devices:
            yield "key heads of linear attention", linear.key_heads
        if linear is not None and linear.value_heads % devices:
            yield "value heads of linear attention", linear.value_heads
        if compression is not None and compression.output_groups % devices:
            yield "groups of attention outputs", compression.output_groups


def widths(model: Model, by_expert: bool) -> Iterator[int]:
    """Widths of the layers that are cut; routed experts stay whole where they are dealt out instead."""
    return (width for width, _ in cut_widths(model, by_expert))


def cut_widths(model: Model, by_expert: bool) -> Iterator[tuple[int, int]]:
    """Widths of the layers that are cut, each with the edge of its quantization blocks, which stay whole."""
    experts, quantization, edge = model.experts, model.quantization, block_edge(model)
    if experts is None or experts.layers < model.layers:
        yield model.intermediate, edge
    if experts is not None:
        if experts.shared_intermediate:
            yield experts.shared_intermediate, edge
        # gpt-oss's kernels pad their experts.
        if not by_expert and not (quantization is not None and quantization.experts_only):
            halved = quantization is not None and quantization.method in _HALVED_GROUPS
            yield experts.intermediate, min(edge, _LEAST_GROUP) if halved else edge


def cut_heads(model: Model, devices: int) -> Iterator[tuple[int, int]]:
    """Widths of attention's matrices on all devices, each with the edge of its quantization blocks, which stay whole.

    Outputs are cut along their groups. Square blocks lie across queries and keys too, of which each device has one head
    at least: validate_fp8_block_shape of quantization/utils/fp8_utils.py, 0.26.0 to 0.32.0.
    """
    quantization, edge = model.quantization, block_edge(model)
    if quantization is None or edge == 1 or "attention" in quantization.parts:
        return
    square = has_square_blocks(quantization)
    for group in model.attention:
        head = group.head_dim or model.head_dim
        outputs = model.attention_heads * head
        if group.kind not in ("full", "sliding", "chunked") or outputs % edge:
            continue
        if devices > 1 and (square or quantization.method in _WHOLE_GROUPS):
            yield outputs, edge
        if square:
            yield max(model.kv_heads, devices) * head, edge


def has_square_blocks(quantization: Quantization) -> bool:
    """Whether each block of as many rows as columns, which `group` counts together, has a scale of 32 bits."""
    return quantization.bits == 8 and quantization.group is not None and quantization.scale_bits == 32


def block_edge(model: Model) -> int:
    """Edge length of a quantization block in weights, 1 without blocks. Blocks of fp8 are square."""
    quantization = model.quantization
    if quantization is None or quantization.group is None or quantization.experts_only:
        return 1
    return math.isqrt(quantization.group) if has_square_blocks(quantization) else quantization.group


def _left_over(experts: Experts | None, devices: int) -> int:
    return experts.count % devices if experts is not None else 0


def loads_equal_slices(model: Model) -> bool:
    """gpt_oss.py: a rank loads `num_experts // ep_size` experts, whatever `determine_expert_map` gives it."""
    return model.architecture == "GptOssForCausalLM"


def padded_vocabulary(vocabulary: int) -> int:
    return -(-vocabulary // _VOCABULARY_MULTIPLE) * _VOCABULARY_MULTIPLE
