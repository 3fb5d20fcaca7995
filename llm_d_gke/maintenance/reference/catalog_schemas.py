"""JSON Schemas of the catalog's files and of the rules, for editors.

The types in catalog/ describe entries as the program reads them. Files are shorter to write, because catalog/loading.py
fills in the rest. This module defines the differences between a file and its type.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from llm_d_gke.catalog.charts import ChartFacts
from llm_d_gke.catalog.config_architectures import Architectures
from llm_d_gke.catalog.engine import Engine
from llm_d_gke.catalog.engine_tables import Capabilities
from llm_d_gke.catalog.images import Images
from llm_d_gke.catalog.loading import FOLDER
from llm_d_gke.catalog.metrics import Metrics
from llm_d_gke.catalog.picker_parameters import Parameter
from llm_d_gke.catalog.pickers import Picker, Plugin
from llm_d_gke.catalog.price_entries import PriceItem
from llm_d_gke.catalog.quotas import Quotas
from llm_d_gke.catalog.release import Release
from llm_d_gke.catalog.schema import Accelerator, MachineType, Model, Source
from llm_d_gke.catalog.support import Support
from llm_d_gke.catalog.timeline import Timeline
from llm_d_gke.planning import rules

SCHEMAS = FOLDER / "schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DATE = {"type": "string", "format": "date"}

Schema = dict[str, Any]


def schemas() -> dict[str, Schema]:
    """The schema of each file that people write, by its name without ending. upstream.yaml is written by a command."""
    makers: dict[str, Callable[[], Schema]] = {
        "accelerators": _accelerators,
        "architectures": lambda: Architectures.model_json_schema(),
        "capabilities": lambda: Capabilities.model_json_schema(),
        "charts": lambda: _by_name(ChartFacts.model_json_schema()),
        "engine": lambda: Engine.model_json_schema(),
        "images": lambda: Images.model_json_schema(),
        "machines": _machines,
        "metrics": lambda: Metrics.model_json_schema(),
        "models": _models,
        "picker_parameters": _picker_parameters,
        "pickers": _pickers,
        "prices": _prices,
        "quotas": lambda: Quotas.model_json_schema(by_alias=True),
        "releases": _releases,
        "support": lambda: Support.model_json_schema(),
        "timeline": lambda: Timeline.model_json_schema(),
    }
    return {name: _document(f"llm_d_gke/catalog/{name}.yaml", make()) for name, make in makers.items()}


def rule_schema() -> Schema:
    """The schema of each file of planning/rules."""
    subject = rules.Subject.model_json_schema()
    subject["properties"]["rules"] = _by_name(_entry(rules.Rule, without=["id"]))
    return _document("llm_d_gke/planning/rules/*.yaml", subject)


def pages() -> dict[Path, str]:
    documents = {SCHEMAS / f"{name}.schema.json": schema for name, schema in schemas().items()}
    documents[rules.FOLDER / "rules.schema.json"] = rule_schema()
    return {path: json.dumps(document, indent=2) + "\n" for path, document in documents.items()}


def _document(title: str, schema: Schema) -> Schema:
    """One file's schema with all definitions at the top, where references expect them."""
    definitions: Schema = {}
    body = _collect_definitions(schema, definitions)
    return {"$schema": _DIALECT, **body, "title": title, "$defs": dict(sorted(definitions.items()))}


def _collect_definitions(node: Any, definitions: Schema) -> Any:
    if isinstance(node, dict):
        for name, definition in node.get("$defs", {}).items():
            definitions[name] = _collect_definitions(definition, definitions)
        return {key: _collect_definitions(value, definitions) for key, value in node.items() if key != "$defs"}
    return [_collect_definitions(item, definitions) for item in node] if isinstance(node, list) else node


def _entry(
    kind: type[BaseModel],
    *,
    without: Iterable[str] = (),
    optional: Iterable[str] = (),
    changed: Mapping[str, Schema] | None = None,
) -> Schema:
    """The schema of one entry: the type's, less the fields that loading fills in, with those written differently."""
    schema = kind.model_json_schema()
    schema["properties"] = {
        name: field for name, field in {**schema["properties"], **(changed or {})}.items() if name not in set(without)
    }
    absent = {*without, *optional}
    schema["required"] = [name for name in schema.get("required", []) if name not in absent]
    return schema


