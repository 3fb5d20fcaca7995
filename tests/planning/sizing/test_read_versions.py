"""What the sources of each version say, between the versions that have a table, and where it does not hold any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.catalog.schema import Quantization
from llm_d_gke.planning.findings import Severity
from llm_d_gke.planning.sizing.memory import EngineOptions, engine_run
from llm_d_gke.planning.sizing.memory.kv_cache import layers_of
from tests.planning.refusals.case import findings_of
from tests.planning.refusals.engine_conflicts import H100_4

_T4 = {"type": "nvidia-tesla-t4", "nodes": {"min": 0, "max": 1}}
_V6E = {"type": "tpu-v6e", "machineType": "ct6e-standard-1t", "nodes": {"min": 0, "max": 1}}
_INT4 = {"method": "compressed-tensors", "bits": 4, "group": 128}
_NVFP4 = {"method": "compressed-tensors", "bits": 4, "group": 16, "scale_bits": 8}
_FP8 = {"method": "compressed-tensors", "bits": 8}
_AWQ = {"method": "awq", "bits": 4, "group": 128}


def answers(
    card: Mapping[str, Any], model: Mapping[str, Any], weights: Mapping[str, Any] | None = None
) -> dict[str, Severity]:
    """Severity by the rule of each finding about a model on a card."""
    stack = "tpu" if card["type"].startswith("tpu") else "gpu"
    facts = {model["id"]: {"quantization": Quantization(**weights)}} if weights else None
    changes: dict[str, Any] = {
        "accelerator": card,
        "models[0]": {"maxModelLen": 8192, "maxNumSeqs": 16, "allowExtraArgs": True, **model},
    }
    if stack == "tpu":
        changes["location"] = "europe-west4-a"
    return {finding.id: finding.severity for finding in findings_of(stack, changes, facts=facts)}


@pytest.mark.parametrize(
    ("weights", "version", "severity"),
    [
        (_INT4, "0.11.2", Severity.ERROR),
        (_INT4, "0.12.0", None),
        (_NVFP4, "0.12.0", Severity.ERROR),
        (_NVFP4, "0.15.1", Severity.ERROR),
        (_NVFP4, "0.16.0", None),
        (_FP8, "0.15.1", Severity.ERROR),
        (_FP8, "0.16.0", None),
        ({"method": "fp8", "bits": 8}, "0.13.0", Severity.ERROR),
        ({"method": "fp8", "bits": 8}, "0.14.0", None),
    ],
)
def test_each_format_reaches_turing_with_its_own_version(
    weights: Mapping[str, Any], version: str, severity: Severity | None
) -> None:
    model = {"id": "Qwen/Qwen3-4B", "image": f"vllm/vllm-openai:v{version}", "dtype": "float16"}
    assert answers(_T4, model, weights).get("LLMD-QUANTIZATION-CAPABILITY") == severity


@pytest.mark.parametrize(
    ("version", "key", "warned"),
    [
        ("0.11.2", "eos_token_id", True),
        ("0.32.0", "stop_token_ids", True),
        ("0.30.0", "presence_penalty", True),
        ("0.31.0", "presence_penalty", False),
        ("0.30.0", "temperature", False),
    ],
)
def test_keys_of_a_generation_config_that_vllm_drops_are_named(version: str, key: str, warned: bool) -> None:
    arguments = ["--override-generation-config", f'{{"top_k": 20, "{key}": 1}}']
    model = {
        "id": "Qwen/Qwen3-8B",
        "image": f"vllm/vllm-openai:v{version}",
        "tensorParallel": 4,
        "extraArgs": arguments,
    }
    assert ("LLMD-ENGINE-CONFLICT" in answers(H100_4, model)) is warned


@pytest.mark.parametrize(
    ("version", "refused"), [("0.11.1", False), ("0.12.0", True), ("0.13.3", True), ("0.18.0", False)]
)
def test_awq_on_tpu_ends_while_two_methods_are_asked_about_its_type(version: str, refused: bool) -> None:
    model = {"id": "Qwen/Qwen2.5-7B-Instruct", "image": f"vllm/vllm-tpu:v{version}", "env": {"MODEL_IMPL_TYPE": "vllm"}}
    severity = answers(_V6E, model, _AWQ).get("LLMD-START-REPORTED")
    assert (severity is Severity.ERROR) is refused


@pytest.mark.parametrize(("version", "refused"), [("0.11.1", True), ("0.12.0", False)])
def test_jax_s_profiler_asks_for_devices_too_early_in_one_version(version: str, refused: bool) -> None:
    env = {"USE_JAX_PROFILER_SERVER": "True"}
    severities = answers(_V6E, {"id": "Qwen/Qwen3-0.6B", "image": f"vllm/vllm-tpu:v{version}", "env": env})
    assert (Severity.ERROR in severities.values()) is refused


@pytest.mark.parametrize(("version", "severity"), [("0.20.2", Severity.WARNING), ("0.21.0", None)])
def test_packed_experts_of_gemma_4_may_not_be_found(version: str, severity: Severity | None) -> None:
    """Without the checkpoint's id it is not known whether its experts are one tensor."""
    model = {"id": "google/gemma-4-26B-A4B-it", "image": f"vllm/vllm-openai:v{version}", "tensorParallel": 4}
    assert answers(H100_4, model, _INT4).get("LLMD-START-REPORTED") == severity


