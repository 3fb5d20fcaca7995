"""The planner refuses what the engines' own tables refuse, and no suggested fix leads to another refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_tables import facts_of, load_facts, shared_memory_bytes, versions
from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.planning import Finding, RefusedError
from llm_d_gke.planning.engine_support.context_length import with_stretched_context
from llm_d_gke.planning.engine_support.deployment import Deployment, default_dtype
from llm_d_gke.planning.engine_support.option_values import wrong_values
from llm_d_gke.planning.engine_support.options import nested_value, option_value, unknown_options
from llm_d_gke.planning.engine_support.refusals import is_known, refusals_of
from llm_d_gke.planning.engine_support.tpu import attention_ranks, implementation_of, needs_attention_ranks
from llm_d_gke.planning.findings import Severity
from llm_d_gke.settings.engine import CacheType, QuantizationMethod
from tests.planning.refusals.case import Wrong
from tests.planning.refusals.every import EVERY
from tests.stacks import plan_of

CATALOG = load()
T4, L4, H100, B200, RTX = (
    CATALOG.accelerators[f"nvidia-{name}"] for name in ("tesla-t4", "l4", "h100-80gb", "b200", "rtx-pro-6000")
)
V6E = CATALOG.accelerators["tpu-v6e"]
GEMMA_3, GEMMA_4 = "google/gemma-3-4b-it", "google/gemma-4-26B-A4B-it"


def on(accelerator: Any, model: str, version: str = "0.26.0", **changes: Any) -> Deployment:
    return Deployment(model=CATALOG.models[model], accelerator=accelerator, version=version, **changes)


def kinds(deployment: Deployment) -> list[str]:
    return [refusal.kind for refusal in refusals_of(deployment)]


class TestFiguresOfPublicReports:
    """The kernels that the tool compiled need, to the byte, what Triton's messages in public reports say."""

    def test_gemma_3_in_float32_on_a_t4(self) -> None:
        """vllm-project/vllm#36802: required 81920, hardware limit 65536."""
        turing = load_facts("0.26.0").for_capability(7.5)
        assert turing is not None
        assert turing.kernel_bytes("float32", 256, windowed=False) == 81920
        assert shared_memory_bytes(7.5) == 65536

    def test_gemma_4_in_float16_on_turing(self) -> None:
        """vllm-project/vllm#57712: required 98304, hardware limit 65536."""
        turing = load_facts("0.26.0").for_capability(7.5)
        assert turing is not None
        assert turing.kernel_bytes("float16", 512, windowed=False) == 98304

    def test_gemma_2_in_float32_on_blackwell_workstations(self) -> None:
        """vllm-project/vllm pull request 33846: required 116992, hardware limit 101376."""
        blackwell = load_facts("0.26.0").for_capability(12.0)
        assert blackwell is not None
        assert blackwell.kernel_bytes("float32", 256, windowed=True) == 116992
        assert shared_memory_bytes(12.0) == 101376


class TestDtypes:
    @pytest.mark.parametrize("version", versions())
    @pytest.mark.parametrize("model", ["google/gemma-2-9b-it", "google/gemma-3-1b-it", "google/gemma-3-12b-it"])
    def test_float16_is_refused_on_every_accelerator(self, version: str, model: str) -> None:
        assert "float16" in kinds(on(H100, model, version, dtype="half"))
        assert "float16" in kinds(on(V6E, model, version, dtype="float16"))
        assert "float16" not in kinds(on(H100, model, version, dtype="bfloat16"))

    def test_the_first_gemma_runs_in_float16(self) -> None:
        assert kinds(on(T4, "google/gemma-2b-it", dtype="half")) == []

    def test_what_is_taken_by_default_without_bfloat16(self) -> None:
        assert default_dtype(CATALOG.models["Qwen/Qwen2.5-3B-Instruct"], T4, "0.26.0") == "float16"
        assert default_dtype(CATALOG.models["google/gemma-2-27b-it"], T4, "0.26.0") == "float32"
        assert default_dtype(CATALOG.models["google/gemma-2-27b-it"], L4, "0.26.0") is None

    def test_a_model_that_runs_in_float32_is_counted_in_four_bytes(self) -> None:
        """gemma-2-27b's heads of 128 numbers have a kernel in float32 on a T4: it is its memory that is too small."""
        changes = {"accelerator.perNode": 4, "models[0]": {"id": "google/gemma-2-27b-it", "maxModelLen": 2048}}
        assert kinds(on(T4, "google/gemma-2-27b-it")) == []
        with pytest.raises(RefusedError) as refused:
            plan_of("gpu", changes)
        (error,) = [f for f in refused.value.findings if f.severity is Severity.ERROR]
        assert error.path == "llm-d:models[0].id"
        weights = re.search(r"weights ([\d.]+)", error.rule)
        assert weights is not None
        assert 25 < float(weights[1]) < 27  # 27.2 billion numbers of 4 bytes on 4 GPUs

    def test_the_engine_is_told_what_was_judged(self) -> None:
        plan = plan_of("gpu", {"models[0].id": "Qwen/Qwen2.5-1.5B-Instruct", "models[0].dtype": None})
        arguments = plan.models[0].servers[0].pod.args
        assert arguments[arguments.index("--dtype") + 1] == "half"

    def test_of_an_unknown_model_the_engine_decides(self) -> None:
        plan = plan_of("gpu", {"models[0].id": "somebody/secret-model", "models[0].dtype": None})
        assert "--dtype" not in plan.models[0].servers[0].pod.args