def _object(properties: Mapping[str, Schema]) -> Schema:
    required = list(properties)
    return {"type": "object", "properties": dict(properties), "required": required, "additionalProperties": False}


def _by_name(entry: Schema) -> Schema:
    return {"type": "object", "additionalProperties": entry}


def _sources() -> Schema:
    return _by_name(Source.model_json_schema())


def _accelerators() -> Schema:
    letters = {"type": "string", "description": "Letters of the region's zones; AI zones by their whole suffix."}
    entry = _entry(Accelerator, without=["name"], changed={"zones": _by_name(letters)})
    return _object({"sources": _sources(), "accelerators": _by_name(entry)})


def _machines() -> Schema:
    filled = ["name", "family", "vcpus", "memory_gib", "accelerator_count"]
    family = _entry(MachineType, without=filled)
    own = _entry(MachineType, without=filled)
    own["required"] = []
    number = {"type": "number"}
    family["properties"]["machines"] = _by_name(
        {
            "type": "array",
            "description": "vCPUs, memory in GiB, accelerators, and the machine's own fields.",
            "prefixItems": [{"type": "integer"}, number, {"anyOf": [{"type": "integer"}, own]}, own],
            "minItems": 2,
            "maxItems": 4,
        }
    )
    family["required"].append("machines")
    return _object({"sources": _sources(), "families": _by_name(family)})


def _models() -> Schema:
    filled = ["dtype", "tied_embeddings", "gated", "attention", "date"]
    entry = _entry(Model, without=["id"], optional=filled)
    _let_copy(entry, "Another entry whose fields this one takes.")
    return _object({"sources": _sources(), "models": _by_name(entry)})


def _let_copy(entry: Schema, description: str) -> None:
    """Allow `like` in place of the required fields."""
    required = entry.pop("required")
    entry["properties"]["like"] = {"type": "string", "description": description}
    entry["anyOf"] = [{"required": ["like"]}, {"required": required}]


def _keyed_by_name(entry: Schema) -> Schema:
    """A file whose entries are siblings of `date` and `sources`."""
    return {"type": "object", "properties": {"date": _DATE, "sources": _sources()}, "additionalProperties": entry}


def _releases() -> Schema:
    return _keyed_by_name(_entry(Release, without=["name", "as_of"]))


def _picker_parameters() -> Schema:
    like = {"type": "string", "description": "Another group, whose parameters come first."}
    flat = {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": "Older names of values in groups, by their path.",
    }
    parameter = Parameter.model_json_schema()
    return _by_name({"type": "object", "properties": {"like": like, "flat": flat}, "additionalProperties": parameter})


def _pickers() -> Schema:
    plugin = _entry(Plugin, without=["type", "kinds"], optional=["stability"])
    shapes = {"anyOf": [{"type": "null"}, {"type": "string"}, plugin]}
    entry = _entry(Picker, without=["name"], changed={"plugins": _by_name(_by_name(shapes))})
    entry["properties"]["stability"] = Plugin.model_json_schema()["properties"]["stability"]
    entry["properties"]["without"] = {"type": "array", "items": {"type": "string"}}
    _let_copy(entry, "Another picker before it whose entry this one takes, less the plugins in `without`.")
    return _keyed_by_name(entry)


def _prices() -> Schema:
    ways = "on-demand / spot / flex-start / reserved"
    rates = {"anyOf": [{"type": "number"}, {"type": "string"}], "description": ways}
    by_source = _by_name(_by_name(_by_name(rates)))
    multiple = {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "minItems": 2, "maxItems": 2}
    item = _entry(PriceItem, without=["date"])
    tables = {"machines": by_source, "multiples": _by_name(multiple), "attached": by_source, "chips": by_source}
    return _object({"sources": _sources(), **tables, "items": _by_name(item)})
