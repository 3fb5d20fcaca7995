"""The memory verdict of one model of a stack, as findings: refused is an error, marginal a warning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.schema import Attention, Model
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.engine_support.context_length import with_stretched_context
from llm_d_gke.planning.engine_support.deployment import default_dtype
from llm_d_gke.planning.engine_support.media import has_whole_tower, is_off, is_text_only, most_pixels
from llm_d_gke.planning.engine_support.options import option_value
from llm_d_gke.planning.engine_support.tpu import expands_latent_attention
from llm_d_gke.planning.parallelism.sharding import shares
from llm_d_gke.planning.plan.estimates import Limit, MemoryVerdict
from llm_d_gke.planning.served_model import ServedModel, once
from llm_d_gke.planning.sizing.known_failures import check_field_reports, check_start_reports
from llm_d_gke.planning.sizing.memory import EngineOptions, EngineRun, engine_run, judge
from llm_d_gke.planning.sizing.memory.judge import unconverted_gib
from llm_d_gke.planning.sizing.memory.remedies import Remedy, remedies
from llm_d_gke.planning.sizing.memory.run import LORA_SLOTS
from llm_d_gke.planning.sizing.offloaded_weights import chosen_runner, offload_without_effect, offloaded_gib
from llm_d_gke.planning.sizing.other_hardware import Node, cheapest_hardware, on_node, serves, size_text
from llm_d_gke.planning.sizing.slices import larger_slice
from llm_d_gke.planning.sizing.speculation import Speculation, speculation_arguments, speculation_of
from llm_d_gke.settings.models import ModelSettings

_WINDOWED = ("sliding", "chunked")

# tpu_inference/envs.py and utils.py of 0.18.0 to 0.27.0: the type that experts get as they are loaded, whatever theirs
# is in the checkpoint.
_EXPERTS_TYPE = "MOE_REQUANTIZE_WEIGHT_DTYPE"
_EXPERTS_BITS = {"fp4": 4, "float4_e2m1fn": 4, "int4": 4, "fp8": 8, "fp8_e4m3": 8, "float8_e4m3fn": 8, "int8": 8}
# Rule and setting by what runs out.
_RULES: Mapping[Limit, str] = {
    "loading": "LLMD-MEMORY-LOADING",
    "weights": "LLMD-MEMORY-WEIGHTS",
    "kv-cache": "LLMD-MEMORY-KV-CACHE",
    "warm-up": "LLMD-MEMORY-WARM-UP",
    "states": "LLMD-MEMORY-STATES",
}
_SETTINGS: Mapping[Limit, str] = {
    "loading": "quantization",
    "weights": "id",
    "kv-cache": "maxModelLen",
    "warm-up": "gpuMemoryUtilization",
    "states": "maxNumSeqs",
}
# Arguments among `extraArgs` that change memory; argparse takes the last one given.
_NUMBERS = (
    "max-model-len",
    "max-num-seqs",
    "max-num-batched-tokens",
    "block-size",
    "pipeline-parallel-size",
    "decode-context-parallel-size",
    "kv-cache-memory-bytes",
)


def check_memory(served: ServedModel) -> MemoryVerdict | None:
    """Judge one model's memory and say what is wrong with it.

    None, without an error, when model or accelerator lack the figures; for the accelerator with a warning.
    """
    model, ctx = served.model, served.ctx
    if model is None:
        return None
    check_start_reports(served)
    run = run_of(served)
    if run is None:
        _warn_unchecked(served, model)
        return None
    verdict = judge(run)
    if verdict.status == "fits":
        check_field_reports(served, run)
        return verdict
    helps = [
        replace(remedy, value=str(min(int(remedy.value), model.context))) if remedy.setting == "maxModelLen" else remedy
        for remedy in remedies(run, _larger_tensor_parallel(ctx, model, run), served.accelerator.fp8)
    ]
    elsewhere = [] if helps or verdict.limit in ("warm-up", "states") else _alternatives(served, run)
    served.add_finding(
        _RULES[verdict.limit],
        _SETTINGS[verdict.limit],
        certain=verdict.status == "refused",
        value=_value(served.settings, run, verdict),
        rule=_rule(ctx, model, run, verdict),
        fix=_fix(verdict, helps, elsewhere),
    )
    return verdict


def _warn_unchecked(served: ServedModel, model: Model) -> None:
    """Warn that memory was not checked, with the reason."""
    settings = served.settings
    fix = "watch the first start, or use another accelerator"
    if served.accelerator.usable_gib is None:
        served.ctx.warning(
            "LLMD-MEMORY-UNKNOWN",
            "accelerator.type",
            value=served.accelerator.name,
            rule=f"no log shows how much memory vLLM sees on {served.accelerator.title}: memory is not checked",
            fix=fix,
        )
        return
    guessing = settings.speculative_decoding
    speculation = _speculation(served, model)
    if not speculation.is_known:
        served.warning(
            "LLMD-MEMORY-DRAFT-UNKNOWN",
            "extraArgs" if guessing is None else "speculativeDecoding",
            case="size" if speculation.draft_model is None else "place",
            place="TPUs" if served.accelerator.kind == "tpu" else "pipeline stages and data-parallel ranks",
            value="--speculative-config" if guessing is None else guessing.draft_model or guessing.method,
            fix='watch the first start, or use the prediction layers of the checkpoint: {"method": "mtp"}, or "ngram"'
            if guessing is None
            else "watch the first start"
            + (", or use the checkpoint's own prediction layers (method: mtp)" if model.draft is not None else "")
            + ", or use method: ngram",
        )
        return
    if expands_latent_attention(model, settings.env):
        served.warning("LLMD-MEMORY-UNKNOWN", "env", "VLLM_MLA_DISABLE", case="latent")
        return
    served.warning("LLMD-MEMORY-STATES-UNKNOWN", "id", value=model.id, fix=fix)


def _speculation(served: ServedModel, model: Model) -> Speculation:
    arguments = (*speculation_arguments(served.settings), *served.settings.extra_args)
    speculation = speculation_of(arguments, model, served.ctx.catalog.find_model)
    is_divided = served.parallelism.pipeline > 1 or served.parallelism.data > 1
    if speculation.draft_model is not None and (served.accelerator.kind == "tpu" or is_divided):
        # Nothing was read about them there.
        return replace(speculation, is_known=False)
    return speculation


@once
def run_of(served: ServedModel) -> EngineRun | None:
    """The engine as settings, extra arguments and the release's version start it; None where memory is not computed."""
    settings, ctx, model = served.settings, served.ctx, served.model
    if model is None:
        return None
    speculation = _speculation(served, model)
    if not speculation.is_known or expands_latent_attention(model, settings.env):
        return None
    model = with_stretched_context(model, settings.extra_args, served.version)
    if ctx.transfers_kv_cache and ctx.accelerator.kind == "gpu" and not load_engine().transfers_kinds(served.version):
        model = _with_one_kind(model)
    options = _options_of(served, model, speculation)
    return engine_run(model, ctx.accelerator, served.version, options, share=ctx.machine.accelerator_share)


