"""Findings for what the engine's version refuses. Each fix was checked, so that none is refused in turn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_tables import facts_of, is_later
from llm_d_gke.catalog.schema import Accelerator, MachineType
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.engine_support.adapters import ALL_TO_ALL_OF_ADAPTERS
from llm_d_gke.planning.engine_support.deployment import Deployment, Kind, Refusal
from llm_d_gke.planning.engine_support.options import named_backend, option_value
from llm_d_gke.planning.engine_support.refusals import dropped, refusals_of
from llm_d_gke.planning.engine_support.tpu import needs_attention_ranks, needs_torch
from llm_d_gke.planning.parallelism.sharding import shares
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.planning.served_model import BACKEND_VARIABLE, EXPERT_BACKEND, ServedModel
from llm_d_gke.planning.serving.cache_checks import is_cache_known
from llm_d_gke.planning.serving.option_checks import check_options
from llm_d_gke.planning.serving.option_conflicts import check_option_conflicts
from llm_d_gke.planning.serving.unknown_names import has_name
from llm_d_gke.planning.sizing.known_failures import ended_starts
from llm_d_gke.planning.sizing.memory_check import has_memory
from llm_d_gke.settings.engine import SpeculativeDecoding
from llm_d_gke.settings.models import ModelSettings

_DTYPES = ("half", "float32", "bfloat16")
_IMPLEMENTATION = "MODEL_IMPL_TYPE"
_RULES: Mapping[Kind, str] = {
    "architecture": "LLMD-ENGINE-ARCHITECTURE",
    "dtype": "LLMD-DTYPE-BFLOAT16",
    "float16": "LLMD-DTYPE-FLOAT16",
    "attention-kernel": "LLMD-ATTENTION-KERNEL",
    "experts-kernel": "LLMD-EXPERTS-KERNEL",
    "quantization-unknown": "LLMD-QUANTIZATION-UNKNOWN",
    "quantization-checkpoint": "LLMD-QUANTIZATION-CHECKPOINT",
    "quantization-capability": "LLMD-QUANTIZATION-CAPABILITY",
    "quantization-dtype": "LLMD-QUANTIZATION-DTYPE",
    "tpu-quantization": "LLMD-QUANTIZATION-TPU",
    "tpu-adapters": "LLMD-ADAPTER-TPU",
    "kv-cache-dtype": "LLMD-KV-CACHE-KERNEL",
    "adapters-experts": "LLMD-ADAPTER-EXPERTS",
    "model-feature": "LLMD-ENGINE-MODEL-FEATURE",
}
# What another version may have.
_OF_THE_VERSION = (
    "architecture",
    "quantization-unknown",
    "quantization-capability",
    "tpu-quantization",
    "kv-cache-dtype",
    "adapters-experts",
    "model-feature",
)


def tpu_variables(served: ServedModel) -> dict[str, str]:
    """Variables that select what a deployment on TPU needs: PyTorch's implementation, the mesh of attention ranks."""
    model = served.model
    if model is None:
        return {}
    deployment = served.deployment(model)
    values = {"NEW_MODEL_DESIGN": "1"} if needs_attention_ranks(deployment) else {}
    if _IMPLEMENTATION not in served.settings.env and needs_torch(deployment):
        values[_IMPLEMENTATION] = "vllm"
    return values


def attention_argument(served: ServedModel) -> str | None:
    """The configuration of the TPU back end with data-parallel attention, where the deployment needs it."""
    model = served.model
    if model is None or not needs_attention_ranks(served.deployment(model)):
        return None
    return '{"sharding":{"sharding_strategy":{"enable_dp_attention":true}}}'


def check_engine(served: ServedModel) -> bool:
    """Check arguments and the engine's own limits. Returns whether the engine would start."""
    model = served.model
    check_options(served)
    check_option_conflicts(served)
    if model is None:
        _check_by_class(served)
        return True
    deployment = served.deployment(model)
    starts = True
    for refusal in refusals_of(deployment):
        _report_refusal(served, deployment, refusal)
        starts = starts and not refusal.certain
        if refusal.certain:
            # What else is wrong may well be a consequence of the same setting.
            break
    return starts


