"""Reads KServe's LLMInferenceService (serving.kserve.io/v1alpha1 and v1alpha2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llm_d_gke.nested import value_at
from llm_d_gke.operations.adopt_manifests.left_out import annotation_fields, unread
from llm_d_gke.operations.adopt_manifests.pods import ADDITIONAL, command_of, server_of, words_of
from llm_d_gke.operations.adopt_manifests.replacements import replacements
from llm_d_gke.operations.adopt_manifests.servers import (
    Json,
    NotCarried,
    Role,
    Server,
    int_or,
    listing,
    mapping,
    parallelism_of,
)
from llm_d_gke.operations.adopt_manifests.sources import adapter_of, source_of

# The name of the engine's container in KServe's presets.
_MAIN = "main"


def inference_service(document: Json, origin: str) -> tuple[list[Server], list[NotCarried]]:
    """Servers of both roles, and what is not carried over."""
    spec = mapping(document, "spec")
    not_carried: list[NotCarried] = []
    prefill = mapping(spec, "prefill")
    servers = [_server(spec, spec, "decode" if prefill else "both", origin, not_carried)]
    if prefill:
        servers.append(_server(prefill, spec, "prefill", origin, not_carried))
    if listing(spec, "baseRefs"):
        names = ", ".join(str(value_at(reference, "name")) for reference in listing(spec, "baseRefs"))
        not_carried.append(NotCarried(origin, f"baseRefs {names}", "presets are not read; set what they set"))
    scheduler = mapping(spec, "router", "scheduler")
    if scheduler:
        not_carried.append(NotCarried(origin, "router.scheduler", "the picker follows from pattern and picker.scorers"))
    for where, why in replacements().inference_service.items():
        if value_at(spec, *where.split(".")):
            not_carried.append(NotCarried(origin, f"spec.{where}", why))
    fields = ("model", "replicas", "parallelism", "template", "worker", "prefill", "router", "baseRefs")
    rest = [
        *unread(spec, (*fields, *(where.partition(".")[0] for where in replacements().inference_service))),
        *(f"model.{key}" for key in unread(mapping(spec, "model"), ("uri", "name", "lora"))),
        *(f"prefill.{key}" for key in unread(prefill, (*fields, "scaling"))),
        *annotation_fields(document),
    ]
    if any(mapping(part, "worker") for part in (spec, prefill)):
        why = "the further pods of a group get the arguments of its first one"
        not_carried.append(NotCarried(origin, "containers of worker", why))
    if rest:
        not_carried.append(NotCarried(origin, ", ".join(rest), "no setting of a stack stands for them"))
    return servers, not_carried


def _server(part: Json, spec: Json, role: Role, origin: str, not_carried: list[NotCarried]) -> Server:
    model = mapping(spec, "model")
    pod = mapping(part, "template", "spec") or mapping(part, "template")
    containers = [container for container in listing(pod, "containers") if isinstance(container, Mapping)]
    container: Json = next(
        (container for container in containers if container.get("name") == _MAIN), next(iter(containers), {})
    )
    model_id, source = source_of(str(model.get("uri", "")))
    served_name = str(model["name"]) if model.get("name") else None
    adapters: list[Mapping[str, Any]] = []
    for adapter_entry in listing(model, "lora", "adapters"):
        adapter, problem = adapter_of(
            str(value_at(adapter_entry, "name") or ""), str(value_at(adapter_entry, "uri") or "")
        )
        if adapter is None:
            not_carried.append(NotCarried(origin, f"adapter {value_at(adapter_entry, 'name')}", problem))
        else:
            adapters.append(adapter)
    arguments = _arguments(container)
    if value_at(part, "parallelism", "expert"):
        arguments = (*arguments, "--enable-expert-parallel")
    server = server_of(
        container,
        pod,
        arguments,
        origin=origin,
        replicas=int_or(part.get("replicas"), 1),
        role=role,
        source=source,
        adapters=tuple(adapters),
        parallelism=parallelism_of(part, "tensor", "pipeline", "data"),
        hosts=_hosts(part),
    )
    return replace(
        server,
        model=model_id or served_name or server.model,
        served_name=served_name if served_name != model_id else None,
    )


def _hosts(part: Json) -> int:
    """Pods of a replica: one for each `dataLocal` of the data-parallel ranks, or one for each pipeline stage."""
    data = int_or(value_at(part, "parallelism", "data"), 1)
    local = int_or(value_at(part, "parallelism", "dataLocal"), 0)
    if local:
        return max(1, data // local)
    if not mapping(part, "worker"):
        return 1
    return max(2, int_or(value_at(part, "parallelism", "pipeline"), 1))


def _arguments(container: Json) -> tuple[str, ...]:
    """Arguments of the engine: from the container's command, or those that KServe appends to its default command."""
    script = command_of(container)
    arguments = list(script if script is not None else map(str, listing(container, "args")))
    for variable in listing(container, "env"):
        if value_at(variable, "name") == ADDITIONAL:
            arguments += words_of(str(value_at(variable, "value") or ""))
    return tuple(arguments)
