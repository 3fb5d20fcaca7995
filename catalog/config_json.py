"""A model's own config.json as an entry of the catalog, whatever its kinds of attention, experts and quantization.

Only architectures whose weights the formulas of `catalog.parameters` describe are taken: of others the same fields may
mean something else. Tests hold it against the catalog's own entries.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError

from .config_quantization import quantization_of
from .errors import ConfigError
from .schema import Attention, AttentionKind, Experts, LinearState, Mla, Model

Config = Mapping[str, Any]
Bias = Literal["none", "qkv", "all"]

# Architectures by what their configuration leaves unsaid: biases of the projections.
_BIAS: Mapping[str, Bias] = {
    "LlamaForCausalLM": "none",
    "Llama4ForConditionalGeneration": "none",
    "MistralForCausalLM": "none",
    "Mistral3ForConditionalGeneration": "none",
    "MixtralForCausalLM": "none",
    "Qwen2ForCausalLM": "qkv",
    "Qwen2MoeForCausalLM": "qkv",
    "Qwen3ForCausalLM": "none",
    "Qwen3MoeForCausalLM": "none",
    "Qwen3NextForCausalLM": "none",
    "Qwen3_5ForConditionalGeneration": "none",
    "Qwen3_5MoeForConditionalGeneration": "none",
    "GemmaForCausalLM": "none",
    "Gemma2ForCausalLM": "none",
    "Gemma3ForCausalLM": "none",
    "Gemma3ForConditionalGeneration": "none",
    "Gemma4ForConditionalGeneration": "none",
    "PhiForCausalLM": "all",
    "Phi3ForCausalLM": "none",
    "GptOssForCausalLM": "all",
    "DeepseekV2ForCausalLM": "none",
    "DeepseekV3ForCausalLM": "none",
    "KimiVLForConditionalGeneration": "none",
    "GraniteForCausalLM": "none",
    "GraniteMoeForCausalLM": "none",
}
_TIED = ("Gemma",)  # families that share embedding and head unless they say otherwise
_TWO_MATRICES = ("PhiForCausalLM",)
_OUTPUT_GATE = ("Qwen3Next", "Qwen3_5")
_LAYER_TYPES: Mapping[str, AttentionKind] = {
    "full_attention": "full",
    "sliding_attention": "sliding",
    "chunked_attention": "chunked",
    "linear_attention": "linear",
}
# Beyond any model there is: a slip of the keyboard, and a reason not to count that far.
_MOST = {"num_hidden_layers": 1000, "num_attention_heads": 4096, "num_key_value_heads": 4096, "head_dim": 4096}
_DTYPES = ("bfloat16", "float16", "float32")


def parse(
    model_id: str, config: Config, *, revision: str | None = None, size_gib: float | None = None, source: str = "config"
) -> Model:
    """The entry that a config.json describes. Raises ConfigError, in words for whoever has that file.

    `size_gib` is the size of the weights' files, where their index is there as well.
    """
    names = config.get("architectures") or []
    architecture = str(names[0]) if isinstance(names, list) and names else "(none)"
    if architecture not in _BIAS:
        raise ConfigError(f"architecture {architecture} is not one whose memory this program can compute", unknown=True)
    text = config.get("text_config")
    text = {**config, **text} if isinstance(text, Mapping) else config
    try:
        model = _model(model_id, architecture, config, _Fields(text), revision, size_gib, source)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ConfigError(f"its figures do not fit together: {told}") from None
    _check(model)
    return model


def _check(model: Model) -> None:
    """What every model has, so that nobody divides by what is not there."""
    least = {
        "kv_heads": model.kv_heads,
        "head_dim": model.head_dim,
        "vocabulary": model.vocabulary,
        "context": model.context,
        "intermediate": model.intermediate,
    }
    experts = model.experts
    if experts is not None:
        least |= {"experts": experts.layers, "active experts": experts.active, "expert width": experts.intermediate}
    for group in model.attention:
        state = group.linear
        if state is not None:
            least |= {"linear heads": min(state.key_heads, state.value_heads, state.key_dim, state.value_dim)}
        least |= {
            f"{group.kind} heads": 1 if group.kv_heads is None else group.kv_heads,
            f"{group.kind} head dimension": 1 if group.head_dim is None else group.head_dim,
            f"{group.kind} window": 1 if group.window is None else group.window,
        }
    missing = [name for name, value in least.items() if value < 1]
    if missing:
        raise ConfigError(f"it has no {', no '.join(missing)}")
    fitting = experts is None or (experts.layers <= model.layers and experts.active <= experts.count)
    if model.attention_heads % model.kv_heads or not fitting:
        raise ConfigError("its heads, layers or experts do not divide as a model's do")


class _Fields:
    """Fields of a configuration under any of their names. What has to be there and is not is a ConfigError."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def number(self, *names: str, default: int | None = None) -> int:
        for name in names:
            value = self.config.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                if not 0 <= value <= _MOST.get(name, 10**8):
                    raise ConfigError(f"{name} is {value}")
                return value
        if default is None:
            raise ConfigError(f"there is no number under {' or '.join(names)}")
        return default

    def optional(self, *names: str) -> int | None:
        given = [name for name in names if self.config.get(name) is not None]
        return self.number(*given) if given else None

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.config.get(name)
        return default if value is None else bool(value)

    def texts(self, name: str) -> list[str]:
        value = self.config.get(name)
        return [str(one) for one in value] if isinstance(value, list) else []


