"""Starts on which the memory model was once wrong, with the figures that their logs or the engine's own code give.

Names such as AF1 or N06 are single starts: A and AF on H100 with vLLM 0.19, B with 0.11 (both published with
llm-d-planner), E, F and N of public issues with later versions, D on TPUs.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.catalog.schema import DraftLayers, Model, Quantization
from llm_d_gke.planning.sizing.memory import EngineOptions, EngineRun, engine_run, judge
from llm_d_gke.planning.sizing.memory.kv_cache import layout
from llm_d_gke.planning.sizing.memory.overhead import (
    activation_gib,
    attention_workspace_gib,
    captured_gib,
    compilation_gib,
    encoder_gib,
    graphs_gib,
    non_torch_gib,
)
from llm_d_gke.planning.sizing.memory.weights import rank_parts, weights_gib
from llm_d_gke.planning.sizing.speculation import speculation_of

CATALOG = catalog.load()
H100 = "nvidia-h100-80gb"
FP8 = Quantization(method="fp8", bits=8, group=128 * 128, scale_bits=32)


def start(model: str | Model, accelerator: str, version: str, **settings: Any) -> EngineRun:
    entry = CATALOG.models[model] if isinstance(model, str) else model
    run = engine_run(entry, CATALOG.accelerators[accelerator], version, EngineOptions(**settings))
    assert run is not None
    return run


class TestWeights:
    @pytest.mark.parametrize(
        ("model", "version", "settings", "gib", "within"),
        [
            # vision towers and rotary tables under linear scaling
            ("google/gemma-3-12b-it", "0.19.0", {}, 23.30, 0.005),
            ("google/gemma-3-4b-it", "0.19.0", {}, 8.58, 0.005),
            # per-layer embeddings, twice the width where keys are shared (E01, text only)
            ("google/gemma-4-E2B-it", "0.20.0", {"text_only": True}, 8.9, 0.01),
            # experts in MXFP4 are padded (B1 and B2; AF1)
            ("openai/gpt-oss-20b", "0.11.0", {}, 13.47, 0.003),
            ("openai/gpt-oss-120b", "0.11.0", {}, 64.38, 0.003),
            ("openai/gpt-oss-120b", "0.19.0", {}, 66.0, 0.005),
            ("moonshotai/Kimi-VL-A3B-Instruct", "0.19.0", {"tensor_parallel": 2}, 15.53, 0.002),
        ],
    )
    def test_what_a_rank_loads(
        self, model: str, version: str, settings: dict[str, Any], gib: float, within: float
    ) -> None:
        assert weights_gib(start(model, H100, version, **settings)) == pytest.approx(gib, rel=within)

    @pytest.mark.parametrize(("ranks", "share"), [(1, 1.090), (2, 1.138)])
    def test_padding_of_experts_grows_with_the_ranks(self, ranks: int, share: float) -> None:
        """2,880 becomes 2,944 x 3,072, and on two ranks 1,440 becomes 1,536."""
        run = start("openai/gpt-oss-120b", H100, "0.19.0", tensor_parallel=ranks)
        plain = Quantization(method="other", bits=4, group=32, scale_bits=8, experts_only=True)
        unpadded = weights_gib(replace(run, model=run.model.model_copy(update={"quantization": plain})))
        experts = 36 * 128 * 3 * 2880 * 2880 / ranks * (4 + 8 / 32) / 8 / 2**30
        assert weights_gib(run) - unpadded == pytest.approx((share - 1) * experts, rel=0.01)

    @pytest.mark.parametrize(
        ("accelerator", "ranks", "width"),
        [("nvidia-b200", 1, 3072), ("nvidia-b200", 8, 512), ("nvidia-gb300", 4, 768), (H100, 8, 384), (H100, 1, 2944)],
    )
    def test_experts_in_mxfp4_are_wider_on_10_x(self, accelerator: str, ranks: int, width: int) -> None:
        """TensorRT-LLM's kernels take steps of 256, Marlin's of 128; both 3072 for the hidden size."""
        run = start("openai/gpt-oss-120b", accelerator, "0.26.0", tensor_parallel=ranks)
        assert rank_parts(run)["experts"] == 36 * 128 * 3 * 3072 * width

    def test_rotary_tables_have_a_row_for_each_scaled_position(self) -> None:
        """Gemma 3: a million rows for the linear scaling by 8, and a second table for the local base: 0.5 GiB more."""
        run = start("google/gemma-3-12b-it", H100, "0.19.0")
        once = run.model.model_copy(update={"rotary": None})
        more = weights_gib(run) - weights_gib(replace(run, model=once))
        assert more == pytest.approx(0.5, abs=0.01)

    def test_a_tower_of_llama_4_is_cut_evenly(self) -> None:
        run = start("meta-llama/Llama-4-Scout-17B-16E-Instruct", "nvidia-b200", "0.19.0", tensor_parallel=4)
        assert weights_gib(run) - weights_gib(replace(run, text_only=True)) == pytest.approx(1.624 / 4, abs=0.001)

    @pytest.mark.parametrize(("ranks", "width"), [(4, 256), (8, 128)])
    def test_tpus_keep_gate_and_up_of_an_expert_in_128_lanes(self, ranks: int, width: int) -> None:
        """gemma-4-26B-A4B: 704 over four chips are 176, kept as 256; the down projection is not padded."""
        run = start("google/gemma-4-26B-A4B-it", "tpu-v6e", "0.26.0", tensor_parallel=ranks)
        dense = replace(run, model=run.model.model_copy(update={"experts": None, "dense_layers": 30}))
        experts = 30 * 128 * 2816 * (2 * width + 704 / ranks) * 2 / 2**30
        shared = 30 * 2816 * 128 * 2 / 2**30
        assert weights_gib(run) - weights_gib(dense) == pytest.approx(experts + shared, abs=0.02)

    @pytest.mark.parametrize(("version", "gib"), [("0.22.0", 15.5), ("0.26.0", 14.6)])
    def test_towers_of_gemma_4_are_divided_on_tpus_since_0_23(self, version: str, gib: float) -> None:
        """gemma-4-31B on four v6e logs 14.6 GiB on each; the tower's 1.07 GiB were whole on every chip before."""
        run = start("google/gemma-4-31B-it", "tpu-v6e", version, tensor_parallel=4)
        assert weights_gib(run) == pytest.approx(gib, rel=0.01)

    @pytest.mark.parametrize(
        ("accelerator", "ranks", "gib"),
        [("nvidia-rtx-pro-6000", 2, 9.83), ("nvidia-rtx-pro-6000", 1, 18.6), (H100, 2, 9.05), ("nvidia-b200", 2, 10.2)],
        ids=["padded", "1856 to 1920", "not by Marlin", "hidden size, too"],
    )
    def test_experts_in_nvfp4_are_padded_by_kernels_of_blackwell(
        self, accelerator: str, ranks: int, gib: float
    ) -> None:
        """vllm-project/vllm issue 33333: 9.83 GiB on each of two RTX 50, where 1856 / 2 = 928 becomes 1024."""
        run = start("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", accelerator, "0.26.0", tensor_parallel=ranks)
        assert weights_gib(run) == pytest.approx(gib, rel=0.015)

    def test_that_model_does_not_load_on_four_small_chips(self) -> None:
        """tpu-inference issue 2453: 15.1 GiB of 15.75, more than the share."""
        verdict = judge(start("google/gemma-4-26B-A4B-it", "tpu-v5e", "0.26.0", tensor_parallel=4, max_model_len=4096))
        assert (verdict.status, verdict.limit) == ("refused", "weights")

    def test_experts_alone_in_four_bits(self) -> None:
        """Kimi-K2.5: attention, shared experts and the dense layer stay in 16 bits, 71.1 GiB on each of eight ranks."""
        run = start("moonshotai/Kimi-K2.5", "nvidia-h200-141gb", "0.26.0", tensor_parallel=8, text_only=True)
        assert weights_gib(run) == pytest.approx(71.1, rel=0.02)


