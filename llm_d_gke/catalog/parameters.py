"""Parameter counts and weight sizes that follow from a model's configuration. Sharding is planning's business.

Checked against vLLM's start-up logs and published counts in tests/catalog: within 1 %, quantized ones within 1.5 %.
Left out, being far below that: query and key norms, biases of feed-forward layers, Gemma's extra norms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import get_args

from .schema import Attention, Model, Part

GIB = 2**30
BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}
PARTS: tuple[Part, ...] = get_args(Part)
_WITH_COPIES = "DeepseekV3"


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters by part. `lm_head` is 0 when it is the embedding itself."""

    embedding: int
    lm_head: int
    attention: int
    linear: int  # layers that keep a recurrent state
    mlp: int  # dense feed-forward layers
    shared: int  # shared experts of MoE layers
    latent: int
    experts: int  # routed experts
    router: int
    norms: int
    per_layer: int  # tables and projections of per-layer embeddings
    vision: int

    @property
    def layers(self) -> int:
        """Matrices of the layers, to which quantization applies unless the checkpoint leaves some out."""
        return self.attention + self.linear + self.mlp + self.shared + self.latent + self.experts

    @property
    def total(self) -> int:
        return self.embedding + self.lm_head + self.layers + self.router + self.norms + self.per_layer + self.vision

    def of(self, part: Part) -> int:
        return int(getattr(self, part))


def dense_layers(model: Model) -> int:
    """Layers with a dense feed-forward part; one of twice the width counts as two."""
    if model.dense_layers is not None:
        return model.dense_layers + model.wide_layers
    return model.layers - (model.experts.layers if model.experts else 0) + model.wide_layers


def count_parameters(model: Model) -> Parameters:
    """Count the parameters of a model by part, from its configuration."""
    hidden, experts = model.hidden, model.experts
    matrices = 3 if model.gated_mlp else 2
    shared = latent = routed = router = 0
    if experts:
        width = experts.latent or hidden
        shared = matrices * hidden * experts.shared_intermediate * experts.layers
        latent = 2 * hidden * experts.latent * experts.layers if experts.latent else 0
        routed = matrices * width * experts.intermediate * experts.count * experts.layers
        router = hidden * experts.count * experts.layers
    # Beside them, what is never quantized: compressors, weights of indexes, and the mixing of residual streams.
    router += sum(map(partial(_uncompressed, model), model.attention))
    embedding = model.vocabulary * hidden
    return Parameters(
        embedding=embedding,
        lm_head=0 if model.tied_embeddings else embedding,
        attention=sum(attention(model, group) for group in model.attention if not group.recurrent),
        linear=sum(attention(model, group) for group in model.attention if group.recurrent),
        mlp=matrices * hidden * model.intermediate * dense_layers(model),
        shared=shared,
        latent=latent,
        experts=routed,
        router=router,
        norms=(2 * model.layers + 1) * hidden,
        per_layer=per_layer_tables(model) + per_layer_projections(model),
        vision=round((model.vision_gib or 0) * GIB / 2),
    )


def per_layer_tables(model: Model) -> int:
    """Entries of the per-layer embedding, a vector for every layer and token of its vocabulary."""
    return 0 if model.per_layer is None else model.per_layer.vocabulary * model.per_layer.width * model.layers


def per_layer_projections(model: Model) -> int:
    """One projection of the whole model, and two in each layer."""
    return 0 if model.per_layer is None else 3 * model.hidden * model.per_layer.width * model.layers


def attention(model: Model, group: Attention) -> int:
    """Parameters of the attention of all layers of a group."""
    hidden, heads = model.hidden, model.attention_heads
    if group.kind == "none":
        return 0
    if group.kind == "compressed":
        return int(compressed(model, group))
    if group.kind == "mla":
        mla = model.mla
        assert mla is not None  # the schema refuses an mla group without it
        query = heads * (mla.qk_nope_head_dim + mla.qk_rope_head_dim)
        queries = hidden * query if mla.q_lora_rank is None else mla.q_lora_rank * (hidden + query)
        down = hidden * (mla.kv_lora_rank + mla.qk_rope_head_dim)
        up = mla.kv_lora_rank * heads * (mla.qk_nope_head_dim + mla.v_head_dim)
        return group.layers * (queries + down + up + heads * mla.v_head_dim * hidden) + indexers(model, group)
    if group.kind == "linear":
        state = group.linear
        assert state is not None  # likewise
        keys, values = state.key_heads * state.key_dim, state.value_heads * state.value_dim
        inputs = hidden * (2 * keys + 2 * values + 2 * state.value_heads)
        return group.layers * (inputs + (2 * keys + values) * state.convolution + values * hidden)
    if group.kind == "mamba":
        mamba = group.mamba
        assert mamba is not None  # likewise
        inner = mamba.heads * mamba.head_dim
        channels = inner + 2 * mamba.groups * mamba.state
        return group.layers * (
            hidden * (inner + channels + mamba.heads) + channels * (mamba.convolution + 1) + inner * hidden
        )
    head_dim = group.head_dim or model.head_dim
    query = heads * head_dim
    key = (group.kv_heads or model.kv_heads) * head_dim
    stored = group.layers - group.kv_shared
    keys = hidden * key * (1 if group.keys_are_values else 2)
    bias = {"none": 0, "qkv": query + 2 * key, "all": query + 2 * key + hidden}[model.attention_bias]
    queries = group.layers * (hidden * query * (3 if model.output_gate else 2) + bias)
    return queries + stored * keys + indexers(model, group)


