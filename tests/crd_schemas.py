"""Validates objects against the schemas of CRDs as a strict API server does: unknown fields are refused.

Types, required fields, enumerations, patterns and unknown fields are checked. Rules in CEL are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

# Parts of a Kubernetes OpenAPI schema that are no checks.
_NO_CHECKS = ("format", "default", "nullable", "description", "example")


def refusals(crds: Iterable[Mapping[str, Any]], manifests: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One line for each error of each object, and for each object whose version is not served."""
    versions = {
        (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]): version
        for crd in crds
        for version in crd["spec"]["versions"]
    }
    for manifest in manifests:
        version = versions.get((manifest["apiVersion"], manifest["kind"]))
        if version is None or not version["served"]:
            yield f"{manifest['kind']} is not served in {manifest['apiVersion']}"
            continue
        validator = Draft202012Validator(strict(version["schema"]["openAPIV3Schema"]))
        body = {key: value for key, value in manifest.items() if key not in ("metadata", "status")}
        for error in validator.iter_errors(body):
            place = ".".join(str(part) for part in error.absolute_path)
            yield f"{manifest['kind']} {place}: {error.message[:160]}"


def strict(schema: Any) -> Any:
    """An OpenAPI schema of Kubernetes as a JSON Schema without additional fields."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key.startswith("x-kubernetes-") or key in _NO_CHECKS:
            continue
        if key == "properties":
            result[key] = {name: strict(inner) for name, inner in value.items()}
        else:
            result[key] = strict(value)
    # Parts of anyOf, oneOf and not state no type: they add conditions and do not list every field.
    closed = result.get("type") == "object" and "properties" in result and "additionalProperties" not in result
    if closed and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result["additionalProperties"] = False
    if schema.get("nullable") and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
    return result
