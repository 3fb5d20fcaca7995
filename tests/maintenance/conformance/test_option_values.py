"""Values for vLLM's options, and whether the planner refuses what its parsers were seen to refuse."""

from __future__ import annotations

import pytest

from llm_d_gke.catalog.engine_tables import load_facts, versions
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.maintenance.conformance import option_values
from llm_d_gke.maintenance.conformance.option_values import Probe, probes, refusal_here
from llm_d_gke.planning.engine_support.option_values import wrong_values
from llm_d_gke.planning.engine_support.owned import owned_options


@pytest.mark.parametrize("version", versions())
def test_every_option_that_a_stack_may_write_gets_right_and_wrong_values(version: str) -> None:
    tried = set(probes(load_facts(version)))
    assert {Probe("--seed", None), Probe("--seed", "8"), Probe("--seed", "word")} <= tried
    assert {Probe("--dtype", choice) for choice in ("half", "auto", "8")} <= tried
    assert not {probe.option for probe in tried} & set(owned_options())


@pytest.mark.parametrize(
    ("option", "value", "refused"),
    [
        ("--seed", "8", False),
        ("--seed", "8k", True),
        ("--seed", "", True),
        ("--max-num-scheduled-tokens", "8k", False),
        ("--max-cpu-loras", "None", False),
        ("--cpu-offload-gb", "None", True),
        ("--cpu-offload-gb", "inf", False),
        ("--pooler-config", "None", False),
        ("--pooler-config", "8", True),
        ("--pooler-config", "[1]", True),
        ("--generation-config", "", False),
        ("--collect-detailed-traces", "word", True),
        ("--collect-detailed-traces", "model", False),
        ("--collect-detailed-traces", None, True),
        ("--numa-bind-nodes", "word", True),
        ("--safetensors-load-strategy", "None", True),
        # What the classes of its configuration refuse, as `create_engine_config` did.
        ("--stream-interval", "0", True),
        ("--stream-interval", "1", False),
        ("--mm-processor-cache-gb", "-1", True),
        ("--mm-processor-cache-gb", "0", False),
        ("--kv-cache-metrics-sample", "2", True),
        ("--kv-cache-metrics-sample", "1", False),
        ("--watermark", "1", True),
        ("--tokenizer-mode", "word", True),
        ("--tokenizer-mode", "Mistral", False),
        ("--config-format", "gguf", True),
        ("--mm-encoder-attn-backend", "FLASHMLA", True),
        ("--mm-encoder-attn-backend", "flash_attn", False),
        ("--optimization-level", "4", True),
        ("--hf-overrides", "word", True),
        ("--hf-overrides", '{"max_position_embeddings": 65536}', False),
        ("--media-io-kwargs", '{"num_frames": 8}', True),
        ("--media-io-kwargs", '{"video": {"num_frames": 8}}', False),
        ("--limit-mm-per-prompt", '{"image": -1}', True),
        ("--limit-mm-per-prompt", '{"image": {"frames": 1}}', True),
        ("--limit-mm-per-prompt", '{"image": 1, "video": {"count": 0}}', False),
    ],
)
def test_the_planner_refuses_what_the_parser_was_seen_to_refuse(option: str, value: str | None, refused: bool) -> None:
    assert (refusal_here("0.26.0", Probe(option, value)) is not None) is refused