class TestCache:
    def test_shared_layers_store_nothing(self) -> None:
        """gemma-4-E2B: 12 sliding and 3 full layers of 35 store; 4.66 GiB are 50,899 blocks (E04)."""
        run = start("google/gemma-4-E2B-it", "nvidia-tesla-t4", "0.26.0", max_model_len=16_384)
        verdict = judge(replace(run, max_num_batched_tokens=2048), measured_gib=4.66)
        assert verdict.kv_blocks == 50_899
        assert verdict.kv_tokens == pytest.approx(519_681, rel=0.0005)

    @pytest.mark.parametrize(
        ("version", "in_flight", "tokens"),
        [
            ("0.20.0", 1, "blocks"),
            ("0.20.2", 1, "concurrency"),
            ("0.25.1", 1, "concurrency"),
            ("0.26.0", 2, "concurrency"),
        ],
    )
    def test_bands_begin_where_the_packages_change(self, version: str, in_flight: int, tokens: str) -> None:
        band = start("Qwen/Qwen3-8B", H100, version).band
        assert (band.batches_in_flight, band.logged_tokens) == (in_flight, tokens)

    @pytest.mark.parametrize(("version", "tokens"), [("0.26.0", 8192), ("0.28.0", 16_384)])
    def test_the_largest_batch_came_with_0_28(self, version: str, tokens: int) -> None:
        assert start("Qwen/Qwen3-8B", "nvidia-b200", version).max_num_batched_tokens == tokens

    def test_a_step_ago_a_sliding_request_took_a_third_less(self) -> None:
        """vllm-project/vllm issue 49878: about 40 % more between 0.25.1 and 0.26, gemma-4-E2B at 8,192 tokens."""
        old, new = (
            layout(start("google/gemma-4-E2B-it", "nvidia-l4", version, max_model_len=8192)).blocks_per_request(8192)
            for version in ("0.25.1", "0.26.0")
        )
        assert new / old == pytest.approx(1.31, abs=0.02)

    @pytest.mark.parametrize(("layers", "tokens"), [(0, 16), (1, 17)])
    def test_prediction_layers_have_a_cache(self, layers: int, tokens: int) -> None:
        """Qwen3.5-27B: 17 full layers for 16 with its prediction layer (E39)."""
        draft = DraftLayers(layers=layers, experts=False) if layers else None
        run = start("Qwen/Qwen3.5-27B", H100, "0.22.0", speculative_tokens=2 * layers, draft=draft)
        assert layout(run).group_layers == tokens

    def test_a_draft_model_is_loaded_whole_and_has_pages_of_its_own(self) -> None:
        """Qwen3-4B and Qwen3-0.6B log 8.67 GiB (a build of 0.14); each block has a page of every layer of both."""
        run = start("Qwen/Qwen3-4B", H100, "0.19.0", speculative_tokens=5)
        draft = CATALOG.models["Qwen/Qwen3-0.6B"]
        drafted = replace(run, draft_model=draft)
        assert weights_gib(drafted) == pytest.approx(8.67, rel=0.01)
        assert weights_gib(drafted) - weights_gib(run) == weights_gib(replace(run, model=draft))
        own = 16 * 36 * 2 * 8 * 128 * 2
        assert layout(run).block_bytes == own
        assert layout(drafted).block_bytes == own + 16 * 28 * 2 * 8 * 128 * 2
        shared = replace(drafted, tensor_parallel=2)
        assert layout(shared).block_bytes * 2 == layout(drafted).block_bytes
        assert weights_gib(shared) < 0.55 * weights_gib(drafted)

    def test_a_draft_model_keeps_the_first_runner(self) -> None:
        run = start("Qwen/Qwen3-4B", H100, "0.26.0", speculative_tokens=5)
        assert not replace(run, draft_model=CATALOG.models["Qwen/Qwen3-0.6B"]).uses_model_runner_v2
        assert replace(run, speculative_tokens=0).uses_model_runner_v2

    def test_a_draft_of_one_layer_is_the_33rd(self) -> None:
        """Llama 3.1 8B with EAGLE (E25)."""
        run = start("meta-llama/Llama-3.1-8B-Instruct", H100, "0.19.0")
        drafted = replace(run, speculative_tokens=3, draft=DraftLayers(layers=1, experts=False))
        assert layout(drafted).block_bytes / layout(run).block_bytes == 33 / 32
        assert weights_gib(drafted) - weights_gib(run) == pytest.approx(0.47, abs=0.01)

    def test_sparse_attention_keeps_an_index_beside_the_latent(self) -> None:
        """DeepSeek V3.2: 576 numbers and 132 bytes of index a token and layer; GLM-5.2 has the index in 21 of 78."""
        assert layout(start("deepseek-ai/DeepSeek-V3.2", "nvidia-b200", "0.26.0")).block_bytes == 16 * 61 * (1152 + 132)
        glm = layout(start("zai-org/GLM-5.2", "nvidia-b200", "0.26.0")).block_bytes / 16 / 78
        assert glm == pytest.approx(1152 + 132 * 21 / 78, abs=1)

    def test_mamba_states_raise_the_block(self) -> None:
        """Nemotron 3 Nano: 64 heads of 64 x 128 in float32 and the convolution's inputs take 2,134,016 bytes."""
        run = start("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", H100, "0.26.0", prefix_caching=False)
        shape = layout(run)
        state = 64 * 64 * 128 * 4 + 3 * (64 * 64 + 2 * 8 * 128) * 2
        assert shape.block_tokens * 2 * 2 * 128 * 2 >= state > (shape.block_tokens - 16) * 2 * 2 * 128 * 2

    def test_adapters_take_their_slots(self) -> None:
        run = start("Qwen/Qwen3-4B", "nvidia-l4", "0.26.0")
        slots = [weights_gib(replace(run, lora_slots=n, lora_rank=64)) - weights_gib(run) for n in (1, 2)]
        assert slots[1] == pytest.approx(2 * slots[0])
        # 36 layers, rank 64: seven projections' thin matrices; three tables of the vocabulary.
        assert slots[0] == pytest.approx(0.246 + 0.055, abs=0.01)


