"""Checks whether a model's matrices divide by the number of devices.

Each rule names vLLM's own check. Key-value heads, which TPUs treat differently, are in
llm_d_gke/planning/serving/model_checks.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from llm_d_gke.catalog.schema import Experts, Model
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.parallelism.layout import Parallelism
from llm_d_gke.settings.models import ModelSettings

EXPERT_PARALLEL = "--enable-expert-parallel"
PIPELINE_PARALLEL = "--pipeline-parallel-size"
EXPERT_LOAD_BALANCER = "--enable-eplb"
_BALANCER_CONFIG, _REDUNDANT_EXPERTS = "--eplb-config", "num_redundant_experts"

# vLLM pads the vocabulary so that every rank gets the same number of rows (vocab_parallel_embedding.py).
_VOCABULARY_MULTIPLE = 64

# FlashInfer's kernels for experts run on Hopper and newer (`_supports_current_device` in fused_moe/experts).
_FLASHINFER_CAPABILITY = 9.0


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
            "LLMD-TP-VOCABULARY", *path, value=tensor_parallel, model=model.id, vocabulary=vocabulary, fix=smaller
        )
    elif by_expert and (cause := _needs_even_experts(ctx, settings, model, parallelism)):
        count = _physical_experts(settings, model)
        ctx.findings.error(
            "LLMD-EP-EXPERTS",
            *(path if ranks == 1 else ("models", index, "dataParallel")),
            value=tensor_parallel if ranks == 1 else ranks,
            model=model.id,
            count=count,
            devices=tensor_parallel * ranks,
            cause=cause[0],
            cure=cause[1],
        )
    elif uneven := [width for width in widths(model, by_expert) if width % tensor_parallel]:
        # distributed/utils.py `divide`, for every column-parallel layer.
        ctx.findings.error("LLMD-TP-WIDTH", *path, value=tensor_parallel, model=model.id, uneven=uneven[0], fix=smaller)
    elif broken := [width for width in widths(model, by_expert) if width // tensor_parallel % _block(model)]:
        # fp8.py `validate_block_quant_shapes`, gptq and awq likewise: a block has one scale and stays whole.
        divides = _whole_experts(model, tensor_parallel, by_expert)
        ctx.findings.error(
            "LLMD-TP-QUANTIZATION-BLOCKS",
            *path,
            value=tensor_parallel,
            model=model.id,
            broken=broken[0],
            share=broken[0] // tensor_parallel,
            block=_block(model),
            fix=f"{smaller}, or expertParallel: true: whole experts then" if divides else smaller,
        )
    elif by_expert:
        _check_uneven_experts(ctx, index, settings, model, parallelism)
    _check_pipeline(ctx, index, settings, model, parallelism)


def shares(model: Model, devices: int, by_expert: bool = False) -> bool:
    """Whether this many GPUs can share a model: heads, vocabulary, feed-forward layers, blocks of quantized weights."""
    heads = max(1, model.kv_heads)
    return (
        model.attention_heads % devices == 0
        and (model.mla is not None or heads % devices == 0 or devices % heads == 0)
        and padded_vocabulary(model.vocabulary) % devices == 0
        and not (by_expert and _loads_equal_slices(model) and _left_over(model.experts, devices))
        and all(width % (devices * _block(model)) == 0 for width in widths(model, by_expert))
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


def _block(model: Model) -> int:
    """Edge length of a quantization block in weights, 1 without blocks. Blocks of fp8 are square."""
    quantization = model.quantization
    if quantization is None or quantization.group is None or quantization.experts_only:
        return 1
    return math.isqrt(quantization.group) if quantization.method == "fp8" else quantization.group


def _left_over(experts: Experts | None, devices: int) -> int:
    return experts.count % devices if experts is not None else 0


def _loads_equal_slices(model: Model) -> bool:
    """gpt_oss.py: a rank loads `num_experts // ep_size` experts, whatever `determine_expert_map` gives it."""
    return model.architecture == "GptOssForCausalLM"


def _needs_even_experts(
    ctx: PlanContext, settings: ModelSettings, model: Model, parallelism: Parallelism
) -> tuple[str, str] | None:
    """The reason why experts must divide evenly, and the alternative. None if they need not.

    vLLM itself gives the first ranks one expert more (`determine_expert_map` in fused_moe, from 0.11 to 0.30).
    """
    if model.experts is None or _physical_experts(settings, model) % (parallelism.tensor * parallelism.data) == 0:
        return None
    if ctx.accelerator.kind == "tpu":
        # tpu-inference, kernels/fused_moe/v1/kernel.py.
        return "tpu-inference needs equally many on each", "remove expertParallel"
    if EXPERT_LOAD_BALANCER in settings.extra_args:
        # fused_moe/layer.py; counts redundant experts as well.
        return f"{EXPERT_LOAD_BALANCER} needs equally many on each", f"change {_REDUNDANT_EXPERTS}"
    if parallelism.all_to_all is not None and parallelism.all_to_all.startswith("deepep"):
        # DeepEP, csrc/deep_ep.cpp: `num_experts % num_ranks == 0` in both modes.
        return "DeepEP needs equally many on each", "allToAll: allgather_reducescatter"
    if _loads_equal_slices(model):
        return "vLLM loads this model's experts in equal slices", "remove expertParallel"
    return None


def _check_uneven_experts(
    ctx: PlanContext, index: int, settings: ModelSettings, model: Model, parallelism: Parallelism
) -> None:
    """Warns where vLLM accepts an uneven division, and what the kernels then do is not established."""
    devices, capability = parallelism.tensor * parallelism.data, ctx.accelerator.compute_capability
    count = _physical_experts(settings, model)
    if count % devices == 0:
        return
    if devices > count:
        unknown = f"some of {devices} devices would hold none of {model.id}'s {count} experts"
    elif capability is not None and capability >= _FLASHINFER_CAPABILITY:
        unknown = (
            f"{count % devices} of {devices} devices would hold one of {model.id}'s {count} experts more than the "
            "others, and FlashInfer's kernels, which vLLM may choose on this GPU, get no map of experts"
        )
    else:
        return
    ctx.findings.warning(
        "LLMD-EP-UNEVEN",
        *("models", index, "tensorParallel" if parallelism.data == 1 else "dataParallel"),
        value=parallelism.tensor if parallelism.data == 1 else parallelism.data,
        unknown=unknown,
        count=count,
    )


def _physical_experts(settings: ModelSettings, model: Model) -> int:
    """Experts with the copies that the load balancer adds, where `extraArgs` turn it on."""
    count = model.experts.count if model.experts is not None else 0
    if EXPERT_LOAD_BALANCER not in settings.extra_args:
        return count
    # 0.11 has a separate argument for it; later versions only the configuration.
    nested = argument(settings, f"{_BALANCER_CONFIG}.{_REDUNDANT_EXPERTS}") or argument(
        settings, "--num-redundant-experts"
    )
    if nested is None:
        try:
            config = json.loads(argument(settings, _BALANCER_CONFIG) or "{}")
        except ValueError:
            return count
        nested = str(config.get(_REDUNDANT_EXPERTS, 0)) if isinstance(config, dict) else "0"
    return count + (int(nested) if nested.isascii() and nested.isdigit() else 0)


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
            f"models[{index}]",
            "extraArgs" if further > 1 else "pipelineParallel",
            value=f"{PIPELINE_PARALLEL} {stages}" if further > 1 else stages,
            model=model.id,
            layers=model.layers,
        )
    elif further > 1 and stages * tensor_parallel > ctx.per_node:
        ctx.findings.error(
            "LLMD-PP-EXTRA-ARGS",
            f"models[{index}].extraArgs",
            value=f"{PIPELINE_PARALLEL} {stages}",
            stages=stages,
            tensor_parallel=tensor_parallel,
            devices=stages * tensor_parallel,
            accelerator=ctx.accelerator.title,
            per_node=ctx.per_node,
        )


def _pipeline_stages(settings: ModelSettings) -> int:
    """As `extraArgs` say, in either spelling; 1 where they do not, or in a way only vLLM can judge."""
    value = argument(settings, PIPELINE_PARALLEL)
    return max(1, int(value)) if value is not None and value.isascii() and value.isdigit() else 1


def argument(settings: ModelSettings, name: str) -> str | None:
    """Value of an argument in `extraArgs`, as `--name value` or `--name=value`; None where it is not there."""
    arguments = settings.extra_args
    for position, written in enumerate(arguments):
        word, _, value = written.partition("=")
        if word == name:
            return value or (arguments[position + 1] if position + 1 < len(arguments) else "")
    return None


def padded_vocabulary(vocabulary: int) -> int:
    return -(-vocabulary // _VOCABULARY_MULTIPLE) * _VOCABULARY_MULTIPLE
