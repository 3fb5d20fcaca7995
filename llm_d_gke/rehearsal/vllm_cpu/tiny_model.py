"""Tiny models with the architecture and the kind of tokenizer of a catalog's entry: config.json and chat template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.catalog.schema import Model
from llm_d_gke.rehearsal.errors import RehearsalError

_TABLE: Final[Mapping[str, Mapping[str, Any]]] = read_yaml(Path(__file__).with_name("tiny_models.yaml"))
_ALL, _ARCHITECTURES = _TABLE["all"], _TABLE["architectures"]
VOCABULARY: Final[int] = _ALL["vocab_size"]
LAYERS: Final[int] = _ALL["num_hidden_layers"]
HIDDEN: Final[int] = _ALL["hidden_size"]
HEAD_DIM: Final[int] = _ALL["head_dim"]
HEADS: Final[int] = _ALL["num_attention_heads"]
# Bytes of a number: vLLM computes in float32 here, whatever the accelerator would.
_NUMBER_BYTES: Final = 4

TokenizerKind = Literal["byte-level", "sentencepiece"]


class NoTinyModelError(RehearsalError):
    """No tiny model can be written for an architecture."""


def kv_heads(model: Model) -> int:
    """One for a model whose heads share keys and values, so that the tiny one does as well."""
    return 1 if model.kv_heads < model.attention_heads else HEADS


def bytes_per_token(model: Model) -> int:
    """Bytes of keys and values of one token in all layers of the tiny model."""
    return 2 * LAYERS * kv_heads(model) * HEAD_DIM * _NUMBER_BYTES


def tokenizer_kind(model: Model) -> TokenizerKind:
    """Gemma and models with a vocabulary of about 32,000 have SentencePiece's, all others bytes."""
    sentencepiece = model.architecture.startswith("Gemma") or model.vocabulary < 33_000
    return "sentencepiece" if sentencepiece else "byte-level"


def supported() -> list[str]:
    return sorted(_ARCHITECTURES)


def config(model: Model) -> dict[str, Any]:
    """config.json of the tiny model. Raises NoTinyModelError for an architecture that is not known here."""
    if model.architecture not in _ARCHITECTURES:
        raise NoTinyModelError(
            f"{model.id}: no tiny model is known for the architecture {model.architecture}; leave --engine vllm out,"
            f" or try one of {', '.join(supported())}"
        )
    own = dict(_ARCHITECTURES[model.architecture])
    return {
        **_ALL,
        "architectures": [model.architecture],
        "torch_dtype": model.dtype,
        "num_key_value_heads": kv_heads(model),
        "max_position_embeddings": model.context,
        "tie_word_embeddings": model.tied_embeddings,
        **{name: _FROM_MODEL[name](model) for name in own.pop("from_model", ())},
        **own,
    }


def tokenizer_config(model: Model) -> dict[str, Any]:
    begins = "{{ bos_token }}" if tokenizer_kind(model) == "sentencepiece" else ""
    template = begins + _TABLE["tokenizer"]["chat_template"]
    return {**_TABLE["tokenizer"], "model_max_length": model.context, "chat_template": template}


def adapter_config(model: str, rank: int) -> dict[str, Any]:
    """adapter_config.json of a LoRA adapter of the model with this id."""
    return {**_TABLE["adapter"], "base_model_name_or_path": model, "r": rank, "lora_alpha": 2 * rank}


def _alternating(model: Model) -> list[str]:
    """One layer of each attention kind of the model, sliding window first."""
    kinds = {"full": "full_attention", "sliding": "sliding_attention"}
    layer_types = {kinds[group.kind] for group in model.attention if group.kind in kinds}
    return [
        "sliding_attention" if len(layer_types) > 1 else min(layer_types),
        max(layer_types - {"sliding_attention"} or layer_types),
    ]


_FROM_MODEL: Final[Mapping[str, Callable[[Model], Any]]] = {
    "attention_bias": lambda model: model.attention_bias != "none",
    "layer_types": _alternating,
    "original_max_position_embeddings": lambda model: model.context,
    "sliding_window": lambda model: next((group.window for group in model.attention if group.window), 4096),
}
