"""Reads helm values: vLLM's production stack (vllm-stack) and llm-d's model service chart (llm-d-modelservice)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llm_d_gke.nested import value_at
from llm_d_gke.operations.adopt_manifests.left_out import unread
from llm_d_gke.operations.adopt_manifests.pods import server_of
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
from llm_d_gke.operations.adopt_manifests.sources import source_of

_ENGINE_SPEC = "servingEngineSpec"
_VALUE = re.compile(r'"?\{\{-?\s*\.Values\.([\w.]+)\s*-?\}\}"?')
_READ = {
    "spec": (
        *("name", "enabled", "repository", "tag", "modelURL", "modelRevision", "servedModelName", "replicaCount"),
        *("requestGPU", "requestGPUType", "resources", "env", "nodeSelector", "nodeSelectorTerms", "affinity"),
        *("vllmConfig", "enableTool", "toolCallParser", "enableLoRA"),
    ),
    "vllmConfig": ("enablePrefixCaching", "enableChunkedPrefill", "enableLoRA", "extraArgs"),
    "servingEngineSpec": ("modelSpec", "enableEngine"),
}
# Arguments and variables of a server that receives KV caches from a prefill server.
_ROLES: Mapping[str, Role] = {"kv_producer": "prefill", "kv_consumer": "decode"}


def is_production_stack(values: Json) -> bool:
    return bool(listing(values, _ENGINE_SPEC, "modelSpec"))


def production_stack(values: Json, origin: str) -> tuple[list[Server], list[NotCarried]]:
    """A server for each entry of `servingEngineSpec.modelSpec`."""
    servers: list[Server] = []
    not_carried: list[NotCarried] = []
    replaced, config = replacements().model_spec, (*replacements().vllm_config, *_READ["vllmConfig"])
    for spec in listing(values, _ENGINE_SPEC, "modelSpec"):
        if isinstance(spec, Mapping):
            where = f"{origin} modelSpec/{spec.get('name', '?')}"
            if spec.get("enabled") is False:
                not_carried.append(NotCarried(where, "the model", "the chart leaves it out: enabled"))
                continue
            servers.append(_model_spec(spec, where))
            not_carried += [NotCarried(where, key, why) for key, why in replaced.items() if spec.get(key)]
            rest = [
                *unread(spec, (*_READ["spec"], *replaced)),
                *(f"vllmConfig.{key}" for key in unread(mapping(spec, "vllmConfig"), config)),
            ]
            not_carried += _unread_keys(rest, where)
    if mapping(values, "routerSpec"):
        not_carried.append(
            NotCarried(origin, "routerSpec", "the Gateway and the endpoint picker take the router's place")
        )
    rest = [
        *(f"{_ENGINE_SPEC}.{key}" for key in unread(mapping(values, _ENGINE_SPEC), _READ["servingEngineSpec"])),
        *unread(values, (_ENGINE_SPEC, "routerSpec")),
    ]
    return servers, [*not_carried, *_unread_keys(rest, origin)]


def _unread_keys(keys: Sequence[str], origin: str) -> list[NotCarried]:
    """One remark for all unread keys of the values."""
    why = "no setting of a stack stands for them"
    return [NotCarried(origin, ", ".join(keys), why)] if keys else []


def _model_spec(spec: Json, origin: str) -> Server:
    config = mapping(spec, "vllmConfig")
    arguments: list[str] = []
    for key, flag in replacements().vllm_config.items():
        if config.get(key) is not None:
            arguments += [flag, str(config[key])]
    if config:
        # The chart turns it off where the values do not turn it on.
        arguments.append(
            "--enable-prefix-caching" if config.get("enablePrefixCaching") else "--no-enable-prefix-caching"
        )
    if "enableChunkedPrefill" in config:
        arguments.append(f"--{'' if config['enableChunkedPrefill'] else 'no-'}enable-chunked-prefill")
    if spec.get("modelRevision"):
        arguments += ["--revision", str(spec["modelRevision"])]
    arguments += [str(argument) for argument in listing(config, "extraArgs")]
    if spec.get("enableTool") and spec.get("toolCallParser"):
        arguments += ["--tool-call-parser", str(spec["toolCallParser"])]
    resource = "nvidia.com/gpu" if spec.get("requestGPUType") is None else str(spec["requestGPUType"])
    container = {
        "image": f"{spec['repository']}:{spec.get('tag', 'latest')}" if spec.get("repository") else None,
        "env": listing(spec, "env"),
        "resources": mapping(spec, "resources") or {"limits": {resource: spec.get("requestGPU", 0)}},
    }
    terms = listing(spec, "nodeSelectorTerms")
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    affinity = mapping(spec, "affinity") or ({"nodeAffinity": required} if terms else {})
    pod = {"nodeSelector": mapping(spec, "nodeSelector"), "affinity": affinity}
    server = server_of(container, pod, arguments, origin=origin, replicas=int_or(spec.get("replicaCount"), 1))
    role = _ROLES.get(str(value_at(spec, "lmcacheConfig", "kvRole")), "both")
    uri = str(spec.get("modelURL", ""))
    model, source = source_of(uri)
    served = spec.get("servedModelName")
    return replace(
        server, role=role, model=model or uri or None, source=source, served_name=str(served) if served else None
    )


def is_model_service(values: Json) -> bool:
    return bool(mapping(values, "modelArtifacts")) and bool(mapping(values, "decode") or mapping(values, "prefill"))


def model_service(values: Json, origin: str) -> tuple[list[Server], list[NotCarried]]:
    """Prefill and decode servers of the chart llm-d-modelservice."""
    values = dict(_filled_in(values, values))
    model, source = source_of(str(value_at(values, "modelArtifacts", "uri") or ""))
    name = value_at(values, "modelArtifacts", "name")
    not_carried = []
    parts: dict[Role, Json] = {}
    prefill, decode = mapping(values, "prefill"), mapping(values, "decode")
    if prefill and prefill.get("create", True) and int_or(prefill.get("replicas"), 1):
        parts["prefill"] = prefill
    parts["decode" if parts else "both"] = decode
    group = {"multinode": True} if values.get("multinode") else {}
    servers = [_role_server({**part, **group}, role, origin) for role, part in parts.items()]
    for key in ("routing", "accelerator", "monitoring"):
        if mapping(values, key):
            not_carried.append(NotCarried(origin, key, "it follows from pattern, accelerator and models of the stack"))
    artifacts = (
        f"modelArtifacts.{key}" for key in unread(mapping(values, "modelArtifacts"), ("uri", "name", "labels"))
    )
    fields = ("create", "replicas", "parallelism", "containers", "multinode", "nodeSelector", "affinity")
    parts_left = (
        f"{name}.{key}" for name, part in (("prefill", prefill), ("decode", decode)) for key in unread(part, fields)
    )
    read = ("modelArtifacts", "prefill", "decode", "multinode", "routing", "accelerator", "monitoring", "enabled")
    not_carried += _unread_keys([*artifacts, *parts_left, *unread(values, read)], origin)
    model_name = str(name) if name else None
    return (
        [
            replace(
                server,
                model=model or model_name or server.model,
                source=source,
                served_name=model_name if model_name != model else None,
            )
            for server in servers
        ],
        not_carried,
    )


def _filled_in(value: Any, values: Json) -> Any:
    """Values with `{{ .Values.a.b }}` in texts replaced, which the chart does as well. Other templates stay."""
    if isinstance(value, Mapping):
        return {key: _filled_in(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled_in(item, values) for item in value]
    if not isinstance(value, str):
        return value

    def referenced(match: re.Match[str]) -> str:
        value_of_key = value_at(values, *match.group(1).split("."))
        return match.group() if value_of_key is None or isinstance(value_of_key, Mapping | list) else str(value_of_key)

    # Quotes around a template are YAML's, which is read after the chart has filled it in.
    return _VALUE.sub(referenced, value)


def _role_server(part: Json, role: Role, origin: str) -> Server:
    container: Json = next(
        (container for container in listing(part, "containers") if isinstance(container, Mapping)), {}
    )
    parallelism = parallelism_of(part, "tensor", "data")
    more: dict[str, Any] = {"role": role, "parallelism": parallelism}
    local = int_or(value_at(part, "parallelism", "dataLocal"), 0)
    pods = int_or(value_at(part, "parallelism", "workers"), 0) or parallelism.get("dataParallel", 1) // max(
        1, local or 1
    )
    if part.get("multinode"):
        more["hosts"] = max(2, pods)
    return server_of(
        container,
        part,
        tuple(str(argument) for argument in listing(container, "args")),
        origin=origin,
        replicas=int_or(part.get("replicas"), 1),
        **more,
    )
