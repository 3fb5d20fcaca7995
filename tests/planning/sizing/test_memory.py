"""The layout of the KV cache and the limits of a start, on cases worked out by hand or seen in logs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_d_gke import catalog
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.schema import Attention, Model
from llm_d_gke.planning.parallelism.sharding import padded_vocabulary
from llm_d_gke.planning.plan.estimates import MemoryVerdict
from llm_d_gke.planning.sizing.memory import EngineOptions, EngineRun, engine_run, judge
from llm_d_gke.planning.sizing.memory.kv_cache import layout
from llm_d_gke.planning.sizing.memory.overhead import graph_sizes
from llm_d_gke.planning.sizing.memory.remedies import remedies
from llm_d_gke.planning.sizing.memory.warm_up import warm_up
from llm_d_gke.planning.sizing.memory.weights import kv_heads_per_rank, stage_layers, weights_gib

CATALOG = catalog.load()


def start(model: str | Model, accelerator: str, version: str = "0.19.1", **settings: object) -> EngineRun:
    entry = CATALOG.models[model] if isinstance(model, str) else model
    run = engine_run(entry, CATALOG.accelerators[accelerator], version, EngineOptions(**settings))  # type: ignore[arg-type]
    assert run is not None
    return run


def gemma_on_t4(version: str, length: int, utilization: float, **settings: object) -> EngineRun:
    return start(
        "google/gemma-2b-it",
        "nvidia-tesla-t4",
        version,
        max_model_len=length,
        utilization=utilization,
        dtype="half",
        **settings,
    )


class TestGuides:
    """Failures reported about the community's guides for GKE."""

    @pytest.mark.parametrize("version", ["0.11.1", "0.19.1"])
    def test_gemma_fits_a_t4_with_the_guides_settings(self, version: str) -> None:
        assert judge(gemma_on_t4(version, 2048, 0.85)).status == "fits"

    @pytest.mark.parametrize("version", ["0.11.1", "0.19.1"])
    def test_gemma_at_ninety_percent_of_a_t4_is_marginal_in_the_warm_up(self, version: str) -> None:
        """It died there ("Tried to allocate 500.00 MiB") with one image and ran with another."""
        verdict = judge(gemma_on_t4(version, 4096, 0.90))
        assert (verdict.status, verdict.limit) == ("marginal", "warm-up")

    def test_the_warm_up_asks_for_exactly_the_500_mib_of_the_error(self) -> None:
        run = gemma_on_t4("0.11.1", 4096, 0.90, enforce_eager=True)
        # With the profile's peak free again, what was free from the start is the nearer limit on a card so small.
        assert warm_up(run, 0.0, 5.0, 18).passed_gib * 1024 == 500.0

    def test_the_logged_6_08_gib_hold_86_requests(self) -> None:
        verdict = judge(gemma_on_t4("0.11.1", 4096, 0.90), measured_gib=6.08)
        assert verdict.max_concurrency == pytest.approx(86.5, abs=0.1)
        assert layout(gemma_on_t4("0.11.1", 4096, 0.90)).block_bytes == 16 * 18_432

    def test_those_6_08_gib_are_estimated_within_three_percent(self) -> None:
        assert judge(gemma_on_t4("0.11.1", 4096, 0.90)).available_gib == pytest.approx(6.08, rel=0.03)

    def test_qwen_3b_fits_three_quarters_of_a_t4(self) -> None:
        run = start("Qwen/Qwen2.5-3B-Instruct", "nvidia-tesla-t4", max_model_len=2048, utilization=0.75, dtype="half")
        assert judge(run).status == "fits"

    @pytest.mark.parametrize("model", ["Qwen/Qwen2.5-7B-Instruct", "mistralai/Mistral-7B-Instruct-v0.3"])
    @pytest.mark.parametrize(("length", "utilization"), [(1024, 0.90), (1024, 0.80), (2048, 0.80)])
    def test_a_7b_is_refused_on_a_t4_and_no_setting_helps(self, model: str, length: int, utilization: float) -> None:
        """Shorter requests and a smaller share were suggested for this, but the weights alone are too large."""
        run = start(model, "nvidia-tesla-t4", max_model_len=length, utilization=utilization, dtype="half")
        verdict = judge(run)
        assert (verdict.status, verdict.limit) == ("refused", "weights")
        assert verdict.kv_blocks == verdict.longest == 0
        assert remedies(run) == ()

    def test_four_v6e_chips_hold_1_55_million_tokens_of_qwen_3b(self) -> None:
        """Its two key-value heads are replicated to four chips: 18,432 bytes a token on each."""
        verdict = judge(start("Qwen/Qwen2.5-3B-Instruct", "tpu-v6e", "0.11.1", max_model_len=2048, tensor_parallel=4))
        assert verdict.kv_tokens == pytest.approx(1_550_000, rel=0.005)
        assert verdict.status == "fits"


