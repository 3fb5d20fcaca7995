"""Speculative decoding: methods that the engine's version, the model, or the layout of the replica does not have."""

from __future__ import annotations

from llm_d_gke.catalog.engine_tables import facts_of
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.draft_checks import check_draft
from llm_d_gke.planning.serving.unknown_names import has_name
from llm_d_gke.planning.suggest import did_you_mean
from llm_d_gke.settings.engine import SpeculativeDecoding

# vllm/config/speculative.py of 0.11.2 and 0.13.0 raises NotImplementedError; a build of 0.14 loads one.
_DRAFT_MODELS_SINCE = "0.14"
# Gemma 4 has its prediction layers in a repository of their own, which method mtp loads: vllm-project/vllm pull request
# 41745, seen running with 0.21.0. Mixtures of experts take the first model runner up to 0.28.
_ASSISTED, _ASSISTANT = "Gemma4", "-assistant"
_ASSISTANTS_SINCE, _MODEL_RUNNER_V2_SINCE = "0.21", "0.29"
# Pull request 50514, on main by 7 September 2026 (pull request 55623).
_EAGLE3_PIPELINES_SINCE = "0.30"
# runner/tpu_runner.py (_init_speculative_decoding) of tpu-inference 0.19.0, 0.26.0 and of 22 August 2026.
_TPU_METHODS = {"ngram": "0", "eagle3": "0", "eagle": "0.20", "mtp": "0.20"}


def check_speculation(served: ServedModel) -> None:
    settings, model = served.settings, served.model
    speculation = served.speculation
    if speculation is None:
        return
    if not _check_method(served, speculation):
        return
    if model is not None and model.architecture.startswith(_ASSISTED):
        _check_assistant(served, model, speculation)
    else:
        _check_layers(served, speculation)
    _check_pipeline(served, speculation)
    if model is not None:
        check_draft(served, model, speculation)
    path = "speculativeDecoding"
    if served.accelerator.kind == "tpu":
        served.warning("LLMD-SPECULATION-TPU", path)
    if speculation.draft_model is not None and settings.source.kind != "hugging-face":
        served.error("LLMD-SPECULATION-OFFLINE", path, "draftModel", source=settings.source.kind)


def _check_method(served: ServedModel, speculation: SpeculativeDecoding) -> bool:
    """Whether the version may have the method."""
    path = ("speculativeDecoding", "method")
    has = has_name(served, *path, value=speculation.method, names="speculative_methods")
    if has is None:
        return True
    if not has:
        methods = sorted({name for facts in facts_of(served.version) for name in facts.speculative_methods})
        served.error(
            "LLMD-SPECULATION-METHOD",
            *path,
            rule=f"vLLM {served.version} does not know this method",
            fix=did_you_mean(speculation.method, methods),
        )
    elif served.accelerator.kind == "tpu" and not _runs_on_tpus(served, speculation.method):
        served.error("LLMD-SPECULATION-METHOD", *path, case="tpu")
    elif speculation.method == "draft_model" and not served.has(_DRAFT_MODELS_SINCE):
        served.error("LLMD-SPECULATION-METHOD", *path, case="draft-models", value="draft_model")
    else:
        return True
    return False


def _runs_on_tpus(served: ServedModel, method: str) -> bool:
    since = _TPU_METHODS.get(method)
    return since is not None and served.has(since)


def _check_layers(served: ServedModel, speculation: SpeculativeDecoding) -> None:
    """Method mtp, of models whose checkpoint has the prediction layers."""
    model = served.model
    if speculation.method != "mtp":
        return
    path = "speculativeDecoding"
    if speculation.draft_model is not None and model is not None:
        served.error("LLMD-SPECULATION-DRAFT", path, "draftModel", case="own-layers")
    elif _lacks_layers(served, model):
        served.error("LLMD-SPECULATION-METHOD", path, "method", case="no-layers")


def _lacks_layers(served: ServedModel, model: Model | None) -> bool:
    """Whether no layers predict tokens. Of models that are not computed, by the types that vLLM has drafts for."""
    if model is not None:
        return model.draft is None
    outline = served.outline
    if outline is None or outline.states_draft or not outline.model_type:
        return False
    # DeepSeek V3 and its descendants state their layers; others may not.
    methods = {name for facts in facts_of(served.version) for name in facts.speculative_methods}
    families = [name.removesuffix("_mtp") for name in methods - {"deepseek_mtp"} if name.endswith("_mtp")]
    return (
        served.speculation is not None
        and served.speculation.draft_model is None
        and not any(outline.model_type.startswith(family) for family in families)
    )


def _check_assistant(served: ServedModel, model: Model, speculation: SpeculativeDecoding) -> None:
    """Gemma 4, whose prediction layers are in a repository of their own."""
    path = "speculativeDecoding"
    draft = speculation.draft_model
    if speculation.method == "draft_model" and draft is not None and draft.endswith(_ASSISTANT):
        served.error("LLMD-SPECULATION-METHOD", path, "method", case="assistant-as-draft", draft=draft)
    if speculation.method != "mtp":
        return
    if draft is None:
        served.error("LLMD-SPECULATION-DRAFT", path, "draftModel", case="no-assistant")
    elif not served.has(_ASSISTANTS_SINCE):
        served.error("LLMD-SPECULATION-METHOD", path, "method", case="assistant-early")
    else:
        target = served.ctx.catalog.find_model(draft.removesuffix(_ASSISTANT))
        if target is not None and target.hidden != model.hidden:
            served.error("LLMD-SPECULATION-DRAFT", path, "draftModel", case="other-assistant", width=target.hidden)


def _check_pipeline(served: ServedModel, speculation: SpeculativeDecoding) -> None:
    """Only the last stage has what guesses, and in the first model runner every stage reaches for it."""
    if served.settings.pipeline_parallel == 1:
        return
    version = served.version
    if speculation.method == "eagle3" and served.has(_EAGLE3_PIPELINES_SINCE):
        return
    certain = not served.has(_MODEL_RUNNER_V2_SINCE)
    served.add_finding(
        "LLMD-SPECULATION-PIPELINE",
        "speculativeDecoding",
        certain=certain,
        value=speculation.method,
        rule=f"with pipelineParallel: {served.settings.pipeline_parallel} vLLM {version}"
        + (
            " ends: only the last stage has what guesses (vllm-project/vllm issues 30436, 49355 and 52069)"
            if certain
            else " is not known to run it: reports of earlier versions end (vllm-project/vllm issues 49355 and 57755)"
        ),
    )
