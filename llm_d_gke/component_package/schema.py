"""The package's schema, derived from the types of the settings.

Inputs have the names of a stack file. They are plain where planning needs their value, so that TypeScript and Go refuse
an output there when they compile. Inputs that `late_values` accepts as outputs are not plain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llm_d_gke.components.late_values import ACCEPTED
from llm_d_gke.settings import StackSettings

PACKAGE = "llm-d"
MODULE = "stack"
# The type that the project's own program registers, so that a stack keeps its URN when a program takes it over.
COMPONENT = f"{PACKAGE}:{MODULE}:InferenceStack"
# A file of the checkout, which a program in another place does not have.
_LEFT_OUT = "base"

Json = dict[str, Any]
Path = tuple[str, ...]

_OUTPUTS: Mapping[str, tuple[Json, str]] = {
    "address": ({"type": "string"}, "IP address of the Gateway."),
    "clusterName": ({"type": "string"}, "Name of the cluster, known once it exists."),
    "endpoint": ({"type": "string"}, "URL of the Gateway, with the host name if there is one."),
    "kubeconfig": ({"type": "string"}, "Kubeconfig without credentials; gke-gcloud-auth-plugin requests them."),
    "models": (
        {"type": "array", "items": {"$ref": f"#/types/{PACKAGE}:{MODULE}:ServedModel"}},
        "Models with their endpoints. Only with KServe each model has a path of its own.",
    ),
    "namespace": ({"type": "string"}, "Namespace of Gateway, pickers and model servers, known once it exists."),
    "network": ({"type": "string"}, "The VPC as projects/.../global/networks/..."),
    "subnetwork": ({"type": "string"}, "The subnet of the nodes as projects/.../regions/.../subnetworks/..."),
}


def package_schema(version: str) -> Json:
    """The schema that Pulumi generates SDKs from."""
    document = StackSettings.model_json_schema(by_alias=True)
    types = _Types(document.get("$defs", {}))
    inputs = types.properties("", (), document)
    inputs["stack"] = {
        "type": "string",
        "plain": True,
        "description": "Name in all names in Google Cloud; by default the Pulumi stack's name and the resource's.",
    }
    served = {
        "type": "object",
        "description": "A model as clients reach it.",
        "properties": {
            "name": {"type": "string", "description": "Name in requests."},
            "endpoint": {"type": "string", "description": "URL below which the OpenAI-compatible API is."},
        },
        "required": ["endpoint", "name"],
    }
    return {
        "name": PACKAGE,
        "version": version,
        "displayName": "llm-d on GKE",
        "description": "llm-d inference on GKE: one component from typed settings",
        # The generator of Go then writes a go.mod.
        "meta": {"supportPack": True},
        "types": {**types.written, f"{PACKAGE}:{MODULE}:ServedModel": served},
        "resources": {
            COMPONENT: {
                "type": "object",
                "isComponent": True,
                "description": "Cluster, node pools, Gateway, endpoint pickers and model servers of one stack.",
                "inputProperties": inputs,
                "requiredInputs": [*document["required"], "project"],
                "properties": {
                    name: {**spec, "description": description} for name, (spec, description) in _OUTPUTS.items()
                },
                "required": sorted(_OUTPUTS),
            }
        },
        "language": {
            "nodejs": {"respectSchemaVersion": True},
            "go": {"respectSchemaVersion": True, "generateResourceContainerTypes": False},
            "python": {"respectSchemaVersion": True},
        },
    }


class _Types:
    """Translates JSON Schema into Pulumi's. `written` are the named types that were met, by token."""

    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self._definitions = definitions
        self.written: dict[str, Json] = {}

    def properties(self, owner: str, path: Path, schema: Json) -> dict[str, Json]:
        """The properties of a group of settings. `path` is its place in a stack file."""
        group = owner.removesuffix("Settings")
        return {
            name: self._property(f"{group}{name[0].upper()}{name[1:]}", (*path, name), field)
            for name, field in schema.get("properties", {}).items()
            if name != _LEFT_OUT
        }

    def _property(self, name: str, path: Path, field: Json) -> Json:
        options = _options(field)
        spec = self._type(name, path, field)
        if len(options) == 1:
            if "const" in options[0]:
                spec["const"] = options[0]["const"]
            # Not on an input of the component itself: SDKs would make one output of a whole map of keys.
            if options[0].get("writeOnly") and len(path) > 1:
                spec["secret"] = True
        if "description" in field:
            spec["description"] = field["description"]
        return spec

    def _type(self, name: str, path: Path, field: Json) -> Json:
        options = _options(field)
        if len(options) > 1:
            return self._union(name, path, field, options)
        (only,) = options
        plain = {} if path in ACCEPTED else {"plain": True}
        if "$ref" in only:
            return {"$ref": self._group(only["$ref"].rsplit("/", 1)[1], path), **plain}
        kind = only.get("type")
        # Values such as "1.3" make no names for members of an enumeration.
        if "enum" in only and all(re.match("[A-Za-z]", str(value)) for value in only["enum"]):
            return {"$ref": self._enumeration(name, only["enum"]), **plain}
        if kind == "array":
            items = only.get("items") or only["prefixItems"][0]
            return {"type": "array", "items": self._type(f"{name}Item", (*path, "*"), items), **plain}
        if kind == "object":
            values = self._type(f"{name}Value", (*path, "*"), _values(only))
            return {"type": "object", "additionalProperties": values, **plain}
        if kind in ("string", "integer", "number", "boolean"):
            return {"type": kind, **plain}
        return {"$ref": "pulumi.json#/Any", **plain}

    def _union(self, name: str, path: Path, field: Json, options: list[Json]) -> Json:
        spec: Json = {"oneOf": [self._type(name, path, option) for option in options], "plain": True}
        if "discriminator" in field:
            chosen = field["discriminator"]
            spec["discriminator"] = {
                "propertyName": chosen["propertyName"],
                "mapping": {key: _reference(ref.rsplit("/", 1)[1]) for key, ref in chosen["mapping"].items()},
            }
        return spec

    def _group(self, name: str, path: Path) -> str:
        token = _token(name)
        if token not in self.written:
            schema = self._definitions[name]
            # Before its properties, which may refer to it.
            self.written[token] = {}
            self.written[token] = {
                "type": "object",
                "description": schema.get("description", ""),
                "properties": self.properties(name, path, schema),
                "required": list(schema.get("required", [])),
            }
        return _reference(name)

    def _enumeration(self, name: str, values: list[str]) -> str:
        self.written[_token(name)] = {"type": "string", "enum": [{"value": value} for value in values]}
        return _reference(name)


def _token(name: str) -> str:
    return f"{PACKAGE}:{MODULE}:{name}"


def _reference(name: str) -> str:
    return f"#/types/{_token(name)}"


def _options(field: Json) -> list[Json]:
    """The types that a field may have, without null: a property that is not required may be left out."""
    options = field.get("anyOf") or field.get("oneOf") or [field]
    return [option for option in options if option.get("type") != "null"]


def _values(schema: Json) -> Json:
    """The type of the values of a map."""
    for values in schema.get("patternProperties", {}).values():
        return dict(values)
    extra = schema.get("additionalProperties")
    return extra if isinstance(extra, dict) else {}
