"""Layers of a config.json: which attention each has, which have experts, which rotary tables they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .config_fields import Fields
from .errors import ConfigError
from .schema import Attention, AttentionKind, DraftLayers, Experts, Indexer, LinearState, MambaState, Mla, RotaryTable

_LAYER_TYPES: Mapping[str, AttentionKind] = {
    "full_attention": "full",
    "deepseek_sparse_attention": "full",
    "indexed_attention": "full",
    "attention": "full",
    "sliding_attention": "sliding",
    "chunked_attention": "chunked",
    "linear_attention": "linear",
    "mamba": "mamba",
    "mamba2": "mamba",
    "mlp": "none",
    "moe": "none",
}
# Recurrent layers of these are Mamba's, which transformers calls linear attention since 5.24.
_MAMBA = ("GraniteMoeHybrid", "NemotronH")
# Nemotron-H writes its layers as letters: each is a Mamba, attention, expert or pure feed-forward layer.
_PATTERN: Mapping[str, str] = {"M": "mamba", "*": "attention", "E": "moe", "-": "mlp"}


@dataclass(frozen=True)
class Layers:
    """Every layer in order: its attention, and whether it has experts."""

    kinds: tuple[AttentionKind, ...]
    sparse: tuple[bool, ...]
    dense: int  # layers with a dense feed-forward part
    shared: int = 0  # of the last layers, those that use keys and values of an earlier one
    wide: int = 0  # layers whose dense part is twice as wide

    @property
    def count(self) -> int:
        return len(self.kinds)


def layers_of(architecture: str, fields: Fields) -> Layers:
    """Layers as the configuration lists them, or computed by the rule that older configurations contain."""
    if architecture.startswith("NemotronH"):
        return _nemotron(fields)
    count = fields.number("num_hidden_layers")
    if not count:
        raise ConfigError("a model has layers, heads and a width")
    kinds = _attention_kinds(architecture, fields, count)
    sparse = _layers_with_experts(fields, count)
    shared = min(fields.number("num_kv_shared_layers", default=0), count)
    return Layers(
        kinds=kinds,
        sparse=sparse,
        dense=count - sum(sparse),
        shared=shared,
        wide=shared if fields.flag("use_double_wide_mlp") and shared < count else 0,
    )


def _nemotron(fields: Fields) -> Layers:
    pattern = fields.config.get("hybrid_override_pattern")
    names = [_PATTERN.get(letter, letter) for letter in pattern] if isinstance(pattern, str) else []
    names = names or fields.texts("layers_block_type") or fields.texts("layer_types")
    names = ["mamba" if name == "linear_attention" else name for name in names]
    unknown = sorted({name for name in names if name not in _LAYER_TYPES})
    if unknown or not names:
        raise ConfigError(
            f"its layers are of kinds this program does not know: {', '.join(unknown) or 'none are named'}"
        )
    sparse = tuple(name == "moe" for name in names)
    return Layers(kinds=tuple(_LAYER_TYPES[name] for name in names), sparse=sparse, dense=names.count("mlp"))


def _attention_kinds(architecture: str, fields: Fields, count: int) -> tuple[AttentionKind, ...]:
    names = fields.texts("layer_types")[:count]
    if len(names) == count:
        unknown = sorted({name for name in names if name not in _LAYER_TYPES})
        if unknown:
            raise ConfigError(f"its layers are of kinds this program does not know: {', '.join(unknown)}", unknown=True)
        kinds = [_LAYER_TYPES[name] for name in names]
        if architecture.startswith(_MAMBA):
            kinds = ["mamba" if kind == "linear" else kind for kind in kinds]
        if architecture.startswith("Gemma4"):
            # transformers' Gemma4TextConfig treats the last layer as global whatever the list contains.
            kinds[-1] = "full"
        return tuple(kinds)
    window = fields.optional("sliding_window")
    full: tuple[AttentionKind, ...] = ("full",)
    sliding: tuple[AttentionKind, ...] = ("sliding",)
    interval = fields.optional("full_attention_interval")
    if interval:
        return _periodic_kinds(count, interval, "linear")
    if architecture.startswith("Llama4"):
        # Every fourth layer sees everything, the others a chunk.
        return _periodic_kinds(count, 4, "chunked")
    # Qwen's files name a window and leave it switched off.
    if window is None or not fields.flag("use_sliding_window", not architecture.startswith("Qwen")):
        return full * count
    if architecture.startswith(("Gemma2", "GptOss")):
        return _periodic_kinds(count, 2, "sliding")
    if architecture.startswith("Gemma3"):
        return _periodic_kinds(count, fields.number("sliding_window_pattern", default=6) or 6, "sliding")
    if architecture.startswith("Gemma4"):
        return (*_periodic_kinds(count, 6, "sliding")[:-1], "full")
    pattern = fields.config.get("sliding_window_pattern")
    if isinstance(pattern, int) and not isinstance(pattern, bool) and pattern > 0:
        return _periodic_kinds(count, pattern, "sliding")
    if isinstance(pattern, str) and pattern and set(pattern) <= {"L", "G"}:
        # EXAONE 4: local and global layers by letter, repeated; the last layer is global.
        letters: Mapping[str, AttentionKind] = {"L": "sliding", "G": "full"}
        return tuple(letters[letter] for letter in (pattern * count)[: count - 1] + "G")
    return sliding * count


def _periodic_kinds(count: int, step: int, other: AttentionKind) -> tuple[AttentionKind, ...]:
    full: AttentionKind = "full"
    return tuple(full if (index + 1) % step == 0 else other for index in range(count))


def _layers_with_experts(fields: Fields, count: int) -> tuple[bool, ...]:
    """Which layers have experts."""
    if not expert_count(fields):
        return (False,) * count
    names = fields.texts("mlp_layer_types")
    if len(names) == count:
        return tuple(name == "sparse" for name in names)
    interval = fields.optional("moe_layer_interval")
    if interval:
        # ERNIE 4.5, whose last layer of experts may be left out.
        begin, end = fields.number("moe_layer_start_index", default=0), fields.optional("moe_layer_end_index")
        return tuple(
            (index + 1) % interval == 0 and begin <= index <= (count if end is None else end) for index in range(count)
        )
    listed = fields.config.get("moe_layers")
    if isinstance(listed, list) and all(isinstance(index, int) for index in listed):
        return tuple(index in listed for index in range(count))
    frequency = fields.config.get("moe_layer_freq")
    first = fields.number("first_k_dense_replace", default=0)
    if isinstance(frequency, list) and len(frequency) == count:
        return tuple(bool(layer) for layer in frequency)
    dense = fields.config.get("mlp_only_layers")
    dense = dense if isinstance(dense, list) else []
    if isinstance(frequency, int) and not isinstance(frequency, bool) and frequency > 0:
        return tuple(index >= first and index % frequency == 0 for index in range(count))
    step = fields.number("interleave_moe_layer_step", "decoder_sparse_step", default=1) or 1
    return tuple(index >= first and index not in dense and (index + 1) % step == 0 for index in range(count))


def expert_count(fields: Fields) -> int:
    return fields.optional("num_local_experts", "n_routed_experts", "num_experts", "moe_num_experts") or 0


def experts_of(architecture: str, fields: Fields, layers: Layers) -> Experts | None:
    count = expert_count(fields)
    if not count or not any(layers.sparse):
        return None
    width = fields.number("moe_intermediate_size", "intermediate_size")
    shared = fields.number("n_shared_experts", "moe_num_shared_experts", default=0) * width or fields.number(
        "shared_expert_intermediate_size", "shared_intermediate_size", default=0
    )
    if architecture.startswith("NemotronH"):
        shared = fields.number("n_shared_experts", default=0) * fields.number(
            "moe_shared_expert_intermediate_size", default=width
        )
    if architecture.startswith("Llama4"):
        shared = width
    if architecture.startswith("Gemma4"):
        # A dense part runs beside the experts in every layer.
        shared = fields.number("intermediate_size")
    return Experts(
        count=count,
        active=fields.number("num_experts_per_tok", "experts_per_token", "top_k_experts", "moe_k"),
        intermediate=width,
        layers=sum(layers.sparse),
        shared_intermediate=shared,
        latent=fields.optional("moe_latent_size"),
    )


def mla_of(fields: Fields) -> Mla | None:
    if fields.optional("kv_lora_rank") is None:
        return None
    return Mla(
        kv_lora_rank=fields.number("kv_lora_rank"),
        q_lora_rank=fields.optional("q_lora_rank"),
        qk_nope_head_dim=fields.number("qk_nope_head_dim"),
        qk_rope_head_dim=fields.number("qk_rope_head_dim"),
        v_head_dim=fields.number("v_head_dim"),
    )


def draft_of(fields: Fields, layers: Layers, mla: Mla | None) -> DraftLayers | None:
    count = fields.number("mtp_num_hidden_layers", "num_nextn_predict_layers", default=0)
    if not count:
        return None
    return DraftLayers(layers=count, experts=any(layers.sparse), attention="mla" if mla is not None else "full")


def attention_of(architecture: str, fields: Fields, layers: Layers, mla: Mla | None) -> list[Attention]:
    """Layers in groups that attend alike."""
    window = fields.optional("sliding_window")
    shared = Counter(layers.kinds[layers.count - layers.shared :]) if layers.shared else Counter[AttentionKind]()
    groups = []
    for kind, count in Counter(layers.kinds).items():
        if mla is not None and kind == "full":
            groups.append(Attention(kind="mla", layers=count, indexer=_indexer(fields, count)))
        else:
            groups.append(_attention_group(architecture, fields, kind, count, window, shared[kind]))
    return groups


def _indexer(fields: Fields, layers: int) -> Indexer | None:
    if fields.optional("index_topk") is None:
        return None
    kinds = fields.texts("indexer_types")[:layers]
    own = sum(kind == "full" for kind in kinds) if kinds else layers
    return Indexer(heads=fields.number("index_n_heads"), dim=fields.number("index_head_dim"), layers=own)


def _attention_group(
    architecture: str, fields: Fields, kind: AttentionKind, layers: int, window: int | None, shared: int
) -> Attention:
    if kind == "linear":
        state = LinearState(
            key_heads=fields.number("linear_num_key_heads"),
            value_heads=fields.number("linear_num_value_heads"),
            key_dim=fields.number("linear_key_head_dim"),
            value_dim=fields.number("linear_value_head_dim"),
            convolution=fields.number("linear_conv_kernel_dim"),
            # vLLM keeps the state in the model's dtype, unless the architecture asks for more (Qwen3.5 and later do).
            state_bytes=4 if architecture.startswith("Qwen3_5") else 2,
        )
        return Attention(kind=kind, layers=layers, linear=state)
    if kind == "mamba":
        return Attention(kind=kind, layers=layers, mamba=_mamba(fields))
    if kind == "none":
        return Attention(kind=kind, layers=layers)
    if kind == "sliding":
        if window is None:
            raise ConfigError("it has sliding layers and no sliding_window")
        return Attention(kind=kind, layers=layers, window=window, kv_shared=shared)
    if kind == "chunked":
        return Attention(kind=kind, layers=layers, window=fields.number("attention_chunk_size", default=8192))
    if kind == "full" and architecture.startswith("Gemma4"):
        same = fields.flag("attention_k_eq_v")
        return Attention(
            kind=kind,
            layers=layers,
            # Only if keys double as values do global layers have a separate number of heads.
            kv_heads=fields.optional("num_global_key_value_heads") if same else None,
            head_dim=fields.optional("global_head_dim"),
            keys_are_values=same,
            kv_shared=shared,
        )
    return Attention(
        kind=kind, layers=layers, kv_shared=shared, indexer=_block_index(fields) if kind == "full" else None
    )


def _block_index(fields: Fields) -> Indexer | None:
    """The index of layers that attend to blocks of keys (MiniMax M3)."""
    form = Fields(fields.mapping("sparse_attention_config"))
    layers = form.config.get("sparse_attention_freq")
    if not isinstance(layers, list) or not any(layers):
        return None
    heads, dim = form.number("sparse_num_index_heads"), form.number("sparse_index_dim")
    return Indexer(heads=heads, dim=dim, layers=sum(map(bool, layers)))


def _mamba(fields: Fields) -> MambaState:
    wide = str(fields.config.get("mamba_ssm_cache_dtype") or "") == "float32"
    return MambaState(
        heads=fields.number("mamba_num_heads", "mamba_n_heads"),
        head_dim=fields.number("mamba_head_dim", "mamba_d_head"),
        state=fields.number("ssm_state_size", "mamba_d_state"),
        groups=fields.number("n_groups", "mamba_n_groups", default=1),
        convolution=fields.number("conv_kernel", "mamba_d_conv"),
        state_bytes=4 if wide else 2,
        chunk=fields.number("chunk_size", "mamba_chunk_size", default=256),
    )


def rotary_of(
    architecture: str, fields: Fields, layers: Layers, head_dim: int, mla: Mla | None
) -> tuple[RotaryTable, ...] | None:
    """Tables of sines and cosines: one for each way of rotating, as vLLM's get_rope keeps them. None: as usual."""
    if architecture.startswith("NemotronH") or fields.config.get("position_embedding_type") == "nope":
        return ()
    width = mla.qk_rope_head_dim if mla is not None else head_dim
    parameters = {**fields.mapping("rope_scaling"), **fields.mapping("rope_parameters")}
    by_kind = {name: rope for name, rope in parameters.items() if isinstance(rope, Mapping)}
    rotaries = []
    if not by_kind:
        rotaries.append(_rotary_table(architecture, fields, parameters, width))
        if architecture.startswith("Gemma3"):
            # Sliding layers rotate by a separate base, without scaling.
            rotaries.append(_rotary_table(architecture, fields, {}, width))
    for name, rope in by_kind.items():
        kind = _LAYER_TYPES.get(name)
        if kind not in layers.kinds:
            continue
        own = fields.optional("global_head_dim") if architecture.startswith("Gemma4") and kind == "full" else None
        rotaries.append(_rotary_table(architecture, fields, rope, own or width))
    usual = RotaryTable(positions=fields.number("max_position_embeddings", "n_positions"), width=width)
    return None if rotaries == [usual] else tuple(rotaries)


