"""Batches that are too small for one video of Gemma 4, or for an image that is not cut."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.planning import RefusedError
from llm_d_gke.planning.findings import Severity
from tests.stacks import plan_of

A100 = {"type": "nvidia-a100-80gb", "machineType": "a2-ultragpu-1g", "nodes": {"min": 0, "max": 1}}
H100 = {
    "type": "nvidia-h100-80gb",
    "machineType": "a3-highgpu-1g",
    "provisioning": "spot",
    "nodes": {"min": 0, "max": 1},
}
OLD = "vllm/vllm-openai:v0.20.2"


def errors(accelerator: dict[str, Any], location: str = "us-central1-a", **model: Any) -> list[str]:
    settings = {"id": "google/gemma-4-26B-A4B-it", "maxModelLen": 32768, **model}
    try:
        plan_of("gpu", {"location": location, "accelerator": accelerator, "models[0]": settings})
    except RefusedError as refusal:
        return [finding.id for finding in refusal.findings if finding.severity is Severity.ERROR]
    return []


@pytest.mark.parametrize(
    ("accelerator", "model", "expected"),
    [
        # vllm-project/recipes issue 441 and vllm-project/vllm issue 42687.
        (A100, {"image": OLD}, True),
        (A100, {"image": OLD, "maxNumBatchedTokens": 4096}, False),
        (A100, {}, False),
        (A100, {"maxNumBatchedTokens": 2048}, True),
        (H100, {"image": OLD}, False),
        (A100, {"image": "vllm/vllm-openai:v0.19.1", "maxNumBatchedTokens": 2048}, False),
    ],
)
def test_a_video_has_to_fit_into_one_batch(accelerator: dict[str, Any], model: dict[str, Any], expected: bool) -> None:
    assert errors(accelerator, **model) == (["LLMD-BATCH-MEDIA"] if expected else [])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--language-model-only"], False),
        (['--limit-mm-per-prompt={"image": 4, "video": 0}'], False),
        (["--limit-mm-per-prompt.video", "0"], False),
        (["--limit-mm-per-prompt", '{"image": 4}'], True),
        (["--limit-mm-per-prompt=[]"], False),
    ],
)
def test_without_videos_a_batch_may_be_small(arguments: list[str], expected: bool) -> None:
    findings = errors(A100, maxNumBatchedTokens=2048, allowExtraArgs=True, extraArgs=arguments)
    assert ("LLMD-BATCH-MEDIA" in findings) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"maxNumBatchedTokens": 16384}, False),
        ({"extraArgs": []}, False),
        ({"extraArgs": ["--disable-chunked-mm-input", "--language-model-only"]}, False),
        ({"extraArgs": ["--disable-chunked-mm-input", "--mm-processor-kwargs", '{"max_pixels": 401408}']}, False),
    ],
)
def test_an_image_that_is_not_cut_has_to_fit_into_one_batch(changes: dict[str, Any], expected: bool) -> None:
    model = {"id": "Qwen/Qwen3-VL-8B-Instruct", "allowExtraArgs": True, "extraArgs": ["--disable-chunked-mm-input"]}
    assert errors(H100, **{**model, **changes}) == (["LLMD-BATCH-MEDIA"] if expected else [])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # On TPUs vLLM advises the option, and takes an item in parts without it (tpu_platform.py of 0.25.0 to 0.31.0).
        ({}, True),
        ({"maxNumBatchedTokens": 2496}, False),
        ({"extraArgs": []}, False),
        ({"extraArgs": ["--disable-chunked-mm-input"]}, True),
        ({"extraArgs": ["--disable_chunked_mm_input", "--limit-mm-per-prompt", '{"video": 0}']}, False),
        ({"id": "google/gemma-4-E4B-it"}, True),
    ],
)
def test_a_video_that_is_not_cut_on_a_tpu_has_to_fit_into_one_batch(changes: dict[str, Any], expected: bool) -> None:
    tpu = {"type": "tpu-v6e", "machineType": "ct6e-standard-1t", "topology": "1x1", "nodes": {"min": 0, "max": 1}}
    model = {"id": "google/gemma-4-12B-it", "maxModelLen": 8192, "maxNumSeqs": 16, "maxNumBatchedTokens": 2048}
    more = {"image": "vllm/vllm-tpu:v0.25.0", "allowExtraArgs": True, "extraArgs": ["--disable_chunked_mm_input"]}
    answer = errors(tpu, "europe-west4-a", **{**model, **more, **changes})
    assert answer == (["LLMD-BATCH-MEDIA"] if expected else [])


def test_gemma_4_of_one_tower_takes_a_video_whole_on_a_gpu() -> None:
    """As its log says: Forcing --disable_chunked_mm_input for models with multimodal-bidirectional attention."""
    model: dict[str, Any] = {
        "id": "google/gemma-4-12B-it",
        "image": "vllm/vllm-openai:v0.26.0",
        "maxNumBatchedTokens": 2048,
    }
    assert errors(H100, **model) == ["LLMD-BATCH-MEDIA"]
    assert not errors(H100, **{**model, "maxNumBatchedTokens": 4096})
