"""The longest request that the engine takes, where extra arguments stretch the model's positions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llm_d_gke.catalog.config_json import stretched_context
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.engine_support.options import object_value, option_value

# Takes a longer request than the configuration allows, with a warning (vllm/config/model.py).
LONGER = "VLLM_ALLOW_LONG_MAX_MODEL_LEN"
# Their text model has a configuration of its own inside, and vLLM sets a key of --hf-overrides where it is written
# (_apply_dict_overrides of vllm/config/model.py, 0.24.0 to 0.32.0; vllm-project/recipes issue 805). Transformers passes
# it on for Qwen2-VL and Qwen2.5-VL until its version 5.
_NESTED = ("Gemma3For", "Gemma4For", "Gemma4Unified", "Llama4For", "Mistral3For", "Qwen3VL", "Qwen3_5")


def with_stretched_context(model: Model, arguments: Sequence[str], version: str) -> Model:
    """The model with the context that `--hf-overrides` or `--rope-scaling` give it, or as it is."""
    context = _stretched(model, arguments, yarn_is_stated=load_engine().states_yarn(version))
    return model if context is None else model.model_copy(update={"context": context})


def outer_context(model: Model, arguments: Sequence[str], version: str) -> int | None:
    """The context that keys of `--hf-overrides` would give if vLLM did not look for them in `text_config`."""
    if not _is_nested(model):
        return None
    outer = {name: value for name, value in _overrides(arguments).items() if name != "text_config"}
    inner = ["--hf-overrides", json.dumps({"text_config": outer})]
    return _stretched(model, inner, yarn_is_stated=load_engine().states_yarn(version))


def _is_nested(model: Model) -> bool:
    return model.architecture.startswith(_NESTED) and model.architecture.endswith("ForConditionalGeneration")


def _overrides(arguments: Sequence[str]) -> Mapping[str, Any]:
    return object_value(arguments, "--hf-overrides") or {}


def _stretched(model: Model, arguments: Sequence[str], *, yarn_is_stated: bool) -> int | None:
    overrides = _overrides(arguments)
    text = overrides.get("text_config")
    outer = {} if _is_nested(model) else overrides
    settings: Mapping[str, Any] = {**outer, **(text if isinstance(text, dict) else {})}
    positions = settings.get("max_position_embeddings")
    context = positions if isinstance(positions, int) and not isinstance(positions, bool) else None
    rope = next(
        (
            value
            for value in (
                settings.get("rope_parameters"),
                settings.get("rope_scaling"),
                _object(option_value(arguments, "--rope-scaling")),
            )
            if isinstance(value, dict) and value
        ),
        None,
    )
    if rope is None:
        return context
    return stretched_context(model.architecture, context or model.context, rope, yarn_is_stated=yarn_is_stated)


def _object(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
