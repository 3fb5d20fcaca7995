"""Random stacks for one release that use many settings of the engine, the picker and the router at once.

What they render goes to the real parts of the release (llm_d_gke/maintenance/conformance): combinations that no example
has. Names come from the catalog, so that most refusals are about combinations, not about spelling.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, Final, get_args

from llm_d_gke.catalog import load
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_tables import facts_of
from llm_d_gke.catalog.parameters import weights_gib
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.stack import Pattern

Tree = dict[str, Any]

# Parts of a stack that say nothing of the engine and are drawn whole; each in one of three stacks.
_WHOLE: Final = ("picker", "gateway", "router", "monitoring", "labels", "namespace", "cluster", "cpuPool")
# Fields of a model that the JSON Schema describes well enough to be drawn from it.
_PLAIN: Final = (
    "servedName",
    "aliases",
    "maxModelLen",
    "gpuMemoryUtilization",
    "dtype",
    "expertParallel",
    "allToAll",
    "maxNumSeqs",
    "maxNumBatchedTokens",
    "quantization",
    "kvCacheDtype",
    "prefixCaching",
    "blockSize",
    "kvOffloadGib",
    "load",
)
# Settings that would need a separate object, release or machine type.
_LEFT_OUT: Final = (("picker", "config"), ("picker", "release"), ("cluster", "existing"), ("cpuPool", "machineType"))
# Sizes that divide most models; the schema allows every number.
_PARALLEL: Final = {"tensorParallel": (1, 2, 4, 8), "pipelineParallel": (1, 2), "dataParallel": (1, 2, 4, 8, 16)}
_SOURCES: Final = (
    {"kind": "bucket", "bucket": "my-weights", "path": "models/one"},
    {"kind": "volume-claim", "claim": "weights", "path": "one"},
    {"kind": "image", "reference": "europe-docker.pkg.dev/my-project/models/one:v1", "path": "model"},
    {"kind": "hugging-face", "revision": "main"},
)
_ADAPTERS: Final = (
    {"name": "sql", "source": "my-org/sql-adapter"},
    {"name": "law", "source": "gs://my-bucket/adapters/law", "rank": 32},
    {"name": "tone", "source": "my-org/tone", "rank": 64},
)
_DRAFTS: Final = {
    "eagle": "yuhuili/EAGLE-LLaMA3.1-Instruct-8B",
    "eagle3": "RedHatAI/Qwen3-8B-speculator.eagle3",
    "draft_model": "Qwen/Qwen3-0.6B",
}
_VARIABLES: Final = ({"VLLM_LOGGING_LEVEL": "DEBUG"}, {"NCCL_DEBUG": "INFO"}, {"MY_OWN": "1"})
_EXTRA: Final = (("--seed", "7"), ("--max-logprobs", "5"), ("--swap-space", "8"), ("--enable-log-requests",))

# A version of vLLM of which nothing is known, for releases without an image for the accelerator.
_UNKNOWN = "0"


def featured(release: str, seed: int) -> Iterator[Tree]:
    """Endless stacks of `release` on any accelerator, the same ones for the same seed.

    Each has a model that its nodes may hold, and a few settings of each part.
    """
    random = Random(f"{release} {seed}")  # noqa: S311 (no secret)
    while True:
        yield _stack(random, release)


def _stack(random: Random, release: str) -> Tree:
    catalog = load()
    accelerator = random.choice(list(catalog.accelerators.values()))
    machine = random.choice(catalog.machines_for(accelerator.name))
    count = random.choice(machine.counts_of(accelerator.name))
    pattern = random.choice(get_args(Pattern))
    values: Tree = {key: _sample(random, schema_of_stacks(), key) for key in _WHOLE if random.random() < 0.15}
    for part, key in _LEFT_OUT:
        values.get(part, {}).pop(key, None)
    if pattern == "disaggregated" and random.random() < 0.5:
        values["disaggregation"] = {"prefillFromTokens": random.choice((0, 128, 4096))}
    room = 0.75 * accelerator.nominal_gib * count
    image = catalog.releases[release].engine.image_for(accelerator, disaggregated=pattern == "disaggregated")
    version = image.version if image is not None else _UNKNOWN
    architectures = _architectures(version)
    fitting = [
        model.id
        for model in catalog.models.values()
        if _gib(model.id) < room
        and (model.experts or pattern != "mixture-of-experts")
        and (model.architecture in architectures or not architectures)
    ] or ["Qwen/Qwen3-0.6B"]
    chosen = [random.choice(fitting) for _ in range(2 if pattern == "multi-model" else 1)]
    values["models"] = [_model(random, name, version, pattern) for name in dict.fromkeys(chosen)]
    values["location"] = random.choice(accelerator.zones or ("us-central1-a",))
    if random.random() < 0.3:
        values["deployment"] = "kserve"
    return values | {
        "project": "my-project",
        "release": release,
        "pattern": pattern,
        "accelerator": {"type": accelerator.name, "machineType": machine.name, "nodes": {"max": 100}}
        | ({"perNode": count} if machine.is_attachable else {}),
        "huggingFace": {"token": "hf_fuzz"},
        "registry": {"server": "registry.redhat.io", "username": "somebody", "password": "a stand-in"},
        "acknowledge": [{"id": "LLMD-GATEWAY-OPEN", "reason": "nothing of this is created"}],
    }


@functools.cache
def _architectures(version: str) -> frozenset[str]:
    """Architectures that this version of vLLM serves. Empty without a table of it."""
    return frozenset(_common([facts.architectures for facts in facts_of(version)]))


@functools.cache
def _gib(name: str) -> float:
    """The size of a model's weights in GiB."""
    return weights_gib(load().models[name])


