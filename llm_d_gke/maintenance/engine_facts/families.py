"""Options, variables and settings that belong together, as random parts of a model: what single draws rarely meet."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from llm_d_gke.catalog.engine_tables import EngineFacts
from llm_d_gke.catalog.upstream import load_upstream

# A part of a model in a stack file: `extraArgs`, `env`, and other settings.
Part = dict[str, Any]

_SIZES: Final[tuple[list[int], ...]] = ([1, 2, 4], [8, 16, 32], [1, 3, 5], [], [0], [512, 8], [4096])
_SCALINGS: Final = (
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
    {"rope_type": "linear", "factor": 2.0},
    {"rope_type": "dynamic", "factor": 2.0},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    {"rope_type": "yarn"},
    {"type": "linear", "factor": 2},
    {"factor": 2.0},
    {"rope_type": "word", "factor": 2.0},
)
# Keys with values that users write, of options whose objects have a meaning as a whole.
_COMPILATION: Final[Mapping[str, tuple[Any, ...]]] = {
    "mode": (0, 1, 2, 3, "VLLM_COMPILE", "NONE"),
    "level": (3,),
    "cudagraph_mode": ("NONE", "PIECEWISE", "FULL", "FULL_DECODE_ONLY", "FULL_AND_PIECEWISE", "full"),
    "cudagraph_capture_sizes": _SIZES,
    "max_cudagraph_capture_size": (0, 1, 8, 64, 512, 1024),
    "compile_sizes": ([1, 2, 4], ["cudagraph_capture_sizes"], [3], []),
    "custom_ops": (["all"], ["none", "+rms_norm"], ["+quant_fp8"], ["rms_norm"]),
    "splitting_ops": ([], ["vllm::unified_attention"]),
    "pass_config": (
        {"fuse_norm_quant": True},
        {"enable_sp": True},
        {"fuse_gemm_comms": True},
        {"fuse_attn_quant": True},
    ),
    "use_inductor_graph_partition": (True, False),
    "backend": ("inductor", "eager", "word", ""),
    "full_cuda_graph": (True,),
    "use_inductor": (True,),
}
_GENERATION: Final[Mapping[str, tuple[Any, ...]]] = {
    "temperature": (0.6, 0, -1, "hot"),
    "top_p": (0.95, 1.5),
    "top_k": (20, 0, -1),
    "min_p": (0.0, 2),
    "repetition_penalty": (1.05, 0),
    "max_new_tokens": (1024, 0, "many"),
    "eos_token_id": ([1, 2], 1),
    "word": (1,),
}
_OVERRIDES: Final[Mapping[str, tuple[Any, ...]]] = {
    "max_position_embeddings": (1024, 65536, 1048576, "65536"),
    "rope_scaling": _SCALINGS,
    "rope_parameters": (*_SCALINGS, {"rope_theta": 1000000.0, "rope_type": "default"}),
    "rope_theta": (1000000.0,),
    "architectures": (
        ["Qwen3ForCausalLM"],
        ["LlamaForCausalLM"],
        ["NoSuchForCausalLM"],
        ["Qwen3ForSequenceClassification"],
    ),
    "num_hidden_layers": (2, 0),
    "sliding_window": (4096, None),
    "vocab_size": (1000,),
    "tie_word_embeddings": (True,),
    "num_key_value_heads": (1, 3),
    "text_config": ({"max_position_embeddings": 4096}, {"num_hidden_layers": 1}),
    "quantization_config": ({"quant_method": "fp8"}, {}),
    "is_causal": (False,),
}
_LIMITS: Final[Mapping[str, tuple[Any, ...]]] = {
    "image": (0, 1, 16, {"count": 2, "width": 512, "height": 512}, {"count": 1, "num_frames": 2}, "2", -1),
    "video": (0, 1, {"count": 1, "num_frames": 32, "width": 512, "height": 512}, {"count": 1, "length": 5}),
    "audio": (0, 1, {"count": 1, "length": 16000}),
    "word": (1,),
}
_GUESSING: Final[Mapping[str, tuple[Any, ...]]] = {
    "prompt_lookup_max": (2, 4, 5, 8),
    "prompt_lookup_min": (1, 2, 5, 8),
    "model": ("acme/gemma2", "acme/llama", "ngram", "[ngram]"),
    "draft_tensor_parallel_size": (1, 2, 4),
    "max_model_len": (512, 4096),
    "quantization": ("fp8", "awq"),
    "disable_padded_drafter_batch": (True,),
    "rejection_sample_method": ("standard", "block", "synthetic", "strict", "probabilistic"),
    "synthetic_acceptance_length": (1.5, 3.0),
    "enforce_eager": (True,),
    "parallel_drafting": (True,),
    "draft_sample_method": ("greedy", "probabilistic"),
    "num_speculative_tokens_per_batch_size": ([[1, 8, 3], [9, 64, 1]], [[1, 8, 3]]),
    "suffix_decoding_max_tree_depth": (8, 0),
    "suffix_decoding_min_token_prob": (0.1, 2.0),
    "attention_backend": ("FLASH_ATTN", "TRITON_ATTN", "word"),
    "moe_backend": ("triton", "auto"),
}
_METHODS: Final = (
    "ngram",
    "ngram_gpu",
    "mtp",
    "suffix",
    "draft_model",
    "eagle",
    "eagle3",
    "medusa",
    "deepseek_mtp",
    "dflash",
)


def _object(random: Random, values: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
    keys = random.sample(sorted(values), random.choice((1, 1, 2, 3)))
    return {key: random.choice(values[key]) for key in keys}


def _written(random: Random, option: str, document: Mapping[str, Any]) -> list[str]:
    """An object as JSON, or each key as an argument of its own."""
    if random.random() < 0.7:
        return [option, json.dumps(document)]
    words = []
    for key, value in document.items():
        text = value if isinstance(value, str) else json.dumps(value)
        words += (
            [f"{option}.{key}={text}"] if random.random() < 0.3 or text.startswith("-") else [f"{option}.{key}", text]
        )
    return words


def _of_object(option: str, values: Mapping[str, tuple[Any, ...]]) -> Callable[[Random, EngineFacts], Part]:
    return lambda random, _: {"extraArgs": _written(random, option, _object(random, values))}


def _guesses(random: Random, _: EngineFacts) -> Part:
    document = {"method": random.choice(_METHODS), "num_speculative_tokens": random.choice((1, 2, 3, 5))}
    if random.random() < 0.1:
        del document[random.choice(sorted(document))]
    if random.random() < 0.6:
        document |= _object(random, _GUESSING)
    return {"extraArgs": _written(random, "--speculative-config", document)}


def _optimization(random: Random, _: EngineFacts) -> Part:
    level = random.choice((0, 1, 2, 3, 3, 4, "x"))
    words = random.choice(([f"-O{level}"], [f"-O={level}"], ["-O", str(level)], ["--optimization-level", str(level)]))
    return {"extraArgs": [*words, *random.choice(([], [], ["--enforce-eager"], ["-cc.cudagraph_mode", "NONE"]))]}


def _attention(random: Random, facts: EngineFacts) -> Part:
    backends = facts.option_values.get("--attention-backend") or ("FLASH_ATTN", "FLASHINFER", "TRITON_ATTN")
    common = ("FLASH_ATTN", "FLASHINFER", "TRITON_ATTN", "FLEX_ATTENTION", "TRITON_MLA", "FLASHMLA", "XFORMERS")
    name = random.choice(common if random.random() < 0.7 else backends)
    if random.random() < 0.25:
        return {"env": {"VLLM_ATTENTION_BACKEND": name}}
    option = random.choice(("--attention-backend", "--attention-config.backend", "-ac.backend"))
    return {"extraArgs": [option, name.lower() if random.random() < 0.2 else name]}


def _parallelism(random: Random, _: EngineFacts) -> Part:
    words: list[str] = []
    for option, values in (
        ("--decode-context-parallel-size", ("1", "2", "4", "3")),
        ("--prefill-context-parallel-size", ("1", "2")),
        ("--enable-eplb", ()),
        ("--enable-dbo", ()),
        ("--eplb-config.num_redundant_experts", ("0", "4", "32")),
        ("--expert-placement-strategy", ("linear", "round_robin")),
        ("--dcp-comm-backend", ("ag_rs", "a2a")),
        ("--cp-kv-cache-interleave-size", ("1", "16", "7")),
    ):
        if random.random() < 0.25:
            words += [option, random.choice(values)] if values else [option]
    settings: Part = {"extraArgs": words, "tensorParallel": random.choice((1, 2, 4, 8))}
    if random.random() < 0.4:
        settings["expertParallel"] = True
    if random.random() < 0.3:
        settings |= {"dataParallel": 2, "tensorParallel": random.choice((1, 2, 4))}
    return settings


def _adapters(random: Random, _: EngineFacts) -> Part:
    rank = random.choice((8, 16, 64, 128, 320))
    words: list[str] = []
    for option, values in (
        ("--max-cpu-loras", ("1", "2", "8")),
        ("--lora-dtype", ("auto", "bfloat16", "float16", "float32")),
        ("--fully-sharded-loras", ()),
        ("--lora-target-modules", ("q_proj", "word")),
        ("--enable-tower-connector-lora", ()),
        ("--specialize-active-lora", ()),
        ("--enable-moe-shared-loras", ()),
        ("--enable-mixed-moe-lora-format", ()),
        ("--default-mm-loras", ('{"image": "acme/mine"}', '{"image": 1}')),
    ):
        if random.random() < 0.2:
            words += [option, random.choice(values)] if values else [option]
    return {"adapters": [{"name": "mine", "source": "acme/mine", "rank": rank}], "extraArgs": words}


def _types(random: Random, facts: EngineFacts) -> Part:
    """Types of computation and of the KV cache, with a method of quantization."""
    part: Part = {"dtype": random.choice(("half", "bfloat16", "float32", "auto"))}
    if random.random() < 0.7:
        part["kvCacheDtype"] = random.choice(facts.option_values["--kv-cache-dtype"])
    if random.random() < 0.4:
        part["quantization"] = random.choice(sorted(facts.quantization))
    return part


def _variables(random: Random, facts: EngineFacts) -> Part:
    """One or two of vLLM's own variables, mostly with a value of their type."""
    vllm = load_upstream().vllm
    variables = {
        name: variable for name, variable in vllm.variables.items() if vllm.knows_variable(name, facts.version)
    }
    values: dict[str, str] = {}
    for name in random.sample(sorted(variables), random.choice((1, 2))):
        kind = variables[name].type_in(facts.version)
        words = {
            "bool": ("0", "1"),
            "switch": ("0", "1", "true", "False"),
            "int": ("0", "1", "8", "-1", "4096"),
            "float": ("0.5", "2", "1e3"),
            "text": ("word", "/word", ""),
            "json": ("{}", '{"a": 1}'),
        }.get(kind) or tuple(kind.split("|"))
        values[name] = random.choice(words if random.random() < 0.85 else ("word", "1.5", "yes", "True", "", "-1"))
    return {"env": values}