def _options_of(served: ServedModel, model: Model, speculation: Speculation) -> EngineOptions:
    """Options that decide on memory, of which extra arguments replace those of settings."""
    settings, parallelism = served.settings, served.parallelism
    extra = _numbers_in(settings.extra_args)
    cache, caching = extra.get("kv-cache-memory-bytes"), settings.prefix_caching
    return EngineOptions(
        max_model_len=extra.get("max-model-len", settings.max_model_len),
        utilization=_utilization(settings),
        max_num_seqs=extra.get("max-num-seqs", settings.max_num_seqs),
        max_num_batched_tokens=extra.get("max-num-batched-tokens", settings.max_num_batched_tokens),
        tensor_parallel=parallelism.tensor,
        pipeline_parallel=min(extra.get("pipeline-parallel-size") or parallelism.pipeline, model.layers),
        data_parallel=parallelism.data,
        context_parallel=extra.get("decode-context-parallel-size", 1),
        expert_parallel=parallelism.expert or "--enable-expert-parallel" in settings.extra_args,
        all_to_all=parallelism.all_to_all,
        dtype=_dtype(served, model),
        quantization=served.quantization,
        experts_bits=_EXPERTS_BITS.get(settings.env.get(_EXPERTS_TYPE, ""))
        if served.accelerator.kind == "tpu"
        else None,
        kv_cache_dtype=served.kv_cache_dtype,
        prefix_caching=caching if caching is not None else served.ctx.settings.picker.scorers.prefix_cache > 0,
        enforce_eager="--enforce-eager" in settings.extra_args,
        asynchronous="--no-async-scheduling" not in settings.extra_args,
        model_runner_v2=chosen_runner(settings) if served.accelerator.kind == "gpu" else None,
        # vLLM reads a number (vllm/envs.py): other text stops it, which the check of variables says.
        estimates_graphs=settings.env.get("VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS", "1").strip() != "0",
        text_only=is_text_only(settings.extra_args),
        image_pixels=most_pixels(settings.extra_args),
        whole_tower=has_whole_tower(settings.extra_args),
        video=not is_off("video", settings.extra_args),
        speculative_tokens=speculation.tokens,
        draft=speculation.draft,
        draft_model=speculation.draft_model,
        lora_slots=min(len(settings.adapters), LORA_SLOTS),
        # vLLM takes no smaller rank for its slots.
        lora_rank=max(16, *(adapter.rank for adapter in settings.adapters)) if settings.adapters else 16,
        block_size=extra.get("block-size", settings.block_size),
        kv_cache_gib=cache / 2**30 if cache is not None else None,
        offloaded_gib=0.0 if offload_without_effect(served, model) else offloaded_gib(settings),
    )