def _check_by_class(served: ServedModel) -> None:
    """What the tables say of a model whose memory is not computed: its class, and methods that the version lacks."""
    settings, tables, version = served.settings, facts_of(served.version), served.version
    method, name, outlined = settings.quantization, served.architecture, served.outlined_deployment
    if outlined is not None:
        # Of architectures that are not in the registry `check_architecture` warns.
        for refusal in [refusal for refusal in refusals_of(outlined) if refusal.kind != "architecture"][:1]:
            _report_refusal(served, outlined, refusal)
    if (
        outlined is None
        and method
        and tables
        and has_name(served, "quantization", value=method, names="quantization") is False
    ):
        rule = f"vLLM {version} has no quantization method {method} (quantization methods of vLLM {version})"
        served.error(_RULES["quantization-unknown"], "quantization", rule=rule, fix="remove it, or use another method")
    if tables and all(name in facts.former_architectures for facts in tables):
        rule = f"{dropped(tables[0], name)} (model registry of vLLM {version})"
        served.error(_RULES["architecture"], "id", rule=rule, fix="use an image of that version, or another model")
    lacking = {
        feature
        for feature in ("pipeline", "adapters")
        if tables and all(name in facts.lacking_interfaces.get(feature, ()) for facts in tables)
    }
    source = f"(interfaces of the model's class, vLLM {version})"
    if "pipeline" in lacking and settings.pipeline_parallel > 1:
        rule = f"vLLM {version} cannot cut {name} into pipeline stages {source}"
        served.error(_RULES["model-feature"], "pipelineParallel", rule=rule, fix="use pipelineParallel: 1")
    if "adapters" in lacking and settings.adapters:
        rule = f"vLLM {version} has no LoRA adapters for {name} {source}"
        names = ", ".join(adapter.name for adapter in settings.adapters)
        served.error(_RULES["model-feature"], "adapters", value=names, rule=rule, fix="remove them")


def _report_refusal(served: ServedModel, deployment: Deployment, refusal: Refusal) -> None:
    """An error where the tables are certain, otherwise a warning."""
    served.add_finding(
        _RULES[refusal.kind],
        *_setting_path(served.settings, refusal),
        certain=refusal.certain,
        value=_value(served.settings, deployment, refusal),
        rule=f"{refusal.reason} ({refusal.source})",
        fix=_fix(served, deployment, refusal),
    )


def _setting_path(settings: ModelSettings, refusal: Refusal) -> tuple[str, ...]:
    if refusal.about == "env":
        return ("env", _IMPLEMENTATION)
    if refusal.about == "attentionBackend" and named_backend(settings.extra_args) is None:
        return ("env", BACKEND_VARIABLE)
    if refusal.about == "attentionBackend" or (refusal.about == "quantization" and settings.quantization is None):
        return ("extraArgs",)
    if refusal.about == "dtype" and settings.dtype is None and option_value(settings.extra_args, "--dtype"):
        return ("extraArgs",)
    return (refusal.about,)


def _value(settings: ModelSettings, deployment: Deployment, refusal: Refusal) -> str:
    match refusal.about:
        case "dtype":
            dtype = deployment.dtype
            return str(dtype) if dtype is not None else f"(by default, {deployment.effective_dtype})"
        case "tensorParallel":
            configured_size = settings.tensor_parallel
            size = deployment.tensor_parallel
            return str(size) if configured_size is not None else f"(by default, {size})"
        case "quantization":
            return str(deployment.quantization)
        case "attentionBackend":
            return str(deployment.attention_backend)
        case "env":
            return settings.env[_IMPLEMENTATION]
        case "kvCacheDtype":
            return deployment.kv_cache_dtype or "(by default, the checkpoint's)"
        case "expertParallel":
            return "true"
        case "pipelineParallel":
            return str(deployment.pipeline_parallel)
        case "speculativeDecoding":
            return str(deployment.speculative_method)
        case "adapters":
            return ", ".join(adapter.name for adapter in settings.adapters)
        case _:
            return settings.id


# ---- fixes ----


def _fix(served: ServedModel, deployment: Deployment, refusal: Refusal) -> str:
    """At most two changes of the stack file after which nothing is known against the engine, the nearest first."""
    if refusal.about == "attentionBackend":
        named = "option" if named_backend(served.settings.extra_args) is not None else "variable"
        return f"remove the {named}: vLLM takes the first back end that runs"
    if (
        refusal.kind in ("quantization-unknown", "tpu-quantization")
        and is_later(served.version)
        and not refusal.certain
    ):
        return "try one replica first"
    fixes: list[str] = []
    for text, changed in _possible_fixes(served, deployment, refusal):
        model = deployment.model
        if not refusals_of(changed.deployment(model)) and not ended_starts(changed) and has_memory(changed):
            fixes.append(text)
        if len(fixes) == 2:
            break
    if not fixes and refusal.kind == "quantization-checkpoint":
        return "remove it, or use a checkpoint of that method"
    return "use " + ", or ".join(fixes) if fixes else "use another model or another accelerator"


