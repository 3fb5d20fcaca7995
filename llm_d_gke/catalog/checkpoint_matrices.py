"""Names of a model's matrices, as checkpoints and their quantization configurations call them, with their sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .schema import Attention, Model, Part

# Prefixes of the layers of a text model, by itself or inside a multimodal model.
_ROOTS = ("model", "model.language_model", "language_model.model", "backbone")


@dataclass(frozen=True)
class CheckpointMatrices:
    """The matrices of one model by part. Their sizes are relative to one another within a part."""

    model: Model
    kinds: Sequence[str]  # of each layer's attention, in order
    sparse: Sequence[bool]  # layers that have experts

    def of(self, part: Part) -> Iterator[tuple[tuple[str, ...], float]]:
        """Each matrix of a part: its possible names, and its size."""
        if part == "lm_head":
            yield ("lm_head", "language_model.lm_head", "model.lm_head", "head"), 1.0
            return
        for index in range(self.model.layers):
            for names, size in self._layer(part, index):
                yield tuple(f"{root}.layers.{index}.{name}" for root in _ROOTS for name in names), size

    def _layer(self, part: Part, index: int) -> list[tuple[tuple[str, ...], float]]:
        model, kind, sparse = self.model, self.kinds[index], self.sparse[index]
        gemma = model.architecture.startswith("Gemma4")
        if part == "attention" and kind not in ("linear", "mamba", "none"):
            return _attention(model, self._group(kind))
        if part == "linear" and kind in ("linear", "mamba"):
            return _recurrent(model, self._group(kind))
        if part == "mlp" and not sparse and not (kind != "none" and model.architecture.startswith("NemotronH")):
            names = ("gate_proj", "up_proj", "down_proj") if model.gated_mlp else ("up_proj", "down_proj")
            return [((f"mlp.{name}", f"mixer.{name}"), 1.0) for name in names]
        if not sparse:
            return []
        if part == "experts":
            names = ("gate_proj", "up_proj", "down_proj") if model.gated_mlp else ("up_proj", "down_proj")
            if gemma:
                return [((f"experts.0.{name}", f"moe.experts.0.{name}"), 1.0) for name in names]
            old = {"gate_proj": "w1", "up_proj": "w3", "down_proj": "w2"}
            return [
                ((f"mlp.experts.0.{name}", f"block_sparse_moe.experts.0.{old[name]}", f"mixer.experts.0.{name}"), 1.0)
                for name in names
            ]
        if part == "shared":
            names = ("gate_proj", "up_proj", "down_proj") if model.gated_mlp else ("up_proj", "down_proj")
            homes = ("mlp",) if gemma else ("mlp.shared_experts", "mlp.shared_expert", "mixer.shared_experts")
            if not gemma:
                homes = (*homes, "block_sparse_moe.shared_experts", "feed_forward.shared_expert", "shared_mlp")
            return [(tuple(f"{home}.{name}" for home in homes), 1.0) for name in names]
        if part == "latent" and model.experts is not None and model.experts.latent:
            return [((f"mixer.{name}",), 1.0) for name in ("fc1_latent_proj", "fc2_latent_proj")]
        return []

    def _group(self, kind: str) -> Attention:
        return next(group for group in self.model.attention if group.kind == kind)


def _attention(model: Model, group: Attention) -> list[tuple[tuple[str, ...], float]]:
    hidden, heads = model.hidden, model.attention_heads
    sizes: dict[str, float] = {}
    if group.kind == "mla" and model.mla is not None:
        mla = model.mla
        query = heads * (mla.qk_nope_head_dim + mla.qk_rope_head_dim)
        if mla.q_lora_rank is None:
            sizes["q_proj"] = hidden * query
        else:
            sizes |= {"q_a_proj": hidden * mla.q_lora_rank, "q_b_proj": mla.q_lora_rank * query}
        sizes |= {
            "kv_a_proj_with_mqa": hidden * (mla.kv_lora_rank + mla.qk_rope_head_dim),
            "kv_b_proj": mla.kv_lora_rank * heads * (mla.qk_nope_head_dim + mla.v_head_dim),
            "o_proj": heads * mla.v_head_dim * hidden,
        }
    else:
        head_dim = group.head_dim or model.head_dim
        key = hidden * (group.kv_heads or model.kv_heads) * head_dim
        query = hidden * heads * head_dim
        sizes = {"q_proj": query * (2 if model.output_gate else 1), "k_proj": key, "o_proj": query}
        if not group.keys_are_values:
            sizes["v_proj"] = key
    return [((f"self_attn.{name}", f"mixer.{name}"), size) for name, size in sizes.items()]


def _recurrent(model: Model, group: Attention) -> list[tuple[tuple[str, ...], float]]:
    hidden = model.hidden
    if group.linear is not None:
        state = group.linear
        keys, values = state.key_heads * state.key_dim, state.value_heads * state.value_dim
        # Qwen3-Next keeps in one matrix what Qwen3.5 keeps in two.
        return [
            (("linear_attn.in_proj_qkv", "linear_attn.in_proj_qkvz"), hidden * (2 * keys + values)),
            (("linear_attn.in_proj_z", "linear_attn.in_proj_qkvz"), hidden * values),
            (("linear_attn.in_proj_b", "linear_attn.in_proj_ba"), hidden * state.value_heads),
            (("linear_attn.in_proj_a", "linear_attn.in_proj_ba"), hidden * state.value_heads),
            (("linear_attn.out_proj",), values * hidden),
        ]
    assert group.mamba is not None  # the schema refuses a group without
    mamba = group.mamba
    inner = mamba.heads * mamba.head_dim
    inputs = 2 * inner + 2 * mamba.groups * mamba.state + mamba.heads
    return [
        (("mixer.in_proj", "mamba.in_proj"), hidden * inputs),
        (("mixer.out_proj", "mamba.out_proj"), inner * hidden),
    ]
