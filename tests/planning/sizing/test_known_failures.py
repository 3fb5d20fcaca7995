"""Reports about starts that failed: one finding for each setting, and none where the parser ends before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from llm_d_gke.catalog.schema import Quantization
from tests.planning.refusals.case import findings_of
from tests.planning.refusals.engine_conflicts import A100_2, H100_4

_RTX_2 = {**H100_4, "type": "nvidia-rtx-pro-6000", "machineType": "g4-standard-96"}
_V6E = {"type": "tpu-v6e", "nodes": {"min": 0, "max": 4}}
_GUESS = "--speculative-config"


def about_starts(
    card: Mapping[str, Any],
    model: Mapping[str, Any],
    location: str = "us-central1-a",
    facts: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[str]:
    """Severity and value of each finding about a report."""
    fields = {"maxModelLen": 8192, "maxNumSeqs": 32, "allowExtraArgs": True, **model}
    changes = {"location": location, "accelerator": dict(card), "models[0]": fields}
    findings = findings_of("gpu", changes, facts=facts)
    about = ("LLMD-START-REPORTED", "LLMD-ENGINE-CONFLICT", "LLMD-ENGINE-OPTION", "LLMD-ENGINE-VALUE")
    return [f"{finding.severity} {finding.id} {finding.value}" for finding in findings if finding.id in about]


def qwen(version: str, *options: str) -> dict[str, Any]:
    return {"id": "Qwen/Qwen3-8B", "image": f"vllm/vllm-openai:v{version}", "extraArgs": list(options)}


def test_conflicts_of_two_options_are_reported_at_once() -> None:
    options = ("--ray-workers-use-nsight", "--model-impl", "terratorch")
    assert about_starts(H100_4, qwen("0.26.0", *options)) == [
        "error LLMD-ENGINE-CONFLICT --ray-workers-use-nsight",
        "error LLMD-ENGINE-CONFLICT --model-impl terratorch",
    ]


@pytest.mark.parametrize(
    ("version", "options", "finding"),
    [
        ("0.19.1", ("--spec-tokens", "3"), "error LLMD-ENGINE-OPTION --spec-tokens"),
        (
            "0.11.2",
            (_GUESS, '{"method": "ngram", "num_speculative_tokens": 3, "tensor_parallel_size": 1}'),
            'error LLMD-ENGINE-VALUE {"method": "ngram", "num_speculative_tokens": 3, "tensor_parallel_size": 1}',
        ),
    ],
)
def test_an_option_that_the_parser_ends_on_is_reported_once(
    version: str, options: tuple[str, ...], finding: str
) -> None:
    assert about_starts(H100_4, qwen(version, *options)) == [finding]


def test_one_that_ends_stands_for_warnings_about_the_same_model() -> None:
    model = {"id": "nvidia/Gemma-4-26B-A4B-NVFP4", "image": "vllm/vllm-openai:v0.20.2", "tensorParallel": 2}
    assert about_starts(_RTX_2, model) == ["error LLMD-START-REPORTED nvidia/Gemma-4-26B-A4B-NVFP4"]


@pytest.mark.parametrize(
    ("machine", "topology", "severity"), [("ct6e-standard-8t", "2x4", "error"), ("ct6e-standard-4t", "4x4", "warning")]
)
def test_more_devices_than_in_a_report_are_not_refused(machine: str, topology: str, severity: str) -> None:
    card = {**_V6E, "machineType": machine, "topology": topology}
    model = {"id": "openai/gpt-oss-120b", "image": "vllm/vllm-tpu:v0.26.0"}
    assert about_starts(card, model, "us-east5-b") == [f"{severity} LLMD-START-REPORTED openai/gpt-oss-120b"]


def test_blocks_of_kernels_for_gpus_are_not_asked_of_a_tpu() -> None:
    card = {**_V6E, "machineType": "ct6e-standard-8t", "topology": "2x4"}
    model = {"id": "Qwen/Qwen3-8B", "image": "vllm/vllm-tpu:v0.26.0", "blockSize": 8}
    assert about_starts(card, model, "us-east5-b") == []
    on_gpus = {**model, "image": "vllm/vllm-openai:v0.26.0"}
    assert about_starts(H100_4, on_gpus) == ["error LLMD-START-REPORTED 8"]
    assert about_starts(H100_4, {**on_gpus, "id": "Qwen/Qwen3.5-27B"}) == []


def test_a_conflict_of_a_variable_is_not_beside_a_finding_that_it_is_ignored() -> None:
    model = {**qwen("0.14.0"), "env": {"VLLM_BATCH_INVARIANT": "1"}}
    findings = findings_of("gpu", {"accelerator": dict(H100_4), "models[0]": {**model, "allowExtraArgs": True}})
    assert [finding.id for finding in findings if "VLLM_BATCH_INVARIANT" in f"{finding.path} {finding.value}"] == [
        "LLMD-ENGINE-CONFLICT"
    ]


@pytest.mark.parametrize(("version", "refused"), [("0.11.2", True), ("0.26.0", False)])
def test_a_back_end_counts_where_vllm_reads_its_variable(version: str, refused: bool) -> None:
    model = qwen(version, "--decode-context-parallel-size", "2")
    fields = {
        **model,
        "tensorParallel": 8,
        "env": {"VLLM_ATTENTION_BACKEND": "FLEX_ATTENTION"},
        "id": "Qwen/Qwen3-30B-A3B",
    }
    conflict = "error LLMD-ENGINE-CONFLICT --decode-context-parallel-size 2" in about_starts(H100_4, fields)
    assert conflict is refused


def test_a_fix_that_names_an_accelerator_names_its_zones() -> None:
    changes = {"location": "us-east5-b", "accelerator": _V6E, "models[0]": {"id": "openai/gpt-oss-120b"}}
    fixes = [finding.fix for finding in findings_of("tpu", changes) if finding.id == "LLMD-START-REPORTED"]
    assert len(fixes) == 1
    assert fixes[0].startswith("use tpu-v7x")
    assert "zones with tpu-v7x, nearest first: us-central1" in fixes[0]


@pytest.mark.parametrize(
    ("version", "scales", "refused"),
    [
        ("0.28.0", {}, False),
        ("0.29.0", {}, True),
        ("0.30.0", {}, True),
        ("0.30.0", {"group": 128 * 128, "scale_bits": 32}, False),
        ("0.30.0", {"method": "compressed-tensors"}, False),
        ("0.31.0", {}, False),
    ],
)
def test_a_checkpoint_in_fp8_ends_where_cutlass_comes_before_marlin(
    version: str, scales: dict[str, Any], refused: bool
) -> None:
    facts = {"Qwen/Qwen3-8B": {"quantization": Quantization(**{"method": "fp8", "bits": 8, **scales})}}
    answer = about_starts(A100_2, qwen(version), facts=facts)
    assert answer == (["error LLMD-START-REPORTED Qwen/Qwen3-8B"] if refused else [])


@pytest.mark.parametrize(
    ("version", "draft", "refused"),
    [("0.27.1", "acme/Qwen3.6-27B-DFlash2", True), ("0.28.0", "acme/Qwen3.6-27B-DFlash2", False)],
)
def test_a_draft_of_a_later_kind_is_refused_before_its_version(version: str, draft: str, refused: bool) -> None:
    guesses = {"method": "dflash", "tokens": 7, "draftModel": draft}
    model = {"id": "Qwen/Qwen3.6-27B", "tensorParallel": 4, "speculativeDecoding": guesses}
    answer = about_starts(H100_4, {**model, "image": f"vllm/vllm-openai:v{version}"})
    assert answer == ([f"error LLMD-ENGINE-CONFLICT {draft}"] if refused else [])


@pytest.mark.parametrize("model", ["Qwen/Qwen3-Reranker-0.6B", "mixedbread-ai/mxbai-rerank-base-v2"])
def test_a_reranker_without_its_words_only_generates(model: str) -> None:
    fields = {"id": model, "image": "vllm/vllm-openai:v0.26.0"}
    words = ["--hf-overrides", '{"classifier_from_token": ["no", "yes"]}']
    assert about_starts(A100_2, fields) == [f"warning LLMD-START-REPORTED {model}"]
    assert about_starts(A100_2, {**fields, "extraArgs": words}) == []


_RTX_8 = {**H100_4, "type": "nvidia-rtx-pro-6000", "machineType": "g4-standard-384"}
_V4 = {"id": "deepseek-ai/DeepSeek-V4-Flash", "tensorParallel": 8, "kvCacheDtype": "fp8_ds_mla"}
_GLM_5 = {"id": "nvidia/GLM-5.2-NVFP4", "tensorParallel": 8}
_GEMMA_12B = {
    "id": "google/gemma-4-12B-it",
    "speculativeDecoding": {"method": "mtp", "tokens": 3, "draftModel": "google/gemma-4-12B-it-assistant"},
}
_GRANITE = {"id": "ibm-granite/granite-4.0-h-small", "pipelineParallel": 2}


@pytest.mark.parametrize(
    ("card", "model", "ends", "runs"),
    [
        # FlashInfer of the image: 0.6.13 lacks arguments that 0.6.14 has, and kernels that 0.6.18 has.
        (_RTX_8, _V4, "0.24.0", "0.26.0"),
        (_RTX_8, _GLM_5, "0.25.1", "0.26.0"),
        (_RTX_8, {**_V4, "speculativeDecoding": {"method": "dspark", "tokens": 3}}, "0.28.0", "0.29.0"),
        # suppress_tokens of the assistant, in Model Runner V2 and with graphs.
        (H100_4, _GEMMA_12B, "0.28.0", "0.29.0"),
    ],
)
def test_an_engine_that_starts_from_a_version_on(
    card: Mapping[str, Any], model: Mapping[str, Any], ends: str, runs: str
) -> None:
    def errors(version: str) -> list[str]:
        findings = about_starts(card, {**model, "image": f"vllm/vllm-openai:v{version}"})
        return [finding for finding in findings if finding.startswith("error")]

    assert errors(ends)
    assert errors(runs) == []


@pytest.mark.parametrize(
    ("card", "model", "ends", "runs"),
    [
        (H100_4, _GEMMA_12B, {}, {"extraArgs": ["--enforce-eager"]}),
        (H100_4, _GEMMA_12B, {}, {"env": {"VLLM_USE_V2_MODEL_RUNNER": "0"}}),
        (H100_4, {"id": "ibm-granite/granite-4.0-h-small"}, {"pipelineParallel": 2}, {"tensorParallel": 2}),
        (H100_4, {"id": "Qwen/Qwen3.5-27B"}, {"prefixCaching": True}, {"prefixCaching": False}),
    ],
)
def test_an_engine_that_starts_by_one_setting(
    card: Mapping[str, Any], model: Mapping[str, Any], ends: Mapping[str, Any], runs: Mapping[str, Any]
) -> None:
    cut = {"extraArgs": ["--disable-chunked-mm-input"]} if "Qwen3.5" in model["id"] else {}
    image = {"image": "vllm/vllm-openai:v0.28.0", **cut}

    def errors(settings: Mapping[str, Any]) -> list[str]:
        findings = about_starts(card, {**model, **image, **settings})
        return [finding for finding in findings if finding.startswith("error")]

    assert errors(ends)
    assert errors(runs) == []


def test_cached_prefixes_beside_states_end_old_images_for_tpus() -> None:
    card = {**_V6E, "machineType": "ct6e-standard-8t", "topology": "2x4"}
    model = {"id": "Qwen/Qwen3.5-27B", "prefixCaching": True}
    for version, findings in (("0.21.0", ["error LLMD-START-REPORTED Qwen/Qwen3.5-27B"]), ("0.28.0", [])):
        assert about_starts(card, {**model, "image": f"vllm/vllm-tpu:v{version}"}, "us-east5-b") == findings
