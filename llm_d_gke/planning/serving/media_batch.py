"""Multimodal models that cannot split an image or video over batches, and batches too small for one."""

from __future__ import annotations

from collections.abc import Sequence

from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.engine_support.media import takes_no
from llm_d_gke.planning.engine_support.options import long_form, option_value
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.sizing.memory_check import run_of

# 32 frames of 70 tokens, with 8 around each (vllm/model_executor/models/gemma4_mm.py).
_GEMMA_4 = ("Gemma4ForConditionalGeneration", "Gemma4UnifiedForConditionalGeneration")
_VIDEO_TOKENS = 2496
# vLLM refuses a smaller batch for Gemma 4 since 0.20 (pull request 40534), and its own batch is large enough since 0.22
# (43051). Platforms of GPUs force what the option asks for; that of TPUs only advises it.
_WHOLE_SINCE, _ENOUGH_SINCE = "0.20", "0.22"
# The largest image of preprocessor_config.json: 12845056 pixels of 28 x 28 to a token, or 16777216 of 32 x 32.
_LARGE_IMAGES, _IMAGE_TOKENS = ("Qwen2VL", "Qwen2_5_VL", "Qwen3VL", "Qwen3_5"), 16384
# compute_mm_encoder_budget of vllm/v1/core/encoder_cache_manager.py, 0.20.2 to 0.32.0.
_UNCUT = "--disable-chunked-mm-input"


def check_media_batch(served: ServedModel, model: Model) -> None:
    """Refuse a batch that does not hold a whole video of Gemma 4's larger models, or what an option leaves uncut.

    They process an image or a video whole; the small ones, with embeddings per layer, take it in parts.
    """
    settings, run = served.settings, run_of(served)
    if run is None or not model.vision_language:
        return
    uncut = _UNCUT in map(long_form, settings.extra_args)
    larger = model.architecture in _GEMMA_4 and model.per_layer is None
    forced = larger and served.accelerator.kind == "gpu" and served.has(_WHOLE_SINCE)
    if (forced or (uncut and model.architecture in _GEMMA_4)) and not takes_no("video", settings.extra_args):
        item, tokens, always = "a video", _VIDEO_TOKENS, larger and served.has(_ENOUGH_SINCE)
    elif uncut and _has_large_images(model, settings.extra_args):
        item, tokens, always = "an image", _IMAGE_TOKENS, False
    else:
        return
    stated = settings.max_num_batched_tokens or option_value(settings.extra_args, "--max-num-batched-tokens")
    # On TPUs the larger ones ran with the batch that their versions take by themselves (tpu-recipes, April 2026). E2B
    # ended (xbill9/gemma4-dev, tpu-vllm-v5e1-2b, August 2026).
    always = always or (larger and served.accelerator.kind == "tpu")
    if run.max_num_batched_tokens >= tokens or (stated is None and always):
        return
    default_note = (
        "" if stated is not None else f", which is what vLLM {run.version} takes on {served.accelerator.title}"
    )
    served.error(
        "LLMD-BATCH-MEDIA",
        "maxNumBatchedTokens",
        value=str(run.max_num_batched_tokens),
        item=item,
        tokens=tokens,
        default_note=default_note,
    )


def _has_large_images(model: Model, arguments: Sequence[str]) -> bool:
    return (
        model.architecture.startswith(_LARGE_IMAGES)
        and not takes_no("image", arguments)
        and not any(argument.startswith("--mm-processor-kwargs") for argument in arguments)
    )