@pytest.mark.parametrize(
    ("version", "tokens", "severity"),
    [
        ("0.26.0", 3, Severity.ERROR),
        ("0.26.0", 5, None),
        ("0.26.0", 7, Severity.WARNING),
        ("0.28.0", 3, None),
        ("0.28.0", 10, None),
    ],
)
def test_a_block_of_dspark_is_guessed_whole(version: str, tokens: int, severity: Severity | None) -> None:
    guesses = (
        f'{{"method": "dspark", "model": "deepseek-ai/DeepSeek-V4-Flash-DSpark", "num_speculative_tokens": {tokens}}}'
    )
    model = {
        "id": "deepseek-ai/DeepSeek-V4-Flash",
        "image": f"vllm/vllm-openai:v{version}",
        "tensorParallel": 4,
        "kvCacheDtype": "fp8",
        "extraArgs": ["--speculative-config", guesses],
    }
    assert answers(H100_4, model).get("LLMD-ENGINE-CONFLICT") == severity


def test_a_version_between_tables_is_named_where_its_own_source_decides() -> None:
    model: dict[str, Any] = {
        "id": "Qwen/Qwen3-4B",
        "image": "vllm/vllm-openai:v0.14.0",
        "dtype": "float16",
        "maxModelLen": 8192,
    }
    facts = {model["id"]: {"quantization": Quantization(**_FP8)}}
    findings = findings_of("gpu", {"accelerator": _T4, "models[0]": model}, facts=facts)
    [finding] = [finding for finding in findings if finding.id == "LLMD-QUANTIZATION-CAPABILITY"]
    assert "the kernels of vLLM 0.14.0 " in str(finding)


_V5E = {"type": "tpu-v5e", "machineType": "ct5lp-hightpu-1t", "nodes": {"min": 0, "max": 1}}
_RTX_2 = {"type": "nvidia-rtx-pro-6000", "machineType": "g4-standard-96", "nodes": {"min": 0, "max": 1}}
_E2B = {"id": "google/gemma-4-E2B-it", "image": "vllm/vllm-tpu:v0.26.0", "gpuMemoryUtilization": 0.92}


@pytest.mark.parametrize(("batch", "refused"), [({}, True), ({"maxNumBatchedTokens": 2496}, False)])
def test_tpus_get_the_batch_of_small_cards(batch: Mapping[str, Any], refused: bool) -> None:
    """Their names are none of those that vLLM has smaller batches for, and 2048 tokens do not hold an item of 2496."""
    findings = answers(_V5E, {**_E2B, **batch, "extraArgs": ["--disable-chunked-mm-input"]})
    assert ("LLMD-BATCH-MEDIA" in findings) is refused


