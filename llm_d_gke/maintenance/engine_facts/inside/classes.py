"""Which configurations the engine reads, by the classes that transformers and vLLM have for them."""

from __future__ import annotations

import importlib
import types
from collections.abc import Mapping
from typing import Any

_GENERATIVE = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")


def configuration_classes(_: Mapping[str, Any]) -> Any:
    """Model types with a class, those whose model does not follow, and architectures of transformers alone."""
    auto = importlib.import_module("transformers.models.auto")
    names = importlib.import_module("transformers.models.auto.modeling_auto")
    engine = importlib.import_module("vllm.transformers_utils.config")
    registry = importlib.import_module("vllm.model_executor.models.registry").ModelRegistry
    supported = set(registry.get_supported_archs())
    # What vLLM reads of a model's configuration, of one without code of its own.
    model = types.SimpleNamespace(
        hf_config=types.SimpleNamespace(auto_map=None),
        model_impl="auto",
        _get_transformers_backend_cls=lambda: "TransformersForCausalLM",
    )
    # Those that choose a class are no classes of models.
    classes = [name for name in dir(importlib.import_module("transformers")) if name.endswith(_GENERATIVE)]
    classes = [name for name in classes if name not in supported and not name.startswith("Auto")]
    model_types = sorted({*auto.CONFIG_MAPPING, *engine._CONFIG_REGISTRY})
    return {
        "model_types": model_types,
        "needing_architectures": [name for name in model_types if name not in names.MODEL_MAPPING_NAMES],
        "transformers": [name for name in classes if registry._try_resolve_transformers(name, model)],
    }
