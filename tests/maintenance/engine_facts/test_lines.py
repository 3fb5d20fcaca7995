"""Random command lines, and the comparison of both verdicts on them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from llm_d_gke.catalog.engine_tables import load_facts
from llm_d_gke.maintenance.engine_facts.lines import judged, summary
from llm_d_gke.maintenance.engine_facts.random_lines import stacks
from llm_d_gke.maintenance.engine_facts.random_models import models

_CONFIG = Path("tests/planning/figures/found_configs/TinyLlama-1.1B-Chat-v1.0.json")


def _rows(seed: int) -> list[dict[str, Any]]:
    configurations = {"acme/tiny": json.loads(_CONFIG.read_text(encoding="utf-8"))}
    drawn = stacks(seed, load_facts("0.32.0"), configurations)
    return list(itertools.islice(judged(drawn, configurations), 5))


def test_a_seed_gives_the_same_lines_with_the_drawn_options_at_their_end() -> None:
    rows = _rows(seed=3)
    assert rows == _rows(seed=3)
    assert rows != _rows(seed=4)
    for row in rows:
        extra = row["stack"]["models"][0]["extraArgs"]
        assert row["arguments"][-len(extra) :] == extra


def test_a_seed_gives_the_same_models_which_differ_from_their_base() -> None:
    base = json.loads(_CONFIG.read_text(encoding="utf-8"))
    drawn = models(3, 800, {"acme/tiny": base})
    assert drawn == models(3, 800, {"acme/tiny": base})
    assert drawn != models(4, 800, {"acme/tiny": base})
    assert base == json.loads(_CONFIG.read_text(encoding="utf-8"))
    methods = {
        config["quantization_config"].get("quant_method")
        for config in drawn.values()
        if "quantization_config" in config
    }
    assert methods >= {"gptq", "awq", "fp8", "compressed-tensors", "modelopt", "mxfp4"}
    changed = {key for config in drawn.values() for key in config if config[key] != base.get(key)}
    assert changed >= {"architectures", "rope_scaling", "sliding_window", "torch_dtype", "num_key_value_heads"}


def test_the_summary_sorts_lines_by_who_refuses_them() -> None:
    line = {"stack": {"models": [{"id": "acme/tiny"}]}, "accelerator": "nvidia-l4", "arguments": ["serve", "--x"]}
    wrong = ["LLMD-ENGINE-VALUE extraArgs[0]: --x takes numbers"]
    verdicts = [(None, []), ("error: --x", []), (None, wrong), ("error: --x", wrong), ("unanswered", [])]
    text = summary([line | {"engine": engine, "errors": errors, "warnings": ["W"]} for engine, errors in verdicts])
    assert text.splitlines() == [
        "4 lines: both take 1, both refuse 1",
        "not answered, by gaps of the stand-in: 1",
        "the engine alone refuses 1, with a warning of the planner 1",
        "  acme/tiny on nvidia-l4, --x: error: --x ['W']",
        "the planner alone refuses 1: {'LLMD-ENGINE-VALUE': 1}",
        f"  acme/tiny on nvidia-l4, --x: {wrong[0]}",
    ]
