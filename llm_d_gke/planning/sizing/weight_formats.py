"""The format of a model's weights, as reports of starts tell them apart."""

from __future__ import annotations

from llm_d_gke.catalog.engine_reports import StartReport
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.engine_support.options import option_value
from llm_d_gke.planning.parallelism.sharding import has_square_blocks
from llm_d_gke.settings.models import ModelSettings

_NVFP4_BITS = 4.5  # with their scales, of a mixed checkpoint's experts
# Methods whose four bits are integers, scaled in 16.
_FOUR_BITS = ("awq", "gptq", "auto-round", "inc", "compressed-tensors")
# Names for weights in fp8 that get one scale for each tensor while they are loaded.
_FP8_TENSORS = ("fp8", "fp8_per_tensor")


def format_of(model: Model, settings: ModelSettings, report: StartReport) -> str | None:
    """The format of the weights that the report is about: experts of mixed checkpoints have one of their own."""
    checkpoint = model.quantization
    if checkpoint is None:
        method = settings.quantization or option_value(settings.extra_args, "--quantization")
        return "fp8_tensors" if report.weights == "fp8_tensors" and method in _FP8_TENSORS else method
    if checkpoint.integers:
        return "int8"
    if checkpoint.method in _FOUR_BITS and checkpoint.bits == 4 and checkpoint.scale_bits == 16:
        return "int4"
    mixed = checkpoint.method == "modelopt" and checkpoint.parts.get("experts") == _NVFP4_BITS
    if checkpoint.is_nvfp4 or (report.experts and mixed):
        return "compressed-nvfp4" if checkpoint.method == "compressed-tensors" else "nvfp4"
    # NVIDIA's checkpoints in fp8 and those of compressed-tensors run by the same kernels.
    if checkpoint.bits != 8 or checkpoint.method not in ("fp8", "modelopt", "compressed-tensors"):
        return checkpoint.method
    whole = "fp8_tensors" if checkpoint.method == "fp8" and checkpoint.group is None else "fp8"
    scales = "fp8_blocks" if has_square_blocks(checkpoint) else whole
    return scales if report.weights == scales else "fp8"
