"""What a config.json says of any model, computed or not, by the names that vLLM looks for.

As `vllm/transformers_utils/model_arch_config_convertor.py` of 0.26.0 to 0.32.0 reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from .config_quantization import quantization_of
from .errors import ConfigError
from .schema import Quantization

LANGUAGE = ("text_config", "llm_config", "language_config")
# The shortest of them is the longest request (derive_max_model_len_and_key), unless rotary positions are scaled.
_LENGTHS = """max_position_embeddings n_positions max_seq_len seq_length max_target_positions
    max_sequence_length max_seq_length seq_len""".split()  # noqa: SIM905 - a word each
# Attention heads, under the names that transformers maps to the first of them.
_HEADS = ("num_attention_heads", "n_head", "n_heads", "encoder_attention_heads")
_MEDIA = ("vision", "visual", "audio", "image", "video", "mm_", "embd_layer")
_SCALED = ("rope_scaling", "rope_parameters", "auto_map")


@dataclass(frozen=True, kw_only=True)
class Outline:
    """Architecture, attention heads and tokens of the longest request; None: not stated under the common names."""

    architecture: str
    model_type: str = ""
    heads: int | None = None
    longest: int | None = None
    states_draft: bool = False  # layers that predict further tokens
    dense: bool = False  # certainly without experts
    nested: bool = True  # the language model has a configuration of its own inside
    text_alone: bool = False  # certainly without images, sound and video
    quantization: Quantization | None = None  # of a method whose size is not computed: its name, and four bits


def outline_of(config: Mapping[str, Any]) -> Outline:
    """The outline of a configuration, as its language model has it."""
    text: Mapping[str, Any] = next((p for name in LANGUAGE if isinstance(p := config.get(name), Mapping)), config)
    heads = next((text[name] for name in _HEADS if name in text), None)
    return Outline(
        architecture=next(iter(config.get("architectures") or ()), ""),
        model_type=str(text.get("model_type") or ""),
        heads=heads if _is_number(heads) else None,
        longest=_longest(text),
        states_draft=any(word in key for part in (config, text) for key in part for word in ("mtp", "nextn")),
        # Values of keys such as num_experts may be 0. Whole groups of layers may have experts: block_configs.
        nested=text is not config,
        text_alone=_is_text_alone(config),
        quantization=_quantization(config, text),
        dense=heads is not None and not any(_names_experts(key, value) for key, value in text.items()),
    )


def written_quantization(*parts: Mapping[str, Any]) -> Any:
    """vLLM reads the key of old compressed-tensors checkpoints where the other is absent."""
    keys = ("quantization_config", "compression_config")
    return next((part[key] for part in parts for key in keys if part.get(key)), None)


def _quantization(config: Mapping[str, Any], text: Mapping[str, Any]) -> Quantization | None:
    stored = written_quantization(config, text)
    try:
        return quantization_of(stored)
    except ConfigError:
        method = str(stored.get("quant_method") or "").lower()
        return Quantization(method=method, bits=4) if method else None


def _is_text_alone(config: Mapping[str, Any]) -> bool:
    name = str(next(iter(config.get("architectures") or ()), ""))
    return name.endswith("ForCausalLM") and not any(part in key for key in config for part in _MEDIA)


def _longest(text: Mapping[str, Any]) -> int | None:
    if any(_scales(text[name]) for name in _SCALED if text.get(name)):
        return None
    own = text.get("model_max_length")
    stated = [own] if _is_number(own) else [text.get(name) for name in _LENGTHS]
    lengths = [value for value in stated if _is_number(value)]
    return min(lengths) if lengths else None


def _scales(rope: object) -> bool:
    """Whether positions are stretched, for any kind of layers, or by code of the checkpoint's own."""
    if not isinstance(rope, Mapping):
        return True
    kinds = [part for part in rope.values() if isinstance(part, Mapping)]
    return any(_scales(part) for part in kinds) or rope.get("rope_type", rope.get("type", "default")) != "default"


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _names_experts(key: str, value: object) -> bool:
    return bool(value) and (key in ("block_configs", "auto_map") or "expert" in key or "moe" in key)
