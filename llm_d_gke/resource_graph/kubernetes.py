"""Kubernetes objects of recorded resources, in the form of the API, with placeholders for secrets."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from llm_d_gke.resource_graph.model import Graph, Recorded
from llm_d_gke.resource_graph.values import Secret, Unknown, Value, jsonable

PLACEHOLDER = "[secret]"
REGISTRY_PLACEHOLDER = '{"auths": {"[secret]": {}}}'
# The API server parses these two as JSON; every other key of a Secret may hold any bytes.
REGISTRY_KEYS = (".dockerconfigjson", ".dockercfg")


def kubernetes_object(resource: Recorded) -> dict[str, Value] | None:
    """The Kubernetes object of a resource, or None.

    None also for a patch of someone else's object (`DeploymentPatch`), which is no whole object, and for an object that
    is only read. A missing name becomes the logical name and eight hexadecimal digits, as the provider would make one.
    A secret is replaced by a placeholder that its field accepts, and in a Secret every value is, whether marked secret
    or not. An unknown becomes `[unknown]`.
    """
    inputs = resource.inputs
    kind = inputs.get("kind")
    applies = resource.custom and not resource.read and resource.type.startswith("kubernetes:")
    if not applies or not isinstance(kind, str) or "apiVersion" not in inputs or resource.type.endswith("Patch"):
        return None
    plain = {key: _plain(value) for key, value in inputs.items()}
    metadata = plain["metadata"] if isinstance(plain.get("metadata"), dict) else {}
    if "name" not in metadata and "generateName" not in metadata:
        metadata = {"name": f"{resource.name}-{hashlib.sha256(resource.urn.encode()).hexdigest()[:8]}", **metadata}
    plain["metadata"] = metadata
    if kind == "Secret":
        _hide(plain)
    return plain


def kubernetes_objects(graph: Graph) -> list[dict[str, Value]]:
    """Every Kubernetes object of a graph, in the order of the resources' URNs."""
    objects = (kubernetes_object(resource) for resource in graph)
    return [body for body in objects if body is not None]


def _hide(secret: dict[str, Value]) -> None:
    for field, encode in (("data", True), ("stringData", False)):
        values = secret.get(field)
        if field not in secret:
            continue
        if not isinstance(values, Mapping):
            # The whole map is unknown or secret beyond its keys; the field itself must still be a map.
            secret[field] = {}
            continue
        secret[field] = {key: _secret_text(key, encode) for key in values}


def _secret_text(key: str, encode: bool) -> str:
    text = REGISTRY_PLACEHOLDER if key in REGISTRY_KEYS else PLACEHOLDER
    return base64.b64encode(text.encode()).decode() if encode else text


def _plain(value: Value) -> Value:
    if isinstance(value, Secret):
        return _redacted(value.value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return jsonable(value)


def _redacted(value: Value) -> Value:
    """The same shape with nothing in it: keys stay (they are names), every value becomes an empty one of its type."""
    if isinstance(value, Secret):
        return _redacted(value.value)
    if isinstance(value, Mapping):
        return {key: _redacted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return 0
    if isinstance(value, Unknown) or value is None:
        return jsonable(value)
    return PLACEHOLDER
