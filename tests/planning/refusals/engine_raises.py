"""Options that vLLM's classes refuse or ignore, each beside the nearest ones that they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.planning.refusals.engine_conflicts import B200_8, H100_4
from tests.planning.refusals.engine_sources import Refused

_QWEN3, _MOE, _GEMMA, _OSS = "Qwen/Qwen3-8B", "Qwen/Qwen3-30B-A3B", "google/gemma-3-4b-it", "openai/gpt-oss-120b"
_NANO, _LITE = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "deepseek-ai/DeepSeek-V2-Lite-Chat"
_ADAPTER = [{"name": "mine", "source": "acme/mine", "rank": 16}]
_ADAPTED: Mapping[str, Any] = {"adapters": _ADAPTER}
_AS_IT_IS: Mapping[str, Any] = {}
_V6E: Mapping[str, Any] = {
    "type": "tpu-v6e",
    "machineType": "ct6e-standard-4t",
    "topology": "2x2",
    "nodes": {"min": 0, "max": 1},
}
_COMPILED, _GUESSED, _PROFILED = "--compilation-config", "--speculative-config", "--profiler-config"
_NGRAM = (f"{_GUESSED}.method", "ngram", f"{_GUESSED}.num_speculative_tokens", "2")
_DRAFT = (f"{_GUESSED}.method", "draft_model", f"{_GUESSED}.model", "Qwen/Qwen3-0.6B")
_THREE = (f"{_GUESSED}.num_speculative_tokens", "3")
_ADAPTIVE = (*_DRAFT, *_THREE, f"{_GUESSED}.enable_adaptive_verification", "true")
_NGRAM_SETTING: Mapping[str, Any] = {"speculativeDecoding": {"method": "ngram", "tokens": 3}}


def _option(
    argument: str,
    rule: str,
    options: tuple[str, ...],
    neighbor: tuple[str, ...] | Mapping[str, Any],
    *,
    model: str = _QWEN3,
    card: Mapping[str, Any] = H100_4,
    fix: str = "",
    version: str = "0.30.0",
    warns: bool = False,
    **settings: Any,
) -> Refused:
    """`argument` is the option as the finding names it. `neighbor` are other options, or other settings."""
    return Refused(
        name=f"{argument}: {rule}",
        card=card,
        model=model,
        about=f"extraArgs={argument}",
        rule=rule,
        fix=fix,
        neighbor={"options": neighbor} if isinstance(neighbor, tuple) else neighbor,
        settings={"options": options, "tensorParallel": 1, **settings},
        version=version,
        warns=warns,
    )


def _key(option: str, value: str, rule: str, accepted: str, *beside: str, **settings: Any) -> Refused:
    """A key of an option's object with a value that is refused, beside one that is not."""
    return _option(f"{option} {value}", rule, (option, value, *beside), (option, accepted, *beside), **settings)


def _ignored_pass(name: str, rule: str) -> Refused:
    option = f"{_COMPILED}.pass_config.{name}"
    return _key(option, "true", rule, "false", fix="remove it", warns=True)


