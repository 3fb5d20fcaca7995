"""A model's own config.json as an entry of the catalog, whatever its kinds of attention, experts and quantization.

Only architectures whose weights the formulas of `parameters` describe are taken: of others the same fields may
mean something else. Tests hold it against the catalog's own entries.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError

from .checkpoint_matrices import CheckpointMatrices
from .config_architectures import Bias, load_architectures
from .config_fields import Fields
from .config_layers import Layers, attention_of, draft_of, experts_of, layers_of, mla_of, rotary_of
from .config_outline import written_quantization
from .config_quantization import quantization_of
from .config_vision import towers
from .errors import ConfigError
from .parameters import GIB
from .reading import problems
from .schema import DType, Model, PerLayerEmbedding

Config = Mapping[str, Any]

# Kinds of RoPE scaling whose max_position_embeddings is the stretched length already (vllm/config/model.py).
_ALREADY_STRETCHED = ("su", "longrope", "llama3")
_YARN = ("yarn", "deepseek_yarn")


def parse(
    model_id: str,
    config: Config,
    *,
    revision: str | None = None,
    size_gib: float | None = None,
    source: str = "config",
    quantization: Config | None = None,
) -> Model:
    """The entry that a config.json describes. Raises ConfigError, worded for the owner of the file.

    `size_gib` is the size of the weight files if their index is available. `quantization` is the content of
    hf_quant_config.json beside it (catalog.config_quantization.from_modelopt_file).
    """
    names = config.get("architectures") or []
    architecture = str(names[0]) if isinstance(names, list) and names else "(none)"
    if architecture == "(none)":
        raise ConfigError("it names no architectures, from which the kinds of its layers follow", unknown=True)
    facts = load_architectures()
    if architecture in facts.refused:
        raise ConfigError(
            f"the memory of {architecture} cannot be computed: {facts.refused[architecture]}", unknown=True
        )
    if architecture not in facts.biases:
        raise ConfigError(f"architecture {architecture} is not one whose memory this program can compute", unknown=True)
    text = config.get("text_config")
    text = {**facts.defaults_of(architecture), **config, **(text if isinstance(text, Mapping) else {})}
    fields = Fields({**text, **_global_shape(text)})
    try:
        layers = layers_of(architecture, fields)
        figures = _figures(architecture, config, fields, layers)
        origin = {"id": model_id, "revision": revision, "source": source, "date": datetime.date.today()}
        model = Model.model_validate({**figures, **origin, "size_gib": size_gib})
        stored = written_quantization(config, fields.config) or quantization
        if quantization is not None and not _says_method(stored):
            stored = quantization
        if stored:
            kinds = ["mla" if model.mla is not None and kind == "full" else kind for kind in layers.kinds]
            modules = CheckpointMatrices(model, kinds, layers.sparse)
            model = model.model_copy(update={"quantization": quantization_of(stored, modules)})
    except ValidationError as error:
        raise ConfigError(f"its figures do not fit together: {problems(error)}") from None
    _check(model)
    return model


def _global_shape(text: Config) -> Mapping[str, Any]:
    """Heads of Gemma 4's global layers, which transformers writes once for each of them since 5.24."""
    shapes = text.get("per_layer_config")
    first = next(iter(shapes.values()), None) if isinstance(shapes, Mapping) else None
    if not isinstance(first, Mapping):
        return {}
    names = {"head_dim": "global_head_dim", "num_key_value_heads": "num_global_key_value_heads"}
    return {names[name]: value for name, value in first.items() if name in names}


def _says_method(stored: object) -> bool:
    return isinstance(stored, Mapping) and bool(stored.get("quant_method") or stored.get("quant_algo"))


