"""Resources as a policy sees them, and the pods inside them.

A pod stands in a Deployment, and as well inside a LeaderWorkerSet, an LLMInferenceService or any kind that an operator
brings. Whatever a kind is called, a pod's specification is a map with a list of containers: it is found by its form.
Everything else is a part, which another program may complete to a pod: values of a chart, a template without
containers, a merge in the text of a ConfigMap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

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


@dataclass(frozen=True, kw_only=True)
class Part:
    """A map of a resource that is in no pod. `place` is its path."""

    resource: Resource
    place: str
    fields: Mapping[str, Any]


def pods_of(resource: Resource) -> list[Pod]:
    """Every pod inside the resource, however deep."""
    return [item for item in _contents(resource) if isinstance(item, Pod)]


def parts_of(resource: Resource) -> list[Part]:
    """Every map inside the resource that is in none of its pods."""
    return [item for item in _contents(resource) if isinstance(item, Part)]


def _contents(resource: Resource) -> Iterator[Pod | Part]:
    if resource.type.startswith("kubernetes:"):
        yield from _walk(resource, resource.properties, "", {})


def _walk(
    resource: Resource, value: Any, place: str, annotations: Mapping[str, str], *, merge: bool = False
) -> Iterator[Pod | Part]:
    """Pods and parts below a value. A merge states what it changes, so containers without an image are parts of it."""
    if isinstance(value, str):
        # A text inside a text is not read.
        for document in () if merge else _documents(value):
            yield from _walk(resource, document, place, annotations, merge=True)
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            yield from _walk(resource, item, f"{place}[{index}]", annotations, merge=merge)
    elif isinstance(value, Mapping) and _is_pod(value, merge=merge):
        yield Pod(resource=resource, place=place.lstrip("."), spec=value, annotations=annotations)
    elif isinstance(value, Mapping):
        yield Part(resource=resource, place=place.lstrip("."), fields=value)
        for key, item in value.items():
            yield from _walk(resource, item, f"{place}.{key}", _annotations(value, key), merge=merge)


def _documents(text: str) -> list[Any]:
    """Manifests inside text, as JSON or YAML: Istio merges those of a ConfigMap. Templates of Helm are not read."""
    if ":" not in text or "{{" in text or ("\n" not in text and not text.startswith("{")):
        return []
    try:
        return [document for document in yaml.safe_load_all(text) if not isinstance(document, str)]
    except yaml.YAMLError:
        return []


def _is_pod(value: Mapping[str, Any], *, merge: bool) -> bool:
    """Whether a map has containers. In a preview, some items of the list may not be known yet."""
    containers = value.get("containers")
    if not isinstance(containers, Sequence) or isinstance(containers, str):
        return False
    named = [container for container in containers if isinstance(container, Mapping) and "name" in container]
    return bool(named) and (not merge or any(container.get("image") for container in named))


def _annotations(value: Mapping[str, Any], key: str) -> Mapping[str, str]:
    """Annotations that reach the pod below `key`: of a template, or beside a workload of an LLMInferenceService."""
    metadata = value.get("metadata")
    annotations: Any = None
    if key == "spec" and isinstance(metadata, Mapping):
        annotations = metadata.get("annotations")
    elif key in ("template", "worker"):
        annotations = value.get("annotations")
    return annotations if isinstance(annotations, Mapping) else {}
