"""Parameters that follow from configurations against what transformers 5.24 makes of them.

Each row is a configuration class's default (2026-11-29), and the parameters of its model on torch's meta device.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.catalog.config_architectures import load_architectures
from llm_d_gke.catalog.config_json import parse
from llm_d_gke.catalog.parameters import count_parameters

ROWS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("counted_models.json").read_text(encoding="utf-8"))


def architecture(row: dict[str, Any]) -> str:
    return str(row["config"]["architectures"][0])


@pytest.mark.parametrize("row", ROWS, ids=architecture)
def test_parameters_are_those_of_transformers(row: dict[str, Any]) -> None:
    assert count_parameters(parse("some/model", row["config"])).total == pytest.approx(row["parameters"], rel=0.003)


def test_all_architectures_are_counted_but_those_that_transformers_does_not_build() -> None:
    """GLM-V's towers are counted as vLLM builds them, whose merger transformers makes otherwise."""
    assert set(load_architectures().biases) - {architecture(row) for row in ROWS} == {
        "Glm4vForConditionalGeneration",
        "Glm4vMoeForConditionalGeneration",
        "KimiK25ForConditionalGeneration",
        "KimiVLForConditionalGeneration",
        "MiniMaxM3SparseForCausalLM",
        "MiniMaxM3SparseForConditionalGeneration",
    }
