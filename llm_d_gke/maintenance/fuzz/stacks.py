"""Hypothesis strategies for raw settings, derived from the JSON Schema of the settings, which includes new settings.

Values are mostly plausible, so that plans come out, with known names of accelerators, machines and models; `damaged`
breaks one place of such a stack.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from llm_d_gke.catalog import load
from llm_d_gke.catalog.schema import region_of
from llm_d_gke.maintenance.fuzz.features import schema_of_stacks

Tree = dict[str, Any]
Strategy = st.SearchStrategy[Any]

_RANGES = (
    "10.0.0.0/20",
    "10.4.0.0/14",
    "10.8.0.0/20",
    "10.128.0.0/20",
    "192.168.0.0/23",
    "172.16.0.0/26",
    "8.8.8.0/24",
)
_TEXTS = ("a", "llm", "Qwen", "ä", "x" * 300, "", " ", "a/b", "${HOME}", "{{", "1", "null", "hf_x")

# Replacements for a value in a damaged stack.
JUNK: Strategy = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from(_TEXTS),
    st.text(max_size=8),
    st.lists(st.sampled_from(_TEXTS), max_size=2),
    st.dictionaries(st.sampled_from(_TEXTS), st.integers(), max_size=2),
)


@functools.cache
def _accepted_values() -> Mapping[tuple[str, str], tuple[Any, ...]]:
    """Names in the catalog, by the schema's type and its property."""
    catalog = load()
    zones = sorted({zone for accelerator in catalog.accelerators.values() for zone in accelerator.zones})
    topologies = sorted({name for machine in catalog.machines.values() for name in machine.topologies})
    return {
        ("AcceleratorSettings", "type"): tuple(catalog.accelerators),
        ("AcceleratorSettings", "machineType"): tuple(catalog.machines),
        ("AcceleratorSettings", "topology"): tuple(topologies),
        ("AcceleratorSettings", "zones"): tuple(zones),
        ("CpuPoolSettings", "machineType"): tuple(catalog.machines),
        ("ModelSettings", "id"): tuple(catalog.models),
        ("StackSettings", "location"): (*zones, *sorted({region_of(zone) for zone in zones})),
        ("StackSettings", "release"): tuple(catalog.releases),
        ("StackSettings", "project"): ("my-project",),
        ("ClusterSettings", "version"): ("1.30", "1.33", "1.34.1-gke.1829001", "1.36"),
        ("ExistingCluster", "version"): ("1.30.1-gke.1", "1.33.1-gke.1", "1.35.1-gke.1829001"),
    }


@functools.cache
def stacks() -> Strategy:
    """Values of a stack file by top-level key: right in form, whether or not they can work.

    Made once: its thousands of parts take longer to make than a stack to draw.
    """
    return _object(schema_of_stacks()).flatmap(
        lambda values: st.just(values | {"accelerator": values.get("accelerator", {})})
    )


@st.composite
def likely(draw: st.DrawFn) -> Tree:
    """A stack with a zone and a machine that have its accelerator, so that planning runs to the end."""
    values: Tree = draw(stacks())
    catalog = load()
    accelerator = catalog.accelerators[draw(st.sampled_from(sorted(catalog.accelerators)))]
    machines = catalog.machines_for(accelerator.name)
    machine = draw(st.sampled_from(machines))
    values |= {
        "project": "my-project",
        "huggingFace": {"token": "hf_fuzz"},
        "accelerator": {"type": accelerator.name, "machineType": machine.name, "nodes": {"max": 64}},
        "pattern": draw(st.sampled_from(_values_of("pattern"))),
    }
    if accelerator.zones:
        values["location"] = draw(st.sampled_from(accelerator.zones))
    models = values["models"][: 1 if values["pattern"] != "multi-model" else 3]
    for model in models:
        for key in (
            "servedName",
            "aliases",
            "adapters",
            "extraArgs",
            "prefixCaching",
            "tensorParallel",
            "quantization",
        ):
            if draw(st.integers(0, 9)):
                model.pop(key, None)
    values["models"] = models
    for key in ("cpuPool", "network", "prices"):
        if draw(st.booleans()):
            values.pop(key, None)
    return values


