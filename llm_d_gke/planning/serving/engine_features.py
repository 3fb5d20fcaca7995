"""Settings that add to what an engine does: tool calls, reasoning, chat template, guessed tokens, KV cache on the host.

Names of parsers and methods are compared with llm_d_gke/catalog/engines, which holds them for each version of vLLM.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_reports import Parsers, family_of
from llm_d_gke.catalog.engine_tables import facts_of
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.engine_support.options import nested_value, option_value
from llm_d_gke.planning.parallelism.layout import Parallelism
from llm_d_gke.planning.plan.pods import ConfigFilePlan, VolumePlan
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.speculation_checks import check_speculation
from llm_d_gke.planning.serving.unknown_names import has_name, warn_unknown
from llm_d_gke.planning.sizing.speculation import speculation_arguments
from llm_d_gke.planning.suggest import did_you_mean
from llm_d_gke.settings.models import ModelSettings

TEMPLATE_DIRECTORY = "/chat-template"
_TEMPLATE_KEY = "template.jinja"
# syv-ai/qwen38-27b-rtx3090 issue 25: the same conversation that ends 0.27.1 completes with 0.28.
_STATES_OFFLOADED_SINCE = "0.28"
# vllm-project/vllm issue 42348, seen from 0.20 to 0.24. The issue names no version without it.
_WINDOWS_OFFLOADED_BADLY = "Gemma4"
# Memory of the host that vLLM's processes need beside offloaded blocks. Below this much a warning is due.
_HOST_GIB = 8
# The least anonymous memory that was seen, in GiB: API server (0.9) and EngineCore (0.8) of a server, and a worker (2.2
# to 2.8) for each GPU, with tensor parallelism on GB10 (September 2026, an operator's public notes). One engine on one
# GPU took 3.1 to 4.6 (vllm-project/vllm issue 54237, 0.29.0), and vLLM's own example for Kubernetes requests 6 GB.
_SERVER_GIB, _WORKER_GIB = 1.7, 2.2

_Names = Literal["tool_parsers", "reasoning_parsers"]


def feature_arguments(settings: ModelSettings, template: ConfigFilePlan | None) -> tuple[str, ...]:
    """`vllm serve` arguments of these settings. vLLM parses tool calls only where it may choose tools by itself."""
    arguments: list[str] = []
    if settings.tool_call_parser is not None:
        arguments += ["--enable-auto-tool-choice", "--tool-call-parser", settings.tool_call_parser]
    if settings.reasoning_parser is not None:
        arguments += ["--reasoning-parser", settings.reasoning_parser]
    if template is not None:
        arguments += ["--chat-template", f"{TEMPLATE_DIRECTORY}/{template.key}"]
    if settings.kv_offload_gib is not None:
        arguments += ["--kv-offloading-size", str(settings.kv_offload_gib), "--kv-offloading-backend", "native"]
    return (*arguments, *speculation_arguments(settings))


def plan_chat_template(served: ServedModel, account: str) -> ConfigFilePlan | None:
    """The ConfigMap of the model's template. Its name holds a digest, so that another text starts other pods."""
    content = served.ctx.catalog.chat_templates.get(served.settings.chat_template or "")
    if content is None:
        return None
    digest = hashlib.sha256(content.encode()).hexdigest()[:8]
    return ConfigFilePlan(name=f"{account}-template-{digest}", key=_TEMPLATE_KEY, content=content)


def chat_template_volume(template: ConfigFilePlan | None) -> tuple[VolumePlan, ...]:
    """The volume of the engine's chat template. Empty without one."""
    if template is None:
        return ()
    return (
        VolumePlan(
            name="chat-template",
            kind="configMap",
            source={"name": template.name},
            mount_path=TEMPLATE_DIRECTORY,
            read_only=True,
        ),
    )


def offloaded_gib(settings: ModelSettings, parallelism: Parallelism) -> float:
    """Host memory in GiB that one pod gives to KV-cache blocks.

    vLLM divides the size among the ranks of one engine, and each data-parallel rank is an engine.
    """
    return (settings.kv_offload_gib or 0) * parallelism.data / parallelism.hosts


def check_features(served: ServedModel) -> None:
    """Findings about parsers, guessed tokens and offloaded blocks that the engine's version does not take."""
    # A plugin adds parser names from a file of the image.
    settings = served.settings
    if option_value(settings.extra_args, "--tool-parser-plugin") is None:
        _check_name(served, settings.tool_call_parser, "toolCallParser", "tool_parsers")
    if option_value(settings.extra_args, "--reasoning-parser-plugin") is None:
        _check_name(served, settings.reasoning_parser, "reasoningParser", "reasoning_parsers")
        nested = nested_value(settings.extra_args, "--structured-outputs-config", "reasoning_parser")
        _check_name(served, nested, "extraArgs", "reasoning_parsers")
    _check_method(served)
    _check_calls(served)
    _check_reasoning(served)
    check_speculation(served)
    _check_offload(served)


