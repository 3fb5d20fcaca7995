"""Starts that failed in public reports although the estimate leaves room: warnings, never hidden by a formula."""

from __future__ import annotations

import json
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import get_args

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_reports import StartReport
from llm_d_gke.catalog.schema import Accelerator, Model
from llm_d_gke.planning.engine_support.deployment import default_length
from llm_d_gke.planning.engine_support.option_values import wrong_values
from llm_d_gke.planning.engine_support.options import (
    nested_value,
    object_value,
    option_value,
    option_words,
    split_option,
    unknown_options,
)
from llm_d_gke.planning.engine_support.speculation import CONFIG, SEPARATE, separate_options
from llm_d_gke.planning.engine_support.tpu import attention_ranks
from llm_d_gke.planning.parallelism.sharding import widths
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.sizing.memory import EngineRun
from llm_d_gke.planning.sizing.memory.run import LORA_SLOTS
from llm_d_gke.planning.sizing.offloaded_weights import runs_in_first_runner
from llm_d_gke.planning.sizing.weight_formats import format_of
from llm_d_gke.planning.zones import with_zones
from llm_d_gke.settings.engine import SpeculativeMethod
from llm_d_gke.settings.models import ModelSettings

# Methods of speculative decoding: every one, and those that run layers of a checkpoint (`use_eagle` of vLLM).
_METHODS = {
    "none": ("",),
    "any": get_args(SpeculativeMethod),
    "layers": ("mtp", "eagle", "eagle3", "dflash", "dspark"),
}
_RULES: Mapping[str, str] = {
    "id": "LLMD-START-REPORTED",
    "blockSize": "LLMD-START-REPORTED",
    "extraArgs": "LLMD-ENGINE-CONFLICT",
    "env": "LLMD-ENGINE-CONFLICT",
    "kvCacheDtype": "LLMD-ENGINE-CONFLICT",
    "quantization": "LLMD-ENGINE-CONFLICT",
    "speculativeDecoding": "LLMD-ENGINE-CONFLICT",
}
# Options that reports are about and that settings stand for.
_OPTIONS: Mapping[str, str] = {
    "kvCacheDtype": "--kv-cache-dtype",
    "quantization": "--quantization",
    "reasoningParser": "--reasoning-parser",
    "speculativeDecoding": "--speculative-config",
}
_ALONE = {"kvCacheDtype": "kv_cache_dtype", "quantization": "quantization", "reasoningParser": "reasoning_parser"}
_TYPES = {"half": "float16", "float": "float32"}  # other names of vLLM
_PLAIN_BITS = 16
_BLOCK = 16  # tokens; vLLM's default


def check_start_reports(served: ServedModel) -> None:
    """Findings about reports of starts that ended, or answers that were wrong, in the same circumstances.

    Of a model whose memory is not computed, those that its options, variables and architecture suffice for. Of several
    about one setting, the first that ends an engine stands for all.
    """
    by_subject: dict[tuple[str, object], list[StartReport]] = defaultdict(list)
    for report in _reports_of(served):
        by_subject[_subject(served.settings, report)].append(report)
    for (setting, value), reports in by_subject.items():
        for report in [report for report in reports if report.ends][:1] or reports:
            by_card = report.accelerators or report.by_card
            rule = f"{f'on {served.accelerator.title} ' if by_card else ''}{report.seen} ({report.source})"
            ends, fix = report.ends, with_zones(report.instead, served.ctx.catalog.accelerators, served.ctx.zones)
            if (option := _OPTIONS.get(setting)) is not None:
                fix = fix.replace(f"{option} ", f"{setting}: ").replace(option, setting)
            if setting == "kvOffloadGib":
                served.error("LLMD-KV-OFFLOAD", setting, value=value, rule=rule, fix=fix)
            else:
                served.add_finding(_RULES[setting], setting, certain=ends, value=value, rule=rule, fix=fix)


def ended_starts(served: ServedModel) -> list[StartReport]:
    """The reports of starts that ended, and of nothing else, in the same circumstances."""
    return [report for report in _reports_of(served) if report.ends]


def _reports_of(served: ServedModel) -> Iterator[StartReport]:
    options = _options_of(served.version, _arguments(served.settings))
    for report in load_engine().start_reports.about(served.architecture, served.version, options):
        if all(_alike(served, report)):
            yield report