def _check(model: Model) -> None:
    """Check the figures that every model has, which also prevents divisions by zero."""
    minimums = {
        "kv_heads": model.kv_heads,
        "head_dim": model.head_dim,
        "vocabulary": model.vocabulary,
        "context": model.context,
        "intermediate": model.intermediate,
    }
    experts = model.experts
    if experts is not None:
        minimums |= {"experts": experts.layers, "active experts": experts.active, "expert width": experts.intermediate}
    for group in model.attention:
        state, mamba = group.linear, group.mamba
        if state is not None:
            minimums |= {"linear heads": min(state.key_heads, state.value_heads, state.key_dim, state.value_dim)}
        if mamba is not None:
            minimums |= {"Mamba heads": min(mamba.heads, mamba.head_dim, mamba.state, mamba.groups, mamba.convolution)}
        minimums |= {
            f"{group.kind} heads": 1 if group.kv_heads is None else group.kv_heads,
            f"{group.kind} head dimension": 1 if group.head_dim is None else group.head_dim,
            f"{group.kind} window": 1 if group.window is None else group.window,
        }
    missing = [name for name, value in minimums.items() if value < 1]
    if missing:
        raise ConfigError(f"it has no {', no '.join(missing)}", wrong=True)
    fitting = experts is None or (experts.layers <= model.layers and experts.active <= experts.count)
    if model.attention_heads % model.kv_heads:
        raise ConfigError(
            f"num_attention_heads is {model.attention_heads}, which num_key_value_heads, {model.kv_heads}, does not"
            " divide",
            wrong=True,
        )
    if not fitting:
        raise ConfigError("it has more experts in use, or layers of experts, than experts or layers", wrong=True)
    if all(group.kind in ("linear", "mamba", "none") for group in model.attention):
        raise ConfigError("it has no layer that keeps keys and values", unknown=True)


def _figures(architecture: str, config: Config, fields: Fields, layers: Layers) -> dict[str, Any]:
    """What the configuration states and implies, by its names in the catalog."""
    heads = fields.number("num_attention_heads")
    hidden = fields.number("hidden_size")
    if not (heads and hidden):
        raise ConfigError(f"num_attention_heads is {heads} and hidden_size {hidden}", wrong=True)
    mla = mla_of(fields)
    head_dim = fields.optional("head_dim")
    if mla is not None:
        head_dim = mla.qk_nope_head_dim + mla.qk_rope_head_dim
    if not head_dim and hidden % heads:
        raise ConfigError(f"hidden_size is {hidden}, which num_attention_heads, {heads}, does not divide", wrong=True)
    width = head_dim or hidden // heads
    dtype = str(fields.config.get("dtype") or fields.config.get("torch_dtype") or "bfloat16").removeprefix("torch.")
    towers_beside, facts = _towers(architecture, config, hidden), load_architectures()
    tied = fields.flag("tie_word_embeddings", architecture.startswith(facts.tied))
    return {
        "architecture": architecture,
        "layers": layers.count,
        "attention_heads": heads,
        "kv_heads": heads if mla is not None else fields.number("num_key_value_heads", default=heads) or heads,
        "head_dim": width,
        "hidden": hidden,
        "intermediate": _intermediate(architecture, fields, hidden),
        "vocabulary": fields.number("vocab_size"),
        "tied_embeddings": tied,
        "untied_at_top": tied and config.get("tie_word_embeddings") is False,
        "gated_mlp": architecture not in facts.two_matrices,
        "attention_bias": _bias(architecture, fields),
        "output_gate": fields.flag("attn_output_gate", architecture.startswith(facts.output_gate)),
        "context": stretched_context(
            architecture, fields.number("max_position_embeddings", "n_positions"), _scaling(fields)
        ),
        "stated_context": _stated_context(fields),
        "original_context": _original_context(fields),
        "dense_layers": layers.dense if layers.dense + sum(layers.sparse) != layers.count else None,
        "wide_layers": layers.wide,
        "per_layer": _per_layer(fields),
        "rotary": rotary_of(architecture, fields, layers, width, mla),
        "draft": draft_of(fields, layers, mla),
        "dtype": dtype if dtype in get_args(DType) else "bfloat16",
        "gated": False,
        "attention": attention_of(architecture, fields, layers, mla),
        "mla": mla,
        "experts": experts_of(architecture, fields, layers),
        **towers_beside,
    }


