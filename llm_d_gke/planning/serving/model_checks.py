"""Checks the combination of vLLM, model and accelerator. Pure functions; each rule has its source."""

from __future__ import annotations

import re

from llm_d_gke.catalog.config_outline import Outline
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.engine_support.context_length import LONGER, outer_context, with_stretched_context
from llm_d_gke.planning.engine_support.deployment import default_length
from llm_d_gke.planning.engine_support.options import long_form, object_value, option_value
from llm_d_gke.planning.engine_support.tpu import shares_heads
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.planning.plan.estimates import MemoryVerdict
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.backend_tls import check_engine_arguments
from llm_d_gke.planning.serving.cache_checks import check_cache_dtype
from llm_d_gke.planning.serving.custom_models import copy_of_config
from llm_d_gke.planning.serving.engine_checks import check_engine
from llm_d_gke.planning.serving.media_batch import check_media_batch
from llm_d_gke.planning.serving.parallelism_checks import check_parallelism
from llm_d_gke.planning.serving.sharding_checks import check_sharding
from llm_d_gke.planning.sizing.known_failures import check_start_reports
from llm_d_gke.planning.sizing.memory_check import check_memory, target_run_of
from llm_d_gke.planning.sizing.other_hardware import cheapest_hardware
from llm_d_gke.planning.suggest import nearest_model
from llm_d_gke.settings.models import HuggingFaceSource
from llm_d_gke.wording import count

# Parts of keys whose values may stretch positions.
_OF_POSITIONS = ("rope", "config", "position", "len")
_YARN_MULTIPLIES = "0.26"  # vLLM's version
# `max_num_new_slots_for_drafting` is in vllm/config/speculative.py of the published 0.17.1 to 0.30.0.
_DRAFT_SLOTS_SINCE = "0.17"
# What Git and web pages show of a commit: 7 to 12 of its digits.
_SHORT_COMMIT = re.compile(r"(?=.*[0-9])[0-9a-f]{7,12}")


def check_model(served: ServedModel) -> MemoryVerdict | None:
    """Findings about one model, and how it uses the memory of its accelerators.

    A model the catalog does not know gets the checks that need no figures of it, and no verdict.
    """
    model = served.model
    pattern_of(served.ctx.settings).check_model(served)
    check_parallelism(served)
    check_cache_dtype(served)
    check_engine_arguments(served)
    _check_batch(served)
    _check_revision(served)
    starts = check_engine(served)
    if starts:
        _check_quantization(served)
    if model is None:
        _check_unknown_model(served)
        if served.outline is not None:
            _check_outline(served, served.outline)
        check_start_reports(served)
        return None
    _check_spelling(served, model)
    _check_length(served, model)
    _check_default_length(served, model)
    if _check_heads(served, model):
        check_sharding(served, model)
    _check_token(served, model)
    check_media_batch(served, model)
    # An engine that does not start takes no memory to judge.
    return check_memory(served) if starts else None


def _check_outline(served: ServedModel, outline: Outline) -> None:
    """What a configuration says whose memory is not computed."""
    if outline.heads is not None:
        _check_division(served, outline.heads)
    overrides = object_value(served.settings.extra_args, "--hf-overrides") or {}
    stretches = any(part in key for key in overrides for part in _OF_POSITIONS) or any(
        long_form(text).startswith("--rope-") for text in served.settings.extra_args
    )
    if outline.longest is not None and not stretches:
        _refuse_longer(served, outline.longest, "states")


def _check_unknown_model(served: ServedModel) -> None:
    """Say why nothing is known of a model, and how that changes."""
    settings, ctx = served.settings, served.ctx
    if _report_other_kind(served):
        return
    if "/" not in settings.id and settings.source.kind == "hugging-face":
        same = [name for name in ctx.catalog.models if name.rpartition("/")[2].lower() == settings.id.lower()]
        close = next(iter(same), nearest_model(settings.id, ctx.catalog.models, 0.6))
        served.error("LLMD-MODEL-ORGANIZATION", "id", case="similar" if close else "unlike", close=close)
        return
    # What is wrong with a given configuration is reported already.
    if settings.config is not None or _report_other_weights(served):
        return
    close_id = nearest_model(settings.id, ctx.catalog.models, 0.85)
    question = f"did you mean {close_id}? Otherwise " if close_id else ""
    served.warning(
        "LLMD-MODEL-UNKNOWN",
        "id",
        fix=question
        + (copy_of_config(settings) or "set config to the path of its config.json or to hub")
        + ", or add it to llm_d_gke/catalog/models.yaml",
    )


