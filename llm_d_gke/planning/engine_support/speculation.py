"""Speculative decoding that options of `vllm serve` ask for, in the form of the setting."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from llm_d_gke.planning.engine_support.options import nested_value, option_value
from llm_d_gke.settings.engine import SpeculativeDecoding

CONFIG = "--speculative-config"
# Separate options of the newer versions, by the key of the object.
_ALONE = {"method": "--spec-method", "model": "--spec-model", "num_speculative_tokens": "--spec-tokens"}
SEPARATE = frozenset(_ALONE.values())


def separate_options(arguments: Sequence[str]) -> list[str]:
    """The separate options in the form of the object's keys (create_speculative_config of engine/arg_utils.py)."""
    stated = [(key, option_value(arguments, option)) for key, option in _ALONE.items()]
    return [word for key, value in stated if value is not None for word in (f"{CONFIG}.{key}", value)]


def speculation_of(arguments: Sequence[str]) -> SpeculativeDecoding | None:
    """What `--speculative-config` or its separate options ask for; None where the setting has no such method."""
    method, model, tokens = (
        nested_value(arguments, CONFIG, key) or option_value(arguments, option) for key, option in _ALONE.items()
    )
    if method is None and model is not None:
        # As SpeculativeConfig finds the method of a model (vllm/config/speculative.py of 0.17.1 to 0.32.0).
        method = "eagle3" if "eagle3" in model.lower() else "eagle" if "eagle-" in model.lower() else None
    elif method is not None and method.endswith("mtp"):
        # The older names of single models. Layers in a repository of their own are those of assistants.
        method, model = "mtp", model if model is not None and model.endswith("-assistant") else None
    try:
        return SpeculativeDecoding.model_validate({"method": method, "tokens": int(tokens or ""), "draftModel": model})
    except (ValidationError, ValueError):
        return None
