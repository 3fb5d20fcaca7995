"""Lists the fields of pods and documents that a stack file has no place for, so that none is lost silently."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from llm_d_gke.operations.adopt_manifests.replacements import replacements
from llm_d_gke.operations.adopt_manifests.servers import Json, listing, mapping

LeftOut = tuple[str, str]

_OWN = "the stack sets its own"
_READ_OF_PODS = ("containers", "nodeSelector", "affinity", "restartPolicy", "initContainers")
_READ_OF_CONTAINERS = ("name", "image", "command", "args", "env", "resources", "envFrom")


def left_out_of_pod(pod: Json, container: Json, labels: Mapping[str, str]) -> Iterator[LeftOut]:
    """Fields of a server's pod other than command, image and accelerators of the engine. `labels`: of its node."""
    others = [
        str(entry.get("name", "?"))
        for field in ("containers", "initContainers")
        for entry in listing(pod, field)
        if isinstance(entry, Mapping) and entry.get("name") != container.get("name")
    ]
    if others:
        yield f"containers {', '.join(others)}", "only the engine's is read; the stack adds those that it needs"
    yield from _sources(container)
    sizes = _sizes(container)
    if sizes:
        yield f"resources {', '.join(sizes)}", "pods take their share of the node that holds their accelerators"
    for label, value in labels.items():
        if label not in replacements().node_labels:
            yield f"node label {label}={value}", "the stack makes a pool of its own, and its pods select that"
    affinity = mapping(pod, "affinity")
    kept_apart = [f"affinity.{name}" for name in unread(affinity, ("nodeAffinity",))]
    if mapping(affinity, "nodeAffinity") and not labels:
        kept_apart.append("affinity.nodeAffinity")
    fields = [*unread(container, _READ_OF_CONTAINERS), *unread(pod, _READ_OF_PODS), *kept_apart]
    if fields:
        yield f"pod fields {', '.join(dict.fromkeys(fields))}", _OWN


def unread(document: Json, read: Collection[str]) -> list[str]:
    """Keys of a map that have a value and are not read."""
    return [str(key) for key, value in document.items() if key not in read and value not in (None, "", [], {})]


def annotation_fields(document: Json) -> Iterator[str]:
    """Annotations of an object, without kubectl's own record of it."""
    for key in mapping(document, "metadata", "annotations"):
        if "last-applied" not in str(key):
            yield f"annotation {key}"


def _sources(container: Json) -> Iterator[LeftOut]:
    """Variables whose value is somewhere else."""
    names: dict[str, list[str]] = {}
    for variable in listing(container, "env"):
        for source in mapping(variable, "valueFrom"):
            names.setdefault(str(source), []).append(str(variable.get("name", "?")))
    secrets, configurations = names.pop("secretKeyRef", []), names.pop("configMapKeyRef", [])
    if secrets:
        yield f"variables {', '.join(secrets)}", "a Secret holds them; huggingFace.token takes the Hub token's place"
    if configurations:
        yield (
            f"variables {', '.join(configurations)}",
            "a ConfigMap holds them; models[].env takes those that are needed",
        )
    others = [name for fields in names.values() for name in fields]
    if others:
        yield f"variables {', '.join(others)}", "their values are fields of the pod; the stack sets those that it needs"
    for entry in listing(container, "envFrom"):
        for source in ("secretRef", "configMapRef"):
            if name := mapping(entry, source).get("name"):
                yield f"variables of {name}", "their names are not in this object; models[].env takes those needed"


def _sizes(container: Json) -> list[str]:
    amounts: dict[str, Any] = {
        **mapping(container, "resources", "limits"),
        **mapping(container, "resources", "requests"),
    }
    return [f"{name} {amount}" for name, amount in amounts.items() if not str(name).endswith(("gpu", "tpu"))]