def _check_spelling(served: ServedModel, model: Model) -> None:
    settings = served.settings
    if settings.id != model.id and settings.source.kind == "hugging-face" and settings.config is None:
        served.warning("LLMD-MODEL-CASE", "id")


# Formats of weights by the ends and owners that publishers give such repositories.
_FORMATS = re.compile(r"(?i)[-_.](gguf|mlx|onnx|openvino|coreml|exl2|exl3|litert|tflite)([-_.]|$)")
_OWNERS = {"mlx-community": "MLX", "onnx-community": "ONNX", "lmstudio-community": "GGUF or MLX"}


def _report_other_weights(served: ServedModel) -> bool:
    """Warn where the repository's name says that it holds weights for other programs. Returns whether it does."""
    settings = served.settings
    if settings.source.kind != "hugging-face":
        return False
    owner, _, name = settings.id.partition("/")
    match = _FORMATS.search(name)
    form = match[1].upper() if match else _OWNERS.get(owner)
    if form is None:
        return False
    original = nearest_model(_FORMATS.sub("", name), served.ctx.catalog.models, 0.75)
    served.warning("LLMD-MODEL-FORMAT", "id", case="original" if original else "unlike", form=form, original=original)
    return True


def _report_other_kind(served: ServedModel) -> bool:
    """Report a model of another kind. Returns whether it is one."""
    family = served.other_kind
    if family is None:
        return False
    served.add_finding("LLMD-MODEL-KIND", "id", case=family.kind, certain=family.kind == "service")
    if family.kind == "vectors" and not served.ctx.picker.takes("/v1/embeddings"):
        served.ctx.warning("LLMD-ROUTE-PICKER", "release", case="embeddings")
    return True


