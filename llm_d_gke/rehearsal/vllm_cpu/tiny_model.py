"""Tiny models with the architecture and the kind of tokenizer of a catalog's entry: config.json and chat template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from llm_d_gke.catalog.schema import Model
from llm_d_gke.rehearsal.errors import RehearsalError

# In tokens: enough for the common words of English to be one token each.
VOCABULARY: Final = 4096
LAYERS: Final = 2
HIDDEN: Final = 64
# The smallest that vLLM's attention on a processor computes.
HEAD_DIM: Final = 32
HEADS: Final = 2
EXPERTS: Final = 4
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
    return sorted(_FAMILIES)


def config(model: Model) -> dict[str, Any]:
    """config.json of the tiny model. Raises NoTinyModelError for an architecture that is not known here."""
    if model.architecture not in _FAMILIES:
        raise NoTinyModelError(
            f"{model.id}: no tiny model is known for the architecture {model.architecture}; leave --engine vllm out,"
            f" or try one of {', '.join(supported())}"
        )
    model_type, further = _FAMILIES[model.architecture]
    return {
        "architectures": [model.architecture],
        "model_type": model_type,
        "torch_dtype": model.dtype,
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": kv_heads(model),
        "head_dim": HEAD_DIM,
        "max_position_embeddings": model.context,
        "tie_word_embeddings": model.tied_embeddings,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
        **further(model),
    }


def tokenizer_config(model: Model) -> dict[str, Any]:
    begins = tokenizer_kind(model) == "sentencepiece"
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<pad>",
        "eos_token": "<eos>",
        "bos_token": "<bos>",
        "unk_token": "<unk>",
        "model_max_length": model.context,
        "clean_up_tokenization_spaces": False,
        "chat_template": (_BEGIN if begins else "") + _TURNS,
    }


# Turns as Gemma and ChatML write them, in words of their own.
_BEGIN: Final = "{{ bos_token }}"
_TURNS: Final = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)

_Further = Callable[[Model], Mapping[str, Any]]


_GEMMA: Final = {"hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh"}


def _bias(model: Model) -> Mapping[str, Any]:
    return {"attention_bias": model.attention_bias != "none"}


def _alternating(model: Model) -> list[str]:
    """One layer of each attention kind of the model, sliding window first."""
    kinds = {"full": "full_attention", "sliding": "sliding_attention"}
    layer_types = {kinds[group.kind] for group in model.attention if group.kind in kinds}
    return [
        "sliding_attention" if len(layer_types) > 1 else min(layer_types),
        max(layer_types - {"sliding_attention"} or layer_types),
    ]


def _gemma_sliding(model: Model) -> Mapping[str, Any]:
    """What Gemma 2 and 3 have in common."""
    window = next((group.window for group in model.attention if group.window), 4096)
    alternating = {"sliding_window": window, "layer_types": _alternating(model)}
    return {**_GEMMA, **alternating, "query_pre_attn_scalar": HEAD_DIM}


_MIXTRAL: Final = {"num_local_experts": EXPERTS, "num_experts_per_tok": 2, "sliding_window": None}
_QWEN3_MOE: Final = {
    "num_experts": EXPERTS,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": HIDDEN,
    "norm_topk_prob": True,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
}
_GRANITE: Final = {
    "embedding_multiplier": 1.0,
    "residual_multiplier": 1.0,
    "attention_multiplier": 1.0 / HEAD_DIM**0.5,
    "logits_scaling": 1.0,
}
_SOFT_CAPS: Final = {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}
_TWO_ROPES: Final = {"sliding_window_pattern": 2, "rope_local_base_freq": 10000.0}


# `model_type` of config.json, and what an architecture has beside what all have.
_FAMILIES: Final[Mapping[str, tuple[str, _Further]]] = {
    "LlamaForCausalLM": ("llama", _bias),
    "MistralForCausalLM": ("mistral", lambda _model: {"sliding_window": None}),
    "MixtralForCausalLM": ("mixtral", lambda _model: _MIXTRAL),
    "Qwen2ForCausalLM": ("qwen2", lambda _model: {}),
    "Qwen3ForCausalLM": ("qwen3", lambda _model: {}),
    "Qwen3MoeForCausalLM": ("qwen3_moe", lambda _model: _QWEN3_MOE),
    "GemmaForCausalLM": ("gemma", lambda _model: _GEMMA),
    "Gemma2ForCausalLM": ("gemma2", lambda model: {**_gemma_sliding(model), **_SOFT_CAPS}),
    "Gemma3ForCausalLM": ("gemma3_text", lambda model: {**_gemma_sliding(model), **_TWO_ROPES}),
    "Phi3ForCausalLM": (
        "phi3",
        lambda model: {"original_max_position_embeddings": model.context, "sliding_window": None},
    ),
    "GraniteForCausalLM": ("granite", lambda _model: _GRANITE),
    "SeedOssForCausalLM": ("seed_oss", _bias),
}