class TestAttention:
    def test_heads_of_512_run_where_shared_memory_is_larger(self) -> None:
        assert kinds(on(T4, GEMMA_4, dtype="half")) == ["attention-kernel"]
        assert kinds(on(L4, GEMMA_4)) == []
        assert kinds(on(H100, GEMMA_4)) == []

    def test_float32_with_heads_of_256_needs_a_data_center_card(self) -> None:
        for accelerator, expected in ((T4, True), (L4, True), (RTX, True), (H100, False)):
            finding_kinds = kinds(on(accelerator, "google/gemma-2-9b-it", dtype="float32"))
            assert ("attention-kernel" in finding_kinds) == expected, accelerator.name

    def test_latent_attention_has_no_float32(self) -> None:
        assert kinds(on(H100, "deepseek-ai/DeepSeek-V2-Lite-Chat", dtype="float32")) == ["attention-kernel"]

    def test_latent_attention_that_chooses_tokens_needs_a_card_with_its_kernels(self) -> None:
        """vllm-project/vllm#31936: GLM and DeepSeek-V3.2 on RTX PRO 6000, "No valid attention backend"."""
        for model in ("zai-org/GLM-5", "deepseek-ai/DeepSeek-V3.2"):
            for version in ("0.17.1", "0.19.1"):
                assert kinds(on(RTX, model, version)) == ["attention-kernel"]
            assert "attention-kernel" in kinds(on(L4, model, "0.30.0"))
            assert "attention-kernel" not in kinds(on(RTX, model, "0.26.0"))
            assert "attention-kernel" not in kinds(on(H100, model, "0.19.1"))
        # Between two tables it is not known when the kernels came.
        (between,) = refusals_of(on(RTX, "zai-org/GLM-5", "0.22.0"))
        assert (between.kind, between.certain) == ("attention-kernel", False)
        assert kinds(on(RTX, "deepseek-ai/DeepSeek-V3.1", "0.19.1")) == []

    def test_flashinfer_takes_no_windows_on_hopper(self) -> None:
        """vllm-project/vllm#48848, and v1/attention/backends/flashinfer.py of 0.26.0."""
        assert kinds(on(H100, GEMMA_4, "0.26.0", attention_backend="FLASHINFER")) == ["attention-kernel"]
        assert kinds(on(H100, "Qwen/Qwen3-8B", "0.26.0", attention_backend="FLASHINFER")) == []
        assert kinds(on(H100, "google/gemma-3-1b-it", "0.30.0", attention_backend="FLASHINFER")) == []

    def test_a_back_end_that_is_named_has_to_take_the_heads(self) -> None:
        """vllm-project/vllm#40677: gemma-4 with --attention-backend FLASHINFER, head_size not supported."""
        for version, expected in (("0.19.1", ["attention-kernel"]), ("0.26.0", [])):
            assert kinds(on(B200, "google/gemma-4-31B-it", version, attention_backend="FLASHINFER")) == expected
        assert kinds(on(H100, GEMMA_4, "0.19.1", attention_backend="TRITON_ATTN")) == []
        assert kinds(on(H100, GEMMA_4, "0.19.1", attention_backend="TREE_ATTN")) == []  # in no table
        assert kinds(on(L4, "Qwen/Qwen3-8B", attention_backend="FLASH_ATTN", kv_cache_dtype="fp8")) == [
            "attention-kernel"
        ]

    def test_a_size_that_no_table_has_is_not_known_and_not_refused(self) -> None:
        odd = CATALOG.models["Qwen/Qwen3-8B"].model_copy(update={"head_dim": 104})
        deployment = Deployment(model=odd, accelerator=H100, version="0.26.0")
        assert refusals_of(deployment) == []
        assert not is_known(deployment)

    @pytest.mark.parametrize(
        ("version", "cache", "refused"),
        [
            ("0.29.0", None, True),
            ("0.29.0", "fp8", False),
            ("0.30.0", None, False),
            ("0.32.0", "auto", False),
            ("0.32.0", "bfloat16", True),
        ],
    )
    def test_compressed_keys_are_in_fp8_without_a_stated_type_since_0_30(
        self, version: str, cache: str | None, refused: bool
    ) -> None:
        """A start of 0.31.1 on eight H100 says: Using DeepSeek's fp8_ds_mla KV cache format."""
        model = "deepseek-ai/DeepSeek-V4-Flash"
        deployment = on(H100, model, version, tensor_parallel=8, kv_cache_dtype=cache)
        assert ("kv-cache-dtype" in kinds(deployment)) == refused


