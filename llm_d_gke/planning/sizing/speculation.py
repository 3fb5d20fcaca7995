"""Speculative decoding: its argument of `vllm serve`, tokens guessed ahead, and the layers that guess."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llm_d_gke.catalog.schema import DraftLayers, Model
from llm_d_gke.planning.engine_support.options import object_value, option_value
from llm_d_gke.settings.models import ModelSettings

_ARGUMENT = "--speculative-config"
# Methods that guess from the text itself and load nothing.
WITHOUT_LAYERS = ("ngram", "ngram_gpu", "suffix")


@dataclass(frozen=True)
class Speculation:
    """`tokens` are drafted per step. `known` is False if the size of the draft model is unknown."""

    tokens: int = 0
    draft: DraftLayers | None = None
    draft_model: Model | None = None
    is_known: bool = True


def speculation_arguments(settings: ModelSettings) -> tuple[str, ...]:
    """The argument that `speculativeDecoding` becomes. Empty without it."""
    speculation = settings.speculative_decoding
    if speculation is None:
        return ()
    config: dict[str, object] = {"method": speculation.method, "num_speculative_tokens": speculation.tokens}
    if speculation.draft_model is not None:
        config["model"] = speculation.draft_model
    return (_ARGUMENT, json.dumps(config))


def speculation_of(
    arguments: Sequence[str], model: Model, find: Callable[[str], Model | None] | None = None
) -> Speculation:
    """What `--speculative-config` says. Known are a checkpoint's own layers, and draft models of the catalog.

    `find` looks such a model up by its id. Heads of EAGLE have shapes that only their own configuration states.
    """
    config = object_value(arguments, _ARGUMENT)
    if config is None:
        return Speculation() if option_value(arguments, _ARGUMENT) is None else Speculation(is_known=False)
    tokens, method = config.get("num_speculative_tokens"), str(config.get("method") or "")
    if not isinstance(tokens, int) or isinstance(tokens, bool) or not 0 < tokens < 1000:
        tokens = 1
    if method in WITHOUT_LAYERS:
        return Speculation(tokens)
    if method.endswith("mtp") and model.draft is not None and config.get("model") is None:
        return Speculation(tokens, model.draft)
    draft = find(str(config.get("model"))) if find is not None and method == "draft_model" else None
    if draft is not None and shares_blocks(model, draft) and config.get("draft_tensor_parallel_size") is None:
        return Speculation(tokens, draft_model=draft)
    return Speculation(tokens, is_known=False)


def shares_blocks(model: Model, draft: Model) -> bool:
    """Whether all layers of both are in one group of the KV cache, as layers of full attention are.

    UniformTypeKVCacheSpecs in vLLM's v1/kv_cache_interface.py: a block has a page of each layer, however large.
    """
    return all(group.kind in ("full", "none") for group in (*model.attention, *draft.attention))
