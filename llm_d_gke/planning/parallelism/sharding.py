"""Checks whether a model's matrices divide by the number of devices.

Each rule names vLLM's own check. Key-value heads, which TPUs treat differently, are in
llm_d_gke/planning/serving/model_checks.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.parallelism.layout import Parallelism
from llm_d_gke.settings.models import ModelSettings

EXPERT_PARALLEL = "--enable-expert-parallel"
PIPELINE_PARALLEL = "--pipeline-parallel-size"

# vLLM pads the vocabulary so that every rank gets the same number of rows (vocab_parallel_embedding.py).
_VOCABULARY_MULTIPLE = 64


def check_sharding(
    ctx: PlanContext, index: int, settings: ModelSettings, model: Model, parallelism: Parallelism
) -> None:
    """Findings about vocabulary, feed-forward layers, experts and pipeline stages; at most one about the devices."""
    tensor_parallel, ranks = parallelism.tensor, parallelism.data
    by_expert = parallelism.expert or EXPERT_PARALLEL in settings.extra_args
    path = ("models", index, "tensorParallel")
    works = [n for n in range(1, tensor_parallel) if shares(model, n, by_expert) and ctx.accelerator.kind == "gpu"]
    smaller = f"use tensorParallel: {works[-1]}" if works else "use another machineType"
    vocabulary = padded_vocabulary(model.vocabulary)
    if vocabulary % tensor_parallel:
        # vocab_parallel_embedding.py: every rank gets the same number of rows.
        ctx.findings.error(
            "LLMD-TP-VOCABULARY",
            *path,
            value=tensor_parallel,
            rule=f"{model.id}'s vocabulary, padded to {vocabulary} entries, cannot be cut into {tensor_parallel} parts",
            fix=smaller,
        )
    elif _experts_left_over(model, tensor_parallel * ranks, by_expert):
        # fused_moe: the number of physical experts is a multiple of the expert-parallel size.
        count = model.experts.count if model.experts is not None else 0
        ctx.findings.error(
            "LLMD-EP-EXPERTS",
            *(path if ranks == 1 else ("models", index, "dataParallel")),
            value=tensor_parallel if ranks == 1 else ranks,
            rule=f"{model.id}'s {count} experts cannot be divided evenly among {tensor_parallel * ranks} devices",
            fix=f"use a divisor of {count}, or remove expertParallel",
        )
    elif uneven := [width for width in _widths(model, by_expert) if width % tensor_parallel]:
        # distributed/utils.py `divide`, for every column-parallel layer.
        ctx.findings.error(
            "LLMD-TP-WIDTH",
            *path,
            value=tensor_parallel,
            rule=f"{model.id}'s feed-forward layers of width {uneven[0]} cannot be cut into {tensor_parallel} parts",
            fix=smaller,
        )
    elif broken := [width for width in _widths(model, by_expert) if width // tensor_parallel % _block(model)]:
        # fp8.py `validate_block_quant_shapes`, gptq and awq likewise: a block has one scale and stays whole.
        divides = _whole_experts(model, tensor_parallel, by_expert)
        ctx.findings.error(
            "LLMD-TP-QUANTIZATION-BLOCKS",
            *path,
            value=tensor_parallel,
            rule=f"{model.id}'s layers of width {broken[0]} give each of {tensor_parallel} devices "
            f"{broken[0] // tensor_parallel}, which is no multiple of the quantization's blocks of {_block(model)}",
            fix=f"{smaller}, or expertParallel: true: whole experts then" if divides else smaller,
        )
    _check_pipeline(ctx, index, settings, model, parallelism)


def shares(model: Model, devices: int, by_expert: bool = False) -> bool:
    """Whether this many GPUs can share a model: heads, vocabulary, feed-forward layers, blocks of quantized weights."""
    heads = max(1, model.kv_heads)
    return (
        model.attention_heads % devices == 0
        and (model.mla is not None or heads % devices == 0 or devices % heads == 0)
        and padded_vocabulary(model.vocabulary) % devices == 0
        and not _experts_left_over(model, devices, by_expert)
        and all(width % (devices * _block(model)) == 0 for width in _widths(model, by_expert))
    )


def _widths(model: Model, by_expert: bool) -> Iterator[int]:
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


def _block(model: Model) -> int:
    """Weights along one side of what shares a scale; 1 where there are no blocks. fp8's are squares."""
    quantization = model.quantization
    if quantization is None or quantization.group is None or quantization.experts_only:
        return 1
    return math.isqrt(quantization.group) if quantization.method == "fp8" else quantization.group


def _experts_left_over(model: Model, devices: int, by_expert: bool) -> bool:
    return by_expert and model.experts is not None and model.experts.count % devices != 0


def _whole_experts(model: Model, devices: int, by_expert: bool) -> bool:
    """Whether expert parallelism, which distributes whole experts, would work instead."""
    return not by_expert and model.experts is not None and shares(model, devices, by_expert=True)


def _check_pipeline(
    ctx: PlanContext, index: int, settings: ModelSettings, model: Model, parallelism: Parallelism
) -> None:
    further, tensor_parallel = _pipeline_stages(settings), parallelism.tensor
    stages = max(further, parallelism.pipeline)
    if stages > model.layers:
        ctx.findings.error(
            "LLMD-PP-LAYERS",
            "models",
            index,
            "extraArgs" if further > 1 else "pipelineParallel",
            value=f"{PIPELINE_PARALLEL} {stages}" if further > 1 else stages,
            rule=f"{model.id} has {model.layers} layers, and every pipeline stage needs one",
            fix=f"use {model.layers} or fewer",
        )
    elif further > 1 and stages * tensor_parallel > ctx.per_node:
        ctx.findings.error(
            "LLMD-PP-EXTRA-ARGS",
            "models",
            index,
            "extraArgs",
            value=f"{PIPELINE_PARALLEL} {stages}",
            rule=f"{stages} stages of {tensor_parallel} take {stages * tensor_parallel} {ctx.accelerator.title}, "
            f"and a replica's node has {ctx.per_node}",
            fix="use fewer stages, or pipelineParallel in place of the argument: a replica may then have several hosts",
        )


def _pipeline_stages(settings: ModelSettings) -> int:
    """As `extraArgs` say, in either spelling; 1 where they do not, or in a way only vLLM can judge."""
    arguments = settings.extra_args
    for position, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        value = value or (arguments[position + 1] if position + 1 < len(arguments) else "")
        if name == PIPELINE_PARALLEL and value.isascii() and value.isdigit():
            return max(1, int(value))
    return 1


def padded_vocabulary(vocabulary: int) -> int:
    return -(-vocabulary // _VOCABULARY_MULTIPLE) * _VOCABULARY_MULTIPLE