def _model(random: Random, name: str, version: str, pattern: str) -> Tree:
    model: Tree = {"id": name, "replicas": random.randint(2 if pattern == "prefix-cache" else 1, 3)}
    definition = schema_of_stacks()["$defs"]["ModelSettings"]
    for key in random.sample(_PLAIN, random.randint(0, 4)):
        model[key] = _sample(random, definition, key)
    for key, sizes in _PARALLEL.items():
        if random.random() < (0.4 if key == "tensorParallel" or pattern == "mixture-of-experts" else 0.05):
            model[key] = random.choice(sizes)
    if pattern == "disaggregated":
        model["prefill"] = _sample(random, definition, "prefill") | {"replicas": random.randint(1, 2)}
        model["prefill"].pop("autoscaling", None)
        model["prefill"].pop("tensorParallel", None)
    if model.get("dataParallel", 1) == 1:
        model.pop("allToAll", None)
    if random.random() < 0.5:
        model["maxModelLen"] = random.choice((1024, 4096, 8192))
    for key, choices in _features(version).items():
        if random.random() < 0.2:
            model[key] = random.choice(choices)
    if random.random() < 0.15:
        model["speculativeDecoding"] = _speculation(random, version)
    if random.random() < 0.1:
        model |= {"allowExtraArgs": True, "env": random.choice(_VARIABLES)}
    if random.random() < 0.1:
        model |= {"allowExtraArgs": True, "extraArgs": list(random.choice(_EXTRA))}
    return model


@functools.cache
def _features(version: str) -> Mapping[str, list[Any]]:
    """Possible values by setting. Parsers are those of this version of vLLM."""
    tables = facts_of(version)
    # A parser that needs a further package is warned of and not refused, as is one that not all tables have.
    special = set(load_engine().parser_packages)
    named: dict[str, list[Any]] = {
        "toolCallParser": sorted(_common([facts.tool_parsers for facts in tables]) - special),
        "reasoningParser": sorted(_common([facts.reasoning_parsers for facts in tables]) - special),
        "adapters": [[dict(adapter) for adapter in _ADAPTERS[:count]] for count in (1, 2, 3)],
        "source": [dict(source) for source in _SOURCES],
    }
    return {key: choices for key, choices in named.items() if choices}


def _common(tables: Sequence[Sequence[str]]) -> set[str]:
    return set.intersection(*map(set, tables)) if tables else set()


def _speculation(random: Random, version: str) -> Tree:
    methods = _common([facts.speculative_methods for facts in facts_of(version)])
    usable = sorted(methods & {"ngram", "ngram_gpu", "mtp", *_DRAFTS})
    method = random.choice(usable or ["ngram"])
    draft = {"draftModel": _DRAFTS[method]} if method in _DRAFTS else {}
    return {"method": method, "tokens": random.randint(1, 8), **draft}


@functools.cache
def schema_of_stacks() -> Tree:
    """The JSON schema of a stack file's settings."""
    return StackSettings.model_json_schema(by_alias=True)


def _sample(random: Random, schema: Tree, name: str) -> Any:
    """A value of one property. Texts are those that the schema gives as examples."""
    return _value(random, name, schema["properties"][name])


def _value(random: Random, name: str, schema: Tree) -> Any:
    while "$ref" in schema:
        schema = schema_of_stacks()["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return random.choice(schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            part = random.choice([member for member in schema[union] if member.get("type") != "null"])
            return _value(random, name, {"examples": schema.get("examples")} | part)
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            required = schema.get("required", ())
            few = [key for key in properties if key in required or random.random() < 0.3]
            return {key: _value(random, key, properties[key]) for key in few}
        case "array":
            elements = [_value(random, name, schema.get("items", {})) for _ in range(random.randint(1, 2))]
            return [element for position, element in enumerate(elements) if element not in elements[:position]]
        case "boolean":
            return random.random() < 0.5
        case "integer":
            low = schema.get("minimum", 0)
            high = min(schema.get("maximum", 10_000), random.choice((low + 3, 16, 4096)))
            return random.randint(low, max(low, high))
        case "number":
            least: float = schema.get("minimum", schema.get("exclusiveMinimum", 0)) or 0
            most: float = schema.get("maximum", schema.get("exclusiveMaximum", 10)) or 10
            return round(random.uniform(least + 0.01, most - 0.01), 2)
        case _:
            return random.choice(schema.get("examples") or [f"my-{name.lower()}"])