@pytest.mark.parametrize(
    ("option", "value", "refused"),
    [
        ("--compilation-config", '{"mode": 3}', False),
        ("--compilation-config", '{"mode": 3, "levels": 1}', True),
        ("--compilation-config.mode", "3", False),
        ("--compilation-config.cudagraph_mode", "NONE", False),
        ("--compilation-config.cudagraph-mode", "NONE", True),
        ("--compilation-config.pass_config.fuse_norm_quant", "true", False),
        ("--compilation-config.pass_config.fuse_norm", "true", True),
        ("--compilation-config.pass_config.fuse_norm_quant", "word", True),
        ("--compilation-config.levels", "3", True),
        ("--compilation-config.mode", "word", True),
        ("--compilation-config.mode", None, True),
        ("--compilation-config.mode", "vllm_compile", False),
        ("--compilation-config", '{"mode": 5}', True),
        ("--compilation-config", '{"mode": null, "cudagraph_mode": "full_decode_only"}', False),
        ("-cc.cudagraph_mode", "word", True),
        ("--attention-config", '{"flash_attn_version": 5}', True),
        ("--attention-config", '{"flash_attn_version": 3, "use_trtllm_attention": 1}', False),
        ("--structured-outputs-config.backend", "word", True),
        ("--structured-outputs-config.backend", "xgrammar", False),
        ("--eplb-config", '{"window_size": 0}', True),
        ("--eplb-config", '{"window_size": "8"}', False),
        ("--speculative-config", '{"method": "ngram", "num_speculative_tokens": 0}', True),
        ("--speculative-config", '{"method": "words", "num_speculative_tokens": 3}', True),
        ("--speculative-config", '{"method": "ngram", "num_tokens": 3}', True),
        ("--speculative-config", '{"method": "ngram", "num_speculative_tokens": 3}', False),
        ("--speculative-config", "[]", True),
        ("--attention-config", '{"backend": "FLASH_ATTN"}', False),
        ("--attention-config", '{"backends": "FLASH_ATTN"}', True),
        ("--additional-config", '{"anything": 1}', False),
        # Texts of objects are no numbers, and may be empty.
        ("--profiler-config", '{"proton_mode": 0.9}', True),
        ("--profiler-config.proton_mode", "pcsampling", False),
        ("--weight-transfer-config.backend", "", False),
        ("--reasoning-config.reasoning_parser", "none", True),
        ("--reasoning-config", '{"reasoning_parser": "qwen3"}', False),
        ("--sse-keep-alive-interval", "-1", True),
        ("--sse-keep-alive-interval", "0", False),
        ("--enable-log-outputs", None, True),
    ],
)
def test_keys_of_an_object_are_those_of_the_engine_s_class(option: str, value: str, refused: bool) -> None:
    assert (refusal_here("0.30.0", Probe(option, value)) is not None) is refused


@pytest.mark.parametrize(
    ("option", "value", "refused"),
    [
        # Words of TokenizerMode and the registry (vllm/tokenizers/registry.py).
        ("--tokenizer-mode", "slow", True),
        ("--tokenizer-mode", "kimi_k3", False),
        # Types inside of objects: dict[str, ...] of vllm/config/model.py, load.py, lora.py and observability.py.
        ("--model-class-overrides", '{"LlamaForCausalLM": 1}', True),
        ("--model-class-overrides", '{"LlamaForCausalLM": "mine:Llama"}', False),
        ("--pt-load-map-location", '{"cuda:0": 1}', True),
        ("--pt-load-map-location", '{"cuda:0": "cpu"}', False),
        ("--pt-load-map-location", "cpu", False),
        ("--default-mm-loras", '{"image": 1}', True),
        ("--default-mm-loras", "None", False),
        ("--custom-histogram-buckets", '{"request_latency": 1}', True),
        ("--custom-histogram-buckets", '{"request_latency": ["a"]}', True),
        ("--custom-histogram-buckets", '{"request_latency": [0.5, 1]}', False),
        # Classes that the engine hands the object to: create_diffusion_config and create_watermark_config.
        ("--diffusion-config", '{"canvas_length": 0}', True),
        ("--diffusion-config", '{"canvas": 8}', True),
        ("--diffusion-config", '{"canvas_length": 8, "max_denoising_steps": null}', False),
        ("--watermark-config", '{"key": 1, "algorithm": "words"}', True),
        ("--watermark-config", '{"algorithm": "gumbel"}', True),
        ("--watermark-config", '{"key": 1}', False),
        ("--watermark-config.key", "1", False),
        ("--watermark-config.prf", "philox", True),
        # Bounds of numbers hold for infinity too (vllm/config/scheduler.py, offload.py).
        ("--watermark", "inf", True),
        ("--cpu-offload-gb", "inf", False),
        ("--hf-overrides", "auto", True),
    ],
)
def test_what_0_32_0_takes_inside_of_objects(option: str, value: str, refused: bool) -> None:
    assert (refusal_here("0.32.0", Probe(option, value)) is not None) is refused


def test_an_option_beside_the_one_that_it_needs() -> None:
    assert wrong_values("0.30.0", ["--enable-log-outputs", "--enable-log-requests"]) == []


def test_nothing_is_refused_that_vllm_takes() -> None:
    results = read_yaml(option_values.FILE)
    refused_here = [(version, *row) for version, result in results.items() for row in result["differences"]]
    assert [row for row in refused_here if row[2] == "planner"] == []