def compressed(model: Model, group: Attention, ranks: int = 1) -> float:
    """Matrices of compressed attention on one of `ranks`: projections down and indexes are on all of them.

    As vllm/models/deepseek_v4/attention.py of 0.26.0.
    """
    form, hidden, wide = group.compression, model.hidden, model.attention_heads * model.head_dim
    assert form is not None  # the schema refuses such a group without it
    shared = hidden * (form.query_rank + model.head_dim) + form.query_rank * form.index_heads * form.index_dim
    divided = wide * (form.query_rank + form.output_rank) + form.output_groups * form.output_rank * hidden
    return group.layers * (shared + divided / ranks)


def _uncompressed(model: Model, group: Attention) -> int:
    """Numbers of 16 bits: two projections of each compressor, over twice the tokens at a ratio of four."""
    form = group.compression
    if form is None:
        return 0
    widths = 0 if form.ratio == 1 else 2 * (2 if form.index_heads else 1) * (model.head_dim + form.index_dim)
    mixing = 2 * (2 + form.streams) * form.streams**2 if form.streams > 1 else 0
    return group.layers * model.hidden * (widths + form.index_heads + 2 * mixing)


def indexers(model: Model, group: Attention, layers: int | None = None) -> int:
    """Parameters of a group's indexers: queries from the compressed ones, one key, a weight for each head.

    `layers` have one where an engine makes more of them than the checkpoint has.
    """
    parameters_each = group.indexer
    if parameters_each is None:
        return 0
    if model.mla is None:
        return parameters_each.layers * model.hidden * (parameters_each.heads + 1) * parameters_each.dim
    queries = (model.mla.q_lora_rank or model.hidden) * parameters_each.heads * parameters_each.dim
    return (layers or parameters_each.layers) * (queries + model.hidden * (parameters_each.dim + parameters_each.heads))


def weights_gib(model: Model) -> float:
    """All weights as stored, in GiB: quantized parts at their bits with scales, the rest in the model's dtype."""
    parts = count_parameters(model)
    plain = BYTES[model.dtype]
    quantization = model.quantization
    if quantization is None:
        return parts.total * plain / GIB
    stored = sum(parts.of(part) * quantization.stored_bits(part, 8 * plain) / 8 for part in PARTS)
    rest = parts.total - sum(parts.of(part) for part in PARTS)
    return (stored + rest * plain) / GIB


def draft_gib(model: Model) -> float:
    """Layers for multi-token prediction as stored, in GiB: in the model's dtype beside weights of 4 bits."""
    draft, experts, quantization = model.draft, model.experts, model.quantization
    if draft is None:
        return 0.0
    plain = 8 * BYTES[model.dtype]
    bits = 8.0 if quantization is not None and quantization.bits == 8 else plain
    routed = quantization.parts.get("experts", bits) if quantization is not None and bits < plain else bits
    matrices = 3 if model.gated_mlp else 2
    groups = [group for group in model.attention if group.kind == draft.attention]
    matrix = attention(model, groups[0]) / groups[0].layers if groups else 0
    if draft.experts and experts is not None:
        width = experts.latent or model.hidden
        matrix += matrices * model.hidden * experts.shared_intermediate
        # In units of the other matrices' bits.
        matrix += matrices * width * experts.intermediate * experts.count * routed / bits
    else:
        matrix += matrices * model.hidden * model.intermediate
    joined = 2 * model.hidden * model.hidden
    # Each layer of DeepSeek's has copies of the embedding and of the head.
    copies = 2 * model.vocabulary * model.hidden if model.architecture.startswith(_WITH_COPIES) else 0
    return draft.layers * (matrix * bits + (joined + copies) * plain) / 8 / GIB


def download_gib(model: Model) -> float:
    """Download size of a node in GiB: the stated size where a repository holds more than one copy of the weights."""
    return model.size_gib if model.size_gib is not None else weights_gib(model) + draft_gib(model)