class TestRoomAfterTheCache:
    """27 bytes for each sequence and vocabulary entry, after the KV cache is allocated."""

    @pytest.mark.parametrize(
        ("name", "model", "ran"),
        [
            ("AF1", "openai/gpt-oss-120b", False),
            ("AF2", "openai/gpt-oss-20b", False),
            ("A03", "google/gemma-2-27b-it", True),
            ("A05", "google/gemma-2-9b-it", True),
            ("A07", "google/gemma-3-27b-it", True),
            ("A09", "google/gemma-7b", True),
        ],
    )
    def test_nearby_starts_that_failed_and_passed_are_marginal(self, name: str, model: str, ran: bool) -> None:
        run = start(model, H100, "0.19.0", utilization=0.95, max_model_len=8192, prefix_caching=False)
        verdict = judge(run)
        assert (verdict.status, verdict.limit) == ("marginal", "warm-up"), (name, ran)

    def test_a_start_with_much_less_is_refused(self) -> None:
        run = start("openai/gpt-oss-120b", H100, "0.19.0", utilization=0.97, max_model_len=8192)
        assert (judge(run).status, judge(run).limit) == ("refused", "warm-up")

    def test_the_second_model_runner_is_never_sure_below_29_bytes(self) -> None:
        """N04 failed at the default share with 1,024 sequences x 248,320 entries and 24.6 bytes left."""
        dense = CATALOG.models["Qwen/Qwen3-32B"].model_copy(update={"vocabulary": 248_320, "intermediate": 17_408})
        run = start(dense, H100, "0.25.1", tensor_parallel=4, max_model_len=8192)
        assert run.uses_model_runner_v2
        verdict = judge(run)
        assert (verdict.status, verdict.limit) == ("marginal", "warm-up")

    @pytest.mark.parametrize(
        ("model", "version", "second"),
        [
            ("Qwen/Qwen3-8B", "0.21.0", False),
            ("Qwen/Qwen3-8B", "0.22.1", True),
            ("meta-llama/Llama-3.1-8B-Instruct", "0.22.1", False),
            ("meta-llama/Llama-3.1-8B-Instruct", "0.23.0", True),
            ("google/gemma-3-4b-it", "0.25.0", False),
            ("google/gemma-3-4b-it", "0.25.1", True),
            ("openai/gpt-oss-20b", "0.26.0", False),
            ("Qwen/Qwen3.5-27B", "0.26.0", False),
        ],
    )
    def test_the_runner_follows_version_and_architecture(self, model: str, version: str, second: bool) -> None:
        assert start(model, H100, version).uses_model_runner_v2 is second

    @pytest.mark.parametrize(
        ("model", "gib"),
        [
            ("openai/gpt-oss-20b", 1.55),
            ("openai/gpt-oss-120b", 1.84),
            ("deepseek-ai/DeepSeek-V2-Lite-Chat", 1.57),
            ("moonshotai/Kimi-VL-A3B-Instruct", 1.50),
            ("Qwen/Qwen3-30B-A3B", 1.41),
            ("meta-llama/Llama-3.1-8B-Instruct", 0.91),
        ],
    )
    def test_graphs_of_latent_attention_and_experts_are_larger(self, model: str, gib: float) -> None:
        run = start(model, H100, "0.19.0")
        assert captured_gib(run, run.model.layers) == pytest.approx(gib, abs=0.15)