class TestExperts:
    @pytest.mark.parametrize(("ranks", "refused"), [(1, False), (2, False), (4, True), (8, True)])
    def test_their_width_on_a_gpu_is_a_multiple_of_128(self, ranks: int, refused: bool) -> None:
        """768 / 2 is 384, 768 / 4 is 192."""
        finding_kinds = kinds(on(B200, "Qwen/Qwen3-30B-A3B", tensor_parallel=ranks))
        assert ("experts-kernel" in finding_kinds) == refused

    def test_on_12_x_multiples_of_64_ran(self) -> None:
        """vLLM 0.25.1 on RTX PRO 6000: Qwen3 235B over eight, 192 each, and Gemma 4 26B on one, 704."""
        assert kinds(on(RTX, "Qwen/Qwen3-235B-A22B", "0.26.0", tensor_parallel=8)) == []
        assert kinds(on(RTX, GEMMA_4, "0.26.0")) == []
        assert kinds(on(RTX, GEMMA_4, "0.26.0", tensor_parallel=2)) == ["experts-kernel"]

    def test_whole_experts_keep_their_width(self) -> None:
        assert kinds(on(B200, "Qwen/Qwen3-30B-A3B", tensor_parallel=8, expert_parallel=True)) == []
        assert kinds(on(B200, GEMMA_4, tensor_parallel=8, expert_parallel=True)) == ["experts-kernel"]

    def test_another_kernel_takes_any_width(self) -> None:
        assert kinds(on(B200, GEMMA_4, expert_backend="triton")) == []

    def test_quantized_experts_have_other_kernels(self) -> None:
        assert "experts-kernel" not in kinds(on(B200, "Qwen/Qwen3-30B-A3B-FP8", tensor_parallel=8))

    def test_versions_that_choose_triton_take_any_width(self) -> None:
        assert kinds(on(B200, GEMMA_4, "0.19.1")) == []

    def test_a_version_that_pads_takes_any_width(self) -> None:
        narrow = "Qwen/Qwen3-30B-A3B"
        assert kinds(on(B200, narrow, "0.26.0", tensor_parallel=4)) == ["experts-kernel"]
        assert kinds(on(B200, narrow, "0.30.0", tensor_parallel=4)) == []

    def test_gelu_goes_to_a_kernel_that_is_padded_nowhere(self) -> None:
        """Gemma 4: to CUTLASS's since 0.24, to Triton's before."""
        (refusal,) = refusals_of(on(B200, GEMMA_4, "0.30.0"))
        assert (refusal.kind, refusal.certain) == ("experts-kernel", False)
        assert kinds(on(B200, GEMMA_4, "0.23.0")) == []

    def test_between_two_versions_that_differ_nothing_is_certain(self) -> None:
        (refusal,) = refusals_of(on(B200, GEMMA_4, "0.28.0"))
        assert (refusal.kind, refusal.certain) == ("experts-kernel", False)

    def test_gated_nvfp4_experts_fill_tiles_of_scales_on_12_x(self) -> None:
        """Gate and up of Gemma 4 are 1408 rows: 11 tiles on one GPU, 5.5 on two."""
        quantization = CATALOG.models["nvidia/Qwen3-235B-A22B-NVFP4"].quantization
        model = CATALOG.models[GEMMA_4].model_copy(update={"quantization": quantization})

        def warned(accelerator: Any, **changes: Any) -> list[bool]:
            deployment = Deployment(model=model, accelerator=accelerator, version="0.26.0", **changes)
            return [refusal.certain for refusal in refusals_of(deployment) if refusal.kind == "experts-kernel"]

        assert (warned(RTX), warned(RTX, tensor_parallel=2), warned(B200, tensor_parallel=2)) == ([], [False], [])
        assert warned(RTX, tensor_parallel=2, expert_parallel=True) == []
        assert warned(RTX, tensor_parallel=2, expert_backend="marlin") == []