def target_run_of(served: ServedModel) -> EngineRun | None:
    """The engine, or that of the target alone where a draft of unknown size keeps the whole from being sized."""
    return run_of(served) or run_of(served.with_settings(speculative_decoding=None))


def has_memory(served: ServedModel) -> bool:
    """Whether memory is not known to be too small, for fixes."""
    run = target_run_of(served)
    return run is None or judge(run).status != "refused"


def _with_one_kind(model: Model) -> Model:
    """The model as vLLM stores its KV cache beside a connector that does not know several kinds: windows save nothing.

    gpt-oss-120b held half as many tokens with NixlConnector (vllm-project/vllm issue 42024).
    """
    groups: list[Attention] = []
    for group in model.attention:
        full = group.model_copy(update={"kind": "full", "window": None}) if group.kind in _WINDOWED else group
        same = next((n for n, other in enumerate(groups) if _same_but_for_count(other, full)), None)
        if same is None:
            groups.append(full)
        else:
            layers, shared = groups[same].layers + full.layers, groups[same].kv_shared + full.kv_shared
            groups[same] = full.model_copy(update={"layers": layers, "kv_shared": shared})
    return model.model_copy(update={"attention": tuple(groups)})


def _same_but_for_count(first: Attention, other: Attention) -> bool:
    """Whether groups of layers differ in their number only."""
    same: Mapping[str, object] = {"layers": 0, "kv_shared": 0}
    return first.model_copy(update=same) == other.model_copy(update=same)


def _dtype(served: ServedModel, model: Model) -> str | None:
    """The dtype as set, or vLLM's default on an accelerator without bfloat16."""
    dtype = served.settings.dtype or option_value(served.settings.extra_args, "--dtype")
    if dtype in (None, "auto"):
        return default_dtype(model, served.accelerator, served.version)
    return "float32" if dtype == "float" else dtype


