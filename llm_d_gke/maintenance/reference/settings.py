"""docs/settings.md with its JSON Schema, and the keys that Pulumi.yaml declares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from llm_d_gke.cli.markdown import table
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.base import MERGED_BY, REPLACES
from llm_d_gke.stackfile import NAMESPACE, PROJECT_ROOT
from llm_d_gke.stackfile.project import PROJECT_FILE

PAGE = PROJECT_ROOT / "docs" / "settings.md"
SCHEMA = PROJECT_ROOT / "docs" / "settings.schema.json"
PROJECT = PROJECT_ROOT / PROJECT_FILE
# "Not given" by type: the program then says what is missing, or derives it.
_EMPTY: dict[str, type] = {"string": str, "object": dict, "array": list, "boolean": bool}


def pages() -> dict[Path, str]:
    return {PAGE: page(), SCHEMA: json.dumps(schema(), indent=2) + "\n", PROJECT: project_file()}


def project_file() -> str:
    """Pulumi.yaml with a declaration of every key that a stack file may hold, so that `pulumi config` explains it."""
    head, _, _ = PROJECT.read_text(encoding="utf-8").partition("\nconfig:\n")
    document = StackSettings.model_json_schema(by_alias=True)
    declared = {
        key: _declaration(field, required=key in document["required"]) for key, field in document["properties"].items()
    }
    return f"{head}\n{yaml.safe_dump({'config': declared}, sort_keys=False, width=112)}"


def _declaration(field: dict[str, Any], *, required: bool) -> dict[str, Any]:
    options = [part for part in field.get("anyOf", [field]) if part.get("type") != "null"]
    kind = options[0].get("type", "object")
    choices = f" One of {', '.join(field['enum'])}." if "enum" in field else ""
    return {
        "type": kind,
        **({"items": {"type": "object"}} if kind == "array" else {}),
        "default": _EMPTY[kind](),
        "description": f"{field['description']}{choices}{' Required.' if required else ''}",
    }


def schema() -> dict[str, Any]:
    """JSON Schema of a whole `Pulumi.<stack>.yaml`, for editors."""
    inner = StackSettings.model_json_schema(by_alias=True)
    _add_notes(inner)
    definitions = inner.pop("$defs")
    _require_kinds(definitions)
    properties = {f"{NAMESPACE}:{key}": value for key, value in inner["properties"].items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "llm-d stack",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": properties,
                # Keys of other programs (gcp:project, pulumi:...) are allowed; an unknown key of this one is not.
                "patternProperties": {f"^(?!{NAMESPACE}:)": {}},
                "additionalProperties": False,
            }
        },
        "$defs": definitions,
    }


def _require_kinds(definitions: dict[str, Any]) -> None:
    """Require `kind` where it tells groups apart, also of the group that is the default of the whole."""
    for group in definitions.values():
        kind = group.get("properties", {}).get("kind", {})
        if "const" in kind and "kind" not in group.setdefault("required", []):
            group["required"].insert(0, "kind")


def page() -> str:
    """The settings as Markdown: one table for each group."""
    document = StackSettings.model_json_schema(by_alias=True)
    _require_kinds(document["$defs"])
    lines = [
        "# Settings",
        "",
        "Everything a `Pulumi.<stack>.yaml` may hold below `config:`, each key with the prefix `llm-d:`.",
        "Written by `python -m llm_d_gke.maintenance.reference settings` from the types in llm_d_gke/settings/; an"
        " unknown key is an error.",
        "Editors check a stack file whose first line is `# yaml-language-server: $schema=docs/settings.schema.json`.",
    ]
    lines += _table("Stack", document)
    for name, group in document["$defs"].items():
        lines += _table(name.removesuffix("Settings"), group)
    return "\n".join(lines) + "\n"


def _table(title: str, group: dict[str, Any]) -> Iterator[str]:
    yield from ("", f"## {title}", "", " ".join(str(group.get("description", "")).split()), "")
    if "properties" not in group:
        return
    required = group.get("required", [])
    rows = [_row(key, field, required=key in required) for key, field in group["properties"].items()]
    yield from table(("key", "type", "default", "meaning"), rows)


def _row(key: str, field: dict[str, Any], *, required: bool) -> tuple[str, ...]:
    default = "**required**" if required else f"`{json.dumps(field.get('default'))}`"
    meaning = f"{field.get('description', '')}{_bounds(field)}"
    if MERGED_BY in field:
        meaning += f" {_merged(field)}"
    if REPLACES in field:
        meaning += f" **{_replaced(field)}**"
    return f"`{key}`", _type(field), default, meaning


def _merged(field: dict[str, Any]) -> str:
    return f"Merged onto a base by `{field[MERGED_BY]}`."


def _replaced(field: dict[str, Any]) -> str:
    return f"A change replaces: {', '.join(field[REPLACES])}."


def _add_notes(part: Any) -> None:
    """Append how a list is merged and what a change replaces to each description, because editors show descriptions."""
    if isinstance(part, dict):
        notes = [note(part) for key, note in ((MERGED_BY, _merged), (REPLACES, _replaced)) if key in part]
        if notes:
            part["description"] = " ".join((part.get("description", ""), *notes)).strip()
        for item in part.values():
            _add_notes(item)
    elif isinstance(part, list):
        for item in part:
            _add_notes(item)


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return f"[{name.removesuffix('Settings')}](#{name.removesuffix('Settings').lower()})"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in field:
            return " or ".join(_type(part) for part in field[key] if part.get("type") != "null")
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    return str(field.get("format", field.get("type", "any")))


def _bounds(field: dict[str, Any]) -> str:
    parts = [field, *field.get("anyOf", [])]
    words = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {part[key]}" for part in parts for key, sign in words.items() if key in part]
    return f" ({', '.join(bounds)})" if bounds else ""
