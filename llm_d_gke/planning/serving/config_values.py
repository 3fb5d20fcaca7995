"""Values of a config.json that end the engine while it reads the file, by the classes of its version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llm_d_gke.catalog.config_architectures import load_architectures
from llm_d_gke.catalog.config_outline import LANGUAGE, written_quantization
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_tables import ConfigurationFacts, facts_of, is_later
from llm_d_gke.planning.setting_errors.values import flow

Config = Mapping[str, Any]

# Names of torch's types that checkpoints are stored in. transformers looks each up in torch, which has no other.
_DTYPE = re.compile(r"half|float|double|b?float16|float32|float64|float8_\w+|float4_\w+|u?int8")
_PARTS = (*LANGUAGE, "vision_config", "audio_config")
# Since this version vLLM requires a transformers that checks RoPE and layers: 5.5.3 (0.26.0) and later.
_CHECKED_SINCE = "0.26"
# Families whose number of layers is that of the kinds it lists, whatever num_hidden_layers says. Families outside of
# architectures.yaml may list layers of prediction too, and cut them off.
_COUNTS_LAYERS = "NemotronH"
# Kinds of RoPE whose factor is not multiplied into the longest request.
_NOT_MULTIPLIED = ("su", "longrope", "llama3")
_LISTS = ("short_factor", "long_factor")


def wrong_values(config: Config, version: str | None) -> Iterator[str]:
    """Why vLLM of this version, or of any where it is not known, cannot read a configuration; the plainest first."""
    parts = [config, *(part for name in _PARTS if isinstance(part := config.get(name), Mapping))]
    for part in parts:
        yield from _wrong_dtypes(part)
    yield from _wrong_quantization(config, parts, version)
    # The checkpoint's own code may read the file otherwise.
    if version is None or not load_engine().has(version, _CHECKED_SINCE) or _has_own_class(config):
        return
    names = config.get("architectures") or ()
    counts = any(name in load_architectures().biases and not name.startswith(_COUNTS_LAYERS) for name in names)
    for part in parts:
        yield from _wrong_ropes(part, version)
        if counts:
            yield from _wrong_layers(part)
    tables = [facts.configurations for facts in facts_of(version)]
    with_types = [facts for facts in tables if facts is not None]
    if with_types and len(with_types) == len(tables) and not is_later(version):
        yield from _wrong_types(config, with_types)


def _has_own_class(config: Config) -> bool:
    own = config.get("auto_map")
    return isinstance(own, Mapping) and "AutoConfig" in own


def _wrong_dtypes(part: Config) -> Iterator[str]:
    for key in ("torch_dtype", "dtype"):
        dtype = part.get(key)
        if dtype is not None and not (isinstance(dtype, str) and _DTYPE.fullmatch(dtype)):
            yield f"{key} is {flow(dtype)[:60]}, and must be a type of torch, such as bfloat16"


def _wrong_quantization(config: Config, parts: Sequence[Config], version: str | None) -> Iterator[str]:
    quantization = written_quantization(config, *parts)
    if not isinstance(quantization, Mapping):
        return
    facts, engine = load_architectures(), load_engine()
    method = quantization.get("quant_method")
    if (missing := facts.missing_key(quantization)) is not None:
        yield f"quantization_config has no {missing}, which vLLM reads of {method}"
    if version is None:
        return
    for row in facts.quantization_values:
        if engine.has(version, row.since) and not engine.has(version, row.before) and row.refuses(quantization):
            stated = flow(quantization[row.key])[:60]
            yield f"{row.key} of quantization_config is {stated}, and vLLM reads {method} with {', '.join(row.values)}"
    blocks = quantization.get("weight_block_size")
    if str(method).lower() == "fp8" and isinstance(blocks, list):
        if len(blocks) != 2:
            yield f"weight_block_size of quantization_config is {flow(blocks)[:60]}, and must be two numbers"
        elif quantization.get("activation_scheme") == "static":
            yield "quantization_config has weight_block_size, with which activation_scheme has to be dynamic"


def _wrong_ropes(part: Config, version: str) -> Iterator[str]:
    """RoPE that _validate_*_rope_parameters of transformers, or vLLM's derivation of the longest request, ends on."""
    name = "rope_scaling" if part.get("rope_scaling") else "rope_parameters"
    rope = part.get(name)
    if rope is None:
        return
    if not isinstance(rope, Mapping):
        yield f"{name} is {flow(rope)[:60]}, and must be a group, such as {{rope_type: yarn, factor: 4}}"
        return
    kinds = part.get("layer_types")
    names = sorted({str(kind) for kind in kinds}) if isinstance(kinds, list) else []
    by_layer = [rope[kind] for kind in names if isinstance(rope.get(kind), Mapping)]
    for parameters in by_layer or [rope]:
        yield from _wrong_rope(name, parameters, version)


def _wrong_rope(name: str, rope: Config, version: str) -> Iterator[str]:
    kind, legacy = rope.get("rope_type"), rope.get("type")
    if kind is not None and legacy is not None and kind != legacy:
        if (kind, legacy) not in (("longrope", "su"), ("default", "mrope")):
            yield f"{name} has rope_type {flow(kind)} and type {flow(legacy)}, and must have one of them"
        return
    kind = kind or legacy or "default"
    missing = [key for key in load_architectures().rope_keys.get(str(kind), ()) if key not in rope]
    if missing:
        yield f"{name} has no {' and no '.join(missing)}, which rope_type {kind} needs"
        return
    lists = [key for key in _LISTS if kind in ("longrope", "su") and not isinstance(rope[key], list)]
    if lists:
        yield f"{lists[0]} of {name} is {flow(rope[lists[0]])[:60]}, and must be a list of numbers"
    exempt = kind in _NOT_MULTIPLIED or (kind == "yarn" and load_engine().states_yarn(version))
    if isinstance(rope.get("factor"), str) and not exempt:
        yield f"factor of {name} is {flow(rope['factor'])}, and must be a number"


def _wrong_layers(part: Config) -> Iterator[str]:
    """Kinds of layers that validate_layer_type of transformers ends on, which vLLM's own classes call, too."""
    kinds, count = part.get("layer_types"), part.get("num_hidden_layers")
    if not isinstance(kinds, list) or not isinstance(count, int):
        return
    if len(kinds) != count:
        yield f"layer_types names the kinds of {len(kinds)} layers, and num_hidden_layers is {count}"
    unknown = next((kind for kind in kinds if kind not in load_architectures().layer_types), None)
    if unknown is not None:
        yield f"layer_types has {flow(unknown)[:60]}, which transformers knows as no kind of layer"


def _wrong_types(config: Config, tables: Sequence[ConfigurationFacts]) -> Iterator[str]:
    kind = config.get("model_type")
    if kind is None:
        yield "it has no model_type, by which the engine finds the class of a configuration"
    elif all(kind not in facts.model_types for facts in tables):
        yield f"model_type is {flow(kind)[:60]}, for which neither the engine nor transformers has a class"
    elif not config.get("architectures") and all(kind in facts.needing_architectures for facts in tables):
        yield f"it names no architectures, and they do not follow from its model_type, {kind}"