def _numbers_in(arguments: Sequence[str]) -> dict[str, int]:
    """Positive numbers in extraArgs, as `--name value` or `--name=value`. vLLM judges other values."""
    values: dict[str, int] = {}
    for position, argument in enumerate(arguments):
        name, _, value = argument.removeprefix("--").partition("=")
        value = value or (arguments[position + 1] if position + 1 < len(arguments) else "")
        if argument.startswith("--") and name in _NUMBERS and value.isascii() and value.isdigit() and int(value) > 0:
            values[name] = int(value)
    return values


def _utilization(settings: ModelSettings) -> float | None:
    for position, argument in enumerate(settings.extra_args):
        name, _, value = argument.partition("=")
        following = settings.extra_args[position + 1] if position + 1 < len(settings.extra_args) else ""
        match = re.fullmatch(r"0?\.\d+", value or following)
        if name == "--gpu-memory-utilization" and match is not None:
            return float(match[0]) or None
    return settings.gpu_memory_utilization


def _larger_tensor_parallel(ctx: PlanContext, model: Model, run: EngineRun) -> list[int]:
    """Tensor-parallel sizes above the present one that the node holds and the model's heads allow."""
    if ctx.accelerator.kind == "tpu" or run.data_parallel > 1 or run.pipeline_parallel > 1:
        return []
    return [n for n in range(run.tensor_parallel + 1, ctx.per_node + 1) if shares(model, n)]


def _value(settings: ModelSettings, run: EngineRun, verdict: MemoryVerdict) -> str:
    if verdict.limit == "weights":
        return settings.id
    if verdict.limit == "loading":
        return settings.quantization or ""
    value, setting = {
        "kv-cache": (run.max_model_len, settings.max_model_len),
        "warm-up": (run.utilization, settings.gpu_memory_utilization),
        "states": (run.max_num_seqs, settings.max_num_seqs),
    }[verdict.limit]
    return str(value) if setting is not None else f"(by default, {value})"


def _rule(ctx: PlanContext, model: Model, run: EngineRun, verdict: MemoryVerdict) -> str:
    card, parts = ctx.accelerator.title, verdict.parts
    error = f"{verdict.error_gib:.1f}"
    usage = f"weights {parts.weights:.2f}"
    if run.kind == "gpu":
        rest = parts.non_torch + (parts.cuda_graphs if run.reserves_graphs else 0.0)
        usage += f", activations {parts.activation:.2f}, CUDA context and graphs {rest:.2f}"
    share = f"the {verdict.requested_gib:.2f} GiB that vLLM may use of each {card}"
    if verdict.limit == "loading":
        whole = max(unconverted_gib(run, stage) for stage in range(run.pipeline_parallel))
        return (
            f"vLLM {run.version} makes all weights in 16 bits on each {card} before it converts the first one: "
            f"{whole:.2f} GiB of {verdict.total_gib:.2f} (fp8.py; since 0.16 one layer at a time)"
        )
    if verdict.limit == "weights":
        doubt = "" if verdict.status == "refused" else f", within the estimate's error of {error} GiB"
        return f"{model.id} needs more than {share} before any KV cache ({usage} GiB){doubt}"
    if verdict.limit == "kv-cache":
        left = max(0.0, verdict.available_gib)
        verb = "needs" if verdict.status == "refused" else "may not fit: it needs"
        return (
            f"one request of {run.max_model_len} tokens {verb} {verdict.needed_gib:.2f} GiB of KV cache, "
            f"and {left:.2f} (give or take {error}) are left of {share} ({usage} GiB)"
        )
    if verdict.limit == "states":
        return (
            f"{model.id} keeps a state for each of {run.max_num_seqs} sequences, "
            f"and the KV cache has {verdict.kv_blocks} blocks for them"
        )
    if run.kind == "tpu":
        return (
            f"compiled programs live in what vLLM leaves free of each {card}: {verdict.free_gib:.2f} GiB, "
            f"and {verdict.warm_up_gib:.2f} is the least that was tested"
        )
    if verdict.free_gib < 0:
        return f"KV cache and CUDA graphs take {-verdict.free_gib:.2f} GiB more than each {card} has"
    return (
        f"{verdict.free_gib:.2f} GiB are free of each {card} once the KV cache is made and CUDA graphs are captured; "
        f"the sampler's warm-up with {run.sampled_rows} sequences x {model.vocabulary} vocabulary entries takes about "
        f"{verdict.warm_up_gib:.2f}: "
        + ("too little" if verdict.status == "refused" else "such starts have passed and failed")
    )