class TestLayout:
    """Blocks, tokens and concurrency of mixtures, as logged."""

    def test_gemma_3_27b(self) -> None:
        """10 full and 52 sliding layers: groups of 10, seven of them; 15,997 blocks, 36,560 tokens, 4.46 requests."""
        run = start("google/gemma-3-27b-it", "nvidia-h100-80gb", "0.19.0", max_model_len=8192)
        shape = layout(run)
        assert (shape.group_layers, shape.group_count) == (10, 7)
        available = 15_997 * shape.block_bytes / 2**30
        verdict = judge(run, measured_gib=available)
        assert (verdict.kv_blocks, verdict.kv_tokens) == (15_997, 36_560)
        assert verdict.max_concurrency == pytest.approx(4.46, abs=0.005)

    def test_gemma_4_31b(self) -> None:
        """Full layers' pages hold twice the tokens: 256 blocks and 5 x 513 for 8,192 tokens; 9.19 requests."""
        run = start("google/gemma-4-31B-it", "nvidia-h100-80gb", "0.19.0", max_model_len=8192)
        shape = layout(run)
        assert (shape.page_bytes, shape.group_layers) == (262_144, 10)
        assert shape.blocks_per_request(8192) == 2821
        assert 25_923 / shape.blocks_per_request(8192) == pytest.approx(9.19, abs=0.005)

    def test_asynchronous_scheduling_keeps_two_batches_beside_the_window(self) -> None:
        """gemma-4-E2B on a T4, two batches in flight: 4.66 GiB are 50,899 blocks, 519,681 tokens, 31.72 requests."""
        groups = (Attention(kind="sliding", layers=12, window=512), Attention(kind="full", layers=3, head_dim=512))
        like_e2b = CATALOG.models["google/gemma-3-1b-it"].model_copy(update={"layers": 15, "attention": groups})
        run = start(like_e2b, "nvidia-tesla-t4", "0.26.0", max_model_len=16384, max_num_batched_tokens=2048)
        verdict = judge(run, measured_gib=4.66)
        assert verdict.kv_blocks == 50_899
        assert verdict.kv_tokens == pytest.approx(519_681, rel=0.0005)
        assert verdict.max_concurrency == pytest.approx(31.72, rel=0.0005)

    @pytest.mark.parametrize(
        ("speculative", "cache", "block"), [(0, None, 784), (2, "fp8", 1600)], ids=["plain", "fp8-mtp2"]
    )
    def test_blocks_grow_to_hold_a_linear_state(self, speculative: int, cache: str | None, block: int) -> None:
        draft = CATALOG.models["Qwen/Qwen3.5-27B"].draft if speculative else None
        run = start(
            "Qwen/Qwen3.5-27B",
            "nvidia-h100-80gb",
            kv_cache_dtype=cache,
            speculative_tokens=speculative,
            draft=draft,
        )
        assert layout(run).block_tokens == block

    def test_prefix_caching_keeps_a_second_state(self) -> None:
        """Three groups of linear layers beside one of full ones."""
        run = start("Qwen/Qwen3.5-27B", "nvidia-h100-80gb", max_model_len=784)
        assert layout(run).blocks_per_request(784) == 1 + 3 * 2
        assert layout(replace(run, prefix_caching=False)).blocks_per_request(784) == 1 + 3 * 1

    def test_a_sliding_window_saves_nothing_beside_a_batch_that_large(self) -> None:
        run = start("google/gemma-2-9b-it", "nvidia-h100-80gb", max_model_len=8192)
        assert layout(run).blocks_per_request(8192) == 512 + 513
        small = replace(run, max_num_batched_tokens=2048)
        assert layout(small).blocks_per_request(8192) == 512 + 385

    @pytest.mark.parametrize(
        ("model", "bytes_per_token"),
        [
            ("deepseek-ai/DeepSeek-V3", 70_272),
            ("deepseek-ai/DeepSeek-V2-Lite-Chat", 31_104),
            ("google/gemma-2b-it", 18_432),
            ("Qwen/Qwen2.5-3B-Instruct", 36_864),
            ("meta-llama/Llama-3.1-8B-Instruct", 131_072),
        ],
    )
    def test_bytes_per_token(self, model: str, bytes_per_token: int) -> None:
        shape = layout(start(model, "nvidia-h200-141gb"))
        assert shape.block_bytes / shape.block_tokens == bytes_per_token

    def test_a_latent_cache_is_not_shared_out(self) -> None:
        single, eight = (
            layout(start("deepseek-ai/DeepSeek-V3", "nvidia-h200-141gb", tensor_parallel=n)).block_bytes for n in (1, 8)
        )
        assert single == eight

    def test_more_ranks_than_heads_save_no_cache(self) -> None:
        sizes = [
            layout(start("Qwen/Qwen3-235B-A22B", "nvidia-h200-141gb", tensor_parallel=n)).block_bytes
            for n in (1, 2, 4, 8)
        ]
        assert [sizes[0] // size for size in sizes] == [1, 2, 4, 4]
        assert [kv_heads_per_rank(4, n) for n in (1, 2, 4, 8)] == [4, 2, 1, 1]

    def test_fp8_weights_leave_the_cache_at_16_bits(self) -> None:
        plain, small = (
            layout(start(name, "nvidia-h100-80gb")).block_bytes
            for name in ("meta-llama/Llama-3.1-8B-Instruct", "RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8")
        )
        assert plain == small

    @pytest.mark.parametrize(("version", "ranks"), [("0.18.0", 1), ("0.19.0", 4), ("0.26.0", 4)])
    def test_latent_attention_on_tpu_is_whole_on_every_chip(self, version: str, ranks: int) -> None:
        """Attention, the dense layer and shared experts of DeepSeek-V2-Lite; experts and tables are divided."""
        run = start("deepseek-ai/DeepSeek-V2-Lite-Chat", "tpu-v6e", version, max_model_len=8192, tensor_parallel=4)
        run = replace(run, expert_parallel=True)
        down = 27 * 2048 * 576
        up = 27 * 16 * (2048 * 192 + 512 * 256 + 128 * 2048)
        feed = 3 * 2048 * (10944 + 26 * 2816)
        divided = 26 * 64 * 3 * 2048 * 1408 + 2 * 102400 * 2048
        expected = down + (up + feed) / (4 // ranks) + divided / 4
        assert weights_gib(run) == pytest.approx(2 * expected / 2**30, abs=0.05)
        assert (verdict := judge(run)).replica_tokens == verdict.kv_tokens * ranks
        assert run.sequences == run.max_num_seqs * ranks

    def test_a_card_divides_latent_attention(self) -> None:
        run = start("deepseek-ai/DeepSeek-V2-Lite-Chat", "nvidia-h100-80gb", "0.26.0", tensor_parallel=4)
        assert (run.attention_ranks, run.dense_parallel, judge(run).ranks) == (1, 4, 1)

    def test_a_tpu_pads_narrow_heads_and_ignores_windows(self) -> None:
        """gpt-oss: heads of 64 take the room of 128, and half of its layers slide on GPUs only."""
        shape = layout(start("openai/gpt-oss-20b", "tpu-v6e", max_model_len=16384))
        assert shape.block_tokens == 32
        assert shape.block_bytes == 32 * 24 * 2 * 8 * 128 * 2


class TestParallelism:
    def test_leftover_layers_go_before_the_last_stage(self) -> None:
        assert stage_layers(40, 3) == (13, 14, 13)
        assert stage_layers(61, 4) == (15, 15, 16, 15)
        assert all(sum(stage_layers(61, n)) == 61 for n in range(1, 61))

    def test_the_vocabulary_is_padded(self) -> None:
        assert padded_vocabulary(49_155) == 49_216
        assert padded_vocabulary(128_256) == 128_256

    def test_experts_are_shared_out_either_way(self) -> None:
        """By expert or by column, an even split is the same size; an uneven one is not."""
        run = start("Qwen/Qwen3-30B-A3B", "nvidia-h100-80gb", tensor_parallel=4)
        assert weights_gib(replace(run, expert_parallel=True)) == weights_gib(run)
        uneven = replace(run, tensor_parallel=3)
        assert weights_gib(replace(uneven, expert_parallel=True)) > weights_gib(uneven)

    def test_the_smallest_rank_decides(self) -> None:
        """The last stage pays for the sampler."""
        run = start("meta-llama/Llama-3.1-8B-Instruct", "nvidia-h100-80gb", pipeline_parallel=4, max_model_len=8192)
        parts = judge(run).parts
        assert parts.weights == pytest.approx(4.26, abs=0.01)
        assert parts.activation > 1.8


class TestVersions:
    def test_utilization_defaults_by_version(self) -> None:
        model = "meta-llama/Llama-3.1-8B-Instruct"
        assert start(model, "nvidia-l4", "0.19.1").utilization == 0.90
        assert start(model, "nvidia-l4", "0.26.0").utilization == 0.92

    def test_graphs_are_reserved_from_0_20_on(self) -> None:
        model = "meta-llama/Llama-3.1-8B-Instruct"
        old, new = (judge(start(model, "nvidia-a100-80gb", v, utilization=0.9)) for v in ("0.19.1", "0.20.0"))
        compiling = new.parts.activation - old.parts.activation
        assert old.available_gib - new.available_gib == pytest.approx(new.parts.cuda_graphs + compiling)

    def test_the_sampler_shrank_in_0_17(self) -> None:
        """Llama 3.1 8B logged 4.76 GiB before and 1.89 since."""
        model = "meta-llama/Llama-3.1-8B-Instruct"
        peaks = [judge(start(model, "nvidia-h100-80gb", v)).parts.activation for v in ("0.16.0", "0.17.0")]
        assert peaks == pytest.approx([4.76, 1.89], rel=0.02)

    @pytest.mark.parametrize(
        ("accelerator", "tokens", "sequences"),
        [
            ("nvidia-tesla-t4", 2048, 256),
            ("nvidia-l4", 2048, 256),
            ("nvidia-a100-80gb", 2048, 256),
            ("nvidia-h100-80gb", 8192, 1024),
            ("nvidia-h200-141gb", 8192, 1024),
            ("nvidia-b200", 8192, 1024),
            ("tpu-v6e", 2048, 256),
            ("tpu-v5e", 2048, 256),
        ],
    )
    def test_the_default_batch_follows_the_card(self, accelerator: str, tokens: int, sequences: int) -> None:
        run = start("meta-llama/Llama-3.1-8B-Instruct", accelerator)
        assert (run.max_num_batched_tokens, run.max_num_seqs) == (tokens, sequences)

    def test_fifty_one_graphs_are_captured_by_default(self) -> None:
        run = start("meta-llama/Llama-3.1-8B-Instruct", "nvidia-h100-80gb")
        assert graph_sizes(run) == load_engine().graphs.sizes == 51
        assert graph_sizes(replace(run, max_num_seqs=16)) == 7

    def test_an_unknown_version_widens_the_error(self) -> None:
        model = "Qwen/Qwen3-30B-A3B"
        known_error, unknown = (judge(start(model, "nvidia-h100-80gb", v)).error_gib for v in ("0.32.0", "0.40.0"))
        assert unknown > known_error

    def test_an_accelerator_without_a_log_gets_no_verdict(self) -> None:
        model = CATALOG.models["Qwen/Qwen3-8B"]
        unseen = CATALOG.accelerators["nvidia-gb300"].model_copy(update={"usable_gib": None})
        assert engine_run(model, unseen, "0.19.1") is None


class TestLimits:
    def test_the_longest_request_that_fits_is_the_limit_itself(self) -> None:
        run = start("meta-llama/Llama-3.1-8B-Instruct", "nvidia-l4")
        shape, verdict = layout(run), judge(run)
        assert verdict.status == "refused"
        assert verdict.limit == "kv-cache"
        assert shape.blocks_per_request(verdict.longest) <= verdict.kv_blocks
        assert shape.blocks_per_request(verdict.longest + 1) > verdict.kv_blocks

    def test_nearer_than_the_error_is_marginal(self) -> None:
        run = start("meta-llama/Llama-3.1-8B-Instruct", "nvidia-l4")
        verdict = judge(run)

        def at(length: int) -> MemoryVerdict:
            return judge(replace(run, max_model_len=length))

        assert at(verdict.longest).status == "marginal"
        assert at(verdict.longest - 8 * 1024).status == "fits"
        assert at(verdict.longest + 16 * 1024).status == "refused"

    def test_states_of_linear_layers_limit_the_sequences(self) -> None:
        """4 GiB of cache hold fewer states than the default batch has sequences: vLLM refuses to start since 0.20."""
        run = start("Qwen/Qwen3.5-27B", "nvidia-h100-80gb", max_model_len=8192, kv_cache_gib=4.0)
        assert judge(run).status == "fits"
        run = replace(run, version="0.20.0")
        verdict = judge(run)
        assert (verdict.status, verdict.limit) == ("refused", "states")
        assert verdict.kv_blocks < run.max_num_seqs

    def test_a_tpu_keeps_room_for_compiled_programs(self) -> None:
        model = "Qwen/Qwen2.5-3B-Instruct"
        tested, above = (judge(start(model, "tpu-v5e", utilization=u)).status for u in (0.92, 0.95))
        assert (tested, above) == ("fits", "marginal")

    def test_too_high_a_share_is_refused(self) -> None:
        verdict = judge(gemma_on_t4("0.19.1", 2048, 0.99))
        assert (verdict.status, verdict.limit) == ("refused", "warm-up")

    def test_every_remedy_helps(self) -> None:
        """Applied to the engine it was proposed for, each value makes it fit."""
        names = {
            "gpuMemoryUtilization": ("utilization", float),
            "maxNumSeqs": ("max_num_seqs", int),
            "maxModelLen": ("max_model_len", int),
            "kvCacheDtype": ("kv_cache_dtype", str),
            "tensorParallel": ("tensor_parallel", int),
        }
        proposed = set()
        for run in (
            gemma_on_t4("0.19.1", 4096, 0.90),
            start("meta-llama/Llama-3.1-8B-Instruct", "nvidia-l4"),
            start("meta-llama/Llama-3.1-8B-Instruct", "nvidia-l4", max_model_len=36_000),
            start("Qwen/Qwen3-32B", "nvidia-h100-80gb", max_model_len=40_960),
        ):
            fixes = remedies(run, parallel=(2, 4), fp8_cache=True)
            assert fixes
            for remedy in fixes:
                field, kind = names[remedy.setting]
                assert judge(replace(run, **{field: kind(remedy.value)})).status == "fits", remedy
                proposed.add(remedy.setting)
        assert proposed == set(names)
