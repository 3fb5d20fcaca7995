"""What vLLM's source says of blocks and workspaces, by the starts that showed it (tests/planning/figures)."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.planning.sizing.memory import EngineOptions, EngineRun, engine_run
from llm_d_gke.planning.sizing.memory.experts import workspace_gib
from llm_d_gke.planning.sizing.memory.kv_cache import layout
from llm_d_gke.planning.sizing.memory.overhead import activation_gib, attention_workspace_gib
from llm_d_gke.planning.sizing.memory.weights import weights_gib

CATALOG = catalog.load()
H100 = "nvidia-h100-80gb"
FOUR_RANKS: dict[str, Any] = {"data_parallel": 4, "expert_parallel": True}


def start(model: str, accelerator: str, version: str, **settings: Any) -> EngineRun:
    run = engine_run(CATALOG.models[model], CATALOG.accelerators[accelerator], version, EngineOptions(**settings))
    assert run is not None
    return run


class TestBlocksOfWindows:
    """K46 and K47: Gemma 4 26B-A4B with blocks of 128 and 48 tokens."""

    @pytest.mark.parametrize(
        ("version", "block", "full", "window"),
        # A token takes 4 KiB of a whole layer and 8 KiB of one with a window, whose blocks begin with 16 tokens.
        [("0.29.0", None, 32, 16), ("0.29.0", 128, 128, 64), ("0.29.0", 48, 48, 16), ("0.25.1", 128, 256, 128)],
    )
    def test_the_block_size_is_that_of_layers_without_a_window(
        self, version: str, block: int | None, full: int, window: int
    ) -> None:
        run = start("google/gemma-4-26B-A4B-it", H100, version, block_size=block)
        assert {kind: tokens for kind, _, tokens, _ in layout(run).groups} == {"full": full, "sliding": window}

    @pytest.mark.parametrize(
        ("version", "settings", "batches"),
        [
            ("0.25.1", {}, 1),
            ("0.26.0", {}, 2),
            ("0.26.0", {"asynchronous": False}, 1),
            ("0.26.0", {"pipeline_parallel": 2}, 2),
            ("0.29.0", {"pipeline_parallel": 2}, 3),
            ("0.29.0", {"pipeline_parallel": 2, "asynchronous": False}, 2),
        ],
    )
    def test_windows_keep_the_tokens_of_batches_in_flight(
        self, version: str, settings: dict[str, Any], batches: int
    ) -> None:
        run = start("google/gemma-4-26B-A4B-it", H100, version, max_num_batched_tokens=2048, **settings)
        assert layout(run).in_flight_tokens == 2048 * batches


class TestExperts:
    """Workspaces of fused experts: K08, K26 to K34, Z15 and Q19."""

    @pytest.mark.parametrize(
        ("model", "settings", "gib"),
        [
            ("Qwen/Qwen3-30B-A3B-FP8", {}, 0.5),
            ("Qwen/Qwen3-235B-A22B-FP8", {"tensor_parallel": 4}, 1.0),
            ("Qwen/Qwen3-30B-A3B-FP8", FOUR_RANKS, 2.0),
            ("Qwen/Qwen3-30B-A3B-FP8", {**FOUR_RANKS, "all_to_all": "deepep_low_latency"}, 0.5),
            ("openai/gpt-oss-20b", {}, 0.0),
            ("Qwen/Qwen3-8B", {}, 0.0),
        ],
    )
    def test_every_expert_that_a_token_visits_has_its_input_and_output(
        self, model: str, settings: dict[str, Any], gib: float
    ) -> None:
        run = start(model, H100, "0.26.0", max_num_batched_tokens=8192, **settings)
        assert workspace_gib(run) == pytest.approx(gib)

    def test_gpt_oss_runs_in_marlin_before_hopper(self) -> None:
        """K38 and K39, on L4."""
        assert workspace_gib(start("openai/gpt-oss-20b", "nvidia-l4", "0.29.0", max_num_batched_tokens=8192)) > 0.5

    def test_large_batches_were_computed_in_parts(self) -> None:
        batch = {"max_num_batched_tokens": 65536}
        earlier, later = (start("Qwen/Qwen3-30B-A3B-FP8", H100, version, **batch) for version in ("0.17.1", "0.19.0"))
        assert workspace_gib(later) == 4 * workspace_gib(earlier)

    def test_workspaces_stay_while_the_sampler_runs_since_0_13(self) -> None:
        """P01: 5.58 GiB of 0.11.0, of which the sampler alone takes 5.67."""
        runs = [start("Qwen/Qwen3-30B-A3B-FP8", H100, version, max_num_seqs=1024) for version in ("0.12.0", "0.13.0")]
        earlier, later = (activation_gib(run) for run in runs)
        assert later - earlier == pytest.approx(workspace_gib(runs[1]))


def test_heads_of_two_sizes_are_not_attended_by_flashinfer() -> None:
    """K44 and K45: Gemma 4 with a cache in fp8 on L40S, where others take FlashInfer."""
    mixed, others = (
        start(model, "nvidia-l4", "0.29.0", kv_cache_dtype="fp8")
        for model in ("google/gemma-4-26B-A4B-it", "Qwen/Qwen3-8B")
    )
    assert attention_workspace_gib(mixed) == 0
    assert attention_workspace_gib(others) > 0


def test_jax_loads_the_tower_of_gemma_4_where_only_text_is_served() -> None:
    """V08: 8.97 GiB of E2B on v6e."""
    runs = [start("google/gemma-4-E2B-it", "tpu-v6e", "0.29.0", text_only=text_only) for text_only in (True, False)]
    assert [round(weights_gib(run), 2) for run in runs] == [8.97, 8.97]