class TestTpu:
    def test_the_jax_implementation_loads_fp8_only(self) -> None:
        assert kinds(on(V6E, "Qwen/Qwen3-14B-AWQ")) == ["tpu-quantization"]
        assert kinds(on(V6E, "RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16")) == ["tpu-quantization"]
        assert kinds(on(V6E, "Qwen/Qwen3-32B-FP8")) == []

    def test_checkpoints_of_modelopt_in_fp8_have_no_kernel_where_those_in_fp4_have(self) -> None:
        chosen = {"MODEL_IMPL_TYPE": "vllm"}
        assert kinds(on(V6E, "nvidia/Llama-3.1-70B-Instruct-FP8", environment=chosen)) == ["tpu-quantization"]
        assert kinds(on(V6E, "nvidia/Qwen3-235B-A22B-NVFP4", environment=chosen)) == []

    def test_compressed_tensors_in_fp8_came_later(self) -> None:
        model = "RedHatAI/Llama-3.3-70B-Instruct-fp8-dynamic"
        assert kinds(on(V6E, model, "0.19.0")) == ["tpu-quantization"]
        assert kinds(on(V6E, model, "0.26.0")) == []

    @pytest.mark.parametrize("method", ["gptq", "bitsandbytes"])
    @pytest.mark.parametrize("version", versions())
    def test_the_platform_refuses_what_it_does_not_list(self, method: str, version: str) -> None:
        assert "tpu-quantization" in kinds(on(V6E, "Qwen/Qwen2.5-7B-Instruct", version, quantization=method))

    def test_pytorchs_implementation_loads_awq(self) -> None:
        chosen = {"MODEL_IMPL_TYPE": "vllm"}
        assert kinds(on(V6E, "Qwen/Qwen3-14B-AWQ", environment=chosen)) == []
        assert kinds(on(V6E, "RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16", environment=chosen)) != []

    def test_adapters_take_pytorchs_implementation_by_themselves(self) -> None:
        assert implementation_of(on(V6E, "Qwen/Qwen3-4B-Instruct-2507")) == "jax"
        assert implementation_of(on(V6E, "Qwen/Qwen3-4B-Instruct-2507", adapters=True)) == "torch"

    def test_adapters_with_the_jax_implementation_are_refused(self) -> None:
        chosen = {"MODEL_IMPL_TYPE": "flax_nnx"}
        assert kinds(on(V6E, "Qwen/Qwen3-4B-Instruct-2507", adapters=True, environment=chosen)) == ["tpu-adapters"]

    def test_latent_attention_gets_ranks_of_its_own(self) -> None:
        """Without both, tpu-inference 0.19 and later end with "MLA models require both"."""
        [server] = plan_of("mixture-of-experts-tpu").models[0].servers
        assert _variables(plan_of("mixture-of-experts-tpu"))["NEW_MODEL_DESIGN"] == "1"
        value = server.pod.args[server.pod.args.index("--additional-config") + 1]
        assert json.loads(value) == {"sharding": {"sharding_strategy": {"enable_dp_attention": True}}}

    @pytest.mark.parametrize(
        ("model", "devices", "changes", "ranks"),
        [
            ("Qwen/Qwen2.5-1.5B-Instruct", 4, {"enable_dp_attention": "true"}, 2),
            ("Qwen/Qwen2.5-1.5B-Instruct", 4, {"enable_dp_attention": "1"}, 2),
            ("Qwen/Qwen2.5-1.5B-Instruct", 4, {"enable_dp_attention": "false"}, 1),
            ("Qwen/Qwen2.5-1.5B-Instruct", 4, {"enable_dp_attention": "true", "attn_dp_size": "4"}, 4),
            ("meta-llama/Llama-3.1-8B-Instruct", 8, {"enable_dp_attention": "true"}, 1),
            ("meta-llama/Llama-3.2-1B-Instruct", 8, {"enable_dp_attention": "true"}, 2),
            ("deepseek-ai/DeepSeek-V2-Lite-Chat", 8, {}, 8),
            ("deepseek-ai/DeepSeek-V4-Flash", 8, {}, 8),
        ],
    )
    def test_ranks_of_attention_leave_no_head_on_two_devices(
        self, model: str, devices: int, changes: dict[str, str], ranks: int
    ) -> None:
        """from_vllm_config of tpu_inference/layers/common/sharding.py, 0.26.0."""
        assert attention_ranks(on(V6E, model, tensor_parallel=devices, sharding=changes)) == ranks

    def test_heads_in_eight_bits_are_packed_twice_as_densely(self) -> None:
        deployment = on(V6E, "meta-llama/Llama-3.1-8B-Instruct", tensor_parallel=8, kv_cache_dtype="fp8")
        assert attention_ranks(replace(deployment, sharding={"enable_dp_attention": "true"})) == 2

    @pytest.mark.parametrize(
        ("deployment", "expected"),
        [
            (on(V6E, "deepseek-ai/DeepSeek-V2-Lite-Chat"), True),
            (on(V6E, "deepseek-ai/DeepSeek-V2-Lite-Chat", "0.19.0"), True),
            (on(V6E, "deepseek-ai/DeepSeek-V2-Lite-Chat", "0.18.0"), False),
            (on(V6E, "deepseek-ai/DeepSeek-V2-Lite-Chat", environment={"VLLM_MLA_DISABLE": "1"}), False),
            (on(V6E, "Qwen/Qwen3-8B"), False),
            (on(H100, "deepseek-ai/DeepSeek-V2-Lite-Chat"), False),
        ],
    )
    def test_only_latent_attention_on_tpu_needs_them(self, deployment: Deployment, expected: bool) -> None:
        assert needs_attention_ranks(deployment) == expected

    @pytest.mark.parametrize(("tensor_parallel", "refused"), [(16, True), (1, False)])
    def test_adapters_are_refused_beside_these_ranks(self, tensor_parallel: int, refused: bool) -> None:
        """ShardingConfigManager.validate of tpu-inference 0.26.0: "LoRA is not supported with data parallelism"."""
        deployment = on(V6E, "deepseek-ai/DeepSeek-V2-Lite-Chat", tensor_parallel=tensor_parallel, adapters=True)
        assert ("tpu-adapters" in kinds(deployment)) == refused

    def test_an_architecture_that_jax_lacks_is_pytorchs(self) -> None:
        assert implementation_of(on(V6E, "google/gemma-2-9b-it")) == "torch"

    def test_the_pod_of_adapters_has_the_variable_and_no_other_has(self) -> None:
        adapters = [{"name": "one", "source": "somebody/an-adapter", "rank": 16}]
        changes = {"models[0]": {"id": "Qwen/Qwen3-4B-Instruct-2507", "maxModelLen": 4096}}
        assert "MODEL_IMPL_TYPE" not in _variables(plan_of("tpu", changes))
        changes["models[0]"]["adapters"] = adapters
        assert _variables(plan_of("tpu", changes))["MODEL_IMPL_TYPE"] == "vllm"

    def test_on_gpus_it_is_never_set(self) -> None:
        adapters = [{"name": "one", "source": "somebody/an-adapter", "rank": 16}]
        assert "MODEL_IMPL_TYPE" not in _variables(plan_of("gpu", {"models[0].adapters": adapters}))


