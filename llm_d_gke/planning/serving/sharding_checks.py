"""Checks whether a model's matrices and experts divide by the number of devices. Each rule names vLLM's own check."""

from __future__ import annotations

import functools
import json

from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.engine_support.media import has_whole_tower, is_text_only
from llm_d_gke.planning.engine_support.options import option_value
from llm_d_gke.planning.parallelism.sharding import (
    cut_heads,
    cut_widths,
    loads_equal_slices,
    padded_vocabulary,
    shares,
    uneven_states,
    widths,
)
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.sizing.memory_check import has_memory
from llm_d_gke.settings.models import ModelSettings

_EXPERT_PARALLEL = "--enable-expert-parallel"
_PIPELINE_PARALLEL = "--pipeline-parallel-size"
_LOAD_BALANCER = "--enable-eplb"
_BALANCER_CONFIG = "--eplb-config"
_REDUNDANT = (f"{_BALANCER_CONFIG}.num-redundant-experts", "--num-redundant-experts")
# kimi_k25_vit.py of 0.26.0 to 0.32.0 tells the number of heads, and falls back.
_TOWER_KEPT_WHOLE = "KimiK25"

# FlashInfer's kernels for experts run on Hopper and newer (`_supports_current_device` in fused_moe/experts).
_FLASHINFER_CAPABILITY = 9.0


def check_sharding(served: ServedModel, model: Model) -> None:
    """Findings about vocabulary, feed-forward layers, experts and pipeline stages; at most one about the devices."""
    parallelism = served.parallelism
    tensor_parallel, ranks = parallelism.tensor, parallelism.data
    by_expert = parallelism.expert or _EXPERT_PARALLEL in served.settings.extra_args
    path = "tensorParallel"
    smaller = functools.partial(_smaller, served, model, by_expert)
    vocabulary = padded_vocabulary(model.vocabulary)
    if vocabulary % tensor_parallel:
        # vocab_parallel_embedding.py: every rank gets the same number of rows.
        served.error("LLMD-TP-VOCABULARY", path, value=tensor_parallel, vocabulary=vocabulary, fix=smaller())
    elif served.accelerator.kind == "gpu" and (states := next(uneven_states(model, tensor_parallel), None)):
        served.error("LLMD-TP-STATES", path, value=tensor_parallel, part=states[0], number=states[1], fix=smaller())
    elif by_expert and (cause := _needs_even_experts(served, model)):
        count = _physical_experts(served.settings, model)
        served.error(
            "LLMD-EP-EXPERTS",
            path if ranks == 1 else "dataParallel",
            value=tensor_parallel if ranks == 1 else ranks,
            count=count,
            devices=tensor_parallel * ranks,
            cause=cause[0],
            cure=cause[1],
        )
    elif uneven := [width for width in widths(model, by_expert) if width % tensor_parallel]:
        # distributed/utils.py `divide`, for every column-parallel layer.
        served.error("LLMD-TP-WIDTH", path, value=tensor_parallel, uneven=uneven[0], fix=smaller())
    elif broken := _broken_blocks(served, model, by_expert):
        # fp8.py `validate_block_quant_shapes`, gptq and awq likewise: a block has one scale and stays whole.
        divides = _whole_experts(model, tensor_parallel, by_expert)
        served.error(
            "LLMD-TP-QUANTIZATION-BLOCKS",
            path,
            value=tensor_parallel,
            broken=broken[0][0],
            share=broken[0][0] // tensor_parallel,
            block=broken[0][1],
            fix=f"{smaller()}, or expertParallel: true: whole experts then" if divides else smaller(),
        )
    elif by_expert:
        _check_uneven_experts(served, model)
    _check_tower(served, model)
    _check_pipeline(served, model)