@st.composite
def working(draw: st.DrawFn) -> Tree:
    """A small model on one of a few machines, with everything else as it comes: most of these have a plan."""
    values = draw(stacks())
    kind, zone, machine, model = draw(
        st.sampled_from(
            (
                ("nvidia-tesla-t4", "us-central1-a", "n1-standard-4", "Qwen/Qwen2.5-0.5B-Instruct"),
                ("nvidia-tesla-t4", "us-central1-a", "n1-standard-8", "microsoft/phi-2"),
                ("nvidia-l4", "us-central1-a", "g2-standard-8", "Qwen/Qwen3-4B"),
                ("nvidia-l4", "us-central1-b", "g2-standard-24", "meta-llama/Llama-3.1-8B-Instruct"),
                ("tpu-v6e", "europe-west4-a", "ct6e-standard-4t", "Qwen/Qwen2.5-3B-Instruct"),
            )
        )
    )
    first = {"id": model, "maxModelLen": 1024, "replicas": draw(st.integers(1, 3))}
    second = {"id": "Qwen/Qwen2.5-3B-Instruct", "maxModelLen": 1024}
    pattern = draw(st.sampled_from(("single-replica", "multi-model", "prefix-cache")))
    if pattern == "prefix-cache":
        first["replicas"] = 2
    keep = (
        "cluster",
        "gateway",
        "router",
        "monitoring",
        "labels",
        "namespace",
        "paused",
        "cpuPool",
        "release",
        "picker",
    )
    return {key: values[key] for key in keep if key in values} | {
        "project": "my-project",
        "location": zone,
        "accelerator": {"type": kind, "machineType": machine, "nodes": {"max": 8}},
        "pattern": pattern,
        "models": [first, second] if pattern == "multi-model" else [first],
        "huggingFace": {"token": "hf_fuzz"},
        "acknowledge": [{"id": "LLMD-GATEWAY-OPEN", "reason": "nothing of this is created"}],
    }


@st.composite
def damaged(draw: st.DrawFn) -> Tree:
    """A stack with one to three places changed: another value, a missing key, or an unknown one."""
    values: Tree = copy.deepcopy(draw(st.one_of(likely(), stacks())))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(values))
        holder, key = draw(st.sampled_from(places)) if places else (values, "models")
        what = draw(st.sampled_from(("junk", "gone", "unknown")))
        if what == "junk":
            holder[key] = draw(JUNK)
        elif what == "gone" and isinstance(holder, dict):
            holder.pop(key, None)
        elif isinstance(holder, dict):
            holder[draw(st.sampled_from(_TEXTS))] = draw(JUNK)
    return values


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a tree, the outermost first."""
    items = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)) if isinstance(tree, list) else []
    return [(tree, key) for key, _ in items] + [place for _, value in items for place in _places(value)]


def _values_of(name: str) -> list[str]:
    values: list[str] = schema_of_stacks()["properties"][name]["enum"]
    return values


def _object(schema: Tree) -> Strategy:
    """A mapping of a schema's properties: all that are required, of the others a few."""
    properties: Tree = schema["properties"]
    required = frozenset(schema.get("required", ()))
    values = {name: _value(schema.get("title", ""), name, part) for name, part in properties.items()}
    few = st.sets(st.sampled_from(sorted(properties)), max_size=max(1, round(len(properties) * 0.3)))
    return few.flatmap(lambda few: st.fixed_dictionaries({name: values[name] for name in sorted(required | few)}))


def _value(title: str, name: str, schema: Tree) -> Strategy:
    choices = _accepted_values().get((title, name))
    if choices is None:
        return _any(schema)
    picked = st.sampled_from(choices)
    return st.lists(picked, max_size=2) if _resolve(schema).get("type") == "array" else picked


def _resolve(schema: Tree) -> Tree:
    while "$ref" in schema:
        definition: Tree = schema_of_stacks()["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        schema = definition
    return schema


def _any(schema: Tree) -> Strategy:
    """A value that a schema allows, as far as the schema is specific."""
    schema = _resolve(schema)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return st.one_of([_any(part) for part in schema[union]])
    match schema.get("type"):
        case "object" if schema.get("properties"):
            return _object(schema)
        case "object":
            return st.dictionaries(st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True), _text({}), max_size=3)
        case "array":
            items = schema.get("items", {})
            return st.lists(_any(items), min_size=schema.get("minItems", 0), max_size=3)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "integer":
            return _integer(schema)
        case "number":
            low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            high = schema.get("maximum", schema.get("exclusiveMaximum", 100))
            return st.floats(
                low, high, exclude_min="exclusiveMinimum" in schema, exclude_max="exclusiveMaximum" in schema
            )
        case _:
            return _text(schema)


def _integer(schema: Tree) -> Strategy:
    low, high = schema.get("minimum", 0), schema.get("maximum", 100_000)
    small = st.integers(low, min(high, low + 8))
    return st.one_of(small, small, st.integers(low, high))


def _text(schema: Tree) -> Strategy:
    if schema.get("format") in ("ipv4network", "ipvanynetwork"):
        return st.sampled_from(_RANGES)
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True).filter(
            lambda text: len(text) <= schema.get("maxLength", 96)
        )
    low, high = schema.get("minLength", 0), schema.get("maxLength", 40)
    return st.text("abz09-._/ ", min_size=low, max_size=min(high, max(low, 20)))


KINDS: Mapping[str, Strategy] = {
    "right in form": stacks(),
    "likely": likely(),
    "working": working(),
    "damaged": damaged(),
}