def _variables(plan: Any) -> dict[str, str | None]:
    return {entry.name: entry.value for entry in plan.models[0].servers[0].pod.env}


def test_cards_below_the_oldest_table_s_minimum_are_too_old_for_earlier_versions() -> None:
    assert kinds(on(CATALOG.accelerators["nvidia-tesla-t4"], "openai/gpt-oss-20b", "0.10.1")) == [
        "quantization-capability"
    ]
    assert kinds(on(CATALOG.accelerators["nvidia-l4"], "openai/gpt-oss-20b", "0.10.1")) == []


class TestOptions:
    def test_what_the_parser_takes_is_taken(self) -> None:
        arguments = [
            "--max_num_seqs=8",
            "--enforce-eager",
            "--compilation-config.mode",
            "3",
            "-O3",
            "--gpu-memory-util=0.8",
        ]
        assert unknown_options("0.26.0", arguments) == []

    def test_a_beginning_of_several_options_is_none(self) -> None:
        assert [name for _, name, _ in unknown_options("0.26.0", ["--max-num"])] == ["--max-num"]

    def test_the_nearest_option_is_offered(self) -> None:
        assert unknown_options("0.26.0", ["x", "--tensor-paralel-size", "2"]) == [
            (1, "--tensor-paralel-size", "--tensor-parallel-size")
        ]

    def test_a_long_spelling_of_a_short_option_means_that_option(self) -> None:
        assert unknown_options("0.26.0", ["--tp=2"]) == [(0, "--tp", "--tensor-parallel-size")]

    @pytest.mark.parametrize("name", ["--num-scheduler-steps", "--swap-space", "--rope-scaling"])
    def test_an_option_of_other_versions_means_no_other_option(self, name: str) -> None:
        assert unknown_options("0.26.0", [f"{name}=8"]) == [(0, name, None)]

    @pytest.mark.parametrize("dropped", sorted(load_engine().instead_of))
    def test_what_serves_instead_of_an_option_that_is_gone_is_there(self, dropped: str) -> None:
        for version in versions():
            if unknown_options(version, [dropped]):
                instead = re.findall(r"--[a-z0-9-]+", load_engine().instead_of[dropped])
                assert instead
                assert unknown_options(version, instead) == []

    def test_before_every_table_only_what_no_version_has_is_unknown(self) -> None:
        arguments = ["--lora-path", "x", "--num-scheduler-steps", "10", "--enable-prefix-caching"]
        assert [name for _, name, _ in unknown_options("0.7.3", arguments)] == ["--lora-path"]
        assert unknown_options("0.6.0", arguments) == []

    def test_an_option_of_a_later_version(self) -> None:
        assert unknown_options("0.17.1", ["--shutdown-timeout=60"])[0][1] == "--shutdown-timeout"
        assert unknown_options("0.26.0", ["--shutdown-timeout=60"]) == []

    def test_the_last_value_counts(self) -> None:
        assert option_value(["--dtype", "half", "--dtype=float32"], "--dtype") == "float32"
        assert option_value(["--dtype"], "--dtype") is None

    @pytest.mark.parametrize("stack", ["gpu", "tpu", "disaggregated-gpu", "mixture-of-experts-gpu", "prefix-cache-tpu"])
    def test_every_option_that_the_planner_writes_is_one_of_its_release(self, stack: str) -> None:
        plan = plan_of(stack)
        for model in plan.models:
            for server in model.servers:
                version = re.search(r":v?(0\.\d+\.\d+)", server.pod.image)
                assert version is not None, server.pod.image
                assert unknown_options(version[1], server.pod.args) == []


# ---- every fix is tried ----

_MODEL_KEYS = (
    "dtype",
    "tensorParallel",
    "quantization",
    "kvCacheDtype",
    "maxModelLen",
    "maxNumSeqs",
    "gpuMemoryUtilization",
    "blockSize",
    "allowExtraArgs",
    "extraArgs",
    "env",
)
_STACK_KEYS = ("accelerator", "accelerator.type", "accelerator.machineType", "accelerator.perNode", "release")