def _towers(architecture: str, config: Config, hidden: int) -> dict[str, Any]:
    """Figures of what encodes pictures and sound beside the text model."""
    tower = towers(architecture, config, hidden)
    if tower is None:
        return {"vision_language": architecture.endswith("ForConditionalGeneration")}
    return {
        "vision_gib": tower.parameters * 2 / GIB,
        "audio_gib": tower.audio * 2 / GIB,
        "vision_sharded": tower.sharded,
        "vision_heads": tower.heads,
        "vision_language": True,
    }


def _intermediate(architecture: str, fields: Fields, hidden: int) -> int:
    if architecture.startswith("GraniteMoeHybrid"):
        # Where it has no experts, the part that they share is all there is.
        return fields.number("shared_intermediate_size", "intermediate_size")
    return fields.number(
        "dense_intermediate_size",
        "intermediate_size_mlp",
        "intermediate_size",
        "moe_intermediate_size",
        default=4 * hidden,
    )


def stretched_context(
    architecture: str, positions: int, scaling: Mapping[str, Any], *, yarn_is_stated: bool = False
) -> int:
    """The longest request in tokens that vLLM derives from `max_position_embeddings` and how RoPE is scaled.

    _get_and_verify_max_len in vllm/config/model.py of 0.26.0: YaRN multiplies the length of the original training by
    its factor, other kinds multiply the model's own, and some state the product already, as Gemma 3 does with all.
    With `yarn_is_stated` YaRN does too, as of 0.30.0 (vllm-project/vllm pull request 56446).
    """
    kind, factor = scaling.get("rope_type", scaling.get("type")), scaling.get("factor")
    stated = kind is None or kind in _ALREADY_STRETCHED or architecture.startswith("Gemma3")
    stated |= yarn_is_stated and kind in _YARN
    if stated or isinstance(factor, bool) or not isinstance(factor, int | float) or factor <= 0:
        return positions
    original = scaling.get("original_max_position_embeddings") if kind == "yarn" else None
    return int((original if isinstance(original, int) else positions) * factor)


def _scaling(fields: Fields) -> Mapping[str, Any]:
    return {**fields.mapping("rope_scaling"), **fields.mapping("rope_parameters")}


def _stated_context(fields: Fields) -> int | None:
    scaling = _scaling(fields)
    positions = fields.number("max_position_embeddings", "n_positions")
    is_yarn = scaling.get("rope_type", scaling.get("type")) in _YARN
    return positions if is_yarn and stretched_context("", positions, scaling) != positions else None


def _original_context(fields: Fields) -> int | None:
    """The length at which vLLM starts a LongRoPE model. It is read beside the scaling, not inside it."""
    scaling = _scaling(fields)
    kind = scaling.get("rope_type") or scaling.get("type")
    return fields.optional("original_max_position_embeddings") if kind in ("longrope", "su") else None


def _bias(architecture: str, fields: Fields) -> Bias:
    if architecture.startswith("Llava"):
        kind = str(fields.config.get("model_type") or "")
        text = fields.config.get("text_config")
        kind = str(text.get("model_type") or kind) if isinstance(text, Mapping) else kind
        biases = load_architectures().llava_biases
        if kind not in biases:
            raise ConfigError(
                f"its text model ({kind or 'unnamed'}) is not one whose memory can be computed", unknown=True
            )
        return biases[kind]
    bias = load_architectures().biases[architecture]
    if architecture.startswith(("Glm4", "GlmFor", "SeedOss")):
        return "qkv" if fields.flag("attention_bias", architecture.startswith(("Glm4For", "SeedOss"))) else "none"
    if architecture.startswith("StableLm"):
        return "qkv" if fields.flag("use_qkv_bias") else "none"
    if bias == "flag" or bias == "none":
        return "all" if fields.flag("attention_bias") else "none"
    return bias


def _per_layer(fields: Fields) -> PerLayerEmbedding | None:
    width = fields.number("hidden_size_per_layer_input", default=0)
    if not width:
        return None
    return PerLayerEmbedding(
        vocabulary=fields.number("vocab_size_per_layer_input", "vocab_size"),
        width=width,
    )