_COMPILATION = (
    _key(f"{_COMPILED}.custom_ops", '["rms_norm"]', "Invalid syntax for custom op", '["+rms_norm"]', version="0.19.1"),
    _key(f"{_COMPILED}.custom_ops", '["none", "rms_norm"]', "Invalid syntax for custom op", '["none", "+rms_norm"]'),
    _option(
        f'{_COMPILED}.custom_ops ["rms_norm"]',
        "Invalid syntax for custom op",
        (f"{_COMPILED}.custom_ops+", "rms_norm"),
        (f"{_COMPILED}.custom_ops+", "+rms_norm"),
    ),
    _key(f"{_COMPILED}.custom_ops", '["all", "none"]', "only one base mode", '["all", "-rms_norm"]'),
    _option(
        f'{_COMPILED}.custom_ops ["+rms_norm", "-rms_norm"]',
        "both enable and disable",
        (f"{_COMPILED}.custom_ops", '["+rms_norm", "-rms_norm"]'),
        {"version": "0.26.0"},
    ),
    _key(f"{_COMPILED}.compile_sizes", '["all"]', "Unrecognized size type", '["cudagraph_capture_sizes"]'),
    _key(f"{_COMPILED}.compile_ranges_endpoints", "[256, 0]", "Invalid compile range endpoint", "[256]"),
    *(
        _key(
            f"{_COMPILED}.encoder_cudagraph_{key}",
            value,
            rule,
            accepted,
            *(f"{_COMPILED}.cudagraph_mm_encoder", "true"),
            model=_GEMMA,
        )
        for key, value, rule, accepted in (
            ("token_budgets", "[512, 0]", "must be positive", "[512]"),
            ("max_vision_items_per_batch", "-1", "must be non-negative", "0"),
            ("max_frames_per_batch", "-1", "must be non-negative", "1"),
        )
    ),
    _ignored_pass("fuse_act_padding", "Padding fusion is of ROCm"),
    _ignored_pass("fuse_rope_kvcache", "KV cache fusion currently only enabled on ROCm"),
    _ignored_pass("fuse_mla_dual_rms_norm", "MLA dual RMS norm fusion requires ROCm"),
    _ignored_pass("fuse_qk_norm_rope_kvcache", "fusion requires ROCm"),
    _option(
        f"{_COMPILED}.pass_config.enable_sp True",
        "Sequence Parallelism requires TP>1",
        (_COMPILED, '{"pass_config": {"enable_sp": true}}'),
        {"tensorParallel": 2},
        warns=True,
    ),
    _key(
        *(f"{_COMPILED}.splitting_ops", "[]", "Setting cudagraph_mode to NONE", '["vllm::unified_attention"]'),
        *(f"{_COMPILED}.cudagraph_mode", "PIECEWISE"),
        warns=True,
    ),
    _key(
        *(f"{_COMPILED}.cudagraph_mode", "PIECEWISE", "Overriding to NONE", "FULL_DECODE_ONLY"),
        *(f"{_COMPILED}.mode", "0"),
        warns=True,
    ),
    Refused(
        name="compilation that a variable turns off",
        card=H100_4,
        model=_QWEN3,
        about="env=TORCH_COMPILE_DISABLE=1",
        rule="TORCH_COMPILE_DISABLE is set",
        fix="remove TORCH_COMPILE_DISABLE",
        settings={"allowExtraArgs": True, "env": {"TORCH_COMPILE_DISABLE": "1"}},
        neighbor={"env": {"TORCH_COMPILE_DISABLE": "0"}},
        warns=True,
    ),
)
_MODELS = (
    _option(
        "--enable-expert-parallel",
        "Number of experts in the model must be greater than 0",
        ("--enable-expert-parallel",),
        {"options": ("--enable-log-requests",)},
    ),
    _key(
        *("--mm-encoder-tp-mode", "data", "Falling back to weights", "weights"),
        model=_GEMMA,
        tensorParallel=4,
        warns=True,
    ),
    _option(
        "--skip-tokenizer-init", "need a tokenizer", ("--skip-tokenizer-init",), ("--enable-log-requests",), warns=True
    ),
    _option(
        "--default-mm-loras",
        "for a non multimodal model",
        ("--default-mm-loras", '{"image": "/adapter"}'),
        {"id": _GEMMA},
        adapters=_ADAPTER,
    ),
    _key(
        *("--max-lora-rank", "8", "whose rank is greater than max_lora_rank", "32"),
        adapters=_ADAPTER,
        warns=True,
    ),
    _option(
        "--engram-config",
        "supported Engram embeddings",
        ("--engram-config", '{"cpu_offload": true}'),
        ("--enable-log-requests",),
    ),
    Refused(
        name="streams of adapters that are fully sharded",
        card=H100_4,
        model=_QWEN3,
        about="env=VLLM_LORA_ENABLE_DUAL_STREAM=1",
        rule="isn't compatible with VLLM_LORA_ENABLE_DUAL_STREAM",
        fix="remove one of them",
        settings={
            "options": ("--fully-sharded-loras",),
            "env": {"VLLM_LORA_ENABLE_DUAL_STREAM": "1"},
            "adapters": _ADAPTER,
            "tensorParallel": 2,
        },
        neighbor={"env": {"VLLM_LORA_ENABLE_DUAL_STREAM": "0"}},
        warns=True,
    ),
    Refused(
        name="streams of adapters on a TPU",
        card=_V6E,
        model=_QWEN3,
        about="env=VLLM_LORA_ENABLE_DUAL_STREAM=1",
        rule="only supported on CUDA platforms",
        fix="remove VLLM_LORA_ENABLE_DUAL_STREAM",
        settings={
            "image": "vllm/vllm-tpu:v0.26.0",
            "allowExtraArgs": True,
            "env": {"VLLM_LORA_ENABLE_DUAL_STREAM": "1", "MODEL_IMPL_TYPE": "vllm"},
            "adapters": _ADAPTER,
        },
        neighbor={"env": {"MODEL_IMPL_TYPE": "vllm"}},
    ),
    _key("--mm-processor-device", "cuda", "the language model computes there too", "cpu", model=_GEMMA),
    _option(
        *("--mm-processor-kwargs.device gpu", "Invalid device in mm_processor_kwargs"),
        ("--mm-processor-kwargs", '{"device": "gpu"}'),
        ("--mm-processor-kwargs", '{"device": "cpu"}'),
        model=_GEMMA,
    ),
    Refused(
        name="a parser of thoughts whose token the model lacks",
        id="LLMD-START-REPORTED",
        card=H100_4,
        model="meta-llama/Llama-3.1-8B-Instruct",
        about="id",
        rule="could not locate think end token",
        fix="remove reasoningParser",
        settings={"tensorParallel": 1, "reasoningParser": "step3"},
        neighbor={"reasoningParser": None},
    ),
)
_PARALLEL = (
    _key("--numa-bind-nodes", "-1", "must contain non-negative integers", "0", "--numa-bind"),
    _key("--numa-bind-cpus", "0-3 a", "numactl CPU list syntax", "0-3,8", "--numa-bind"),
    _option(
        "--enable-eplb",
        "only supported on CUDA devices",
        ("--enable-eplb",),
        {"options": ("--enable-log-requests",)},
        model=_MOE,
        card=_V6E,
        image="vllm/vllm-tpu:v0.26.0",
        tensorParallel=4,
        expertParallel=True,
    ),
    _key(
        *("--all2all-backend", "naive", "has been removed", "allgather_reducescatter"),
        model=_MOE,
        tensorParallel=4,
        expertParallel=True,
        warns=True,
    ),
    _option(
        "--max-parallel-loading-workers",
        "will be ignored",
        ("--max-parallel-loading-workers", "4"),
        ("--enable-log-requests",),
        warns=True,
    ),
    *(
        _option(
            "--enable-fault-tolerance",
            "requires external load balancer mode",
            ("--enable-fault-tolerance",),
            ("--enable-log-requests",),
            model=model,
        )
        for model in (_QWEN3, _MOE)
    ),
    _option(
        "--enable-batch-sharded-sampling",
        "nothing to shard",
        ("--enable-batch-sharded-sampling",),
        {"tensorParallel": 4},
    ),
    _option(
        "--enable-batch-sharded-sampling",
        "max_logprobs is -1",
        ("--enable-batch-sharded-sampling", "--max-logprobs", "-1"),
        ("--enable-batch-sharded-sampling", "--max-logprobs", "20"),
        tensorParallel=4,
    ),
    *(
        _key(
            *("--cp-kv-cache-interleave-size", "3", "divisible by cp_kv_cache_interleave_size", "1"),
            *("--decode-context-parallel-size", "2"),
            model=_LITE,
            tensorParallel=4,
            version=version,
            warns=warns,
        )
        for version, warns in (("0.26.0", False), ("0.30.0", True))
    ),
    _key("--device-ids", "0,1,0", "must not contain duplicates", "0,1", tensorParallel=2),
    _key("--api-server-count", "0", "answers nothing", "1"),
    _option(
        "--no-enable-chunked-prefill",
        "do not officially support it",
        ("--no-enable-chunked-prefill",),
        ("--enable-chunked-prefill",),
        maxNumBatchedTokens=8192,
        warns=True,
    ),
    _option(
        f"{_PROFILED}.profiler proton",
        "proton_profiler_dir must be set",
        (f"{_PROFILED}.profiler", "proton", "--enforce-eager"),
        (f"{_PROFILED}.profiler", "proton", f"{_PROFILED}.proton_profiler_dir", "/tmp/p", "--enforce-eager"),
    ),
    _option(
        f"{_PROFILED}.profiler proton",
        "requires proton_graph_attribution=True",
        (_PROFILED, '{"profiler": "proton", "proton_profiler_dir": "/tmp/p"}'),
        (_PROFILED, '{"profiler": "proton", "proton_profiler_dir": "/tmp/p", "proton_graph_attribution": true}'),
    ),
    _option(
        f"{_PROFILED}.proton_profiler_dir",
        "only applicable when profiler is set to 'proton'",
        (f"{_PROFILED}.proton_profiler_dir", "/tmp/p"),
        (f"{_PROFILED}.proton_profiler_dir", "/tmp/p", f"{_PROFILED}.profiler", "proton", "--enforce-eager"),
    ),
)
_SYNTHETIC = (*_NGRAM, f"{_GUESSED}.rejection_sample_method", "synthetic")
_RATES = f"{_GUESSED}.synthetic_acceptance_rates"
# Beside them stands that the size of what guesses is not known.
_UNSIZED = (
    _option(
        _GUESSED,
        "num_speculative_tokens must be provided",
        (f"{_GUESSED}.enforce_eager", "true"),
        (*_NGRAM, f"{_GUESSED}.enforce_eager", "true"),
    ),
    _key(
        *(f"{_GUESSED}.use_local_argmax_reduction", "true", "never materializes", "false"),
        *(f"{_GUESSED}.method", "eagle3", f"{_GUESSED}.model", "acme/head", *_THREE),
        *(f"{_GUESSED}.enable_adaptive_verification", "true"),
    ),
    _option(
        f"{_GUESSED}.num_speculative_tokens",
        "without speculative model",
        (_GUESSED, '{"num_speculative_tokens": 2}'),
        _NGRAM,
    ),
    _option(
        f"{_GUESSED}.method custom_class",
        "custom proposer module path",
        (_GUESSED, '{"method": "custom_class", "num_speculative_tokens": 2}'),
        (_GUESSED, '{"method": "custom_class", "num_speculative_tokens": 2, "model": "mine.Proposer"}'),
    ),
    _key(
        *(f"{_GUESSED}.draft_tensor_parallel_size", "1", "must be the same", "4"),
        *(*_DRAFT, *_THREE),
        tensorParallel=4,
    ),
    _key(
        *(f"{_GUESSED}.num_speculative_tokens", "2", "requires num_speculative_tokens to be 1", "1"),
        *(f"{_GUESSED}.method", "extract_hidden_states"),
    ),
)
_GUESSES = (
    _option(f"{_GUESSED}.method draft_model", "`num_speculative_tokens` was not provided", _DRAFT, (*_DRAFT, *_THREE)),
    _key(
        f"{_GUESSED}.disable_padded_drafter_batch",
        "true",
        "only supports padded drafter batch",
        "false",
        *_DRAFT,
        *_THREE,
    ),
    _key(f"{_GUESSED}.max_model_len", "8193", "cannot be larger than target_max_model_len", "8192", *_DRAFT, *_THREE),
    _key(
        *(f"{_GUESSED}.draft_sample_method", "probabilistic", "only supports greedy draft sampling", "greedy"),
        *(*_DRAFT, *_THREE, f"{_GUESSED}.use_heterogeneous_vocab", "true"),
    ),
    _option(_RATES, "only valid with", (*_NGRAM, _RATES, "[0.5, 0.4]"), (*_SYNTHETIC, _RATES, "[0.5, 0.4]")),
    _option(
        _RATES,
        "requires exactly one of",
        (*_SYNTHETIC, _RATES, "[0.5, 0.4]", f"{_GUESSED}.synthetic_acceptance_length", "1.5"),
        (*_SYNTHETIC, f"{_GUESSED}.synthetic_acceptance_length", "1.5"),
    ),
    _key(_RATES, "[1.5, 0.5]", "entries must be in [0, 1]", "[1.0, 0.5]", *_SYNTHETIC),
    _option(
        f"{_GUESSED}.dspark_draft_topk",
        "only supported by DSpark",
        (*_DRAFT, *_THREE, f"{_GUESSED}.dspark_draft_topk", "5"),
        (*_DRAFT, *_THREE),
    ),
    _option(
        f"{_GUESSED}.index_share_for_mtp_iteration",
        "only supported with method='mtp'",
        (*_DRAFT, *_THREE, f"{_GUESSED}.index_share_for_mtp_iteration", "true"),
        (*_DRAFT, *_THREE),
    ),
    *(
        _option(
            f"{_GUESSED}.enable_adaptive_verification true", rule, (*_ADAPTIVE, *words), (*_DRAFT, *_THREE), **settings
        )
        for rule, words, settings in (
            ("not currently compatible with LoRA", (), _ADAPTED),
            ("requires full CUDA graphs", ("--enforce-eager",), _AS_IT_IS),
        )
    ),
    _option(f"{_GUESSED}.enable_adaptive_verification true", "Model Runner V1", _ADAPTIVE, (*_DRAFT, *_THREE)),
    _option(
        "--return-sampling-mask",
        "does not support speculative decoding",
        ("--return-sampling-mask", "--logprobs-mode", "processed_logprobs"),
        {"speculativeDecoding": None},
        **_NGRAM_SETTING,
    ),
    _option(
        "--return-sampling-mask",
        "requires logprobs_mode='processed_logprobs'",
        ("--return-sampling-mask",),
        ("--return-sampling-mask", "--logprobs-mode", "processed_logprobs"),
    ),
    _option(
        "--return-sampling-mask",
        "does not support custom logits processors",
        ("--return-sampling-mask", "--logprobs-mode", "processed_logprobs", "--logits-processors", "mine.Own"),
        ("--return-sampling-mask", "--logprobs-mode", "processed_logprobs"),
    ),
    _option(
        "--return-sampling-mask",
        "requires Model Runner V2",
        ("--return-sampling-mask", "--logprobs-mode", "processed_logprobs"),
        {"env": {}},
        env={"VLLM_USE_V2_MODEL_RUNNER": "0"},
    ),
    _option(
        "--watermark-config.algorithm",
        "requires draft_sample_method='probabilistic'",
        ("--watermark-config", '{"algorithm": "gumbel", "key": 1}'),
        {"speculativeDecoding": None},
        **_NGRAM_SETTING,
    ),
)
_BLOCKS = (
    _key("--prefix-cache-retention-interval", "1024", "no sliding-window or Mamba KV cache group", "0"),
    _key(
        *("--prefix-cache-retention-interval", "100", "must be a multiple of scheduler_block_size", "1024"),
        model=_OSS,
        tensorParallel=2,
    ),
    _key(
        "--prefix-match-unit",
        "24",
        "must be divisible by prefix_match_unit",
        "16",
        model=_OSS,
        tensorParallel=2,
        warns=True,
    ),
    _key(
        *("--attention-config.flash_attn_version", "3", "Overriding flash_attn_version to 2", "2"),
        *("--kv-cache-dtype", "turboquant_4bit_nc"),
        warns=True,
    ),
    _key("--kda-prefill-backend", "fused", "only available on ROCm", "auto", model=_NANO),
    _option(
        "--use-replayssm",
        "only in align mode",
        ("--use-replayssm", "--mamba-backend", "flashinfer", "--mamba-cache-mode", "all"),
        ("--use-replayssm", "--mamba-backend", "flashinfer", "--mamba-cache-mode", "none"),
        model=_NANO,
        card=B200_8,
    ),
    _option(
        "--use-replayssm",
        "does not support --mamba-cache-mode align yet",
        ("--use-replayssm", "--mamba-backend", "flashinfer", "--mamba-cache-mode", "align"),
        ("--use-replayssm", "--mamba-backend", "flashinfer", "--mamba-cache-mode", "none"),
        model=_NANO,
        card=B200_8,
    ),
)
_NATIVE = ("--ir-op-priority", '{"rms_norm": ["native"]}')
_BY_COMMANDS = (
    _option(
        f"{_GUESSED}.method ngram",
        "must be provided",
        ("--spec-method", "ngram"),
        ("--spec-method", "ngram", "--spec-tokens", "3"),
    ),
    _key("--show-hidden-metrics-for-version", "word", "Invalid version", "0.29"),
    _key("--device-ids", "0,GPU-1", "must not mix integer IDs", "0"),
    _key(
        "--attention-config.backend_per_kind",
        '{"full": "FLASH_ATTN"}',
        "Unknown KV cache group kind",
        '{"full_attention": "FLASH_ATTN"}',
    ),
    _key("--max-cudagraph-capture-size", "-1", "largest size below 1", "64"),
    _key("--additional-config", "8", "must be an object in JSON", "{}"),
    _option(
        "--eplb-config.log_balancedness_interval 0",
        "must be greater than 0",
        (*("--eplb-config.log_balancedness", "true"), "--eplb-config.log_balancedness_interval", "0"),
        (*("--eplb-config.log_balancedness", "true"), "--eplb-config.log_balancedness_interval", "2"),
        version="0.19.1",
    ),
    _option(
        "--ir-op-priority",
        "where both name the priority",
        (
            "--ir-op-priority",
            '{"rms_norm": ["native"]}',
            "--kernel-config",
            '{"ir_op_priority": {"rms_norm": ["native"]}}',
        ),
        _NATIVE,
        warns=True,
    ),
    _key("--quantization-config.linear.weight", "fp8", "unknown quantization name", "mxfp8"),
    _key("--num-gpu-blocks-override", "10", "fewer than the longest request", "10000"),
    _key("--num-gpu-blocks-override", "10", "fewer than the longest request", "10000", version="0.19.1", warns=True),
    _key("--num-gpu-blocks-override", "1000000", "more than the memory holds", "10000", warns=True),
    _key("--chat-template", "none.jinja", "no volume of the pod has this file", "template_chatml.jinja"),
    _key("--chat-template", "/none.jinja", "no volume of the pod has this file", "{{ messages }}", warns=True),
    _option(
        "--hf-overrides architectures",
        "none of the architectures that generate text",
        ("--hf-overrides", '{"architectures": ["NothingForCausalLM"]}'),
        ("--hf-overrides", '{"architectures": ["Qwen3ForCausalLM"]}'),
    ),
)
_TENSORIZER = ("--load-format", "tensorizer", "--model-loader-extra-config")
_UNSORTED = (
    _option(
        '--model-loader-extra-config {"tensorizer_uri": "a", "dtype": "half"}',
        "not an allowed Tensorizer argument",
        (*_TENSORIZER, '{"tensorizer_uri": "a", "dtype": "half"}'),
        (*_TENSORIZER, '{"tensorizer_uri": "a"}'),
    ),
    _option(
        "--attention-config.indexer_kv_dtype bf16",
        "keeps its keys in fp8 or mxfp4",
        ("--attention-config.indexer_kv_dtype", "bf16"),
        ("--attention-config.indexer_kv_dtype", "fp8"),
        model="deepseek-ai/DeepSeek-V3.2",
        card=B200_8,
        tensorParallel=8,
        kvCacheDtype="fp8",
    ),
    Refused(
        name="a sparse back end for attention that is not",
        id="LLMD-ATTENTION-KERNEL",
        card=H100_4,
        model=_LITE,
        about="extraArgs=FLASHMLA_SPARSE",
        rule="with the back end FLASHMLA_SPARSE",
        fix="remove the option",
        settings={"options": ("--attention-backend", "FLASHMLA_SPARSE")},
        neighbor={"options": ("--attention-backend", "FLASHMLA")},
        version="0.30.0",
    ),
    Refused(
        name="humming for gpt-oss",
        card=H100_4,
        model=_OSS,
        about="quantization",
        rule="loads no experts of gpt-oss by this method",
        fix="remove quantization",
        settings={"quantization": "humming", "tensorParallel": 4},
        neighbor={"quantization": None, "options": ("--moe-backend", "humming")},
        version="0.30.0",
    ),
    Refused(
        name="attention of a package that images lack",
        id="LLMD-START-REPORTED",
        card=H100_4,
        model=_QWEN3,
        about=f"id={_QWEN3}",
        rule="requires the hpc module",
        fix="an image with hpc-ops",
        settings={"options": ("--attention-backend", "HPC_ATTN")},
        neighbor={"options": ("--attention-backend", "FLASH_ATTN")},
        version="0.30.0",
        warns=True,
    ),
)
_AUX, _BUCKETS = "--aux-output-config.enable_return_routed_experts", "--custom-histogram-buckets"
_ROUTED, _SPARSE_HOST = ("--enable-return-routed-experts",), ("--attention-config.hisparse_config", "{}")
_ACTIVITIES = "--profiler-config.torch_profiler_activities"
_BY_TORCH = ("--profiler-config.profiler", "torch", "--profiler-config.torch_profiler_dir", "/tmp/p")
_REPLAYED = ("--use-replayssm", "--mamba-backend", "flashinfer", "--replayssm-buffer-len")
_NEWEST = tuple(
    replace(row, version="0.32.0")
    for row in (
        _option("--enable-hc-sp", "is not supported for this model", ("--enable-hc-sp",), (), tensorParallel=2),
        _key("--compilation-config.decoder_replay_cudagraph_capture_sizes", "[0]", "must be positive", "[8]"),
        _option(f"{_AUX} true", "only supports MoE models", (_AUX, "true"), (_AUX, "false")),
        _option(*_ROUTED, "requires prefix caching", _ROUTED, {"prefixCaching": True}, model=_MOE, prefixCaching=False),
        _option(f"{_AUX} true", "PP > 1", (_AUX, "true"), {"pipelineParallel": 1}, model=_MOE, pipelineParallel=2),
        _option(
            *_ROUTED,
            "incompatible with context parallelism",
            (*_ROUTED, "--decode-context-parallel-size", "2"),
            _ROUTED,
            model="deepseek-ai/DeepSeek-V3.2",
            card=B200_8,
            tensorParallel=8,
        ),
        _option(
            "--attention-config.hisparse_config",
            "does not support cudagraph_mode=FULL",
            (*_SPARSE_HOST, "--compilation-config.cudagraph_mode", "FULL"),
            (*_SPARSE_HOST, "--compilation-config.cudagraph_mode", "FULL_AND_PIECEWISE"),
            model="deepseek-ai/DeepSeek-V3.2",
            card=B200_8,
            tensorParallel=8,
        ),
        _option(
            "--all2all-backend moonep",
            "supports BF16 models only",
            ("--all2all-backend", "moonep"),
            {"dtype": "bfloat16"},
            model=_MOE,
            tensorParallel=2,
            expertParallel=True,
            dtype="half",
        ),
        _option(
            "--replayssm-buffer-len 32",
            "requires --replayssm-buffer-len <= 16",
            (*_REPLAYED, "32"),
            (*_REPLAYED, "16"),
            model=_NANO,
            card=B200_8,
        ),
        _option(
            f"{_BUCKETS} first_token",
            "unknown bucket family",
            (_BUCKETS, '{"first_token": [1, 2]}'),
            (_BUCKETS, '{"time_to_first_token": [1, 2]}'),
        ),
        _key(_BUCKETS, '{"request_latency": []}', "at least one", '{"request_latency": [1]}'),
        _key(_BUCKETS, '{"request_latency": [true, 2]}', "are numbers", '{"request_latency": [1, 2]}'),
        _option(_ACTIVITIES, "when profiler is set to 'torch'", (_ACTIVITIES, '["CPU"]'), ()),
        _key(_ACTIVITIES, '["CPU", "CPU"]', "must not contain duplicates", '["CPU"]', *_BY_TORCH),
        _option(
            "--max-num-active-seqs 64",
            "cannot be greater than max_num_seqs",
            ("--max-num-active-seqs", "64"),
            ("--max-num-active-seqs", "32"),
        ),
        _option("--grpc-port", "mutually exclusive", ("--grpc-port", "9000", "--grpc"), ()),
        _option("--grpc-port", "requires VLLM_USE_RUST_FRONTEND=1", ("--grpc-port", "9000"), ()),
        _key("--prefix-match-unit", "8", "hits land on the block size", "16"),
    )
)
# Texts inside of objects, and what they name.
_NAMED = (
    _option(
        "--reasoning-config",
        "names neither a parser nor both texts",
        ("--reasoning-config.reasoning_end_str", "</think>"),
        {"reasoningParser": "qwen3"},
        version="0.26.0",
    ),
    _option(
        "--reasoning-config",
        "names neither a parser nor both texts",
        ("--reasoning-config", '{"reasoning_start_str": "<think>"}'),
        ("--reasoning-config", '{"reasoning_start_str": "<think>", "reasoning_end_str": "</think>"}'),
        version="0.26.0",
    ),
    _key(
        *("--model-class-overrides", '{"LlamaForCausalLM": "mine"}', "<module>:<class>"),
        '{"LlamaForCausalLM": "mine:Llama"}',
    ),
    _option(
        '--model-class-overrides {"Llama": "mine"}',
        "<module>:<class>",
        ("--model-class-overrides.Llama", "mine"),
        ("--model-class-overrides.Llama", "mine:Llama"),
    ),
    _option(
        f"{_GUESSED}.method suffix",
        "no package arctic-inference",
        ("--spec-method", "suffix", "--spec-tokens", "3"),
        ("--spec-method", "ngram", "--spec-tokens", "3"),
    ),
    _key("--ec-manager-config.manager_config", '{"size": 1}', "requires encoder_cache_manager_cls", "{}"),
    _key(
        *("--hf-overrides.quantization_config", '{"quant_method": "fp8"}', "Cannot find any of ['activation_scheme']"),
        '{"quant_method": "fp8", "activation_scheme": "dynamic"}',
    ),
    _key("--max-model-len", "0", "must be a positive integer", "2048", maxModelLen=None),
    _key("--device-ids", "word", "by their numbers or UUIDs", "GPU-1"),
    _key("--quantization-config.linear", "fp8", "unknown quantization name", "mxfp8"),
    _key("--quantization-config.moe", "", "unknown quantization name", "mxfp8", model=_MOE),
    _key("--quantization-config.moe", "none", "unknown quantization name", "fp8_per_block", model=_MOE),
)
_ALONE = (*_UNSORTED, *_NAMED, *_NEWEST, *_COMPILATION, *_MODELS, *_PARALLEL, *_GUESSES, *_BLOCKS, *_BY_COMMANDS)
REFUSED = (*_ALONE, *_UNSIZED)
ENGINE_RAISES = tuple(row.wrong() for row in _ALONE)
