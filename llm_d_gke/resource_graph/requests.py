"""Registration requests of the engine's protocol: what children inherit, and their form in a recording."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlparse

from pulumi.runtime.proto import alias_pb2, resource_pb2, source_pb2

from llm_d_gke.resource_graph.model import Options, Recorded
from llm_d_gke.resource_graph.values import Value
from llm_d_gke.resource_graph.wire import decode

GO_DURATION = re.compile(r"(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+")
HOOKS = ("before_create", "after_create", "before_update", "after_update", "before_delete", "after_delete", "on_error")


def inherit(child: resource_pb2.RegisterResourceRequest, parent: resource_pb2.RegisterResourceRequest) -> None:
    """Copy to a child the options that the engine inherits. depends_on, ignore_changes and others are not inherited."""
    if not child.deletedWith:
        child.deletedWith = parent.deletedWith
    if not child.HasField("protect") and parent.HasField("protect"):
        child.protect = parent.protect
    if not child.HasField("retainOnDelete") and parent.HasField("retainOnDelete"):
        child.retainOnDelete = parent.retainOnDelete
    if not child.provider and parent.provider:
        local_component = not child.remote and not child.custom
        if local_component or provider_package(parent.provider) == child.type.split(":", 1)[0]:
            child.provider = parent.provider


def provider_urn(reference: str) -> str | None:
    """The URN in a provider reference `urn::id`, None for a default provider."""
    return reference.rsplit("::", 1)[0] if reference else None


def provider_package(reference: str) -> str:
    """`kubernetes` for a reference to a `pulumi:providers:kubernetes`."""
    return reference.split("::")[2].rsplit("$", 1)[-1].rsplit(":", 1)[-1]


def timeouts(request: resource_pb2.RegisterResourceRequest) -> dict[str, str]:
    """Custom timeouts by operation, only those that were set."""
    custom = request.customTimeouts
    pairs = (("create", custom.create), ("update", custom.update), ("delete", custom.delete), ("read", custom.read))
    return {operation: duration for operation, duration in pairs if duration}


def recorded(
    request: resource_pb2.RegisterResourceRequest, urn: str, inputs: dict[str, Value], id_: str | None, root: Path
) -> Recorded:
    """A registration as it is kept."""
    return Recorded(
        urn=urn,
        type=request.type,
        name=request.name,
        parent=request.parent or None,
        custom=request.custom,
        provider=provider_urn(request.provider),
        dependencies=_sorted(request.dependencies),
        property_dependencies={
            key: _sorted(request.propertyDependencies[key].urns)
            for key in sorted(request.propertyDependencies)
            if request.propertyDependencies[key].urns
        },
        options=_options(request),
        inputs=inputs,
        id=id_,
        source=source(request.sourcePosition, root),
    )


def recorded_read(
    request: resource_pb2.ReadResourceRequest, urn: str, inputs: dict[str, Value], root: Path
) -> Recorded:
    """A lookup of an existing resource as it is kept."""
    return Recorded(
        urn=urn,
        type=request.type,
        name=request.name,
        parent=request.parent or None,
        custom=True,
        provider=provider_urn(request.provider),
        dependencies=_sorted(request.dependencies),
        property_dependencies={},
        options=Options(additional_secret_outputs=_sorted(request.additionalSecretOutputs)),
        inputs=inputs,
        read=True,
        id=request.id,
        source=source(request.sourcePosition, root),
    )


def source(position: source_pb2.SourcePosition, root: Path) -> str | None:
    """`file:line`, the file relative to the program's folder when it lies below it."""
    if not position.uri:
        return None
    file = Path(unquote(urlparse(position.uri).path))
    return f"{file.relative_to(root) if file.is_relative_to(root) else file}:{position.line}"


def _options(request: resource_pb2.RegisterResourceRequest) -> Options:
    hooks: Mapping[str, tuple[str, ...]] = {
        moment: tuple(names) for moment in HOOKS if (names := getattr(request.hooks, moment))
    }
    return Options(
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        deleted_with=request.deletedWith or None,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        replace_with=_sorted(request.replace_with),
        replacement_trigger=decode(request.replacement_trigger) if request.HasField("replacement_trigger") else None,
        additional_secret_outputs=_sorted(request.additionalSecretOutputs),
        aliases=tuple(_alias(alias) for alias in request.aliases),
        custom_timeouts=timeouts(request),
        import_id=request.importId or None,
        hooks=hooks,
    )


def _alias(alias: alias_pb2.Alias) -> str | dict[str, str | bool]:
    if alias.urn:
        return alias.urn
    spec = alias.spec
    parts: dict[str, str | bool] = {
        "name": spec.name,
        "type": spec.type,
        "stack": spec.stack,
        "project": spec.project,
        "parent": spec.parentUrn,
        "noParent": spec.noParent,
    }
    return {key: part for key, part in parts.items() if part}


def _sorted(urns: Iterable[str]) -> tuple[str, ...]:
    """The SDK gathers these in sets, so their order means nothing."""
    return tuple(sorted(urns))