def changes_of(finding: Finding) -> Iterator[list[tuple[str, Any]]]:
    """The alternatives of a fix that a program can apply: `use dtype: half, or accelerator: {...} and dtype: half`."""
    if not finding.fix.startswith("use "):
        return
    index = re.search(r"models\[(\d+)\]", finding.path)
    key = ""
    for alternative in re.split(r",? or |(?<=\d), (?=llm-d)", finding.fix.removeprefix("use ")):
        changes: list[tuple[str, Any]] = []
        for part in re.split(r" and | with ", alternative):
            match = re.fullmatch(r"(?:([A-Za-z.]+): )?(.+)", part.strip())
            assert match is not None
            # `release: llm-d-0.9 or gaie-1.5` is two values of one setting.
            key = match[1] or (key if changes == [] else "")
            if key.removeprefix("prefill.") not in (*_MODEL_KEYS, *_STACK_KEYS) or (
                match[1] is None and " " in match[2]
            ):
                break
            path = key if key in _STACK_KEYS else f"models[{index[1] if index else 0}].{key}"
            changes.append((path, parse_yaml(match[2])))
        else:
            yield changes


def _applied(wrong: Wrong, changes: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(wrong.changes)
    for key, value in changes:
        if key == "accelerator":
            # With another machine the settings of the present one no longer apply.
            values |= {"accelerator.perNode": None, "accelerator.topology": None}
            values |= {f"accelerator.{name}": text for name, text in value.items()}
        else:
            values[key] = value
    return values


def _fixes() -> list[tuple[Wrong, Finding, list[tuple[str, Any]]]]:
    fixes = []
    for wrong in EVERY:
        for finding in wrong.findings():
            if finding.path == f"llm-d:{wrong.path}":
                fixes += [(wrong, finding, changes) for changes in changes_of(finding)]
    return fixes


def test_every_fix_that_can_be_applied_leads_into_no_other_refusal() -> None:
    fixes = _fixes()
    assert len(fixes) > 25
    for wrong, finding, changes in fixes:
        before = {f.path for f in wrong.findings() if f.severity is Severity.ERROR}
        fixed = replace(wrong, changes=_applied(wrong, changes))
        after = {(f.path, f.rule) for f in fixed.findings() if f.severity is Severity.ERROR}
        # Images of another release may come from a registry that needs credentials.
        own = {"llm-d:registry.server"} if any(key == "release" for key, _ in changes) else set()
        assert {path for path, _ in after} <= (before - {finding.path}) | own, (wrong.name, changes, after)
        remaining = {(f.path, f.rule) for f in fixed.findings()}
        assert (finding.path, finding.rule) not in remaining, (wrong.name, changes)


def test_an_engines_own_name_is_compared_as_it_is_written_on_tpus() -> None:
    """vllm/platforms/interface.py, verify_quantization; awq_marlin is a name of CUDA's kernels."""
    chosen = {"MODEL_IMPL_TYPE": "vllm"}
    for method, expected in (("awq_marlin", ["tpu-quantization"]), ("auto_awq", []), ("awq", [])):
        assert kinds(on(V6E, "Qwen/Qwen3-14B-AWQ", quantization=method, environment=chosen)) == expected


@pytest.mark.parametrize("method", ["fp8", "awq", "gptq_marlin", "modelopt_fp4"])
def test_a_checkpoint_of_modelopt_overrides_the_method_that_is_set(method: str) -> None:
    t4 = CATALOG.accelerators["nvidia-tesla-t4"]
    stated = on(t4, "nvidia/Llama-3.1-70B-Instruct-FP8", "0.26.0")
    assert on(t4, stated.model.id, "0.26.0", quantization=method).method == "modelopt"
    assert refusals_of(on(t4, stated.model.id, "0.26.0", quantization=method)) == refusals_of(stated)


def test_triton_keeps_no_cache_in_e5m2() -> None:
    a100 = CATALOG.accelerators["nvidia-a100-80gb"]
    changes: dict[str, Any] = {"kv_cache_dtype": "fp8_e5m2"}
    assert not refusals_of(on(a100, "Qwen/Qwen3-8B", "0.26.0", **changes))
    [refusal] = refusals_of(on(a100, "Qwen/Qwen3-8B", "0.26.0", attention_backend="TRITON_ATTN", **changes))
    assert refusal.kind == "kv-cache-dtype"
    assert refusals_of(on(a100, "google/gemma-4-31B-it", "0.19.1", **changes))


@pytest.mark.parametrize("method", ["modelopt", "modelopt_fp4", "moe_wna16", "quark", "torchao", "inc", "auto_gptq"])
def test_a_method_that_reads_the_checkpoint_needs_one_that_says_it(method: str) -> None:
    """model_loader/weight_utils.py: Cannot find the config file for modelopt."""
    assert kinds(on(H100, "Qwen/Qwen3-8B", "0.30.0", quantization=method)) == ["quantization-checkpoint"]


@pytest.mark.parametrize(
    ("method", "accepted_methods"),
    [("inc", []), ("moe_wna16", ["awq"]), ("experts_int8", []), ("fp_quant", []), ("deepseek_v4_fp8", ["fp8"])],
)
def test_a_method_that_is_set_takes_few_other_checkpoints(method: str, accepted_methods: list[str]) -> None:
    """override_quantization_method of 0.19.1 to 0.32.0: 0.32.0 refused experts_int8 for a checkpoint of AWQ."""
    for checkpoint, model in (
        ("fp8", "Qwen/Qwen3-32B-FP8"),
        ("compressed-tensors", "RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8"),
        ("awq", "Qwen/Qwen3-14B-AWQ"),
    ):
        expected = [] if checkpoint in accepted_methods else ["quantization-checkpoint"]
        assert kinds(on(H100, model, "0.32.0", quantization=method, deprecated_quantization=True)) == expected


def test_deprecated_methods_need_an_option() -> None:
    """vllm/config/model.py: to bypass, set --allow-deprecated-quantization."""
    for version, expected in (("0.11.2", []), ("0.17.1", ["quantization-unknown"]), ("0.26.0", [])):
        assert kinds(on(H100, "Qwen/Qwen3-8B", version, quantization="experts_int8")) == expected
    allowed = on(H100, "Qwen/Qwen3-8B", "0.17.1", quantization="experts_int8", deprecated_quantization=True)
    assert kinds(allowed) == []


def test_a_name_is_taken_as_it_is_set_where_nothing_is_quantized() -> None:
    assert kinds(on(H100, "Qwen/Qwen3-8B", "0.11.2", quantization="auto_awq")) == ["quantization-unknown"]
    assert kinds(on(H100, "Qwen/Qwen3-14B-AWQ", "0.11.2")) == []


def test_what_holds_on_every_card_holds_on_one_that_no_table_has() -> None:
    """GB300 has compute capability 10.3, which was added to the catalog after 0.17.1 was measured"""
    card = CATALOG.accelerators["nvidia-gb300"].model_copy(update={"compute_capability": 99.0})
    assert load_facts("0.17.1").for_capability(99.0) is None
    assert "float16" in kinds(on(card, "google/gemma-2-27b-it", "0.17.1", dtype="half"))
    assert "quantization-unknown" in kinds(on(card, "Qwen/Qwen3-8B", "0.17.1", quantization="no-such-method"))


def test_a_version_between_two_tables_is_judged_by_both() -> None:
    assert [facts.version for facts in facts_of("0.22.1")] == ["0.19.1", "0.26.0"]
    assert [facts.version for facts in facts_of("0.26.3")] == ["0.26.0"]
    assert [facts.version for facts in facts_of("0.99.0")] == [versions()[-1]]


@pytest.mark.parametrize(
    ("number", "accepted"), [("8k", True), ("8K", True), ("0.5k", True), ("0.5K", False), ("8G", True), ("8Gi", False)]
)
def test_units_of_numbers_are_those_of_the_engine(number: str, accepted: bool) -> None:
    """human_readable_int of vLLM 0.26.0, run with each (findings/vllm-units-of-numbers.sh)."""
    assert (not wrong_values("0.26.0", ["--kv-cache-memory-bytes", number])) == accepted


@pytest.mark.parametrize(("version", "accepted"), [("0.19.1", False), ("0.26.0", True)])
def test_objects_take_units_of_numbers_since_0_20(version: str, accepted: bool) -> None:
    """_expand_json_human_readable_numbers of vLLM 0.20.2, which 0.19.1 lacks."""
    arguments = ["--compilation-config", '{"max_cudagraph_capture_size": 2k, "debug_dump_path": "8k"}']
    assert (not wrong_values(version, arguments)) == accepted


def test_numbers_with_units_are_read_in_the_parts_of_an_object() -> None:
    arguments = ["-cc", '{"max_cudagraph_capture_size": 2K, "cudagraph_mode": "1k"}', "-dcp", "8"]
    assert nested_value(arguments, "--compilation-config", "max_cudagraph_capture_size") == "2048"
    assert nested_value(arguments, "--compilation-config", "cudagraph_mode") == "1k"
    assert option_value(arguments, "--decode-context-parallel-size") == "8"


class TestStretchedPositions:
    YARN = '{"rope_type": "yarn", "factor": 3.2, "original_max_position_embeddings": 40960}'

    @pytest.mark.parametrize(
        ("arguments", "context"),
        [
            ([], 40960),
            ([f'--hf-overrides={{"rope_scaling": {YARN}}}'], 131072),
            (["--hf-overrides", f'{{"text_config": {{"rope_parameters": {YARN}}}}}'], 131072),
            (["--rope-scaling", YARN], 131072),
            (["--rope-scaling", '{"rope_type": "linear", "factor": 2}'], 81920),
            (["--hf-overrides", '{"max_position_embeddings": 65536}'], 65536),
            (["--hf-overrides", "not JSON"], 40960),
        ],
    )
    def test_yarn_lengthens_the_context(self, arguments: list[str], context: int) -> None:
        """GoogleCloudPlatform/accelerated-platforms serves Qwen3-32B with 131,072 tokens that way."""
        assert with_stretched_context(CATALOG.models["Qwen/Qwen3-32B"], arguments, "0.26.0").context == context

    @pytest.mark.parametrize(
        ("overrides", "context"),
        [
            (f'{{"rope_scaling": {YARN}}}', 40960),
            (f'{{"rope_scaling": {YARN}, "max_position_embeddings": 131072}}', 131072),
            ('{"rope_scaling": {"rope_type": "linear", "factor": 2}}', 81920),
        ],
    )
    def test_newer_versions_take_what_is_stated_beside_yarn(self, overrides: str, context: int) -> None:
        """vLLM 0.30.0 and 0.32.0 refused 131,072 tokens of Qwen3 with YaRN alone."""
        arguments = ["--hf-overrides", overrides]
        assert with_stretched_context(CATALOG.models["Qwen/Qwen3-32B"], arguments, "0.30.0").context == context

    @pytest.mark.parametrize(
        ("model", "overrides", "context"),
        [
            ("Qwen/Qwen3.8-27B", f'{{"rope_parameters": {YARN}}}', 262144),
            ("Qwen/Qwen3.8-27B", '{"max_position_embeddings": 524288}', 262144),
            ("Qwen/Qwen3.8-27B", '{"text_config": {"max_position_embeddings": 524288}}', 524288),
            ("google/gemma-4-31B-it", '{"max_position_embeddings": 524288}', 262144),
        ],
    )
    def test_keys_outside_of_the_text_model_stretch_nothing(self, model: str, overrides: str, context: int) -> None:
        """vllm-project/recipes issue 805: 1,010,000 tokens were refused as more than 262,144."""
        stretched = with_stretched_context(CATALOG.models[model], ["--hf-overrides", overrides], "0.28.0")
        assert stretched.context == context

    @pytest.mark.parametrize(
        ("model", "base", "is_lost"),
        [
            ("Qwen/Qwen3-30B-A3B-FP8", "", True),
            ("Qwen/Qwen3-30B-A3B-FP8", '"rope_theta": 1000000, ', False),
            ("Qwen/Qwen3-32B", "", False),
        ],
    )
    def test_scaled_positions_need_the_base_of_the_model(self, model: str, base: str, is_lost: bool) -> None:
        """Qwen3's dense class in vLLM sets its base itself, that of its mixtures of experts does not."""
        scaling = self.YARN.replace("{", "{" + base)
        settings = {
            "id": model,
            "tensorParallel": 2,
            "maxModelLen": 65536,
            "allowExtraArgs": True,
            "extraArgs": [f'--hf-overrides={{"rope_parameters": {scaling}}}'],
        }
        h100 = {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-2g", "provisioning": "spot"}
        plan = plan_of("gpu", {"location": "us-central1-a", "accelerator": h100, "models[0]": settings})
        assert any("own rope_theta" in finding.rule for finding in plan.warnings) is is_lost

    def test_a_stretched_model_is_planned(self) -> None:
        h100 = {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-2g", "nodes": {"min": 0, "max": 1}}
        plan = plan_of(
            "gpu",
            {
                "location": "us-central1-a",
                "accelerator": h100 | {"provisioning": "spot"},
                "models[0]": {
                    "id": "Qwen/Qwen3-32B",
                    "tensorParallel": 2,
                    "maxModelLen": 131072,
                    "allowExtraArgs": True,
                    "extraArgs": [f'--hf-overrides={{"rope_scaling": {self.YARN}}}'],
                },
            },
        )
        memory = plan.models[0].servers[0].memory
        assert memory is not None
        assert memory.longest == 131072


def test_every_name_of_the_newest_table_can_be_set() -> None:
    """Less caches of Gaudi and ROCm, one whose size was not read, a method with an object, and deprecated ones."""
    newest = load_facts(versions()[-1])
    methods = {name for name, entry in newest.quantization.items() if not entry.deprecated}
    assert methods - set(get_args(QuantizationMethod)) == {"online"}
    types = {name for name in newest.option_values["--kv-cache-dtype"] if not name.startswith("octave_")}
    assert types - set(get_args(CacheType)) == {"fp8_inc", "ultraquant_4bit"}


@pytest.mark.parametrize(
    ("version", "option", "value", "is_known"),
    [
        ("0.30.0", "--all2all-backend", "moonep", False),
        ("0.31.0", "--all2all-backend", "moonep", True),
        ("0.31.0", "--mamba-cache-mode", "all", True),
        ("0.32.0", "--mamba-cache-mode", "all", False),
        ("0.32.0", "--kv-cache-dtype", "ultraquant_4bit", True),
        ("0.32.0", "--kv-cache-dtype", "octave_k3v4", False),
        ("0.33.0", "--kv-cache-dtype", "octave_k3v4", True),
    ],
)
def test_values_that_came_or_went_with_the_newest_tables(version: str, option: str, value: str, is_known: bool) -> None:
    assert (wrong_values(version, [option, value]) == []) == is_known


def test_ranges_of_media_options_are_not_checked_for_text_alone() -> None:
    """MultiModalConfig has them, which vLLM makes for models of images alone (vllm/config/model.py of 0.26.0)."""
    limits = ["--limit-mm-per-prompt", '{"image": -1, "video": {"length": 5}}']
    limits += ["--mm-encoder-attn-backend", "word"]
    arguments = ["--video-pruning-rate=-0.5", "--mm-shm-cache-max-object-size-mb=-1", *limits]
    assert len(wrong_values("0.30.0", arguments)) == 4
    assert wrong_values("0.30.0", arguments, text_alone=True) == []