def _check_name(served: ServedModel, value: str | None, setting: str, names: _Names) -> None:
    if value is None:
        return
    has = has_name(served, setting, value=value, names=names)
    if has is False:
        parsers = {name for facts in facts_of(served.version) for name in getattr(facts, names)}
        own = [name for name in _parsers_of(served, names) if name in parsers]
        fix = f"use {own[0]}, which reads what this model writes" if own else did_you_mean(value, sorted(parsers))
        served.error("LLMD-ENGINE-PARSER", setting, value=value, fix=fix)
    elif has and (package := load_engine().parser_packages.get(value)) is not None:
        served.warning("LLMD-ENGINE-PARSER-PACKAGE", setting, value=value, package=package)


def _check_method(served: ServedModel) -> None:
    """Say so if the weights are of a method whose package vLLM does not require."""
    described = served.model if served.model is not None else served.outline
    checkpoint = described.quantization if described is not None else None
    set_method = served.settings.quantization
    method = set_method or (checkpoint.method if checkpoint is not None else "")
    if (package := load_engine().parser_packages.get(method)) is not None:
        setting = "quantization" if set_method else "id"
        served.warning("LLMD-ENGINE-PARSER-PACKAGE", setting, value=method, package=package)


def _parsers_of(served: ServedModel, names: _Names) -> Sequence[str]:
    """The parsers of the model's own form, as far as the catalog knows it. A similar name may be another model's."""
    form = _form_of(served, names)
    return form.parsers if form is not None else ()


def _form_of(served: ServedModel, names: _Names) -> Parsers | None:
    """The form that models of this name write, whether the catalog has their figures or not."""
    families = load_engine().tool_calls if names == "tool_parsers" else load_engine().reasoning
    return family_of(families, served.model.id if served.model is not None else served.settings.id)


def _check_calls(served: ServedModel) -> None:
    """Say so if the parser reads another form of tool calls than the model writes."""
    parser, form = served.settings.tool_call_parser, _form_of(served, "tool_parsers")
    if parser is None or not _is_available(served, "tool_parsers", parser):
        return
    own = [name for name in form.parsers if _is_available(served, "tool_parsers", name)] if form is not None else []
    if form is None or not own:
        _check_family(served, parser, "tool_parsers")
    elif served.settings.chat_template is None and (form.template or parser not in form.parsers):
        # A template of the stack's own may ask for the form of any parser.
        served.warning(
            "LLMD-ENGINE-PARSER-MODEL",
            "toolCallParser",
            case="template" if form.template else "form",
            parser=own[0],
            template=form.template,
        )


def _check_reasoning(served: ServedModel) -> None:
    """Say so if the parser waits for reasoning that the model writes in another form, or never."""
    parser, form = served.settings.reasoning_parser, _form_of(served, "reasoning_parsers")
    if parser is None or not _is_available(served, "reasoning_parsers", parser):
        return
    if form is None:
        _check_family(served, parser, "reasoning_parsers")
        return
    own = [name for name in form.parsers if _is_available(served, "reasoning_parsers", name)]
    if parser not in form.parsers and (own or not form.parsers):
        served.warning(
            "LLMD-ENGINE-REASONING-MODEL",
            "reasoningParser",
            case="form" if own else "none",
            parser=next(iter(own), None),
        )


def _check_family(served: ServedModel, parser: str, names: _Names) -> None:
    """Of a model whose name says nothing, compare the architecture with those that the parser was written for."""
    tools, engine, architecture = names == "tool_parsers", load_engine(), served.architecture
    table = engine.own_tool_parsers if tools else engine.own_reasoning_parsers
    readers = [row for row in table if parser in row.parsers]
    own = [row for row in table if row.are_of(architecture)]
    if not architecture or any(row in own for row in readers) or not (readers or any(row.only for row in own)):
        return
    fitting = [name for row in own for name in row.parsers if _is_available(served, names, name)]
    own_parser = next(iter(fitting), None)
    if tools:
        served.warning(
            "LLMD-ENGINE-PARSER-MODEL",
            "toolCallParser",
            case="family" if fitting else "unknown",
            parser=own_parser,
            architecture=architecture,
        )
    else:
        served.warning(
            "LLMD-ENGINE-REASONING-MODEL",
            "reasoningParser",
            case="form" if fitting else "unknown",
            parser=own_parser,
            architecture=architecture,
        )


def _is_available(served: ServedModel, names: _Names, parser: str) -> bool:
    """Whether a table of the engine's version has the parser."""
    return any(parser in getattr(facts, names) for facts in facts_of(served.version))


