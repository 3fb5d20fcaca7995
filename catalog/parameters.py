"""Parameter counts and weight sizes that follow from a model's configuration. Sharding is planning's business.

Checked against vLLM's start-up logs and published counts in tests/catalog: within 1 %, quantized ones within 1.5 %.
Left out, being far below that: query and key norms, biases of feed-forward layers, Gemma's extra norms.
"""

from __future__ import annotations

from dataclasses import dataclass

from .schema import Attention, Model

GIB = 2**30
BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters by part. `lm_head` is 0 when it is the embedding itself."""

    embedding: int
    lm_head: int
    attention: int
    mlp: int  # dense feed-forward layers, and the shared experts of MoE layers
    experts: int  # routed experts
    router: int
    norms: int
    vision: int

    @property
    def linear(self) -> int:
        """What quantization applies to: engines leave embeddings, router, norms and vision towers as they are."""
        return self.attention + self.mlp + self.experts

    @property
    def total(self) -> int:
        return self.embedding + self.lm_head + self.linear + self.router + self.norms + self.vision


def count(model: Model) -> Parameters:
    """Count a model's parameters from its configuration."""
    hidden, experts = model.hidden, model.experts
    matrices = 3 if model.gated_mlp else 2
    moe_layers = experts.layers if experts else 0
    mlp = matrices * hidden * model.intermediate * (model.layers - moe_layers)
    routed = router = 0
    if experts:
        mlp += matrices * hidden * experts.shared_intermediate * moe_layers
        routed = matrices * hidden * experts.intermediate * experts.count * moe_layers
        router = hidden * experts.count * moe_layers
    embedding = model.vocabulary * hidden
    return Parameters(
        embedding=embedding,
        lm_head=0 if model.tied_embeddings else embedding,
        attention=sum(_attention(model, group) * group.layers for group in model.attention),
        mlp=mlp,
        experts=routed,
        router=router,
        norms=(2 * model.layers + 1) * hidden,
        vision=round((model.vision_gib or 0) * GIB / BYTES[model.dtype]),
    )


def _attention(model: Model, group: Attention) -> int:
    """Parameters of one layer's attention."""
    hidden, heads = model.hidden, model.attention_heads
    if group.kind == "mla":
        mla = model.mla
        assert mla is not None  # the schema refuses an mla group without it
        query = heads * (mla.qk_nope_head_dim + mla.qk_rope_head_dim)
        queries = hidden * query if mla.q_lora_rank is None else mla.q_lora_rank * (hidden + query)
        down = hidden * (mla.kv_lora_rank + mla.qk_rope_head_dim)
        up = mla.kv_lora_rank * heads * (mla.qk_nope_head_dim + mla.v_head_dim)
        return queries + down + up + heads * mla.v_head_dim * hidden
    if group.kind == "linear":
        state = group.linear
        assert state is not None  # likewise
        keys, values = state.key_heads * state.key_dim, state.value_heads * state.value_dim
        inputs = hidden * (2 * keys + 2 * values + 2 * state.value_heads)
        return inputs + (2 * keys + values) * state.convolution + values * hidden
    head_dim = group.head_dim or model.head_dim
    query = heads * head_dim
    key = (group.kv_heads or model.kv_heads) * head_dim
    projections = hidden * (query * (3 if model.output_gate else 2) + key * (1 if group.keys_are_values else 2))
    bias = {"none": 0, "qkv": query + 2 * key, "all": query + 2 * key + hidden}[model.attention_bias]
    return projections + bias


def weights_gib(model: Model) -> float:
    """All weights as stored, in GiB: quantized parts at their bits with scales, the rest in the model's dtype."""
    parts = count(model)
    plain = BYTES[model.dtype]
    quantization = model.quantization
    if quantization is None:
        return parts.total * plain / GIB
    quantized = parts.experts if quantization.experts_only else parts.linear
    bits = quantization.bits
    if quantization.group:
        bits += (quantization.scale_bits + quantization.zero_point_bits) / quantization.group
    return (quantized * bits / 8 + (parts.total - quantized) * plain) / GIB


def download_gib(model: Model) -> float:
    """What a node fetches, in GiB: the stated size where a repository holds more than the weights once."""
    return model.size_gib if model.size_gib is not None else weights_gib(model)