def _check_batch(served: ServedModel) -> None:
    settings, model = served.settings, served.model
    sequences, tokens = settings.max_num_seqs, settings.max_num_batched_tokens
    stated = option_value(settings.extra_args, "--max-num-batched-tokens") or ""
    tokens = int(stated) if stated.isdecimal() else tokens
    if sequences is not None and tokens is not None and tokens < sequences:
        served.error(
            "LLMD-BATCH-SEQUENCES",
            "maxNumBatchedTokens",
            case="batch",
            value=tokens,
            sequences=sequences,
            batch=max(2048, sequences),
        )
        return
    speculation = served.speculation
    if speculation is None or model is None:
        return
    run = target_run_of(served)
    needed = run.max_num_seqs * (speculation.tokens + 1) if run is not None else 0
    if run is not None and settings.adapters and run.max_num_batched_tokens < needed:
        served.error(
            "LLMD-BATCH-SEQUENCES",
            "maxNumBatchedTokens",
            case="adapters",
            value=run.max_num_batched_tokens if tokens else f"(by default, {run.max_num_batched_tokens})",
            tokens=speculation.tokens + 1,
            sequences=run.max_num_seqs,
            needed=needed,
            fewer=max(1, run.max_num_batched_tokens // (speculation.tokens + 1)),
        )
        return
    if speculation.method != "draft_model" or tokens is None:
        return
    if run is not None and load_engine().has(run.version, _DRAFT_SLOTS_SINCE) and tokens <= run.max_num_seqs:
        served.error(
            "LLMD-BATCH-SEQUENCES",
            "maxNumBatchedTokens",
            case="draft-model",
            value=tokens,
            sequences=run.max_num_seqs,
            version=run.version,
            batch=max(2048, 2 * run.max_num_seqs),
            fewer=max(1, tokens // 2),
        )


def _check_revision(served: ServedModel) -> None:
    source = served.settings.source
    if isinstance(source, HuggingFaceSource) and _SHORT_COMMIT.fullmatch(source.revision or ""):
        served.warning("LLMD-REVISION-SHORT", "source", "revision", model=served.settings.id)


def _check_length(served: ServedModel, model: Model) -> None:
    arguments, own = served.settings.extra_args, served.ctx.catalog.find_model(served.settings.id) or model
    context = with_stretched_context(model, arguments, served.version).context
    trained = context == model.context
    # By YaRN, as versions before 0.30 multiply its factor.
    longer = with_stretched_context(own, arguments, _YARN_MULTIPLIES).context
    outside = outer_context(model, arguments, served.version) or 0
    if outside > context:
        fix = f"use {context} or less, or put the keys of --hf-overrides inside of text_config, where vLLM reads them"
        _refuse_longer(served, context, "was trained for" if trained else "takes", fix)
    elif longer > context:
        fix = f"use {context} or less, or set max_position_embeddings: {longer} beside YaRN's factor"
        _refuse_longer(served, context, "states, and vLLM multiplies that by no factor of YaRN since 0.30,", fix)
    else:
        _refuse_longer(served, context, "was trained for" if trained else "takes, as extraArgs stretch its positions,")


def _refuse_longer(served: ServedModel, context: int, limit: str, fix: str | None = None) -> None:
    settings = served.settings
    if settings.max_model_len is None or settings.max_model_len <= context:
        return
    forced = settings.env.get(LONGER, "").lower() in ("1", "true")
    then = (
        f"{LONGER} lets vLLM start, and answers to longer requests may be nonsense" if forced else "vLLM refuses more"
    )
    texts = {"limit": limit, "context": context, "then": then} | ({"fix": fix} if fix is not None else {})
    served.add_finding("LLMD-CONTEXT-LENGTH", "maxModelLen", certain=not forced, **texts)


def _check_default_length(served: ServedModel, model: Model) -> None:
    settings = served.settings
    if settings.max_model_len is not None or option_value(settings.extra_args, "--max-model-len") is not None:
        return
    version = served.version
    length = default_length(model, version)
    if length < model.context:
        served.warning(
            "LLMD-CONTEXT-LONGROPE",
            "maxModelLen",
            value=f"(by default, {length})",
            context=model.context,
            length=length,
        )


def _check_division(served: ServedModel, heads: int) -> bool:
    tensor_parallel = served.parallelism.tensor
    if heads % tensor_parallel == 0:
        return True
    # Another size than all chips of a TPU slice is refused already.
    chips_of_slice = served.ctx.chips * served.accelerator.devices_per_chip
    if served.accelerator.kind == "gpu" or tensor_parallel == chips_of_slice:
        served.error("LLMD-TP-DIVIDES", "tensorParallel", attention_heads=heads)
    return False


def _check_heads(served: ServedModel, model: Model) -> bool:
    """vLLM config/model.py `verify_with_parallel_config`; on TPU replicated key-value heads work for few models.

    Returns whether the heads can be shared.
    """
    tensor_parallel = served.parallelism.tensor
    if not _check_division(served, model.attention_heads):
        return False
    if served.accelerator.kind == "tpu":
        divides = shares_heads(model, served.version, tensor_parallel)
    else:
        # On GPUs every rank may hold a copy.
        divides = model.mla is not None or 0 in (model.kv_heads % tensor_parallel, tensor_parallel % model.kv_heads)
    if divides:
        return True
    chips = "TPU chips" if served.accelerator.kind == "tpu" else "GPUs"
    heads = count(model.kv_heads, "key-value head")
    names = [
        other.id
        for other in served.ctx.catalog.models.values()
        if other.tpu_tested is not None and tensor_parallel in other.tpu_tested
    ]
    fewer = [n for n in (1, 2, 4, 8) if n < tensor_parallel and model.kv_heads % n == 0]
    if served.accelerator.kind == "tpu":
        fix = f"use {count(fewer[-1], 'chip')}" if fewer else "use fewer chips"
        fix += f", or a model with {tensor_parallel} or more key-value heads"
        fix += f": {' and '.join(names[:2])} are known to run" if names else ""
    else:
        fix = f"use a tensorParallel that divides {model.kv_heads}, or a multiple of it"
    served.error(
        "LLMD-TP-KV-HEADS",
        "tensorParallel",
        rule=f"{model.id} has {heads}; {tensor_parallel} {chips} cannot share "
        + ("it" if model.kv_heads == 1 else "them")
        + (
            f" (needs a multiple of {tensor_parallel}, or a model tested with replicated heads)"
            if served.accelerator.kind == "tpu"
            else ""
        ),
        fix=fix,
    )
    return False


def _check_token(served: ServedModel, model: Model) -> None:
    token = served.ctx.settings.hugging_face
    has_token = token.token or token.existing_secret or token.secret_manager_secret
    if model.gated and served.settings.source.kind == "hugging-face" and not has_token:
        served.ctx.error("LLMD-GATED-TOKEN", "huggingFace.token", model=model.id)


def _check_quantization(served: ServedModel) -> None:
    """A format for which the accelerator has no hardware support (vLLM documentation, "Quantization")."""
    settings, model = served.settings, served.model
    capability = served.accelerator.compute_capability
    if capability is None:
        return
    own = model.quantization.method if model is not None and model.quantization is not None else None
    method = settings.quantization or own
    path = "quantization" if settings.quantization else "id"
    value = settings.quantization or settings.id
    if method == "fp8" and not served.accelerator.fp8:
        run = target_run_of(served)
        other = None if run is None else cheapest_hardware(served, run, target_run_of, lambda card: card.fp8)
        served.warning(
            "LLMD-QUANTIZATION-FP8",
            path,
            value=value,
            fix=(f"use {other}, or " if other is not None else "") + "expect less memory but no speedup",
        )
