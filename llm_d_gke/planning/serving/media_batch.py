"""Multimodal models that cannot split an image or video over batches, and batches too small for one."""

from __future__ import annotations

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.engine_support.media import takes_no
from llm_d_gke.planning.engine_support.options import option_value
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.sizing.memory_check import run_of

# 32 frames of 70 tokens, with 8 around each (vllm/model_executor/models/gemma4_mm.py).
_VIDEO_TOKENS = 2496
# vLLM refuses a smaller batch for Gemma 4 since 0.20 (pull request 40534), and its own batch is large enough since 0.22
# (43051).
_WHOLE_SINCE, _ENOUGH_SINCE = "0.20", "0.22"


def check_media_batch(served: ServedModel, model: Model) -> None:
    """Refuse a batch that does not hold a whole video of Gemma 4's larger models.

    They process an image or a video whole; the small ones, with embeddings per layer, take it in parts.
    """
    settings = served.settings
    whole = model.architecture == "Gemma4ForConditionalGeneration" and model.vision_language and model.per_layer is None
    if not whole or served.accelerator.kind != "gpu" or takes_no("video", settings.extra_args):
        return
    run = run_of(served)
    if run is None or run.max_num_batched_tokens >= _VIDEO_TOKENS or not load_engine().has(run.version, _WHOLE_SINCE):
        return
    stated = settings.max_num_batched_tokens or option_value(settings.extra_args, "--max-num-batched-tokens")
    if stated is None and load_engine().has(run.version, _ENOUGH_SINCE):
        return
    default_note = (
        "" if stated is not None else f", which is what vLLM {run.version} takes on {served.accelerator.title}"
    )
    served.error(
        "LLMD-BATCH-MEDIA",
        "maxNumBatchedTokens",
        value=str(run.max_num_batched_tokens),
        video_tokens=_VIDEO_TOKENS,
        default_note=default_note,
    )
