"""What the sources of each version say, between the versions that have a table, and where it does not hold any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from llm_d_gke.catalog.schema import Quantization
from llm_d_gke.planning.findings import Severity
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
