"""Rules of the memory model that start-up logs of vLLM 0.19 to 0.30 taught, each read in vLLM's source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.operations.logs_check.judgment import judge_rows
from llm_d_gke.planning.sizing.memory import EngineOptions, EngineRun, engine_run, judge
from llm_d_gke.planning.sizing.memory.kv_cache import layout
from llm_d_gke.planning.sizing.memory.overhead import (
    activation_gib,
    encoder_gib,
    graphs_gib,
    indexer_workspace_gib,
    non_torch_gib,
)

CATALOG = catalog.load()
QWEN = "Qwen/Qwen3.5-27B"
GLM = "nvidia/GLM-5.2-NVFP4"
H100 = "nvidia-h100-80gb"
RTX = "nvidia-rtx-pro-6000"


def start(model: str, accelerator: str, version: str, **settings: Any) -> EngineRun:
    run = engine_run(CATALOG.models[model], CATALOG.accelerators[accelerator], version, EngineOptions(**settings))
    assert run is not None
    return run


@pytest.mark.parametrize(
    ("version", "stated", "same"), [("0.27.1", False, True), ("0.27.1", True, False), ("0.28.0", True, True)]
)
def test_prefixes_of_hybrid_models_are_cached_by_default_since_0_28(version: str, stated: bool, same: bool) -> None:
    """W04 (0.28.0) has states at the end of every block that is shared, and Z16 (0.27) has not."""
    row = {"id": "a", "model": QWEN, "accelerator": "nvidia-a100-80gb", "version": version, "maxModelLen": 32768}
    default, explicit = judge_rows([row, {**row, "id": "b", "prefixCaching": stated}], Path())
    assert default.not_known is None
    assert (default.prediction["kvTokens"] == explicit.prediction["kvTokens"]) is same


def test_sequences_need_a_block_each_for_graphs_only() -> None:
    """W13 started with more sequences than blocks, without graphs; W22 and W23 did not start."""
    run = start(QWEN, RTX, "0.20.0", max_model_len=16384, max_num_batched_tokens=2048)
    assert judge(replace(run, enforce_eager=True)).limit != "states"
    assert judge(run).status == "refused"
    assert judge(replace(run, version="0.19.1")).status == "fits"


@pytest.mark.parametrize(("accelerator", "fewer"), [("nvidia-gb200", 80), ("nvidia-h200-141gb", 0)])
def test_entries_of_sparse_latent_attention_have_no_scales_on_b200(accelerator: str, fewer: int) -> None:
    """576 bytes for each token and layer, 656 elsewhere."""
    plain, packed = (
        layout(start(GLM, accelerator, "0.26.0", kv_cache_dtype=cache, tensor_parallel=4))
        for cache in ("fp8", "fp8_ds_mla")
    )
    assert packed.block_bytes - plain.block_bytes == fewer * 78 * plain.block_tokens


def test_an_indexer_reserves_forty_rows_for_each_token_of_the_longest_request() -> None:
    """W16: 819,200 tokens, a peak of 6.31 GiB."""
    run = start(GLM, "nvidia-gb200", "0.26.0", tensor_parallel=4, max_model_len=819200)
    assert indexer_workspace_gib(run) == pytest.approx(40 * 819200 * 132 / 2**30)
    assert activation_gib(run) == pytest.approx(6.31, abs=0.1)
    assert indexer_workspace_gib(start(QWEN, H100, "0.26.0")) == 0


@pytest.mark.parametrize("version", ["0.23.0", "0.29.0"])
def test_gb10_has_more_outside_torch_with_either_runner(version: str) -> None:
    card = CATALOG.accelerators[RTX].model_copy(update={"usable_gib": 119.6, "compute_capability": 12.1})
    run = engine_run(CATALOG.models["Qwen/Qwen3-8B"], card, version)
    assert run is not None
    alone = replace(run, capability=12.0, compiled=True)
    assert non_torch_gib(run) == pytest.approx(non_torch_gib(alone) + 1.3)


@pytest.mark.parametrize(("tokens", "requests", "images"), [(8192, 1, 1), (24576, 8, 1), (65536, 8, 4), (65536, 1, 2)])
def test_whole_images_are_profiled(tokens: int, requests: int, images: int) -> None:
    run = start(QWEN, H100, "0.24.0", max_num_batched_tokens=tokens, max_num_seqs=requests, max_model_len=32768)
    single = start(QWEN, H100, "0.24.0", max_num_batched_tokens=2048)
    assert encoder_gib(run) == pytest.approx(images * encoder_gib(single))


@pytest.mark.parametrize(
    ("version", "accelerator", "counted"),
    [("0.25.1", RTX, False), ("0.26.0", RTX, True), ("0.26.0", H100, True), ("0.27.1", RTX, False),
     ("0.27.1", H100, False), ("0.27.1", "nvidia-b200", True)],
)  # fmt: skip
def test_outputs_of_recurrent_layers_are_counted_as_graphs(version: str, accelerator: str, counted: bool) -> None:
    run = start(QWEN, accelerator, version, max_num_batched_tokens=8192, max_num_seqs=256)
    assert (graphs_gib(run, 64) > 3) is counted


def test_a_draft_leaves_no_whole_graphs_to_flashinfer() -> None:
    """W20 and two logs with MTP: 0.13 GiB, where the largest size is 16 with two sequences and three tokens."""
    settings = {"max_num_batched_tokens": 8192, "max_num_seqs": 2, "tensor_parallel": 2}
    run = start(QWEN, RTX, "0.26.0", kv_cache_dtype="fp8", **settings)
    assert graphs_gib(run, 64) > 4
    assert graphs_gib(replace(run, speculative_tokens=3), 64) == pytest.approx(0.1, abs=0.05)


def test_caches_of_compressed_keys_share_pages_as_vllm_logged_them() -> None:
    """vllm-project/vllm issue 44376: 6.66 GiB for one request."""
    model, card = (
        catalog.load().models["deepseek-ai/DeepSeek-V4-Flash"],
        catalog.load().accelerators["nvidia-h200-141gb"],
    )
    options = EngineOptions(
        tensor_parallel=2, max_model_len=30_000, max_num_batched_tokens=16_384, kv_cache_dtype="fp8"
    )
    run = engine_run(model, card, "0.22.0", options)
    assert run is not None
    pages = layout(run)
    assert pages.block_bytes == 22 * (37_440 + 8_640 + 1_728)
    assert pages.blocks_per_request(30_000) == 6_800


def test_compressed_keys_are_not_computed_on_tpus() -> None:
    facts = catalog.load()
    model = facts.models["deepseek-ai/DeepSeek-V4-Flash"]
    assert engine_run(model, facts.accelerators["tpu-v7x"], "0.30.0", EngineOptions(tensor_parallel=8)) is None


@pytest.mark.parametrize(
    ("cache", "entry"),
    [
        (None, 256),
        ("float16", 256),
        ("fp8", 128),
        ("int8_per_token_head", 132),
        ("fp8_per_token_head", 132),
        ("nvfp4", 72),
    ],
)
def test_scales_of_the_cache_take_their_part_of_its_pages(cache: str | None, entry: int) -> None:
    """vllm/v1/kv_cache_interface.py of April 2026: 32 bits a token and head, or 8 bits for 16 packed numbers."""
    run = start("Qwen/Qwen3-8B", H100, "0.26.0", kv_cache_dtype=cache)
    assert layout(run).block_bytes == 36 * 16 * 2 * 8 * entry


@pytest.mark.parametrize(
    ("method", "bits"),
    [("fp8_per_tensor", 8.0), ("fp8_per_block", 8.0 + 32 / 16384), ("mxfp8", 8.25), ("torchao", 16.0)],
)
def test_weights_made_while_loading_are_counted_with_their_scales(method: str, bits: float) -> None:
    run = start("Qwen/Qwen3-8B", H100, "0.26.0", quantization=method)
    assert run.stored_bytes("attention") * 8 == bits
