"""What a config.json leaves unsaid, by architecture: vLLM's and transformers' own figures where a field is absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Bias = Literal["none", "qkv", "all"]

# Architectures by what their configuration leaves unsaid: biases of the projections. "flag": attention_bias decides.
BIAS: Mapping[str, Literal["none", "qkv", "all", "flag"]] = {
    "LlamaForCausalLM": "flag",
    "Llama4ForConditionalGeneration": "none",
    "LlavaForConditionalGeneration": "none",
    "LlavaNextForConditionalGeneration": "none",
    "MistralForCausalLM": "none",
    "Mistral3ForConditionalGeneration": "none",
    "Ministral3ForCausalLM": "none",
    "MixtralForCausalLM": "none",
    "Qwen2ForCausalLM": "qkv",
    "Qwen2MoeForCausalLM": "qkv",
    "Qwen2VLForConditionalGeneration": "qkv",
    "Qwen2_5_VLForConditionalGeneration": "qkv",
    "Qwen3ForCausalLM": "flag",
    "Qwen3MoeForCausalLM": "flag",
    "Qwen3VLForConditionalGeneration": "flag",
    "Qwen3VLMoeForConditionalGeneration": "flag",
    "Qwen3NextForCausalLM": "none",
    "Qwen3_5ForConditionalGeneration": "none",
    "Qwen3_5MoeForConditionalGeneration": "none",
    "GemmaForCausalLM": "none",
    "Gemma2ForCausalLM": "none",
    "Gemma3ForCausalLM": "none",
    "Gemma3ForConditionalGeneration": "none",
    "Gemma4ForCausalLM": "none",
    "Gemma4ForConditionalGeneration": "none",
    "Gemma4UnifiedForConditionalGeneration": "none",
    "PhiForCausalLM": "all",
    "Phi3ForCausalLM": "none",
    "GptOssForCausalLM": "all",
    "DeepseekV2ForCausalLM": "none",
    "DeepseekV3ForCausalLM": "none",
    "DeepseekV32ForCausalLM": "none",
    "GlmForCausalLM": "qkv",
    "Glm4ForCausalLM": "qkv",
    "Glm4MoeForCausalLM": "qkv",
    "Glm4MoeLiteForCausalLM": "none",
    "Glm4vForConditionalGeneration": "qkv",
    "Glm4vMoeForConditionalGeneration": "qkv",
    "GlmMoeDsaForCausalLM": "none",
    "KimiVLForConditionalGeneration": "none",
    "KimiK25ForConditionalGeneration": "none",
    "MiniMaxM2ForCausalLM": "none",
    "MiniMaxM3SparseForCausalLM": "none",
    "MiniMaxM3SparseForConditionalGeneration": "none",
    "NemotronHForCausalLM": "none",
    "GraniteForCausalLM": "flag",
    "GraniteMoeForCausalLM": "none",
    "GraniteMoeSharedForCausalLM": "none",
    "GraniteMoeHybridForCausalLM": "none",
    "SeedOssForCausalLM": "qkv",
    "Exaone4ForCausalLM": "none",
    "ApertusForCausalLM": "flag",
    "ArceeForCausalLM": "flag",
    "CohereForCausalLM": "flag",
    "Cohere2ForCausalLM": "flag",
    "CwmForCausalLM": "none",
    "Ernie4_5ForCausalLM": "none",
    "Ernie4_5_MoeForCausalLM": "none",
    "HyperCLOVAXForCausalLM": "flag",
    "Jais2ForCausalLM": "flag",
    "OlmoForCausalLM": "flag",
    "Olmo2ForCausalLM": "flag",
    "Olmo3ForCausalLM": "flag",
    "OlmoeForCausalLM": "flag",
    "SmolLM3ForCausalLM": "flag",
    "StableLmForCausalLM": "none",
    "Starcoder2ForCausalLM": "all",
}
# Text models inside LLaVA, by model_type.
LLAVA_TEXT: Mapping[str, Bias] = {"llama": "none", "mistral": "none", "granite": "none", "qwen2": "qkv"}

# Architectures that are known and not computed, and why.
REFUSED: Mapping[str, str] = {
    "DeepseekV4ForCausalLM": "its layers keep keys compressed at several ratios beside a window",
    "KimiK3ForConditionalGeneration": "its delta attention and its experts in a narrower width are not described here",
    "MiMoV2FlashForCausalLM": "its keys and values have different widths, and layers of two kinds different heads",
    "Step3p7FlashForCausalLM": "its layers of two kinds have different heads",
    "DeciLMForCausalLM": "each of its layers has a shape of its own",
    "Gemma3nForConditionalGeneration": "its layers are activated in part, and it hears as well as it sees",
}
# What transformers takes where a configuration leaves a field out, by the beginning of the architecture (configuration
# classes of 5.5, and of 5.24 for the key-value heads of Mistral, Qwen and others): published files of Gemma 3 name
# neither heads nor vocabulary. Only what differs from the usual.
DEFAULTS: Mapping[str, Mapping[str, int]] = {
    "GemmaFor": {"vocab_size": 256_000, "head_dim": 256, "num_key_value_heads": 16, "max_position_embeddings": 8192},
    "Gemma2": {
        "vocab_size": 256_000,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "max_position_embeddings": 8192,
        "sliding_window": 4096,
    },
    "Gemma3": {
        "vocab_size": 262_208,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "max_position_embeddings": 131_072,
        "sliding_window": 4096,
    },
    "Gemma4": {
        "vocab_size": 262_144,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "global_head_dim": 512,
        "max_position_embeddings": 131_072,
        "sliding_window": 512,
        "hidden_size_per_layer_input": 256,
        "vocab_size_per_layer_input": 262_144,
    },
    "Gemma4Unified": {
        "vocab_size": 262_144,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "max_position_embeddings": 262_144,
        "sliding_window": 1024,
    },
    "Mistral": {"num_key_value_heads": 8},
    "Mixtral": {"num_key_value_heads": 8},
    "Qwen2": {"num_key_value_heads": 32},
    "Qwen2Moe": {},
    "Qwen3": {"num_key_value_heads": 32, "head_dim": 128},
    "Qwen3Moe": {"num_key_value_heads": 4},
    "Qwen3VLMoe": {},
    "Qwen3Next": {"num_key_value_heads": 2, "head_dim": 256},
    "Qwen3_5": {"head_dim": 256},
    "Llama4": {"vocab_size": 202_048, "num_key_value_heads": 8, "head_dim": 128, "attention_chunk_size": 8192},
    "GptOss": {"head_dim": 64, "num_key_value_heads": 8, "sliding_window": 128},
    "SeedOss": {"head_dim": 128, "num_key_value_heads": 8},
    "MiniMaxM2": {"num_key_value_heads": 8, "head_dim": 128},
    "Cwm": {"num_key_value_heads": 8},
    "Exaone4": {"num_key_value_heads": 32},
    "SmolLM3": {"num_key_value_heads": 4},
    "StableLm": {"num_key_value_heads": 32},
    "Starcoder2": {"num_key_value_heads": 2},
    "GlmFor": {"head_dim": 128, "num_key_value_heads": 2},
    "Glm4For": {"head_dim": 128, "num_key_value_heads": 2},
    "Cohere2": {"sliding_window": 4096, "sliding_window_pattern": 4},
    "Olmo3": {"sliding_window": 4096, "sliding_window_pattern": 4},
    "Ernie4_5For": {"num_key_value_heads": 2},
    "Ernie4_5_Moe": {"num_key_value_heads": 4},
    "Ministral3": {"head_dim": 128, "num_key_value_heads": 8},
    "NemotronH": {"head_dim": 128, "num_key_value_heads": 8},
}
# Families that share embedding and head unless they say otherwise.
TIED = ("Gemma", "Cohere", "Ernie4_5", "SmolLM3", "Starcoder2")
# Architectures whose dense layers are two matrices, without a gate.
TWO_MATRICES = (
    "ApertusForCausalLM",
    "ArceeForCausalLM",
    "Jais2ForCausalLM",
    "NemotronHForCausalLM",
    "PhiForCausalLM",
    "Starcoder2ForCausalLM",
)
OUTPUT_GATE = ("Qwen3Next", "Qwen3_5")
DTYPES = ("bfloat16", "float16", "float32")