def _options_of(version: str, arguments: Sequence[str]) -> Set[str]:
    """Options among extra arguments, less those that the parser ends on, whatever goes with them."""
    if not arguments:
        return frozenset()
    names = {split_option(argument)[0].partition(".")[0] for argument in arguments}
    refused = {name for _, name, _ in unknown_options(version, arguments)}
    accepted = names - refused - {wrong.option for wrong in wrong_values(version, arguments)}
    return accepted | {CONFIG} if accepted & SEPARATE else accepted


def _subject(settings: ModelSettings, report: StartReport) -> tuple[str, object]:
    """The setting that a report is about, and the value there."""
    if report.option is not None or report.variable is not None:
        return _argument(settings, report)
    if report.host_blocks and report.ends:
        return "kvOffloadGib", settings.kv_offload_gib
    about_block = report.block is not None or report.except_blocks
    return ("blockSize", settings.block_size) if about_block else ("id", settings.id)


def _argument(settings: ModelSettings, report: StartReport) -> tuple[str, str]:
    """The setting that holds the report's option or variable, and its value."""
    if report.option is None:
        return "env", f"{report.variable}={settings.env[report.variable or '']}"
    for name, option, stated in _stated(settings):
        if report.option in (option, option.partition(".")[0]):
            return name, stated
    has_value = report.values or report.except_values or report.like or report.compares or report.kv_cache is not None
    value = f" {_text(settings, report.option)}" if has_value else ""
    return "extraArgs", f"{report.option}{value}"


def _alike(served: ServedModel, report: StartReport) -> Iterator[bool]:
    """Whether each condition of the report holds; the cheap ones first."""
    settings = served.settings
    yield report.option is None or _is_chosen(served, report)
    yield report.image in (settings.image or "")
    yield report.variable is None or report.variable in settings.env
    yield report.variable is None or _is_on(settings.env[report.variable], report.variable_has)
    yield not report.models or settings.id.startswith(report.models)
    yield report.text is None or report.text == (served.other_kind is None)
    yield not report.accelerators or served.accelerator.name in report.accelerators
    yield from _of_card(served.accelerator, report)
    yield from _of_model(served, report)
    yield from _of_deployment(served, report)
    yield not report.reasoning or settings.reasoning_parser in report.reasoning
    cache = served.kv_cache_dtype or ""
    yield report.kv_cache is None or cache.startswith(report.kv_cache)
    yield report.unless_cache is None or not cache.startswith(report.unless_cache)
    arguments = _arguments(settings) if report.beside or report.unless else ()
    yield all(_is_given(arguments, option) for option in report.beside)
    yield not any(_is_given(arguments, option) for option in report.unless)
    yield report.unless_variable is None or report.unless_variable not in settings.env


def _of_card(accelerator: Accelerator, report: StartReport) -> Iterator[bool]:
    if report.by_card:
        # One that has none is a TPU.
        capability = accelerator.compute_capability or 0.0
        yield capability > 0.0
        yield capability >= report.capability_from
        yield report.capability_below is None or capability < report.capability_below
        if report.capability_outside is not None:
            least, beyond = report.capability_outside
            yield not least <= capability < beyond


def _of_model(served: ServedModel, report: StartReport) -> Iterator[bool]:
    """Whether the model is like the report's. One that is not computed is like those of reports that ask nothing."""
    model = served.model
    if model is None:
        yield report.model_fields_set.isdisjoint(("weights", "trait", "uneven", *_MODEL_FACTS))
        return
    for name in _MODEL_FACTS.keys() & report.model_fields_set:
        yield _MODEL_FACTS[name](served, model) == getattr(report, name)
    yield report.uneven is None or any(
        width // served.parallelism.tensor % report.uneven for width in widths(model, served.parallelism.expert)
    )
    yield report.weights in (None, format_of(model, served.settings, report) or "plain")
    checkpoint = model.quantization
    method = checkpoint.method if checkpoint is not None else ""
    yield (not report.methods or method in report.methods) and method not in report.except_methods
    yield report.trait is None or (checkpoint is not None and report.trait in checkpoint.traits)


