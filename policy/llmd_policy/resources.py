"""Resources as a policy sees them, and the pods inside them.

A pod stands in a Deployment, and as well inside a LeaderWorkerSet, an LLMInferenceService or any kind that an operator
brings. Whatever a kind is called, a pod's specification is a map with a list of containers: it is found by its form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

EXCEPTION = "llm-d.ai/security-exception"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of a stack. `properties` are its inputs, in the provider's spelling."""

    urn: str
    type: str
    name: str
    properties: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """`Gateway` of `kubernetes:gateway.networking.k8s.io/v1:Gateway`; the stated kind where there is one."""
        return str(self.properties.get("kind") or self.type.rpartition(":")[2])

    @property
    def object_name(self) -> str:
        metadata = self.properties.get("metadata")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        return str(name or self.properties.get("name") or self.name)


@dataclass(frozen=True, kw_only=True)
class Violation:
    """What is wrong with one resource. `resource` is its name, by which exemptions find it."""

    resource: str
    message: str
    urn: str | None = None


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod inside a resource. `place` is its path; `annotations` are its own, or those of its workload."""

    resource: Resource
    place: str
    spec: Mapping[str, Any]
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def containers(self) -> list[Mapping[str, Any]]:
        return [
            container
            for key in ("initContainers", "containers", "ephemeralContainers")
            for container in self.spec.get(key) or ()
            if isinstance(container, Mapping)
        ]


def pods_of(resource: Resource) -> list[Pod]:
    """Every pod inside the resource, however deep."""
    if not resource.type.startswith("kubernetes:"):
        return []
    return list(_pods(resource, resource.properties, "", {}))


def _pods(resource: Resource, value: Any, place: str, annotations: Mapping[str, str]) -> Iterator[Pod]:
    if isinstance(value, str):
        # Istio merges a template from the text of a ConfigMap.
        yield from _text(resource, value, place, annotations)
    if isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield from _pods(resource, item, f"{place}[{index}]", annotations)
    if not isinstance(value, Mapping):
        return
    if _is_pod(value):
        yield Pod(resource=resource, place=place.lstrip("."), spec=value, annotations=annotations)
        return
    for key, item in value.items():
        yield from _pods(resource, item, f"{place}.{key}", _annotations(value, key))


def _text(resource: Resource, text: str, place: str, annotations: Mapping[str, str]) -> Iterator[Pod]:
    """Manifests inside text: a merge into a workload counts only if it sets a different image."""
    if not text.startswith("{") or '"containers"' not in text:
        return
    try:
        document = json.loads(text)
    except ValueError:
        return
    for pod in _pods(resource, document, place, annotations):
        if any(container.get("image") for container in pod.containers):
            yield pod


def _is_pod(value: Mapping[str, Any]) -> bool:
    containers = value.get("containers")
    return (
        isinstance(containers, Sequence)
        and not isinstance(containers, str)
        and bool(containers)
        and all(isinstance(container, Mapping) and "name" in container for container in containers)
    )


def _annotations(value: Mapping[str, Any], key: str) -> Mapping[str, str]:
    """Annotations that reach the pod below `key`: of a template, or beside a workload of an LLMInferenceService."""
    metadata = value.get("metadata")
    annotations: Any = None
    if key == "spec" and isinstance(metadata, Mapping):
        annotations = metadata.get("annotations")
    elif key in ("template", "worker"):
        annotations = value.get("annotations")
    return annotations if isinstance(annotations, Mapping) else {}