def _model(
    model_id: str,
    architecture: str,
    config: Config,
    fields: _Fields,
    revision: str | None,
    size_gib: float | None,
    source: str,
) -> Model:
    layers = fields.number("num_hidden_layers")
    heads = fields.number("num_attention_heads")
    hidden = fields.number("hidden_size")
    if not (layers and heads and hidden):
        raise ConfigError("a model has layers, heads and a width")
    mla = _mla(fields)
    head_dim = fields.optional("head_dim")
    if mla is not None:
        head_dim = mla.qk_nope_head_dim + mla.qk_rope_head_dim
    dtype = str(fields.config.get("dtype") or fields.config.get("torch_dtype") or "bfloat16").removeprefix("torch.")
    bias = _BIAS[architecture]
    return Model.model_validate(
        {
            "id": model_id,
            "revision": revision,
            "architecture": architecture,
            "layers": layers,
            "attention_heads": heads,
            "kv_heads": heads if mla is not None else fields.number("num_key_value_heads", default=heads) or heads,
            "head_dim": head_dim or hidden // heads,
            "hidden": hidden,
            "intermediate": fields.number(
                "intermediate_size_mlp", "intermediate_size", "moe_intermediate_size", default=4 * hidden
            ),
            "vocabulary": fields.number("vocab_size"),
            "tied_embeddings": fields.flag("tie_word_embeddings", architecture.startswith(_TIED)),
            "gated_mlp": architecture not in _TWO_MATRICES,
            "attention_bias": "all" if bias == "none" and fields.flag("attention_bias") else bias,
            "output_gate": architecture.startswith(_OUTPUT_GATE),
            "context": fields.number("max_position_embeddings", "n_positions"),
            "dtype": dtype if dtype in _DTYPES else "bfloat16",
            "gated": False,
            "attention": _attention(architecture, fields, layers, mla),
            "mla": mla,
            "experts": _experts(architecture, fields, layers),
            "quantization": quantization_of(
                config.get("quantization_config") or fields.config.get("quantization_config")
            ),
            "vision_language": architecture.endswith("ForConditionalGeneration"),
            "size_gib": size_gib,
            "source": source,
            "date": datetime.date.today(),
        }
    )


def _mla(fields: _Fields) -> Mla | None:
    if fields.optional("kv_lora_rank") is None:
        return None
    return Mla(
        kv_lora_rank=fields.number("kv_lora_rank"),
        q_lora_rank=fields.optional("q_lora_rank"),
        qk_nope_head_dim=fields.number("qk_nope_head_dim"),
        qk_rope_head_dim=fields.number("qk_rope_head_dim"),
        v_head_dim=fields.number("v_head_dim"),
    )