def _twice(random: Random, _: EngineFacts) -> Part:
    """Options that are given twice, or in one of their other forms."""
    return {
        "extraArgs": random.choice(
            (
                ["--seed", "1", "--seed", "word"],
                ["--seed", "word", "--seed", "2"],
                ["--enforce-eager", "--no-enforce-eager"],
                ["--no-enable-prefix-caching", "--enable-prefix-caching"],
                ["--async-scheduling", "--no-async-scheduling"],
                ["--enable_chunked_prefill", "--max_num_partial_prefills=2"],
                ["--no_enable_chunked_prefill"],
                ["--compilation-config", '{"mode": 3}', "--compilation-config.cudagraph_mode", "NONE"],
                ["-cc", '{"mode": 0}', "-cc.cudagraph_mode=PIECEWISE"],
                ["--generation-config=vllm", "--generation-config", "auto"],
                ["--stream-int", "4"],
                ["--max-log", "10"],
                ["--no-trust-remote-code"],
                ["--trust-remote-code=true"],
                ["--disable-log-requests"],
                ["--no-enable-log-requests", "--uvicorn-log-level=info"],
                ["--load-format=dummy", "--model-loader-extra-config", "{}"],
                ["--load-format", "safetensors", "--model-loader-extra-config.enable_multithread_load", "true"],
                ["--served_model_name=x"],
                ["--scheduling-policy", "priority", "--scheduling-policy=fcfs"],
            )
        )
    }


_FAMILIES: Final[tuple[Callable[[Random, EngineFacts], Part], ...]] = (
    _guesses,
    _guesses,
    _of_object("--compilation-config", _COMPILATION),
    _of_object("--override-generation-config", _GENERATION),
    _of_object("--hf-overrides", _OVERRIDES),
    _of_object("--limit-mm-per-prompt", _LIMITS),
    _optimization,
    _attention,
    _parallelism,
    _adapters,
    _types,
    _variables,
    _twice,
)


def family(random: Random, facts: EngineFacts) -> Part:
    """One of them. `extraArgs` and `env` are to be added to others of the model, settings take the place of others."""
    return random.choice(_FAMILIES)(random, facts)