def _broken_blocks(served: ServedModel, model: Model, by_expert: bool) -> list[tuple[int, int]]:
    """Widths whose part of a GPU cuts quantization blocks. TPUs load layers whole, and cut them then."""
    if served.accelerator.kind == "tpu":
        return []
    tensor = served.parallelism.tensor
    cuts = (*cut_widths(model, by_expert), *cut_heads(model, tensor))
    return [(width, edge) for width, edge in cuts if width // tensor % edge]


def _smaller(served: ServedModel, model: Model, by_expert: bool) -> str:
    """The largest smaller number of GPUs that can share the model and hold it."""
    if served.accelerator.kind == "gpu":
        for size in range(served.parallelism.tensor - 1, 0, -1):
            if shares(model, size, by_expert) and has_memory(served.with_settings(tensor_parallel=size)):
                return f"use tensorParallel: {size}"
    return "use another machineType"


def _check_tower(served: ServedModel, model: Model) -> None:
    """Vision towers are cut as the text model unless every device is to have all of it (`is_vit_use_data_parallel`)."""
    settings, heads = served.settings, model.vision_heads
    whole = has_whole_tower(settings.extra_args) or model.architecture.startswith(_TOWER_KEPT_WHOLE)
    if served.accelerator.kind != "gpu" or heads is None or whole or is_text_only(settings.extra_args):
        return
    if heads % served.parallelism.tensor:
        served.error("LLMD-TP-VISION", "tensorParallel", heads=heads)


def _needs_even_experts(served: ServedModel, model: Model) -> tuple[str, str] | None:
    """The reason why experts must divide evenly, and the alternative. None if they need not.

    vLLM itself gives the first ranks one expert more (`determine_expert_map` in fused_moe, from 0.11 to 0.30).
    """
    settings, parallelism = served.settings, served.parallelism
    if model.experts is None or _physical_experts(settings, model) % (parallelism.tensor * parallelism.data) == 0:
        return None
    if served.accelerator.kind == "tpu":
        # tpu-inference, kernels/fused_moe/v1/kernel.py.
        return "tpu-inference needs equally many on each", "remove expertParallel"
    if _LOAD_BALANCER in settings.extra_args:
        # fused_moe/layer.py; counts redundant experts as well.
        return f"{_LOAD_BALANCER} needs equally many on each", "change num_redundant_experts"
    if parallelism.all_to_all is not None and parallelism.all_to_all.startswith("deepep"):
        # DeepEP, csrc/deep_ep.cpp: `num_experts % num_ranks == 0` in both modes.
        return "DeepEP needs equally many on each", "allToAll: allgather_reducescatter"
    if loads_equal_slices(model):
        return "vLLM loads this model's experts in equal slices", "remove expertParallel"
    return None


def _check_uneven_experts(served: ServedModel, model: Model) -> None:
    """Warns where vLLM accepts an uneven division, and what the kernels then do is not established."""
    parallelism = served.parallelism
    devices, capability = parallelism.tensor * parallelism.data, served.accelerator.compute_capability
    count = _physical_experts(served.settings, model)
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
    served.warning(
        "LLMD-EP-UNEVEN",
        "tensorParallel" if parallelism.data == 1 else "dataParallel",
        value=parallelism.tensor if parallelism.data == 1 else parallelism.data,
        unknown=unknown,
        count=count,
    )


def _physical_experts(settings: ModelSettings, model: Model) -> int:
    """Experts with the copies that the load balancer adds, where `extraArgs` turn it on."""
    count = model.experts.count if model.experts is not None else 0
    if _LOAD_BALANCER not in settings.extra_args:
        return count
    # 0.11 has a separate argument for it; later versions only the configuration.
    nested = option_value(settings.extra_args, *_REDUNDANT)
    if nested is None:
        try:
            config = json.loads(option_value(settings.extra_args, _BALANCER_CONFIG) or "{}")
        except ValueError:
            return count
        nested = str(config.get("num_redundant_experts", 0)) if isinstance(config, dict) else "0"
    return count + (int(nested) if nested.isascii() and nested.isdigit() else 0)


def _whole_experts(model: Model, devices: int, by_expert: bool) -> bool:
    """Whether expert parallelism, which distributes whole experts, would work instead."""
    return not by_expert and model.experts is not None and shares(model, devices, by_expert=True)


def _check_pipeline(served: ServedModel, model: Model) -> None:
    further, tensor_parallel = _pipeline_stages(served.settings), served.parallelism.tensor
    stages = max(further, served.parallelism.pipeline)
    if stages > model.layers:
        served.error(
            "LLMD-PP-LAYERS",
            "extraArgs" if further > 1 else "pipelineParallel",
            value=f"{_PIPELINE_PARALLEL} {stages}" if further > 1 else stages,
            layers=model.layers,
        )
    elif further > 1 and stages * tensor_parallel > served.ctx.per_node:
        served.error(
            "LLMD-PP-EXTRA-ARGS",
            "extraArgs",
            value=f"{_PIPELINE_PARALLEL} {stages}",
            stages=stages,
            tensor_parallel=tensor_parallel,
            devices=stages * tensor_parallel,
        )


def _pipeline_stages(settings: ModelSettings) -> int:
    """As `extraArgs` say, in either spelling; 1 where they do not, or in a way only vLLM can judge."""
    value = option_value(settings.extra_args, _PIPELINE_PARALLEL)
    return max(1, int(value)) if value is not None and value.isascii() and value.isdigit() else 1