def _alternatives(served: ServedModel, run: EngineRun) -> list[str]:
    """Settings that would fit: a quantized checkpoint, more accelerators on a node, another accelerator."""
    ctx = served.ctx
    alternatives = []
    for other in ctx.catalog.models.values():
        if _is_quantized_copy(run.model, other):
            copy = replace(served.with_settings(id=other.id), model=other)
            if serves(copy, run_of):
                alternatives.append(f"id: {other.id}")
                break
    is_tpu = served.accelerator.kind == "tpu"
    machine = larger_slice(served, run, run_of) if is_tpu else _larger_machine(served, run)
    if machine is not None:
        alternatives.append(machine)
    # More of the same accelerator is named already.
    own = None if machine is None else ctx.accelerator.name
    hardware = cheapest_hardware(served, run, run_of, lambda other: other.name != own)
    if hardware is not None:
        alternatives.append(hardware)
    return alternatives


def _is_quantized_copy(model: Model, other: Model) -> bool:
    """Whether `other` is the same network with smaller weights."""
    if model.quantization is not None or other.quantization is None or other.id == model.id:
        return False
    family = model.id.rpartition("/")[2].removesuffix("-Instruct").lower()
    same = (model.architecture, model.layers, model.hidden, model.intermediate, model.vocabulary)
    return family in other.id.lower() and same == (
        other.architecture,
        other.layers,
        other.hidden,
        other.intermediate,
        other.vocabulary,
    )


def _larger_machine(served: ServedModel, run: EngineRun) -> str | None:
    """The smallest machine type with enough of the same accelerator for one replica, or more of it attached.

    Where the present one has a part of a card, that is a larger part first.
    """
    ctx = served.ctx
    for machine in ctx.catalog.machines_for(ctx.accelerator.name):
        counts = machine.counts_of(ctx.accelerator.name)
        for count in counts:
            devices = count * ctx.accelerator.devices_per_chip
            more = devices > run.tensor_parallel and machine.accelerator_share == 1
            more_of_one = devices == run.tensor_parallel and machine.accelerator_share > ctx.machine.accelerator_share
            if not (more or more_of_one) or not shares(run.model, devices):
                continue
            if machine.is_attachable and machine.name != ctx.machine.name:
                continue
            node = Node(accelerator=ctx.accelerator, machine=machine, per_node=count)
            changed = on_node(served, run, node, devices)
            if serves(changed, run_of):
                where = "accelerator.perNode" if machine.is_attachable else "accelerator.machineType"
                return f"{where}: {count if machine.is_attachable else machine.name}{size_text(served, changed)}"
    return None


def _fix(verdict: MemoryVerdict, helps: Sequence[Remedy], elsewhere: Sequence[str]) -> str:
    if verdict.limit == "loading":
        more = "".join(f", or {remedy}" for remedy in [*helps, *elsewhere])
        return f"use a checkpoint that is stored in fp8, or an image of vLLM 0.16 or later{more}"
    if helps:
        return "use " + ", or ".join(str(remedy) for remedy in helps)
    if elsewhere:
        return "use " + ", or ".join(elsewhere)
    if verdict.limit == "warm-up":
        return "use a lower gpuMemoryUtilization with a lower maxModelLen, or a larger accelerator"
    return "use a quantized checkpoint, or an accelerator that `make size` shows for this model"