@pytest.mark.parametrize("accelerator", ["tpu-v5e", "tpu-v5p", "tpu-v7x"])
def test_no_memory_of_a_tpu_gives_it_a_larger_batch(accelerator: str) -> None:
    catalog = load()
    run = engine_run(catalog.models["Qwen/Qwen3-4B"], catalog.accelerators[accelerator], "0.28.0")
    assert run is not None
    assert (run.max_num_batched_tokens, run.max_num_seqs) == (2048, 256)


@pytest.mark.parametrize(
    ("model", "tensor_parallel", "share"),
    [
        ("google/gemma-4-E2B-it", 1, 1.0),
        ("Qwen/Qwen3-4B", 1, 0.5),
        ("Qwen/Qwen3-4B", 4, 0.5),
        ("Qwen/Qwen3-4B", 8, 1.0),
    ],
)
def test_words_of_a_tpu_hold_keys_and_values_of_two_heads_in_fp8(
    model: str, tensor_parallel: int, share: float
) -> None:
    """Eight heads: with one of them a chip an fp8 cache saves nothing."""
    catalog = load()
    sizes = []
    for dtype in (None, "fp8"):
        options = EngineOptions(tensor_parallel=tensor_parallel, kv_cache_dtype=dtype)
        run = engine_run(catalog.models[model], catalog.accelerators["tpu-v6e"], "0.26.0", options)
        assert run is not None
        sizes.append(sum(layers.count * layers.token_bytes for layers in layers_of(run)))
    assert sizes[1] == share * sizes[0]


@pytest.mark.parametrize(("cache", "warned"), [({"kvCacheDtype": "fp8"}, True), ({}, False)])
def test_a_cache_in_fp8_that_saves_nothing_is_named(cache: Mapping[str, Any], warned: bool) -> None:
    assert (answers(_V5E, {**_E2B, **cache}).get("LLMD-START-REPORTED") == Severity.WARNING) is warned


@pytest.mark.parametrize(
    ("model", "version", "refused"),
    [
        ("nvidia/MiniMax-M2.5-NVFP4", "0.15.0", True),
        ("nvidia/MiniMax-M2.5-NVFP4", "0.15.1", False),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", "0.15.1", True),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", "0.16.0", False),
    ],
)
def test_experts_in_nvfp4_reach_rtx_pro_6000_with_a_gate_first(model: str, version: str, refused: bool) -> None:
    settings = {"id": model, "image": f"vllm/vllm-openai:v{version}", "tensorParallel": 2}
    findings = answers(_RTX_2, {**settings, "extraArgs": ["--trust-remote-code"]})
    assert (findings.get("LLMD-START-REPORTED") == Severity.ERROR) is refused


@pytest.mark.parametrize(
    ("version", "name", "refused"),
    [
        ("0.15.1", "triton", True),
        ("0.15.1", "triton_attn", False),
        ("0.14.1", "IPEX", False),
        ("0.19.1", "triton", False),
    ],
)
def test_names_of_attention_between_two_tables_are_those_of_their_versions(
    version: str, name: str, refused: bool
) -> None:
    """0.19.1 has a table of its own, by which the option's value is refused."""
    model = {"id": "Qwen/Qwen3-8B", "image": f"vllm/vllm-openai:v{version}", "tensorParallel": 4}
    findings = answers(H100_4, {**model, "extraArgs": ["--attention-backend", name]})
    assert (findings.get("LLMD-ENGINE-CONFLICT") == Severity.ERROR) is refused


@pytest.mark.parametrize(("model", "warned"), [("meta-llama/Llama-3.1-8B-Instruct", True), ("Qwen/Qwen3-8B", False)])
def test_logits_of_a_shard_are_not_those_of_adapters(model: str, warned: bool) -> None:
    """Qwen3's class samples whole batches, whatever the option says."""
    adapters = [{"name": "mine", "source": "acme/mine", "rank": 16}]
    settings = {"id": model, "image": "vllm/vllm-openai:v0.29.0", "tensorParallel": 4, "adapters": adapters}
    findings = answers(H100_4, {**settings, "extraArgs": ["--enable-batch-sharded-sampling"]})
    assert (findings.get("LLMD-ENGINE-CONFLICT") == Severity.WARNING) is warned