class TestProfile:
    @pytest.mark.parametrize("version", ["0.19.0", "0.23.0", "0.26.1"])
    def test_the_sampler_takes_as_much_for_each_sequence_as_logs_lie_apart(self, version: str) -> None:
        """Qwen3.8-27B in NVFP4 on one RTX 5090: 8 sequences in place of 256 left 14 blocks of 49 MiB more."""
        model = CATALOG.models["Qwen/Qwen3.5-27B"]
        run = start(model, "nvidia-l4", version, max_num_seqs=256, text_only=True, enforce_eager=True)
        less = judge(run).parts.activation - judge(replace(run, max_num_seqs=8)).parts.activation
        assert less == pytest.approx(14 * 49 / 1024, abs=0.05)

    @pytest.mark.parametrize(
        ("model", "ranks", "version", "gib"),
        [
            ("Qwen/Qwen3-8B", 1, "0.18.0", 0.0),
            ("Qwen/Qwen3-8B", 1, "0.27.1", 1.18),
            ("Qwen/Qwen3-14B-AWQ", 1, "0.28.0", 1.46),
            ("Qwen/Qwen2.5-7B-Instruct-AWQ", 1, "0.28.0", 1.04),
            ("Qwen/Qwen2.5-7B-Instruct-AWQ", 2, "0.28.0", 0.53),
            ("Qwen/Qwen3-VL-8B-Instruct", 1, "0.27.1", 0.0),
        ],
    )
    def test_compilation_times_kernels_on_an_embedding_of_their_own(
        self, model: str, ranks: int, version: str, gib: float
    ) -> None:
        """Logged peaks of starts with one rank that found no cache. Beside a tower the embedding is not compiled."""
        run = start(model, "nvidia-l4", version, tensor_parallel=ranks)
        assert compilation_gib(run) == pytest.approx(gib, abs=0.01)
        assert activation_gib(run) >= compilation_gib(run)
        assert compilation_gib(replace(run, enforce_eager=True)) == 0
        assert compilation_gib(replace(run, compiled=True)) == 0
        assert compilation_gib(run, 1) == 0

    def test_a_small_model_has_less_to_compile(self) -> None:
        """Qwen2.5 0.5B logs peaks of 0.25 and 0.31 GiB with batches of 8,192 tokens."""
        run = start("Qwen/Qwen2.5-0.5B-Instruct", "nvidia-l4", "0.27.0", max_num_batched_tokens=8192)
        assert judge(run).parts.activation == pytest.approx(0.31, abs=0.07)

    def test_vision_towers_that_no_log_shows_are_less_sure_with_larger_batches(self) -> None:
        """Gemma 4 profiled six videos with a batch of 16,384 tokens: 3 GiB more than its text (0.20.2, RTX 5090)."""
        run = start("google/gemma-4-26B-A4B-it", "nvidia-h100-80gb", "0.20.2", max_num_batched_tokens=8192)
        errors = [judge(replace(run, max_num_batched_tokens=tokens)).error_gib for tokens in (8192, 16_384)]
        assert errors[1] > errors[0] + 0.25

    def test_videos_were_of_any_length_before_0_11_1(self) -> None:
        """Qwen3-VL-30B-A3B on four RTX 3090: 153,600 tokens were profiled, and 2.31 GiB left."""
        before, after = (
            start("Qwen/Qwen3-VL-30B-A3B-Instruct", "nvidia-l4", version, tensor_parallel=4)
            for version in ("0.11.0", "0.11.2")
        )
        assert encoder_gib(before) - encoder_gib(after) == pytest.approx(153_600 * 4 * 2048 * 2 / 2**30)

    def test_a_smaller_tower_takes_less_and_more_images_take_more(self) -> None:
        """Qwen3.5-4B logs 1.55 GiB for a tower of 0.62 GiB; a batch of 65,536 tokens profiles four images."""
        run = start("Qwen/Qwen3.5-27B", "nvidia-l4", "0.22.0")
        small = replace(run, model=run.model.model_copy(update={"vision_gib": 0.62}))
        assert encoder_gib(small) == pytest.approx(1.55, abs=0.1)
        assert encoder_gib(replace(run, max_num_batched_tokens=65_536)) == 4 * encoder_gib(run)

    @pytest.mark.parametrize(
        ("layers", "sequences", "gib"),
        [(28, 128, 0.37), (28, 256, 0.63), (42, 256, 0.79), (60, 20, 0.13), (32, 256, 0.64)],
    )
    def test_graphs_are_estimated_as_logs_have_them_since_0_21(self, layers: int, sequences: int, gib: float) -> None:
        run = start("Qwen/Qwen2.5-7B-Instruct", "nvidia-l4", "0.22.0", max_num_seqs=sequences)
        assert graphs_gib(run, layers) == pytest.approx(gib, abs=0.05)

    @pytest.mark.parametrize(
        ("accelerator", "cache", "more"),
        [("nvidia-rtx-pro-6000", "fp8", 0.385), ("nvidia-rtx-pro-6000", None, 0.0), (H100, "fp8", 0.0),
         ("nvidia-l4", "fp8", 0.385), ("nvidia-b200", None, 0.385)],
    )  # fmt: skip
    def test_flashinfer_allocates_its_buffer_with_the_first_graph(
        self, accelerator: str, cache: str | None, more: float
    ) -> None:
        """GB10 logs 0.47 GiB for a single size of graphs, where FlashInfer attends."""
        run = start("Qwen/Qwen2.5-7B-Instruct", accelerator, "0.22.0", kv_cache_dtype=cache)
        assert attention_workspace_gib(run) == more

    def test_a_card_with_the_memory_of_its_host_gets_the_small_batch(self) -> None:
        """GB10: 2048 tokens and 256 sequences are logged, since NVML does not say how much memory it has."""
        card = CATALOG.accelerators["nvidia-rtx-pro-6000"].model_copy(
            update={"usable_gib": 119.7, "compute_capability": 12.1}
        )
        run = engine_run(CATALOG.models["Qwen/Qwen3-8B"], card, "0.13.0")
        assert run is not None
        assert (run.max_num_batched_tokens, run.max_num_seqs) == (2048, 256)

    @pytest.mark.parametrize(("ranks", "gib"), [(1, 1.9), (2, 1.46)])
    def test_a_vision_tower_is_profiled(self, ranks: int, gib: float) -> None:
        """E05 1.93 on a single rank, N15 1.46 on each of two."""
        run = start("Qwen/Qwen3.5-27B", "nvidia-l4", "0.22.0", max_num_seqs=16, tensor_parallel=ranks)
        assert judge(run).parts.activation == pytest.approx(gib, abs=0.05)
        assert judge(replace(run, text_only=True, compiled=True)).parts.activation < 0.9

    @pytest.mark.parametrize(
        ("tokens", "ranks", "gib"),
        [(8192, 1, 4.2), (8192, 4, 4.99), (2048, 1, 1.33)],
        ids=["issue 50780", "N14", "a quarter of the batch"],
    )
    def test_graphs_of_recurrent_layers_are_counted_by_the_batch_since_0_26(
        self, tokens: int, ranks: int, gib: float
    ) -> None:
        """vllm-project/vllm issue 50780: linear in the tokens of a batch, 4.2 GiB for 0.56 that were taken.

        Logs show it on Blackwell: N14 is of GB200, and the issue's processor is a desktop's.
        """
        settings = {"max_num_batched_tokens": tokens, "tensor_parallel": ranks}
        runs = [
            start("Qwen/Qwen3.5-27B", "nvidia-b200", version, **settings) for version in ("0.25.1", "0.26.0", "0.29.0")
        ]
        old, new, second = (graphs_gib(run, 64) for run in runs)
        # FlashInfer's buffer is counted beside the others.
        old, second = old - attention_workspace_gib(runs[0]), second - attention_workspace_gib(runs[2])
        # Of 64 layers in all sizes: 0.56 were taken in the end, and logs of 0.22 and 0.23 estimate 0.64 for 32.
        assert 0.56 < old < 1.1
        assert new == pytest.approx(gib, abs=0.55)
        # Model Runner V2 does not: 0.69.
        assert second == pytest.approx(0.69, abs=0.05)

    @pytest.mark.parametrize(
        ("model", "accelerator", "version", "sequences", "gib"),
        [("Qwen/Qwen3.5-27B", H100, "0.27.0", 256, 0.9), ("Qwen/Qwen3.5-27B", "nvidia-l4", "0.27.1", 8, 0.9)],
    )
    def test_graphs_of_recurrent_layers_take_what_others_do_before_blackwell(
        self, model: str, accelerator: str, version: str, sequences: int, gib: float
    ) -> None:
        """Qwen3.8-27B-FP8 on H100 left 3.0 GiB for the profile, graphs and all outside torch, with 8192 tokens."""
        run = start(model, accelerator, version, max_num_batched_tokens=8192, max_num_seqs=sequences)
        assert graphs_gib(run, 64) == pytest.approx(gib, abs=0.15)

    @pytest.mark.parametrize(("tokens", "gib"), [(2048, 2.21), (4096, 2.42), (8192, 2.84)])
    def test_a_vision_tower_stays_beside_the_text_on_rtx_cards(self, tokens: int, gib: float) -> None:
        """vllm-project/vllm issue 52872: RTX 5090, quantized Qwen3.6-27B. In 0.26 all of the text was beside it."""
        run = start("Qwen/Qwen3.5-27B", "nvidia-rtx-pro-6000", "0.27.0", max_num_batched_tokens=tokens, max_num_seqs=8)
        assert activation_gib(run) == pytest.approx(gib, abs=0.2)
        assert activation_gib(replace(run, version="0.26.0")) >= activation_gib(run)
        assert activation_gib(replace(run, version="0.25.1")) == pytest.approx(1.9, abs=0.05)
        elsewhere = replace(run, capability=9.0)
        assert activation_gib(elsewhere) == pytest.approx(1.9, abs=0.05)

    def test_the_error_of_experts_follows_the_batch(self) -> None:
        """16,384 tokens of Qwen3.6-35B-A3B-NVFP4 took 3 GiB more than this on one RTX 5090: more than is stated."""
        small, large = (
            judge(start("nvidia/Qwen3.6-35B-A3B-NVFP4", H100, "0.24.0", max_num_batched_tokens=tokens)).error_gib
            for tokens in (8192, 65_536)
        )
        assert large > small + 2

    def test_memory_shared_with_the_host_has_a_larger_error(self) -> None:
        """GB10: of nine logs five left 2.5 to 4.5 GiB less than the estimate."""
        card = CATALOG.accelerators["nvidia-rtx-pro-6000"].model_copy(
            update={"usable_gib": 119.63, "compute_capability": 12.1}
        )
        run = engine_run(CATALOG.models["Qwen/Qwen3.5-35B-A3B"], card, "0.18.1")
        assert run is not None
        assert judge(run).error_gib >= 2.5

    def test_quantized_recurrent_models_on_consumer_cards_leave_less(self) -> None:
        """3.4 GiB on RTX 5090 and RTX PRO 6000, in fp8 and NVFP4, that nothing explains; not with --enforce-eager."""
        model = CATALOG.models["Qwen/Qwen3.5-27B"].model_copy(update={"quantization": FP8})
        run = start(model, "nvidia-rtx-pro-6000", "0.26.0")
        plain = replace(run, model=CATALOG.models["Qwen/Qwen3.5-27B"])
        assert graphs_gib(run, 64) - graphs_gib(plain, 64) == pytest.approx(3.4)
        assert graphs_gib(replace(run, enforce_eager=True), 64) == 0

    @pytest.mark.parametrize(
        ("accelerator", "version", "ranks", "gib"),
        [
            (H100, "0.19.0", 4, 2.1),
            (H100, "0.25.1", 4, 0.75),
            ("nvidia-rtx-pro-6000", "0.26.0", 2, 0.2),
            ("nvidia-rtx-pro-6000", "0.26.0", 4, 0.75),
        ],
    )
    def test_ranks_keep_less_outside_torch_than_they_did(
        self, accelerator: str, version: str, ranks: int, gib: float
    ) -> None:
        """N04 logs 0.6 on four ranks, N14 0.95; Y14 has 0.14 left over PCIe with Model Runner V2, K26 more on four."""
        assert non_torch_gib(start("Qwen/Qwen3-32B", accelerator, version, tensor_parallel=ranks)) == gib

    def test_ranks_of_the_first_runner_keep_as_much_over_pcie(self) -> None:
        """N15 logs 0.75, a recurrent model, which Model Runner V2 takes since 0.29."""
        assert non_torch_gib(start("Qwen/Qwen3.5-27B", "nvidia-rtx-pro-6000", "0.26.0", tensor_parallel=2)) == 0.75

    @pytest.mark.parametrize("accelerator", ["nvidia-rtx-pro-6000", H100])
    def test_states_that_may_not_fit_are_not_said_to(self, accelerator: str) -> None:
        """N06: 939 blocks logged for 1,024 sequences, and the start refused. Fewer sequences fit."""
        model = CATALOG.models["Qwen/Qwen3.5-27B"].model_copy(update={"quantization": FP8})
        run = start(model, accelerator, "0.26.0", max_model_len=8192, prefix_caching=False)
        assert judge(run).status != "fits"
        assert judge(run).limit == "states"
        assert judge(replace(run, max_num_seqs=256)).status == "fits"

    def test_blocks_of_that_start_are_close_to_its_log(self) -> None:
        model = CATALOG.models["Qwen/Qwen3.5-27B"].model_copy(update={"quantization": FP8})
        run = start(model, "nvidia-rtx-pro-6000", "0.26.0", prefix_caching=False)
        assert judge(run).kv_blocks == pytest.approx(939, rel=0.03)