def _of_deployment(served: ServedModel, report: StartReport) -> Iterator[bool]:
    for name, fact in _DEPLOYMENT_FACTS.items():
        if name in report.model_fields_set:
            yield fact(served) == getattr(report, name)
    for name, amount in _AMOUNTS.items():
        if name in report.model_fields_set:
            yield amount(served) >= getattr(report, name)
    yield report.most_devices is None or _devices(served) <= report.most_devices
    block = served.settings.block_size
    yield report.block is None or bool((block or 0) % report.block)
    yield not report.except_blocks or (block is not None and block not in report.except_blocks)
    speculation = served.speculation
    method = speculation.method if speculation is not None else ""
    draft = speculation.draft_model if speculation is not None else None
    yield (draft or "").startswith(report.draft)
    yield report.guesses in (None, method) or method in _METHODS.get(report.guesses or "", ())


def _dtype(served: ServedModel, model: Model) -> str:
    dtype = served.settings.dtype or option_value(served.settings.extra_args, "--dtype")
    return model.dtype if dtype in (None, "auto") else _TYPES.get(dtype, dtype)


def _devices(served: ServedModel) -> int:
    return served.parallelism.tensor * served.parallelism.pipeline * served.parallelism.data


def _rank(served: ServedModel) -> int:
    return max((adapter.rank for adapter in served.settings.adapters), default=0)


def _is_on(value: str, part: str) -> bool:
    return part in value if part else value.strip().lower() not in ("", "0", "false")


def _has_uneven_experts(served: ServedModel, model: Model) -> bool:
    devices = served.parallelism.tensor * served.parallelism.data
    return model.experts is not None and served.parallelism.expert and model.experts.count % devices != 0


def _is_given(arguments: Sequence[str], option: str) -> bool:
    name, _, value = option.partition(" ")
    if value:
        return (_value(arguments, name) or "").lower() == value
    if "." in name:
        return _value(arguments, name) is not None
    return name in {split_option(argument)[0].partition(".")[0] for argument in arguments}


def _arguments(settings: ModelSettings) -> tuple[str, ...]:
    """Extra arguments, and those of settings that reports are about."""
    return (*settings.extra_args, *(word for _, option, value in _stated(settings) for word in (option, value)))


def _with_keys(settings: ModelSettings) -> tuple[str, ...]:
    """The arguments, and separate options in the form of an object's keys too."""
    return (*_arguments(settings), *separate_options(settings.extra_args))


def _stated(settings: ModelSettings) -> list[tuple[str, str, str]]:
    """Settings that reports about options are about, the options that they become, and their values."""
    guessing, config = settings.speculative_decoding, _OPTIONS["speculativeDecoding"]
    values = [(name, _OPTIONS[name], getattr(settings, attribute)) for name, attribute in _ALONE.items()]
    if guessing is not None:
        named = {"method": guessing.method, "num_speculative_tokens": guessing.tokens, "model": guessing.draft_model}
        values += [("speculativeDecoding", f"{config}.{key}", value) for key, value in named.items()]
    return [(name, option, str(value)) for name, option, value in values if value is not None]


def _value(arguments: Sequence[str], option: str) -> str | None:
    """The value of an option among the arguments, or of a key of its object. Keys given alone are an object."""
    name, _, key = option.partition(".")
    if key:
        return nested_value(arguments, name, key)
    value = option_value(arguments, name)
    parts = object_value(arguments, name) if value is None else None
    return value if parts is None else json.dumps(parts)


def _text(settings: ModelSettings, option: str) -> str:
    """The option's value, or all of its words."""
    words = option_words(settings.extra_args, option)
    return " ".join(words) if len(words) > 1 else _value(_with_keys(settings), option) or ""


def _is_chosen(served: ServedModel, report: StartReport) -> bool:
    """Whether the report's option is among `extraArgs`, with one of its values."""
    settings, option = served.settings, report.option or ""
    if not _is_given(_with_keys(settings), option):
        return False
    text = _text(settings, option)
    if report.compares and not _compares(served, report, _number(text)):
        return False
    if report.like and not re.fullmatch(report.like, text):
        return False
    value = text.lower().replace("-", "_")
    return (not report.values or value in report.values) and value not in report.except_values


def _compares(served: ServedModel, report: StartReport, number: int | None) -> bool:
    """Whether each comparison of the option's number holds; a value that is no number compares with nothing."""
    if number is None:
        return False
    for bound, holds in ((report.above, operator.gt), (report.below, operator.lt)):
        limit = bound if bound is None or isinstance(bound, int) else _limit(served, bound)
        if bound is not None and not (limit is not None and holds(number, limit)):
            return False
    block = served.settings.block_size or _BLOCK
    if report.other_than == "devices" and number in (1, served.parallelism.tensor):
        return False
    if report.other_than == "block" and number == block:
        return False
    if report.cuts_block and (number == 0 or block % number == 0):
        return False
    return report.multiple is None or number % report.multiple != 0


