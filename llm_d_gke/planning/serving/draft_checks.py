"""Draft and target models of speculative decoding whose vocabularies, images or caches are incompatible."""

from __future__ import annotations

import re

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.parameters import count_parameters
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.settings.engine import SpeculativeDecoding

# `_raise_if_multimodal` in v1/spec_decode/eagle.py of 0.17.1 and 0.19.1; 0.26.0 warns and guesses from the text.
_IMAGES_SINCE, _IMAGES_READ = "0.26", "0.20"
# Text models of the catalog end in ForCausalLM.
_MULTIMODAL = "ForConditionalGeneration"
# Models whose positions have three coordinates (`uses_mrope`): `_raise_if_mrope` in v1/spec_decode of 0.17.1 to 0.32.0
# (vllm-project/vllm pull request 35714, closed).
_THREE_COORDINATES, _COORDINATES_READ = re.compile(r"/(Qwen3\.[568]-|Qwen(2|2\.5|3)-VL|GLM-4\.[156]V)"), "0.17"
# The assistant is a text model with heads of 512, for which an fp8 cache leaves FlashInfer alone on Hopper, whose
# builder refuses windows: vllm-project/vllm issues 48495 and 48848, and 0.26.0's v1/attention/backends/flashinfer.py.
_ASSISTED, _HOPPER, _ASSISTANT_FP8 = "Gemma4", 9.0, ("0.25", "0.30")
# `_get_v2_model_runner_unsupported_features` in config/vllm.py of 0.22.1 to 0.33.0: without the variable vLLM takes
# the first runner for a method that V2 lacks, with it vLLM ends. Versions before have no such check.
_MODEL_RUNNER_V2, _MODEL_RUNNER_V2_READ = "VLLM_USE_V2_MODEL_RUNNER", "0.22"


def check_draft(served: ServedModel, model: Model, speculation: SpeculativeDecoding) -> None:
    """Findings about what guesses, for this model and accelerator."""
    _check_draft_model(served, model, speculation)
    _check_model_runner(served, speculation)
    _check_assistant_cache(served, model, speculation)


def _check_draft_model(served: ServedModel, model: Model, speculation: SpeculativeDecoding) -> None:
    if speculation.method != "draft_model":
        return
    draft = served.ctx.catalog.models.get(speculation.draft_model or "")
    if draft is not None and draft.vocabulary != model.vocabulary:
        # SpeculativeConfig.verify_equal_vocab_size_if_draft_model of 0.17.1 to 0.30.0.
        served.error(
            "LLMD-SPECULATION-TARGET",
            "speculativeDecoding",
            "draftModel",
            case="vocabulary",
            draft_vocabulary=draft.vocabulary,
            vocabulary=model.vocabulary,
        )
    elif draft is not None and count_parameters(draft).total >= count_parameters(model).total:
        served.warning("LLMD-SPECULATION-TARGET", "speculativeDecoding", "draftModel", case="not-smaller")
    if _THREE_COORDINATES.search(speculation.draft_model or ""):
        served.add_finding(
            "LLMD-SPECULATION-TARGET",
            "speculativeDecoding",
            "draftModel",
            certain=served.has(_COORDINATES_READ),
            rule=f"the positions of {speculation.draft_model} have three coordinates, and vLLM {served.version} ends:"
            " Speculative Decoding with draft models or parallel drafting does not support M-RoPE yet",
            fix="use method: mtp, the checkpoint's own prediction layers, or method: ngram"
            if model.draft is not None
            else "use a draft model for text alone, or method: ngram",
        )
    if model.architecture.endswith(_MULTIMODAL) and not served.has(_IMAGES_SINCE):
        served.add_finding(
            "LLMD-SPECULATION-TARGET",
            "speculativeDecoding",
            "method",
            case="images",
            certain=not served.has(_IMAGES_READ),
        )


def _check_model_runner(served: ServedModel, speculation: SpeculativeDecoding) -> None:
    asked_for = served.settings.env.get(_MODEL_RUNNER_V2) == "1"
    lacks = not load_engine().model_runner_v2_guesses(served.version, speculation.method)
    if asked_for and lacks and served.has(_MODEL_RUNNER_V2_READ):
        served.error("LLMD-SPECULATION-TARGET", "speculativeDecoding", "method", case="model-runner")


def _check_assistant_cache(served: ServedModel, model: Model, speculation: SpeculativeDecoding) -> None:
    accelerator, cache = served.accelerator, served.kv_cache_dtype or ""
    first, last = _ASSISTANT_FP8
    if (
        speculation.method == "mtp"
        and model.architecture.startswith(_ASSISTED)
        and cache.startswith("fp8")
        and accelerator.compute_capability == _HOPPER
        and served.has(first)
        and not served.has(last)
    ):
        served.error("LLMD-SPECULATION-TARGET", "speculativeDecoding", "draftModel", case="assistant-cache")