def _experts(architecture: str, fields: _Fields, layers: int) -> Experts | None:
    count = fields.optional("num_local_experts", "n_routed_experts", "num_experts")
    if not count:
        return None
    width = fields.number("moe_intermediate_size", "intermediate_size")
    shared = fields.number("n_shared_experts", default=0) * width or fields.number(
        "shared_expert_intermediate_size", default=0
    )
    if architecture.startswith("Llama4"):
        shared = width
    if architecture.startswith("Gemma4"):
        # A dense part runs beside the experts in every layer.
        shared = fields.number("intermediate_size")
    every = fields.number("interleave_moe_layer_step", "decoder_sparse_step", default=1) or 1
    return Experts(
        count=count,
        active=fields.number("num_experts_per_tok", "experts_per_token", "top_k_experts"),
        intermediate=width,
        layers=(layers - fields.number("first_k_dense_replace", default=0) - len(fields.texts("mlp_only_layers")))
        // every,
        shared_intermediate=shared,
    )


def _attention(architecture: str, fields: _Fields, layers: int, mla: Mla | None) -> list[Attention]:
    if mla is not None:
        return [Attention(kind="mla", layers=layers)]
    window = fields.optional("sliding_window")
    types = Counter(_LAYER_TYPES.get(name, "full") for name in fields.texts("layer_types")[:layers])
    if sum(types.values()) != layers:
        types = _types(architecture, fields, layers, window)
    return [_group(architecture, fields, kind, count, window) for kind, count in types.items() if count]


def _types(architecture: str, fields: _Fields, layers: int, window: int | None) -> Counter[AttentionKind]:
    """Layers by kind, where an older configuration gives a rule in place of a list."""
    interval = fields.optional("full_attention_interval")
    if interval:
        return Counter({"linear": layers - layers // interval, "full": layers // interval})
    if architecture.startswith("Llama4"):
        # Every fourth layer sees everything, the others a chunk.
        return Counter({"chunked": layers - layers // 4, "full": layers // 4})
    if window is None or not fields.flag("use_sliding_window", True):
        return Counter({"full": layers})
    if architecture.startswith("Gemma2"):
        return Counter({"sliding": layers - layers // 2, "full": layers // 2})
    if architecture.startswith("GptOss"):
        return Counter({"sliding": layers - layers // 2, "full": layers // 2})
    if architecture.startswith("Gemma3"):
        every = fields.number("sliding_window_pattern", default=6) or 6
        return Counter({"sliding": layers - layers // every, "full": layers // every})
    return Counter({"sliding": layers})


def _group(architecture: str, fields: _Fields, kind: AttentionKind, layers: int, window: int | None) -> Attention:
    if kind == "linear":
        state = LinearState(
            key_heads=fields.number("linear_num_key_heads"),
            value_heads=fields.number("linear_num_value_heads"),
            key_dim=fields.number("linear_key_head_dim"),
            value_dim=fields.number("linear_value_head_dim"),
            convolution=fields.number("linear_conv_kernel_dim"),
        )
        return Attention(kind=kind, layers=layers, linear=state)
    if kind == "sliding":
        if window is None:
            raise ConfigError("it has sliding layers and no sliding_window")
        return Attention(kind=kind, layers=layers, window=window)
    if kind == "chunked":
        return Attention(kind=kind, layers=layers, window=fields.number("attention_chunk_size", default=8192))
    if kind == "full" and architecture.startswith("Gemma4"):
        return Attention(
            kind=kind,
            layers=layers,
            kv_heads=fields.optional("num_global_key_value_heads"),
            head_dim=fields.optional("global_head_dim"),
            keys_are_values=fields.flag("attention_k_eq_v"),
        )
    return Attention(kind=kind, layers=layers)