class TestTpu:
    @pytest.mark.parametrize(
        ("version", "prefix_caching", "is_readable"),
        [
            ("0.19.1", False, False),
            ("0.22.0", True, True),
            ("0.28.0", True, True),
            ("0.30.0", True, False),
            ("0.30.0", False, True),
        ],
    )
    def test_recurrent_layers_get_a_verdict_where_their_layout_was_read(
        self, version: str, prefix_caching: bool, is_readable: bool
    ) -> None:
        for model in ("Qwen/Qwen3.5-27B", "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"):
            run = engine_run(
                CATALOG.models[model],
                CATALOG.accelerators["tpu-v6e"],
                version,
                EngineOptions(prefix_caching=prefix_caching),
            )
            assert (run is not None) is is_readable

    def test_states_of_all_sequences_are_set_aside_and_attention_has_the_rest(self) -> None:
        """84,145 blocks were predicted where 945 were logged (D12), with a state of 4,268,032 bytes on 8 devices."""
        run = start(
            "Qwen/Qwen3.5-397B-A17B", "tpu-v7x", "0.26.0", tensor_parallel=8, kv_cache_dtype="fp8", block_size=1280
        )
        states = 15 * 3 * (256 + 1) * 4_268_032 // 8
        assert layout(run).states_apart_bytes == states
        # Two heads of 256 numbers are padded to one for each device, its key and value to a word of 32 bits: 15 layers
        # x 1,280 tokens x 4 x 256 bytes.
        available = 307.6 / 8
        assert judge(run, measured_gib=available).kv_blocks == (int(available * 2**30) - states) // (
            15 * 1280 * 4 * 256
        )

    @pytest.mark.parametrize(
        ("length", "sequences", "tokens"),
        [(512, 256, 32), (1024, 256, 64), (4096, 256, 256), (8192, 256, 256), (9000, 256, 32), (16_384, 256, 32),
         (16_384, 32, 16), (131_072, 256, 256)],
    )  # fmt: skip
    def test_pages_follow_the_longest_request_and_the_number_of_sequences(
        self, length: int, sequences: int, tokens: int
    ) -> None:
        run = start("Qwen/Qwen3-8B", "tpu-v6e", "0.26.0", max_model_len=length, max_num_seqs=sequences)
        assert run.kv_block() == tokens

    def test_a_tower_for_sound_is_not_loaded(self) -> None:
        """Logs of gemma-4-E2B: 8.97 GiB on v5e, and 28.74 - 19.79 on v6e."""
        assert weights_gib(start("google/gemma-4-E2B-it", "tpu-v6e", "0.26.0")) == pytest.approx(8.96, abs=0.03)

    def test_a_small_chip_is_sure_for_models_seen_on_it_only(self) -> None:
        """DF3: a program of 1.15 GiB was loaded into the 1.13 that were free of a v5e."""
        untested = CATALOG.models["Qwen/Qwen3-4B"].model_copy(update={"tpu_tested": None})
        tested = untested.model_copy(update={"tpu_tested": (4,)})
        runs = [
            start(model, "tpu-v5e", "0.26.0", tensor_parallel=4, max_model_len=2048) for model in (untested, tested)
        ]
        assert [judge(run).status for run in runs] == ["marginal", "fits"]
        assert judge(runs[0]).limit == "warm-up"


