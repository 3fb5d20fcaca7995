"""How a model's matrices divide among devices. llm_d_gke/planning/serving/sharding_checks.py reports what does not."""

from __future__ import annotations

import math
from collections.abc import Iterator

from llm_d_gke.catalog.schema import Experts, Model, Quantization

# vLLM pads the vocabulary so that every rank gets the same number of rows (vocab_parallel_embedding.py).
_VOCABULARY_MULTIPLE = 64


def shares(model: Model, devices: int, by_expert: bool = False) -> bool:
    """Whether this many GPUs can share a model: heads, vocabulary, feed-forward layers, blocks of quantized weights."""
    heads = max(1, model.kv_heads)
    return (
        model.attention_heads % devices == 0
        and (model.mla is not None or heads % devices == 0 or devices % heads == 0)
        and padded_vocabulary(model.vocabulary) % devices == 0
        and not (by_expert and loads_equal_slices(model) and _left_over(model.experts, devices))
        and all(width % (devices * block_edge(model)) == 0 for width in widths(model, by_expert))
    )


def widths(model: Model, by_expert: bool) -> Iterator[int]:
    """Widths of the layers that are cut; routed experts stay whole where they are dealt out instead."""
    experts = model.experts
    if experts is None or experts.layers < model.layers:
        yield model.intermediate
    if experts is not None:
        if experts.shared_intermediate:
            yield experts.shared_intermediate
        # gpt-oss's kernels pad their experts.
        if not by_expert and not (model.quantization is not None and model.quantization.experts_only):
            yield experts.intermediate


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