def _check_offload(served: ServedModel) -> None:
    model, size, path = served.model, served.settings.kv_offload_gib, "kvOffloadGib"
    if size is None:
        return
    refusal = _offload_refusal(served)
    if refusal is not None:
        served.error("LLMD-KV-OFFLOAD", path, value=size, rule=refusal[0], fix=refusal[1])
    elif not facts_of(served.version):
        warn_unknown(served, path, value=size)
    elif model is not None and model.recurrent and not served.has(_STATES_OFFLOADED_SINCE):
        served.warning("LLMD-KV-OFFLOAD-STATES", path, case="recurrent", value=size)
    elif model is not None and model.architecture.startswith(_WINDOWS_OFFLOADED_BADLY):
        served.warning("LLMD-KV-OFFLOAD-STATES", path, case="windows", value=size)


def _offload_refusal(served: ServedModel) -> tuple[str, str] | None:
    """Why this engine cannot offload blocks of this model, and what to do instead."""
    ctx, model, version = served.ctx, served.model, served.version
    if ctx.accelerator.kind == "tpu":
        return "vLLM moves KV-cache blocks to the host's memory on GPUs only", "remove kvOffloadGib, or use a GPU"
    if ctx.transfers_kv_cache:
        other = "prefix-cache" if served.settings.replicas > 1 else "single-replica"
        return (
            "vLLM has one connector for KV caches, and this pattern uses it between prefill and decode servers",
            f"remove kvOffloadGib, or use pattern: {other}",
        )
    tables = facts_of(version)
    if tables and all("--kv-offloading-size" not in facts.options for facts in tables):
        return f"vLLM {version} cannot do it", "use a release with a newer engine"
    if tables and model is not None and _mixed(model) and not any(facts.kv_offload_hybrid for facts in tables):
        return (
            f"{model.id} has layers of several kinds. vLLM {version} stores all alike as soon as blocks are offloaded:"
            " layers with a sliding window keep everything, and those with a state do not start",
            f"remove kvOffloadGib, or use a release whose engine does both, such as {_capable_release(ctx)}",
        )
    return None


def _mixed(model: Model) -> bool:
    return len({group.kind for group in model.attention}) > 1


def _capable_release(ctx: PlanContext) -> str:
    """The first release whose engine offloads blocks of hybrid models."""
    for name, release in ctx.catalog.releases.items():
        image = release.engine.image_for(ctx.accelerator, disaggregated=False)
        tables = facts_of(image.version) if image is not None else ()
        if tables and all(facts.kv_offload_hybrid for facts in tables):
            return name
    return "none that the catalog has"


def check_host_memory(served: ServedModel, limits: Mapping[str, str]) -> None:
    """The engine's processes and offloaded blocks fit the memory that the pod may take of its node."""
    settings, parallelism = served.settings, served.parallelism
    limit = int(limits["memory"].removesuffix("Mi")) / 1024
    _check_processes(served, limit)
    if settings.kv_offload_gib is None or _offload_refusal(served) is not None:
        return
    offloaded = offloaded_gib(settings, parallelism)
    if limit - offloaded >= _HOST_GIB:
        return
    engines = parallelism.data / parallelism.hosts
    largest = int((limit - _HOST_GIB) / engines)
    served.add_finding(
        "LLMD-KV-OFFLOAD-MEMORY",
        "kvOffloadGib",
        case="smaller" if largest >= 1 else "none",
        certain=offloaded >= limit,
        limit=limit,
        offloaded=offloaded,
        largest=largest,
    )


def _check_processes(served: ServedModel, limit: float) -> None:
    """Warn where the pod's memory is below what the processes of an engine on GPUs were seen to take."""
    ctx, parallelism = served.ctx, served.parallelism
    if ctx.accelerator.kind != "gpu":
        return
    workers = parallelism.accelerators // parallelism.hosts
    needed = _SERVER_GIB * parallelism.ranks_per_host + _WORKER_GIB * workers
    if limit >= needed:
        return
    # A pod's share of the node is the same on another machine with as many GPUs.
    larger = [
        machine
        for machine in ctx.catalog.machines_for(ctx.accelerator.name)
        if ctx.per_node in machine.counts_of(ctx.accelerator.name)
        and machine.memory_gib * limit >= ctx.machine.memory_gib * needed
    ]
    machine = min(larger, key=lambda machine: (machine.memory_gib, machine.vcpus), default=None)
    ctx.warning(
        "LLMD-HOST-MEMORY",
        "accelerator.machineType",
        value=ctx.machine.name,
        limit=limit,
        workers=f"{workers} worker process{'' if workers == 1 else 'es'}",
        needed=needed,
        instead=f"machineType: {machine.name}" if machine is not None else "a machineType with more memory",
    )