class TestSpeculation:
    @pytest.mark.parametrize(
        ("config", "tokens", "layers", "is_recognized"),
        [
            ('{"method": "mtp", "num_speculative_tokens": 2}', 2, 1, True),
            ('{"method": "ngram", "num_speculative_tokens": 4}', 4, 0, True),
            ('{"method": "eagle3", "model": "x/y", "num_speculative_tokens": 3}', 3, 0, False),
            ("not json", 0, 0, False),
        ],
    )
    def test_what_guesses_is_known_or_said_not_to_be(
        self, config: str, tokens: int, layers: int, is_recognized: bool
    ) -> None:
        speculation = speculation_of(("--speculative-config", config), CATALOG.models["Qwen/Qwen3.5-27B"])
        assert (speculation.tokens, speculation.draft.layers if speculation.draft else 0, speculation.is_known) == (
            tokens,
            layers,
            is_recognized,
        )

    def test_nothing_is_guessed_by_default(self) -> None:
        assert speculation_of((), CATALOG.models["Qwen/Qwen3.5-27B"]).tokens == 0

    @pytest.mark.parametrize(
        ("model", "config", "is_known"),
        [
            ("Qwen/Qwen3-8B", {"method": "draft_model", "model": "Qwen/Qwen3-0.6B"}, True),
            ("Qwen/Qwen3-8B", {"method": "draft_model", "model": "somebody/small"}, False),
            ("Qwen/Qwen3-8B", {"method": "eagle3", "model": "Qwen/Qwen3-0.6B"}, False),
            (
                "Qwen/Qwen3-8B",
                {"method": "draft_model", "model": "Qwen/Qwen3-0.6B", "draft_tensor_parallel_size": 1},
                False,
            ),
            ("google/gemma-3-12b-it", {"method": "draft_model", "model": "google/gemma-3-1b-it"}, False),
        ],
        ids=["of the catalog", "of nobody's", "a head", "over ranks of its own", "with windows"],
    )
    def test_draft_models_of_the_catalog_have_a_size(self, model: str, config: dict[str, Any], is_known: bool) -> None:
        arguments = ("--speculative-config", json.dumps({**config, "num_speculative_tokens": 4}))
        speculation = speculation_of(arguments, CATALOG.models[model], CATALOG.find_model)
        assert speculation.is_known is is_known
        assert (speculation.draft_model is not None) is is_known
