"""A checkpoint has a trait where its description says so, and its nearest neighbor has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from llm_d_gke.catalog.checkpoint_traits import traits_of

_GPTQ: Mapping[str, Any] = {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False}
_ROUND: Mapping[str, Any] = {"quant_method": "auto-round", "bits": 4, "data_type": "int"}
_AWQ = "auto_round:auto_awq"
_FP8: Mapping[str, Any] = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}
_CACHE = {"type": "float", "num_bits": 8, "strategy": "tensor", "symmetric": True}
_FOUR = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 128}
_INT8 = {"num_bits": 8, "type": "int", "strategy": "channel"}
_FLOAT8 = {"num_bits": 8, "type": "float", "strategy": "channel"}


def _compressed(
    weights: Mapping[str, Any], inputs: Mapping[str, Any] | None = None, **more: object
) -> Mapping[str, Any]:
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    return {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "config_groups": {"group_0": group},
        **more,
    }


def _activations(kind: str, strategy: str = "token", dynamic: bool = True) -> Mapping[str, Any]:
    return {"num_bits": 8, "type": kind, "strategy": strategy, "dynamic": dynamic}


def _transformed(location: str) -> Mapping[str, Any]:
    places = {"apply": [{"targets": ["Linear"], "location": location}]}
    return _compressed(_FOUR, transform_config={"config_groups": {"u": places}})


@pytest.mark.parametrize(
    ("trait", "refused", "accepted"),
    [
        ("activation-order", {**_GPTQ, "desc_act": True}, {**_GPTQ, "desc_act": True, "group_size": -1}),
        (
            "activation-order",
            {**_GPTQ, "dynamic": {"+:.*mlp.*": {"desc_act": True}}},
            {**_GPTQ, "dynamic": {"-:.*": {}}},
        ),
        ("activation-order", _compressed({**_FOUR, "actorder": "group"}), _compressed({**_FOUR, "actorder": "weight"})),
        ("activation-order", _compressed({**_FOUR, "actorder": True}), _compressed({**_FOUR, "actorder": "static"})),
        ("online-transforms", _transformed("input"), _transformed("weight_output")),
        ("auto-round-asymmetric", {**_ROUND, "sym": False}, {**_ROUND, "sym": False, "packing_format": _AWQ}),
        ("auto-round-packing", {**_ROUND, "packing_format": "auto_round:fp8"}, _ROUND),
        ("auto-round-unknown", {**_ROUND, "packing_format": "auto_round:exllama"}, {**_ROUND, "packing_format": _AWQ}),
        ("auto-round-data-type", {**_ROUND, "data_type": "mx_fp"}, {**_ROUND, "packing_format": "auto_round:auto_awq"}),
        ("static-blocks", {**_FP8, "activation_scheme": "static"}, _FP8),
        ("no-activation-scheme", {"quant_method": "fp8"}, {"quant_method": "fp8", "activation_scheme": "static"}),
        (
            "cache-scheme",
            _compressed(_FOUR, kv_cache_scheme={**_CACHE, "type": "int"}),
            _compressed(_FOUR, kv_cache_scheme=_CACHE),
        ),
        (
            "cache-scheme",
            _compressed(_FOUR, kv_cache_scheme={**_CACHE, "symmetric": False}),
            _compressed(_FOUR, kv_cache_scheme={**_CACHE, "strategy": "attn_head"}),
        ),
        (
            "modelopt-algorithm",
            {"quant_method": "modelopt", "quant_algo": "INT4_AWQ"},
            {"quant_method": "modelopt", "quant_algo": "NVFP4"},
        ),
        ("four-by-eight", _compressed(_FOUR, _activations("float")), _compressed(_FOUR)),
        ("four-by-integers-packed", _compressed(_FOUR, _activations("int")), _compressed(_FOUR)),
        (
            "four-by-integers",
            _compressed(_FOUR, _activations("int"), format="int-quantized"),
            _compressed(_INT8, _activations("int"), format="int-quantized"),
        ),
        (
            "four-by-eight-groups",
            _compressed({**_FOUR, "group_size": 64}, _activations("float")),
            _compressed({**_FOUR, "group_size": 64}),
        ),
        (
            "whole-int8",
            _compressed({**_INT8, "strategy": "tensor"}, _activations("int")),
            _compressed(_INT8, _activations("int")),
        ),
        ("whole-int8", _compressed(_INT8, _activations("int", dynamic=False)), _compressed(_INT8)),
        (
            "mixed-fp8",
            _compressed(_FLOAT8, _activations("float", "tensor", dynamic=False)),
            _compressed(_FLOAT8, _activations("float")),
        ),
        (
            "mixed-fp8",
            _compressed({**_FLOAT8, "strategy": "tensor"}, _activations("float")),
            _compressed({**_FLOAT8, "strategy": "tensor"}, _activations("float", "tensor", dynamic=False)),
        ),
    ],
)
def test_traits_of_a_checkpoint(trait: str, refused: Mapping[str, Any], accepted: Mapping[str, Any]) -> None:
    assert trait in traits_of(refused)
    assert traits_of(accepted) == ()
