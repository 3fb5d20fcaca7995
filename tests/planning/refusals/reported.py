"""Wrong stack files that public reports are about: options, variables and formats that end an engine or its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_d_gke.catalog.schema import Quantization
from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong
from tests.planning.refusals.engine_conflicts import ADAPTERS, B200_8, H100_4

_RTX: Mapping[str, Any] = {
    "type": "nvidia-rtx-pro-6000",
    "machineType": "g4-standard-48",
    "nodes": {"min": 0, "max": 1},
}
_RTX_8: Mapping[str, Any] = {**_RTX, "machineType": "g4-standard-384", "provisioning": "spot"}
_H200_8: Mapping[str, Any] = {**H100_4, "type": "nvidia-h200-141gb", "machineType": "a3-ultragpu-8g"}
_SEGMENTS: dict[str, Any] = {"allowExtraArgs": True, "env": {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}}


def _wrong(
    name: str,
    card: Mapping[str, Any],
    model: str,
    version: str,
    finding: tuple[str, str, str],
    rule: str,
    fix: str,
    *,
    options: tuple[str, ...] = (),
    warns: bool = False,
    changes: Mapping[str, Any] | None = None,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Any,
) -> Wrong:
    """`finding`: its id, the setting that it is about, and its value."""
    extra = {"allowExtraArgs": True, "extraArgs": list(options)} if options else {}
    image = f"vllm/vllm-openai:v{version}"
    fields = {"id": model, "image": image, "maxModelLen": 8192, "maxNumSeqs": 32, **extra, **settings}
    zone = "us-central1-b" if card is _H200_8 else "us-central1-a"
    return Wrong(
        name=name,
        id=finding[0],
        changes={"location": zone, "accelerator": dict(card), "models[0]": fields, **(changes or {})},
        path=f"models[0].{finding[1]}",
        value=finding[2],
        rule=rule,
        fix=fix,
        severity=Severity.WARNING if warns else Severity.ERROR,
        facts=facts or {},
    )


def _option(value: str) -> tuple[str, str, str]:
    return "LLMD-ENGINE-CONFLICT", "extraArgs", value


def _model(value: str) -> tuple[str, str, str]:
    return "LLMD-START-REPORTED", "id", value


_TEXT, _MEDIA = "Qwen/Qwen3-8B", "google/gemma-3-4b-it"
_GUESS, _COMPILE = "--speculative-config", "--compilation-config"
# Value of the finding, its rule, its fix, options, model: each of them was refused by `create_engine_config` of 0.26.0.
RELATIONS = (
    (f"{_GUESS}.method ngram", "num_speculative_tokens must be", "add", (_GUESS, '{"method": "ngram"}'), _TEXT),
    (
        f"{_GUESS}.prompt_lookup_min 5",
        "must be <= prompt_lookup_max",
        "use at most",
        (_GUESS, '{"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_min": 5, "prompt_lookup_max": 2}'),
        _TEXT,
    ),
    (
        f"{_GUESS}.tensor_parallel_size",
        "not a valid argument",
        "use draft_tensor_parallel_size",
        (_GUESS, '{"method": "ngram", "num_speculative_tokens": 3, "tensor_parallel_size": 1}'),
        _TEXT,
    ),
    (
        f"{_GUESS}.use_heterogeneous_vocab True",
        "only works with method='draft_model'",
        "remove use_heterogeneous_vocab",
        (_GUESS, '{"method": "ngram", "num_speculative_tokens": 3, "use_heterogeneous_vocab": true}'),
        _TEXT,
    ),
    (
        f"{_GUESS}.rejection_sample_method synthetic",
        "requires exactly one",
        "add one of them",
        (_GUESS, '{"method": "ngram", "num_speculative_tokens": 3, "rejection_sample_method": "synthetic"}'),
        _TEXT,
    ),
    (
        f"{_GUESS}.synthetic_acceptance_length",
        "only valid with",
        "remove synthetic_acceptance_length",
        (_GUESS, '{"method": "ngram", "num_speculative_tokens": 3, "synthetic_acceptance_length": 2}'),
        _TEXT,
    ),
    (
        "--spec-tokens",
        "mutually exclusive",
        "remove --spec-tokens",
        ("--spec-tokens", "3", _GUESS, '{"method": "ngram", "num_speculative_tokens": 3}'),
        _TEXT,
    ),
    ("--spec-tokens", "without speculative model", "add --spec-method", ("--spec-tokens", "3"), _TEXT),
    (
        "--async-scheduling",
        "not compatible with disable_padded_drafter_batch",
        "remove --async-scheduling",
        (
            "--async-scheduling",
            _GUESS,
            '{"method": "ngram_gpu", "num_speculative_tokens": 3, "disable_padded_drafter_batch": true}',
        ),
        _TEXT,
    ),
    (
        "--ec-transfer-config.ec_connector",
        "specify ec_role",
        "add ec_role",
        ("--ec-transfer-config", '{"ec_connector": "ECExampleConnector"}'),
        _TEXT,
    ),
    (
        f"{_COMPILE}.cudagraph_capture_sizes []",
        "at least one element",
        "remove it",
        (_COMPILE, '{"cudagraph_capture_sizes": []}'),
        _TEXT,
    ),
    (
        "--max-cudagraph-capture-size 0",
        "largest size below 1",
        "use 1",
        ("--max-cudagraph-capture-size", "0"),
        _TEXT,
    ),
    (
        f"{_COMPILE}.max_cudagraph_capture_size 0",
        "largest size below 1",
        "use 1",
        (f"{_COMPILE}.max_cudagraph_capture_size", "0"),
        _TEXT,
    ),
    ("--ray-workers-use-nsight", "workers of Ray", "remove", ("--ray-workers-use-nsight",), _TEXT),
    (
        "--profiler-config.capture_torch_profiler True",
        "only applicable when profiler",
        "add profiler torch",
        ("--profiler-config", '{"capture_torch_profiler": true}'),
        _TEXT,
    ),
    (
        "--mm-encoder-fp8-scale-save-path",
        "require mm_encoder_attn_dtype",
        "add --mm-encoder-attn-dtype fp8",
        ("--mm-encoder-fp8-scale-save-path", "/tmp/scales.json"),
        _MEDIA,
    ),
    (
        "--mm-encoder-fp8-scale-save-path",
        "not those of a file",
        "keep one of them",
        (
            *("--mm-encoder-attn-dtype", "fp8", "--mm-encoder-fp8-scale-save-path", "/tmp/scales.json"),
            *("--mm-encoder-fp8-scale-path", "/models/scales.json"),
        ),
        _MEDIA,
    ),
    (
        "--offload-prefetch-step 0",
        "offload_prefetch_step must be >= 1",
        "use 1 or more",
        ("--offload-group-size", "8", "--offload-prefetch-step", "0"),
        _TEXT,
    ),
    ("--model-impl terratorch", "none of text", "remove --model-impl", ("--model-impl", "terratorch"), _TEXT),
    ("--ubatch-size 2", "DeepEP's exchange only", "remove --ubatch-size", ("--ubatch-size", "2"), _TEXT),
)


REPORTED = (
    _wrong(
        "a config.json that only code of its repository reads",
        H100_4,
        "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
        "0.18.0",
        _model("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"),
        "by Python files of its repository only",
        'extraArgs: ["--trust-remote-code"]',
    ),
    _wrong(
        "a config.json that an older engine reads by its repository's code",
        B200_8,
        "moonshotai/Kimi-K2-Instruct",
        "0.17.1",
        _model("moonshotai/Kimi-K2-Instruct"),
        "by Python files of its repository only",
        "or a release with a newer vLLM",
    ),
    _wrong(
        "a type of model that transformers 4 does not know",
        B200_8,
        "nvidia/GLM-5.1-NVFP4",
        "0.18.0",
        _model("nvidia/GLM-5.1-NVFP4"),
        "does not know the model type glm_moe_dsa",
        "use a release with vLLM 0.19 or later",
    ),
    _wrong(
        "a newer model of a type that transformers 4 does not know",
        H100_4,
        "nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4",
        "0.18.0",
        _model("nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4"),
        "does not know the model type nemotron_h",
        "use a release with vLLM 0.19 or later",
        tensorParallel=1,
    ),
    _wrong(
        "kernels of experts in another format",
        _RTX,
        "Qwen/Qwen3.6-35B-A3B-FP8",
        "0.26.0",
        _option("--moe-backend flashinfer_b12x"),
        "moe_backend is not supported for FP8 MoE",
        "remove --moe-backend",
        options=("--moe-backend", "flashinfer_b12x"),
    ),
    _wrong(
        "kernels of experts for another card",
        _RTX,
        "openai/gpt-oss-120b",
        "0.26.0",
        _option("--moe-backend triton"),
        "kernel does not support current device",
        "remove --moe-backend",
        options=("--moe-backend", "triton"),
    ),
    _wrong(
        "a KV cache in NVFP4 on a card without its kernels",
        _RTX,
        "Qwen/Qwen3-32B",
        "0.26.0",
        _option("--kv-cache-dtype nvfp4"),
        "compute capability 10.x only",
        "use --kv-cache-dtype fp8",
        options=("--kv-cache-dtype", "nvfp4"),
    ),
    _wrong(
        "guessed tokens beside TurboQuant's cache",
        H100_4,
        "Qwen/Qwen3-8B",
        "0.20.2",
        _option("--kv-cache-dtype turboquant_4bit_nc"),
        "degenerate answers while every signal was green",
        "remove --kv-cache-dtype, or remove speculativeDecoding",
        options=("--kv-cache-dtype", "turboquant_4bit_nc"),
        warns=True,
        speculativeDecoding={"method": "ngram", "tokens": 3},
    ),
    _wrong(
        "ranks of decode context in Triton's attention",
        _H200_8,
        "Qwen/Qwen3-235B-A22B-FP8",
        "0.19.1",
        _option("--decode-context-parallel-size 2"),
        "returns the softmax LSE",
        "remove --attention-backend",
        options=("--decode-context-parallel-size", "2", "--attention-backend", "TRITON_ATTN"),
        expertParallel=True,
    ),
    _wrong(
        "ranks of prefill context without GPUs",
        _H200_8,
        "zai-org/GLM-5.2-FP8",
        "0.24.0",
        _option("--prefill-context-parallel-size 8"),
        "the pod has no GPUs for them",
        "remove --prefill-context-parallel-size",
        options=("--prefill-context-parallel-size", "8"),
    ),
    _wrong(
        "states rounded at random on a card that cannot",
        H100_4,
        "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
        "0.26.0",
        _option("--enable-mamba-cache-stochastic-rounding"),
        "compute capability 10.x only",
        "remove --enable-mamba-cache-stochastic-rounding",
        options=("--enable-mamba-cache-stochastic-rounding", "--mamba-ssm-cache-dtype", "float16"),
        tensorParallel=2,
    ),
    _wrong(
        "adapters of a vision tower that vLLM does not adapt",
        H100_4,
        "google/gemma-4-31B-it",
        "0.26.0",
        _option("--enable-tower-connector-lora"),
        "to its text layers only",
        "remove --enable-tower-connector-lora",
        options=("--enable-tower-connector-lora",),
        warns=True,
        adapters=ADAPTERS,
    ),
    _wrong(
        "expandable segments beside a KV connector",
        H100_4,
        "Qwen/Qwen3-8B",
        "0.26.0",
        ("LLMD-ENGINE-CONFLICT", "env", "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"),
        "refuses every connector beside expandable segments",
        "remove PYTORCH_CUDA_ALLOC_CONF",
        kvOffloadGib=8,
        **_SEGMENTS,
    ),
    _wrong(
        "offloaded blocks of recurrent states without prefix caching",
        H100_4,
        "Qwen/Qwen3.5-35B-A3B",
        "0.29.0",
        ("LLMD-KV-OFFLOAD", "kvOffloadGib", "8"),
        "go to the host beside prefix caching only",
        "use prefixCaching: true, or remove kvOffloadGib",
        changes={"picker.scorers.prefixCache": 0},
        kvOffloadGib=8,
        prefixCaching=False,
    ),
    _wrong(
        "adapters of experts in fp8 that answer gibberish",
        H100_4,
        "Qwen/Qwen3-30B-A3B-FP8",
        "0.22.1",
        _model("Qwen/Qwen3-30B-A3B-FP8"),
        "adapters of experts in fp8 answered gibberish",
        "use an image of 0.24 or later",
        warns=True,
        adapters=ADAPTERS,
        tensorParallel=1,
    ),
    _wrong(
        "workers that wait for each other while a kernel compiles",
        H100_4,
        "Qwen/Qwen3.5-27B",
        "0.20.0",
        _model("Qwen/Qwen3.5-27B"),
        "waited for each other while FlashInfer compiled",
        'extraArgs: ["--gdn-prefill-backend", "triton"]',
        warns=True,
    ),
    _wrong(
        "guessed tokens of Gemma 4 that mix up requests",
        H100_4,
        "google/gemma-4-31B-it",
        "0.23.0",
        _model("google/gemma-4-31B-it"),
        "mixed up the requests of a batch",
        "set kvCacheDtype: fp8",
        warns=True,
        speculativeDecoding={"method": "mtp", "tokens": 3, "draftModel": "google/gemma-4-31B-it-assistant"},
    ),
    _wrong(
        "NVFP4 layers of uneven width",
        _RTX_8,
        "Qwen/Qwen2.5-72B-Instruct",
        "0.26.0",
        _model("Qwen/Qwen2.5-72B-Instruct"),
        "no multiple of 32 wide gave broken answers",
        '["--linear-backend", "marlin"]',
        warns=True,
        tensorParallel=8,
        facts={
            "Qwen/Qwen2.5-72B-Instruct": {
                "quantization": Quantization(method="modelopt", bits=4, group=16, scale_bits=8)
            }
        },
    ),
    _wrong(
        "NVFP4 experts shared by expert in an old engine",
        B200_8,
        "nvidia/Qwen3-235B-A22B-NVFP4",
        "0.14.0",
        _model("nvidia/Qwen3-235B-A22B-NVFP4"),
        "which end beside expert parallelism",
        "VLLM_USE_FLASHINFER_MOE_FP4",
        expertParallel=True,
        tensorParallel=4,
    ),
    _wrong(
        "a type of KV cache that belongs to latent attention",
        H100_4,
        "Qwen/Qwen3-8B",
        "0.26.0",
        _option("--kv-cache-dtype fp8_ds_mla"),
        "of latent attention, which the model does not have",
        "use --kv-cache-dtype fp8",
        options=("--kv-cache-dtype", "fp8_ds_mla"),
    ),
    _wrong(
        "one manager for states and attention",
        H100_4,
        "Qwen/Qwen3.5-27B",
        "0.26.0",
        _option("--disable-hybrid-kv-cache-manager"),
        "failed to convert the KV cache specs to one unified type",
        "remove --disable-hybrid-kv-cache-manager",
        options=("--disable-hybrid-kv-cache-manager",),
    ),
    _wrong(
        "prompts that are cut side by side",
        H100_4,
        "Qwen/Qwen3-8B",
        "0.26.0",
        _option("--max-num-partial-prefills 4"),
        "vLLM has no concurrent partial prefills",
        "remove --max-num-partial-prefills",
        options=("--max-num-partial-prefills", "4"),
    ),
    _wrong(
        "long prompts that are cut side by side",
        H100_4,
        "Qwen/Qwen3-8B",
        "0.26.0",
        _option("--max-long-partial-prefills 16"),
        "vLLM has no concurrent partial prefills",
        "remove --max-long-partial-prefills",
        options=("--max-long-partial-prefills", "16"),
    ),
    _wrong(
        "an attention back end that a JSON object names",
        _RTX,
        "google/gemma-4-31B-it",
        "0.19.1",
        ("LLMD-ATTENTION-KERNEL", "extraArgs", "FLASHINFER"),
        "has attention heads of size 512",
        "remove the option",
        options=("--attention-config", '{"backend": "FLASHINFER"}'),
        maxNumBatchedTokens=4096,
    ),
    _wrong(
        "a draft model that leaves no token of the batch",
        H100_4,
        "Qwen/Qwen3-8B",
        "0.19.1",
        ("LLMD-BATCH-SEQUENCES", "maxNumBatchedTokens", "256"),
        "leaves none to schedule",
        "use 2048, or maxNumSeqs: 128",
        maxNumSeqs=256,
        maxNumBatchedTokens=256,
        speculativeDecoding={"method": "draft_model", "tokens": 4, "draftModel": "Qwen/Qwen3-0.6B"},
    ),
    *(
        _wrong(
            f"options that vLLM refuses together: {value}",
            # Towers in fp8 have kernels there only.
            B200_8 if "--mm-encoder-attn-dtype" in options else H100_4,
            model,
            "0.26.0",
            _option(value),
            rule,
            fix,
            options=options,
        )
        for value, rule, fix, options, model in RELATIONS
    ),
    _wrong(
        "a package of a method that the engine's images lack",
        H100_4,
        "Qwen/Qwen3-8B",
        "0.26.0",
        _option("--speculative-config.method suffix"),
        "these images have no package arctic-inference",
        "use ngram",
        options=("--speculative-config", '{"method": "suffix", "num_speculative_tokens": 8}'),
    ),
)
