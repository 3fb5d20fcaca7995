"""Weights that follow from configurations against the sizes of the published files."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.catalog import Model, download_gib, load, weights_gib
from llm_d_gke.catalog.config_json import parse
from llm_d_gke.catalog.errors import ConfigError
from llm_d_gke.catalog.parameters import draft_gib
from llm_d_gke.catalog.reading import read_yaml

SIZES: list[dict[str, Any]] = read_yaml(Path(__file__).with_name("published_sizes.yaml"))
CONFIGS = Path(__file__).parents[1] / "planning" / "figures" / "found_configs"


def model_of(row: dict[str, Any]) -> Model:
    if "config" in row:
        return parse(row["model"], json.loads((CONFIGS / f"{row['config']}.json").read_text(encoding="utf-8")))
    model = load().models[row.get("as", row["model"])]
    return model.model_copy(update={"quantization": None}) if row.get("plain") else model


def test_files_are_as_large_as_their_configuration_says() -> None:
    errors = [(weights_gib(model) + draft_gib(model)) / row["gib"] - 1 for row in SIZES if (model := model_of(row))]
    assert len(errors) == 39
    assert statistics.median(map(abs, errors)) < 0.0003
    assert max(map(abs, errors)) < 0.007


def test_a_node_downloads_prediction_layers_though_vllm_loads_them_for_drafts_only() -> None:
    glm = load().models["nvidia/GLM-5.2-NVFP4"]
    assert download_gib(glm) == pytest.approx(432.9, abs=0.1)
    assert weights_gib(glm) == pytest.approx(414.3, abs=0.1)


@pytest.mark.parametrize(
    "architecture",
    ["DeepseekV4ForCausalLM", "KimiK3ForConditionalGeneration", "Step3p7FlashForCausalLM",
     "MiMoV2FlashForCausalLM", "MistralLarge3ForCausalLM",
     "NemotronH_Nano_VL_V2", "LagunaForCausalLM", "DeciLMForCausalLM"],
)  # fmt: skip
def test_unknown_architectures_are_refused_by_name(architecture: str) -> None:
    config = {"architectures": [architecture], "num_hidden_layers": 4, "hidden_size": 256, "num_attention_heads": 4}
    with pytest.raises(ConfigError, match=architecture):
        parse("somebody/model", config)