def _limit(served: ServedModel, bound: str) -> int | None:
    """What an option's number is compared with, None where it is not known. `bound` may be another option."""
    settings = served.settings
    if bound == "length":
        computed = default_length(served.model, served.version) if served.model is not None else None
        return computed if settings.max_model_len is None else settings.max_model_len
    if bound == "sequences":
        return settings.max_num_seqs
    if bound == "adapters":
        return min(len(settings.adapters), LORA_SLOTS)
    return _rank(served) if bound == "rank" else _number(_value(_with_keys(settings), bound) or "") or None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _has_uneven_heads(model: Model) -> bool:
    sizes = {group.head_dim or model.head_dim for group in model.attention if group.kind != "mla"}
    return any(size & (size - 1) for size in sizes)


def _has_lone_heads(served: ServedModel, model: Model) -> bool:
    heads = [group.kv_heads or model.kv_heads for group in model.attention if group.kind not in ("none", "mla")]
    return bool(heads) and max(heads) <= served.parallelism.tensor


def _has_modelopt_head(model: Model) -> bool:
    checkpoint = model.quantization
    if checkpoint is None or checkpoint.method != "modelopt":
        return False
    return checkpoint.parts.get("lm_head", _PLAIN_BITS) < _PLAIN_BITS


# Conditions that hold where the model or its deployment has the stated value.
_MODEL_FACTS: Mapping[str, Callable[[ServedModel, Model], object]] = {
    "experts": lambda _, model: model.experts is not None,
    "recurrent": lambda _, model: model.recurrent,
    "media": lambda _, model: model.vision_language,
    "attention_ranks": lambda served, model: attention_ranks(served.deployment(model)) > 1,
    "latent": lambda _, model: model.mla is not None,
    "uneven_heads": lambda _, model: _has_uneven_heads(model),
    "sparse": lambda _, model: any(group.sparse_latent for group in model.attention),
    "windows": lambda _, model: "sliding" in model.attention_kinds,
    "lone_head": _has_lone_heads,
    "shared_keys": lambda _, model: any(group.kv_shared for group in model.attention),
    "stored": lambda _, model: model.quantization is not None,
    "modelopt_head": lambda _, model: _has_modelopt_head(model),
    "dtype": _dtype,
    "uneven_experts": _has_uneven_experts,
    "first_runner": runs_in_first_runner,
}
_DEPLOYMENT_FACTS: Mapping[str, Callable[[ServedModel], object]] = {
    "adapters": lambda served: bool(served.settings.adapters),
    "hub": lambda served: served.settings.source.kind == "hugging-face",
    "disaggregated": lambda served: served.ctx.transfers_kv_cache,
    "ranks": lambda served: served.parallelism.data > 1,
    "expert_parallel": lambda served: served.parallelism.expert,
    "host_blocks": lambda served: served.settings.kv_offload_gib is not None,
    "connector": lambda served: served.settings.kv_offload_gib is not None or served.ctx.transfers_kv_cache,
    "prefixes": lambda served: served.settings.prefix_caching,
    "backend": lambda served: served.attention_backend,
}
# Conditions that hold from the stated number on.
_AMOUNTS: Mapping[str, Callable[[ServedModel], float]] = {
    "devices": _devices,
    "tensor": lambda served: served.parallelism.tensor,
    "stages": lambda served: served.parallelism.pipeline,
    "rank": _rank,
    "guessed": lambda served: served.speculation.tokens if served.speculation is not None else 0,
    "share": lambda served: served.settings.gpu_memory_utilization or 0.0,
}


def check_field_reports(served: ServedModel, run: EngineRun) -> None:
    """Warn if a report exists of a failed start with the same model, accelerator, version and share of memory."""
    engine = load_engine()
    for report in engine.field_reports:
        same = report.model == run.model.id and report.accelerator == served.accelerator.name
        if same and report.since <= engine.band(run.version).since < report.before:
            if run.utilization < report.utilization or run.max_num_seqs < report.sequences:
                continue
            served.warning(
                "LLMD-MEMORY-REPORTED",
                "gpuMemoryUtilization",
                value=run.utilization,
                seen=report.seen,
                citation=engine.sources[report.source].citation,
                instead=report.instead,
            )
