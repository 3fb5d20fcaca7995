"""Models of late 2026 are read from their published configurations, or refused by name.

configs_2026: what memory depends on of the files in github.com/ai-dynamo/aiconfigurator, model_configs, at 095f58a.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.catalog import Model, load
from llm_d_gke.catalog.config_json import parse
from llm_d_gke.catalog.config_quantization import from_modelopt_file, quantization_of
from llm_d_gke.catalog.config_vision import towers
from llm_d_gke.catalog.errors import ConfigError
from llm_d_gke.catalog.parameters import count_parameters, weights_gib
from llm_d_gke.planning.sizing.memory import EngineOptions, engine_run, judge

FOLDER = Path(__file__).parent / "configs_2026"
NAMES = sorted(path.name.removesuffix(".config.json") for path in FOLDER.glob("*.config.json"))


def read(name: str) -> Model:
    config = json.loads((FOLDER / f"{name}.config.json").read_text(encoding="utf-8"))
    separate_file = FOLDER / f"{name}.hf_quant_config.json"
    quantization = (
        from_modelopt_file(json.loads(separate_file.read_text(encoding="utf-8"))) if separate_file.is_file() else None
    )
    return parse(name.replace("--", "/"), config, quantization=quantization)


@pytest.mark.parametrize("name", NAMES)
def test_the_catalog_has_what_its_configuration_says(name: str) -> None:
    ours, theirs = load().models[name.replace("--", "/")], read(name)
    assert weights_gib(ours) == pytest.approx(weights_gib(theirs), rel=0.001)
    assert ours.attention == theirs.attention
    assert ours.rotary == theirs.rotary
    assert ours.draft == theirs.draft
    assert ours.quantization == theirs.quantization or ours.quantization is not None


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        # As published on the models' pages; NVFP4 models have the parameters of their base models.
        ("Qwen--Qwen3.5-397B-A17B", 397),
        ("Qwen--Qwen3-VL-30B-A3B-Instruct", 31.1),
        ("MiniMaxAI--MiniMax-M2.5", 229),
        ("nvidia--MiniMax-M3-NVFP4", 427.04),
        ("deepseek-ai--DeepSeek-V3.2", 671.9),
        ("zai-org--GLM-5.2", 743),
        ("moonshotai--Kimi-K2.5", 1027),
        ("nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", 31.6),
        ("nvidia--NVIDIA-Nemotron-3-Super-120B-A12B-FP8", 120.7),
    ],
)
def test_its_parameters_are_those_published(name: str, billions: float) -> None:
    assert count_parameters(read(name)).total / 1e9 == pytest.approx(billions, rel=0.003)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("Qwen--Qwen3.5-397B-A17B", {"linear": 45, "full": 15}),
        ("deepseek-ai--DeepSeek-V3.2", {"mla": 61}),
        ("zai-org--GLM-5.2", {"mla": 78}),
        ("MiniMaxAI--MiniMax-M2.5", {"full": 62}),
        ("nvidia--MiniMax-M3-NVFP4", {"full": 60}),
        ("nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", {"mamba": 23, "none": 23, "full": 6}),
        ("nvidia--NVIDIA-Nemotron-3-Super-120B-A12B-FP8", {"mamba": 40, "none": 40, "full": 8}),
        ("nvidia--Gemma-4-26B-A4B-NVFP4", {"sliding": 25, "full": 5}),
    ],
)
def test_each_has_its_kinds_of_layers(name: str, kinds: dict[str, int]) -> None:
    assert {group.kind: group.layers for group in read(name).attention} == kinds


def test_some_layers_use_the_tokens_another_chose() -> None:
    """DeepSeek V3.2 has an indexer in each layer, GLM-5.2 in its first three and in every fourth after them."""
    indexers = {name: read(name).attention[0].indexer for name in ("deepseek-ai--DeepSeek-V3.2", "zai-org--GLM-5.2")}
    assert {name: indexer and indexer.layers for name, indexer in indexers.items()} == {
        "deepseek-ai--DeepSeek-V3.2": 61,
        "zai-org--GLM-5.2": 21,
    }


def test_an_index_of_blocks_is_cached_beside_keys_and_values() -> None:
    """A log of MiniMax-M3 on two B200 (0.23, blocks of 128) has 237,312 tokens in 16.81 GiB, which it states."""
    run = engine_run(
        load().models["MiniMaxAI/MiniMax-M3"],
        load().accelerators["nvidia-b200"],
        "0.24.0",
        EngineOptions(tensor_parallel=2, max_model_len=8192),
    )
    assert run is not None
    verdict = judge(run, measured_gib=16.81)
    assert verdict.block_size == 128
    assert verdict.kv_tokens == pytest.approx(237_312, rel=0.001)
    assert verdict.max_concurrency == pytest.approx(28.97, rel=0.001)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        # attention and experts in other bits than the rest; lm_head only where it is named
        ("nvidia--Qwen3.6-27B-NVFP4", {"attention": 8, "linear": 8.034, "mlp": 4.5, "lm_head": 4.5}),
        (
            "nvidia--Qwen3.6-35B-A3B-NVFP4",
            {"attention": 8, "linear": 8.031, "shared": 4.5, "experts": 4.5, "lm_head": 4.5},
        ),
        ("nvidia--Gemma-4-26B-A4B-NVFP4", {"attention": 16, "shared": 16}),
        ("nvidia--Qwen3.5-122B-A10B-NVFP4", {"attention": 16, "linear": 16, "shared": 16}),
        ("nvidia--DeepSeek-V3.1-NVFP4", {"attention": 8.782}),
        ("nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", {"attention": 16, "linear": 7.5}),
        ("moonshotai--Kimi-K2.5", {"attention": 16, "mlp": 16, "shared": 16}),
        ("nvidia--Llama-3.1-70B-Instruct-FP8", {}),
    ],
)
def test_parts_are_stored_as_targets_and_exceptions_say(name: str, parts: dict[str, float]) -> None:
    quantization = read(name).quantization
    assert quantization is not None
    assert quantization.parts == pytest.approx(parts, abs=0.001)


def test_four_bits_of_nvfp4_have_a_scale_of_eight_for_each_sixteen() -> None:
    quantization = read("nvidia--Qwen3.5-122B-A10B-NVFP4").quantization
    assert quantization is not None
    assert quantization.stored_bits("experts", 16) == 4.5
    assert quantization.kv_cache


@pytest.mark.parametrize(
    "architecture",
    [
        "DeepseekV4ForCausalLM",
        "KimiK3ForConditionalGeneration",
        "MiMoV2FlashForCausalLM",
        "Step3p7FlashForCausalLM",
        "DeciLMForCausalLM",
    ],
)
def test_what_is_not_computed_is_refused_by_name(architecture: str) -> None:
    with pytest.raises(ConfigError, match=f"the memory of {architecture} cannot be computed: ") as refused:
        parse("somebody/model", {"architectures": [architecture]})
    assert refused.value.unknown


GIB = 2**30
SQUARE = {"init_pos_emb_height": 64, "init_pos_emb_width": 64, "merge_kernel_size": [2, 2], "patch_size": 14}


@pytest.mark.parametrize(
    ("architecture", "config", "hidden", "gib"),
    [
        ("Qwen3_5", {"hidden_size": 1024, "intermediate_size": 4096, "depth": 24, "out_hidden_size": 2560}, 2560, 0.62),
        ("Qwen3_5", {"depth": 27, "out_hidden_size": 4096}, 4096, 0.85),
        ("Qwen3_5", {"depth": 27, "out_hidden_size": 5120}, 5120, 0.86),
        ("Mistral3", {"model_type": "pixtral"}, 5120, 0.82),
        (
            "Gemma4",
            {
                "model_type": "gemma4_vision",
                "hidden_size": 1152,
                "intermediate_size": 4304,
                "num_hidden_layers": 27,
                "head_dim": 72,
                "num_attention_heads": 16,
                "num_key_value_heads": 16,
            },
            5376,
            1.07,
        ),
        (
            "KimiVL",
            {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, **SQUARE},
            2048,
            0.83,
        ),
    ],
    ids=["Qwen3.5-4B", "Qwen3.5-9B", "Qwen3.5-27B", "Mistral-Small-3.1", "gemma-4-31B", "Kimi-VL"],
)
def test_a_vision_tower_has_the_size_that_logs_show(
    architecture: str, config: dict[str, Any], hidden: int, gib: float
) -> None:
    tower = towers(architecture, {"vision_config": config}, hidden)
    assert tower is not None
    assert tower.parameters * 2 / GIB == pytest.approx(gib, abs=0.005)


def test_a_tower_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="vision tower") as refused:
        towers("Mistral3ForConditionalGeneration", {"vision_config": {"model_type": "unheard_of"}}, 4096)
    assert refused.value.unknown


@pytest.mark.parametrize(("name", "billions"), [("google/gemma-4-E2B-it", 5.1), ("google/gemma-4-E4B-it", 8.0)])
def test_small_gemma_4_has_its_published_parameters(name: str, billions: float) -> None:
    assert count_parameters(load().models[name]).total / 1e9 == pytest.approx(billions, rel=0.01)


@pytest.mark.parametrize(
    ("config", "bits"),
    [
        ({"quant_method": "fbgemm_fp8"}, 8),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 128, "sym": True}, 4.125),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": False}, 4.15625),
        ({"quant_method": "modelopt", "quant_algo": "MXFP8"}, 8.25),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, 4.25),
    ],
    ids=lambda value: str(value)[:40],
)
def test_methods_by_bits_with_their_scales(config: dict[str, Any], bits: float) -> None:
    quantization = quantization_of(config)
    assert quantization is not None
    assert quantization.stored_bits("mlp", 16) == bits


@pytest.mark.parametrize(
    "config",
    [
        {"quant_method": "modelopt", "quant_algo": "W1A1"},
        {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"},
        {"quant_method": "quark"},
        {"quant_method": "compressed-tensors", "config_groups": {}},
        {"quant_method": "fp8", "moe_quant_algo": "NVFP4"},
    ],
    ids=str,
)
def test_methods_that_are_not_known_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        quantization_of(config)


def test_latent_attention_is_not_without_its_shape() -> None:
    entry = load().models["deepseek-ai/DeepSeek-V3.2"].model_dump() | {"mla": None}
    with pytest.raises(ValueError, match="a group of mla attention lacks what describes it"):
        Model.model_validate(entry)
