"""What a config.json says of any model, computed or not, by the names that vLLM looks for.

As `vllm/transformers_utils/model_arch_config_convertor.py` of 0.26.0 to 0.32.0 reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LANGUAGE = ("text_config", "llm_config", "language_config")


@dataclass(frozen=True, kw_only=True)
class Outline:
    """Architecture and attention heads; None: not stated under the common names."""

    architecture: str
    heads: int | None = None
    dense: bool = False  # certainly without experts


def outline_of(config: Mapping[str, Any]) -> Outline:
    """The outline of a configuration, as its language model has it."""
    text = next((part for name in _LANGUAGE if isinstance(part := config.get(name), Mapping)), config)
    heads = text.get("num_attention_heads")
    return Outline(
        architecture=next(iter(config.get("architectures") or ()), ""),
        heads=heads if isinstance(heads, int) and not isinstance(heads, bool) else None,
        # Values of keys such as num_experts may be 0. Whole groups of layers may have experts: block_configs.
        dense=heads is not None and not any(_names_experts(key, value) for key, value in text.items()),
    )


def _names_experts(key: str, value: object) -> bool:
    return bool(value) and (key in ("block_configs", "auto_map") or "expert" in key or "moe" in key)
