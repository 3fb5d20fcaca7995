"""Traits of a checkpoint's quantization that versions of the engine refuse, whatever size it has.

`start_reports` of engine.yaml say by trait which versions end, and under which further conditions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Config = Mapping[str, Any]
Trait = Literal[
    "activation-order",
    "auto-round-asymmetric",
    "auto-round-data-type",
    "auto-round-packing",
    "auto-round-unknown",
    "cache-scheme",
    "four-by-eight",  # integers of four bits, activations in fp8
    "four-by-eight-groups",
    "four-by-integers",  # integers of four bits, not packed, and of eight
    "four-by-integers-packed",
    "four-by-four",  # floats of four bits, and activations as the weights
    "modelopt-algorithm",
    "no-activation-scheme",
    "online-transforms",
    "static-blocks",
    "whole-int8",  # scales of int8 weights by tensor, or of activations for all requests
    "mixed-fp8",  # scales by channel of the one, by tensor of the other
]

# QUANT_ALGOS of quantization/modelopt.py in vLLM 0.17.1 to 0.32.0, without those that some versions have.
_NEVER_LOADED = ("INT4_AWQ", "W4A16_AWQ", "NVFP4_AWQ", "MXFP4")
# SUPPORTED_FORMATS and SUPPORTED_DTYPES of quantization/inc in 0.17.1 to 0.26.0, and what 0.29.0 to 0.32.0 add.
_PACKINGS = ("auto_round:auto_gptq", "auto_round:auto_awq")
_LATER_PACKINGS = ("auto_round:fp8", "auto_round:llm_compressor")
_FP8_PAIRS = (("tensor", "tensor"), ("channel", "token"))


def traits_of(config: Config) -> tuple[Trait, ...]:
    """Traits of a `quantization_config`, in no particular order."""
    method = str(config.get("quant_method") or ("modelopt" if "quant_algo" in config else "")).lower()
    match method:
        case "gptq":
            return tuple(_of_gptq(config))
        case "auto-round":
            return tuple(_of_auto_round(config))
        case "fp8":
            return tuple(_of_fp8(config))
        case "compressed-tensors":
            return tuple(_of_compressed_tensors(config))
        case "modelopt" if str(config.get("quant_algo")).upper() in _NEVER_LOADED:
            return ("modelopt-algorithm",)
        case _:
            return ()


def _of_gptq(config: Config) -> Iterator[Trait]:
    """normalize_and_validate_gptq_desc_act of quantization/utils/gptq_utils.py: one group a row has no order."""
    own = config.get("dynamic")
    changes = [
        change
        for name, change in (own.items() if isinstance(own, Mapping) else ())
        if not str(name).startswith("-:") and isinstance(change, Mapping)
    ]
    for rule in ({}, *changes):
        if rule.get("desc_act", config.get("desc_act")) and rule.get("group_size", config.get("group_size")) != -1:
            yield "activation-order"
            return


def _of_auto_round(config: Config) -> Iterator[Trait]:
    packing = str(config.get("packing_format", _PACKINGS[0]))
    if packing not in _PACKINGS:
        yield "auto-round-packing" if packing in _LATER_PACKINGS else "auto-round-unknown"
    elif "gptq" in packing and config.get("sym") is False:
        yield "auto-round-asymmetric"
    if config.get("data_type", "int") != "int":
        yield "auto-round-data-type"


def _of_fp8(config: Config) -> Iterator[Trait]:
    """Fp8Config: how activations are scaled is stated, and beside blocks of weights it is dynamic."""
    scheme = config.get("activation_scheme")
    if scheme not in ("static", "dynamic"):
        yield "no-activation-scheme"
    elif scheme == "static" and config.get("weight_block_size"):
        yield "static-blocks"


def _of_compressed_tensors(config: Config) -> Iterator[Trait]:
    cache, groups = config.get("kv_cache_scheme"), config.get("config_groups")
    if isinstance(cache, Mapping) and not _is_cache_scheme(cache):
        yield "cache-scheme"
    if any(not str(location).startswith("weight") for location in _transform_locations(config)):
        yield "online-transforms"
    for group in groups.values() if isinstance(groups, Mapping) else ():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        inputs = group.get("input_activations") if isinstance(group, Mapping) else None
        if isinstance(weights, Mapping):
            # True is a name of order by group.
            if weights.get("actorder") in (True, "group", "dynamic"):
                yield "activation-order"
            if isinstance(inputs, Mapping):
                yield from _of_activations(weights, inputs, group.get("format") or config.get("format"))


def _is_cache_scheme(cache: Config) -> bool:
    """CompressedTensorsKVCacheMethod.validate_kv_cache_scheme."""
    is_fp8 = cache.get("type") == "float" and cache.get("num_bits") == 8
    return is_fp8 and cache.get("strategy") in ("tensor", "attn_head") and bool(cache.get("symmetric"))


def _transform_locations(config: Config) -> Iterator[object]:
    transforms = config.get("transform_config")
    schemes = transforms.get("config_groups") if isinstance(transforms, Mapping) else None
    for scheme in schemes.values() if isinstance(schemes, Mapping) else ():
        places = scheme.get("apply") if isinstance(scheme, Mapping) else None
        yield from (place.get("location") for place in places or () if isinstance(place, Mapping))


def _of_activations(weights: Config, inputs: Config, form: object) -> Iterator[Trait]:
    """Traits of weights and activations that are both quantized."""
    bits, strategy, dynamic = weights.get("num_bits"), weights.get("strategy"), bool(inputs.get("dynamic"))
    pair = (strategy, inputs.get("strategy"))
    kind = weights.get("type")
    if (bits, inputs.get("num_bits"), kind) == (4, 4, "float"):
        yield "four-by-four"
    if (bits, inputs.get("num_bits"), kind, inputs.get("type")) == (4, 8, "int", "float"):
        # _is_fp8_w4a8 of compressed_tensors.py, which is asked for on compute capability 9.0 alone.
        if form == "pack-quantized":
            yield "four-by-eight"
        if pair == ("group", "token") and dynamic and weights.get("group_size") != 128:
            yield "four-by-eight-groups"
    if (bits, inputs.get("num_bits"), kind, inputs.get("type")) == (4, 8, "int", "int"):
        yield "four-by-integers-packed" if form == "pack-quantized" else "four-by-integers"
    if (bits, inputs.get("num_bits")) != (8, 8):
        return
    if kind == "int" and (pair != ("channel", "token") or not dynamic):
        yield "whole-int8"
    if kind == "float" and strategy in ("tensor", "channel") and pair not in _FP8_PAIRS:
        yield "mixed-fp8"