def _rotary_table(architecture: str, fields: Fields, parameters: Mapping[str, Any], width: int) -> RotaryTable:
    positions = fields.number("max_position_embeddings", "n_positions")
    kind = str(parameters.get("rope_type") or parameters.get("type") or "default")
    factor = _rotary_factor(parameters.get("factor"))
    original = parameters.get("original_max_position_embeddings")
    original = original if isinstance(original, int) and not isinstance(original, bool) and original > 0 else positions
    if kind in ("linear", "dynamic"):
        positions = round(positions * factor)
    elif kind in ("yarn", "deepseek_yarn"):
        positions = round(original * factor)
    elif kind in ("longrope", "su") and original != positions:
        positions += original
    elif kind in ("default", "mrope") and (
        "mrope_section" in parameters or architecture.startswith(("Qwen3VL", "Qwen3_5"))
    ):
        # Videos have positions beyond the text's: vLLM's MRotaryEmbedding keeps four times as many.
        positions *= 4
    partial = parameters.get("partial_rotary_factor", fields.config.get("partial_rotary_factor"))
    own = fields.optional("rotary_dim")
    if kind != "proportional":
        if isinstance(partial, float) and 0 < partial <= 1:
            width = int(width * partial)
        elif own:
            width = min(width, own)
    return RotaryTable(positions=min(positions, 10**9), width=width)


def _rotary_factor(value: object) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= 10**4
    return float(value) if good else 1.0  # type: ignore[arg-type]