def _possible_fixes(served: ServedModel, deployment: Deployment, refusal: Refusal) -> Iterator[tuple[str, ServedModel]]:
    """Changes as the stack file spells them, each with the model as it is served then."""
    settings, with_settings = served.settings, served.with_settings
    if refusal.about == "dtype" and option_value(settings.extra_args, "--dtype") is None:
        for dtype in _DTYPES:
            yield f"dtype: {dtype}", with_settings(dtype=dtype)
    if refusal.kind == "tpu-quantization":
        variables = {**settings.env, _IMPLEMENTATION: "vllm"}
        changed = with_settings(allow_extra_args=True, env=variables)
        yield f"allowExtraArgs: true and env: {json.dumps(variables)}", changed
    if refusal.about == "env":
        variables = {name: text for name, text in settings.env.items() if name != _IMPLEMENTATION}
        yield f"env: {json.dumps(variables)}", with_settings(env=variables)
    if refusal.about == "quantization":
        yield "no quantization", with_settings(quantization=None)
    if refusal.kind == "kv-cache-dtype":
        for cache_dtype in ("fp8", "bfloat16"):
            changed = with_settings(kv_cache_dtype=cache_dtype)
            if is_cache_known(changed):
                yield f"kvCacheDtype: {cache_dtype}", changed
    if refusal.about == "expertParallel":
        if deployment.data_parallel == 1:
            yield "expertParallel: false", with_settings(expert_parallel=False)
        else:
            yield f"allToAll: {ALL_TO_ALL_OF_ADAPTERS}", with_settings(all_to_all=ALL_TO_ALL_OF_ADAPTERS)
    if refusal.about == "speculativeDecoding":
        guessed = SpeculativeDecoding(method="ngram", tokens=4)
        yield "speculativeDecoding.method: ngram without draftModel", with_settings(speculative_decoding=guessed)
    if refusal.about == "pipelineParallel":
        yield "pipelineParallel: 1", with_settings(pipeline_parallel=1)
    if refusal.about == "adapters":
        yield "the model without adapters", with_settings(adapters=())
    if refusal.kind == "experts-kernel":
        for size in range(deployment.tensor_parallel - 1, 0, -1):
            if served.ctx.per_node % size == 0 and shares(deployment.model, size):
                yield f"tensorParallel: {size}", with_settings(tensor_parallel=size)
        weights = deployment.model.quantization
        kernels = "marlin" if weights is not None and weights.is_nvfp4 else "triton"
        arguments = (*settings.extra_args, EXPERT_BACKEND, kernels)
        yield (
            f"allowExtraArgs: true and extraArgs: {json.dumps(list(arguments))}",
            with_settings(allow_extra_args=True, extra_args=arguments),
        )
    yield from _other_gpus(served, deployment)
    if refusal.kind in _OF_THE_VERSION:
        yield from _newer_releases(served)


def _other_gpus(served: ServedModel, deployment: Deployment) -> Iterator[tuple[str, ServedModel]]:
    """Other GPUs that the zones have, smallest first, on the smallest machine that carries a replica."""
    settings, ctx = served.settings, served.ctx
    kind = served.accelerator.kind
    if kind != "gpu" or pattern_of(ctx.settings).transfers_kv_cache:
        return
    by_size = sorted(ctx.catalog.accelerators.values(), key=lambda entry: entry.usable_gib or entry.nominal_gib)
    for accelerator in by_size:
        if accelerator.kind != kind or accelerator.name == served.accelerator.name:
            continue
        if not all(accelerator.offered_in(zone) for zone in ctx.zones):
            continue
        machine = _machine(ctx, accelerator, deployment.tensor_parallel)
        if machine is None:
            continue
        elsewhere = replace(
            ctx, accelerator=accelerator, machine=machine, per_node=machine.accelerator_count, topology=None, hosts=1
        )
        changed = replace(served, ctx=elsewhere)
        text = f"accelerator: {{type: {accelerator.name}, machineType: {machine.name}}}"
        if settings.dtype is not None and accelerator.bf16 and settings.dtype != "bfloat16":
            changed = changed.with_settings(dtype="bfloat16")
            text += " and dtype: bfloat16"
        yield text, changed


def _machine(ctx: PlanContext, accelerator: Accelerator, devices: int) -> MachineType | None:
    """The smallest machine type with exactly this many of an accelerator that the stack's provisioning offers."""
    provisioning = ctx.settings.accelerator.provisioning
    for machine in ctx.catalog.machines_for(accelerator.name):
        offered = machine.on_demand_ok or provisioning != "on-demand"
        if machine.accelerator_count == devices and machine.accelerator_share == 1 and offered and not machine.arm:
            return machine
    return None


def _newer_releases(served: ServedModel) -> Iterator[tuple[str, ServedModel]]:
    """Releases with a newer engine that has a table, unless the stack sets an image."""
    ctx = served.ctx
    if served.settings.image is not None:
        return
    engine = load_engine()
    for release in ctx.catalog.releases.values():
        image = release.engine.image_for(served.accelerator, disaggregated=ctx.transfers_kv_cache)
        if image is None:
            continue
        newer = engine.has(image.version, ctx.engine_image.version) and image.version != ctx.engine_image.version
        if newer and facts_of(image.version):
            yield f"release: {release.name}", replace(served, ctx=replace(ctx, release=release))
