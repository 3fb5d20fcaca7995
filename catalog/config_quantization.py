"""`quantization_config` of a config.json as the catalog's Quantization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import ConfigError
from .schema import Quantization


def quantization_of(config: object) -> Quantization | None:
    """None where nothing is quantized. Raises ConfigError for a method whose size this program cannot compute."""
    if not isinstance(config, Mapping):
        return None
    method = str(config.get("quant_method", "")).lower()
    match method:
        case "fp8":
            blocks = config.get("weight_block_size")
            if isinstance(blocks, list) and len(blocks) == 2:
                return Quantization(method="fp8", bits=8, group=_whole(blocks[0]) * _whole(blocks[1]), scale_bits=32)
            return Quantization(method="fp8", bits=8)
        case "awq" | "gptq":
            bits = _whole(config.get("bits", 4))
            zeros = bool(config.get("zero_point")) if method == "awq" else not config.get("sym", True)
            group = config.get("group_size", 128)
            return Quantization(
                method=method,
                bits=bits,
                group=_whole(group) if group != -1 else None,
                zero_point_bits=bits if zeros else 0,
            )
        case "mxfp4":
            return Quantization(method="mxfp4", bits=4, group=32, scale_bits=8, experts_only=True)
        case "compressed-tensors":
            return _compressed(config)
        case _:
            raise ConfigError(f"quantization {method or '(unnamed)'} is not one whose size this program can compute")


def _compressed(config: Mapping[str, Any]) -> Quantization:
    groups = config.get("config_groups")
    first = next(iter(groups.values()), None) if isinstance(groups, Mapping) else None
    weights = first.get("weights") if isinstance(first, Mapping) else None
    if not isinstance(weights, Mapping):
        raise ConfigError("its compressed-tensors configuration has no group of weights")
    group = weights.get("group_size")
    return Quantization(
        method="compressed-tensors",
        bits=_whole(weights.get("num_bits", 8)),
        group=_whole(group) if group not in (None, -1) else None,
        kv_cache=config.get("kv_cache_scheme") is not None,
    )


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 65536:
        raise ConfigError(f"its quantization has {value!r} where a number of bits or weights belongs")
    return value
