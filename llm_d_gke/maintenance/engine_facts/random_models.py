"""Random configurations of models: default and public ones, of which a few fields are changed.

A value is one that some model has, one that no kernel takes, or one that means nothing for this type of model.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from llm_d_gke.catalog.config_outline import LANGUAGE

Tree = dict[str, Any]
_Values = Mapping[str, tuple[Any, ...]]

_ABSENT: Final = object()
_FACTORS: Final = [1.0] * 32
_ROPES: Final[tuple[Tree | None, ...]] = (
    {"rope_type": "default"},
    {"rope_type": "linear", "factor": 4.0},
    {"type": "linear", "factor": 2},
    {"rope_type": "dynamic", "factor": 2.0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8192},
    {"type": "yarn", "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 4096},
    {"rope_type": "yarn", "factor": 2.0},
    {"rope_type": "yarn", "original_max_position_embeddings": 8192},
    {"rope_type": "longrope", "short_factor": _FACTORS, "long_factor": _FACTORS},
    {"rope_type": "longrope", "factor": 4.0, "original_max_position_embeddings": 4096},
    {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
    {"rope_type": "llama3", "factor": 8.0},
    {"type": "mrope", "mrope_section": [16, 24, 24]},
    {"rope_type": "proportional", "factor": 8.0},
    {"type": "su", "short_factor": _FACTORS, "long_factor": _FACTORS},
    {"rope_type": "ntk-aware", "factor": 2.0},
    {"rope_type": "linear", "factor": "4"},
    {"rope_type": "linear", "factor": 0.5},
    {"factor": 2.0},
    {"full_attention": {"rope_type": "linear", "factor": 8.0}, "sliding_attention": {"rope_type": "default"}},
    {},
    None,
)
# Fields that say one thing together. A drawn configuration has some of one or two of these groups.
_GROUPS: Final[tuple[_Values, ...]] = (
    dict.fromkeys(
        ("dtype", "torch_dtype"), ("float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "auto", None)
    ),
    {
        "num_attention_heads": (1, 6, 12, 14, 16, 25, 32, 40, 64, 96),
        "num_key_value_heads": (1, 2, 3, 4, 5, 8, 16, None),
        "head_dim": (32, 48, 64, 72, 80, 96, 100, 112, 120, 128, 160, 192, 256, 512, None),
        "hidden_size": (768, 1000, 2048, 4096, 5120),
    },
    {
        "max_position_embeddings": (512, 4096, 32768, 131072, 1048576, _ABSENT),
        "original_max_position_embeddings": (4096, 8192),
        "model_max_length": (2048, 65536),
        "max_sequence_length": (1024,),
        "seq_length": (2048,),
    },
    {
        "rope_scaling": _ROPES,
        "rope_parameters": _ROPES,
        "rope_theta": (10000.0, 1e6, 500000),
        "partial_rotary_factor": (0.5, 0.25),
    },
    {
        "sliding_window": (None, 0, 512, 4096, 4097),
        "use_sliding_window": (True, False),
        "max_window_layers": (0, 4, 28),
        "sliding_window_pattern": (1, 2, 6),
        "attention_chunk_size": (8192, None),
        "layer_types": (["full_attention"], ["sliding_attention", "full_attention"], ["word"], None, _ABSENT),
    },
    {
        "num_hidden_layers": (1, 2, 3, 5, 7, 36, 61, 80),
        "vocab_size": (100, 32000, 50257, 151936, 151937),
        "intermediate_size": (1000, 11008, 14336),
        "tie_word_embeddings": (True, False),
        "attention_bias": (True, False),
        "hidden_act": ("silu", "gelu", "relu2", "word"),
    },
    {
        **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), (0, 1, 8, 60, 64, 128, 160)),
        "num_experts_per_tok": (1, 2, 8, 200),
        "moe_intermediate_size": (704, 768, 1408, 2048),
        "n_shared_experts": (0, 1, 2, None),
        "first_k_dense_replace": (0, 1, 3),
    },
    {
        "kv_lora_rank": (256, 512, None),
        "q_lora_rank": (768, 1536, None),
        "qk_rope_head_dim": (32, 64),
        "qk_nope_head_dim": (64, 128, 192),
        "v_head_dim": (64, 128),
        "index_topk": (512, 2048),
    },
    {
        "mamba_d_state": (16, 64, 128, 256),
        "mamba_d_conv": (2, 4),
        "mamba_n_groups": (1, 2, 3, 8),
        "mamba_n_heads": (6, 32, 128),
        "mamba_chunk_size": (64, 256),
        "linear_num_value_heads": (6, 16, 32),
        "linear_num_key_heads": (3, 8, 16),
        "full_attention_interval": (2, 4),
    },
    {"num_nextn_predict_layers": (0, 1, 2), "mtp_num_hidden_layers": (0, 1), "num_mtp_modules": (1,)},
    {
        "model_type": (_ABSENT, "word", "llama", "qwen3_next"),
        "is_encoder_decoder": (True, False),
        "is_causal": (False,),
        "use_bidirectional_attention": (True, False, "all"),
        "auto_map": ({"AutoConfig": "configuration_acme.AcmeConfig", "AutoModelForCausalLM": "modeling_acme.Acme"},),
        "num_labels": (1, 2),
        "transformers_version": ("4.30.0", "5.0.0"),
        "block_size": (512,),
    },
)
_ENDS: Final = ("ForCausalLM", "ForConditionalGeneration", "ForSequenceClassification", "Model", "LMHeadModel")
_SCHEMES: Final[_Values] = {
    "num_bits": (2, 3, 4, 5, 8, 16),
    "type": ("int", "float", "word"),
    "strategy": ("tensor", "channel", "group", "block", "token", "tensor_group", "word"),
    "group_size": (None, 16, 32, 64, 100, 128, -1),
    "symmetric": (True, False),
    "dynamic": (True, False, "local"),
}
_WEIGHTS: Final[tuple[Tree, ...]] = (
    {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128, "symmetric": True, "dynamic": False},
    {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True, "dynamic": False},
    {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True, "dynamic": False},
    {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [128, 128], "symmetric": True},
    {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16, "symmetric": True},
)
_ACTIVATIONS: Final[tuple[Tree | None, ...]] = (
    None,
    {"num_bits": 8, "type": "float", "strategy": "token", "symmetric": True, "dynamic": True},
    {"num_bits": 8, "type": "int", "strategy": "token", "symmetric": True, "dynamic": True},
    {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16, "dynamic": "local"},
)
# Keys of the methods of quantization, by `quant_method`. A drawn one has most of them.
_METHODS: Final[Mapping[str, _Values]] = {
    "gptq": {
        "bits": (2, 3, 4, 4, 8),
        "group_size": (-1, 32, 64, 128, 256),
        "desc_act": (True, False),
        "sym": (True, False),
        "checkpoint_format": ("gptq", "gptq_v2", "marlin"),
        "lm_head": (True, False),
    },
    "awq": {
        "bits": (3, 4, 4, 8),
        "group_size": (32, 64, 128, -1),
        "zero_point": (True, False),
        "version": ("gemm", "gemv", "marlin"),
        "modules_to_not_convert": (None, ["visual"]),
    },
    "fp8": {
        "activation_scheme": ("dynamic", "static", "word"),
        "weight_block_size": ([128, 128], [64, 64], [128], None),
        "modules_to_not_convert": ([], ["lm_head"], None),
        "fmt": ("e4m3", "e5m2"),
    },
    "compressed-tensors": {
        "format": (
            "pack-quantized",
            "float-quantized",
            "int-quantized",
            "nvfp4-pack-quantized",
            "naive-quantized",
            "word",
        ),
        "quantization_status": ("compressed",),
        "ignore": (["lm_head"], []),
        "kv_cache_scheme": (None, {"num_bits": 8, "type": "float", "strategy": "tensor", "symmetric": True}),
        "sparsity_config": ({}, {"format": "sparse-24-bitmask", "sparsity_structure": "2:4", "targets": ["Linear"]}),
    },
    "bitsandbytes": {
        "load_in_4bit": (True, False),
        "load_in_8bit": (True, False),
        "bnb_4bit_quant_type": ("nf4", "fp4", "word"),
        "bnb_4bit_compute_dtype": ("bfloat16", "float32"),
        "llm_int8_threshold": (6.0,),
    },
    "modelopt": {
        "quant_algo": ("FP8", "NVFP4", "MXFP8", "W4A8_AWQ", "W4A16_AWQ", "MIXED_PRECISION", "FP8_PB_WO", "word"),
        "kv_cache_quant_algo": (None, "FP8", "NVFP4"),
        "group_size": (16, 128),
        "ignore": (["lm_head"], []),
        "producer": ({"name": "modelopt", "version": "0.29.0"},),
    },
    "mxfp4": {"modules_to_not_convert": ([], ["lm_head"])},
    "auto-round": {
        "bits": (2, 3, 4, 8),
        "group_size": (32, 128, -1),
        "sym": (True, False),
        "packing_format": ("auto_round:auto_gptq", "auto_round:auto_awq", "word"),
        "data_type": ("int", "fp", "mx_fp"),
        "backend": ("auto", "marlin", "word"),
    },
    "quark": {
        "export": ({"kv_cache_group": [], "pack_method": "reorder"},),
        "exclude": ([],),
        "global_quant_config": ({},),
    },
    "torchao": {"quant_type": ({"default": {"_type": "Int4WeightOnlyConfig", "_version": 1, "_data": {}}}, "int8wo")},
    "fbgemm_fp8": {"activation_scale_ub": (1200.0,), "modules_to_not_convert": ([],)},
    **{
        name: {"bits": (4,), "group_size": (64,)}
        for name in ("hqq", "gguf", "aqlm", "eetq", "quanto", "vptq", "bitnet")
    },
    **{name: {"bits": (4, 8), "group_size": (128,)} for name in ("awq_marlin", "gptq_marlin", "moe_wna16", "inc", "")},
}


def models(seed: int, count: int, bases: Mapping[str, Tree]) -> dict[str, Tree]:
    """`count` configurations by name, the same for the same seed and the same bases."""
    random = Random(seed)  # noqa: S311 - the same models for the same seed
    names = [random.choice(sorted(bases)) for _ in range(count)]
    return {f"{name}-{number}": _changed(random, bases[name]) for number, name in enumerate(names)}


def _changed(random: Random, base: Tree) -> Tree:
    config = copy.deepcopy(base)
    changes: tuple[Callable[[Random, Tree], None], ...] = (_fields, _fields, _quantize, _rename)
    for change in random.sample(changes, random.choice((0, 1, 1, 2))):
        change(random, config)
    return config


def _fields(random: Random, config: Tree) -> None:
    """Change some fields of a group, rather those that the configuration has."""
    text: Tree = next((part for name in LANGUAGE if isinstance(part := config.get(name), dict)), config)
    group = random.choice(_GROUPS)
    present = [name for name in group if name in text]
    pool = present if present and random.random() < 0.8 else sorted(group)
    for name in random.sample(pool, min(len(pool), random.choice((1, 1, 2, 3)))):
        _set(text, name, random.choice(group[name]))


def _set(part: Tree, name: str, value: Any) -> None:
    if value is _ABSENT:
        part.pop(name, None)
    elif name == "layer_types" and isinstance(value, list) and isinstance(part.get("num_hidden_layers"), int):
        # A pattern, repeated over the layers.
        count = part["num_hidden_layers"]
        part[name] = (value * count)[:count]
    else:
        part[name] = copy.deepcopy(value)


def _quantize(random: Random, config: Tree) -> None:
    method = random.choice(sorted(_METHODS))
    keys = _METHODS[method]
    document: Tree = {"quant_method": method} if method else {}
    document |= {name: copy.deepcopy(random.choice(values)) for name, values in keys.items() if random.random() < 0.85}
    if method == "compressed-tensors" and random.random() < 0.95:
        weights: Tree = dict(random.choice(_WEIGHTS))
        if random.random() < 0.5:
            name = random.choice(sorted(_SCHEMES))
            weights[name] = random.choice(_SCHEMES[name])
        group = {
            "targets": ["Linear"],
            "weights": weights,
            "input_activations": copy.deepcopy(random.choice(_ACTIVATIONS)),
        }
        document["config_groups"] = {"group_0": group}
    config.pop("quantization_config", None)
    config["compression_config" if random.random() < 0.05 else "quantization_config"] = document


def _rename(random: Random, config: Tree) -> None:
    """Another class of the same model, one that does not exist, several, or none."""
    name = str(next(iter(config.get("architectures") or ()), "LlamaForCausalLM"))
    stem = name.partition("For")[0].removesuffix("LMHeadModel")
    choice: list[str] | None = random.choice(
        (
            [stem + random.choice(_ENDS)],
            [stem + random.choice(_ENDS)],
            ["AcmeForCausalLM"],
            ["AcmeForCausalLM", name],
            [],
            None,
        )
    )
    config["architectures"] = choice
