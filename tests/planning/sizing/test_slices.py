"""A model that a TPU slice cannot hold is sent to the smallest slice that can, with settings that make a plan."""

from __future__ import annotations

import re
from typing import Any

import pytest

from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import findings_of


@pytest.mark.parametrize(
    ("model", "accelerator", "fix"),
    [
        ("Qwen/Qwen3-32B", {"type": "tpu-v6e"}, "accelerator.machineType: ct6e-standard-4t"),
        ("Qwen/Qwen3-32B", {"type": "tpu-v6e", "topology": "1x1"}, "accelerator.topology: 2x2"),
        (
            "Qwen/Qwen3-32B",
            {"type": "tpu-v6e", "topology": "1x1", "machineType": "ct6e-standard-1t"},
            "accelerator.topology: 2x2 and accelerator.machineType: ct6e-standard-4t",
        ),
        (
            "meta-llama/Llama-3.1-405B-Instruct",
            {"type": "tpu-v6e", "topology": "2x4"},
            "accelerator.topology: 4x8 and accelerator.nodes.max: 8",
        ),
        (
            "meta-llama/Llama-3.1-405B-Instruct",
            {"type": "tpu-v7x", "topology": "2x2x1"},
            "accelerator.topology: 2x2x2 and accelerator.nodes.max: 2",
        ),
    ],
)
def test_the_smallest_slice_that_holds_a_model_is_named(model: str, accelerator: dict[str, Any], fix: str) -> None:
    changes: dict[str, Any] = {
        "location": "us-central1-c" if accelerator["type"] == "tpu-v7x" else "us-east5-b",
        "accelerator": accelerator,
        "models": [{"id": model, "maxModelLen": 4096}],
    }
    (finding,) = [f for f in findings_of("tpu", changes) if f.severity is Severity.ERROR]
    assert finding.id == "LLMD-MEMORY-WEIGHTS"
    assert fix in re.split(r" or |use |, ", finding.fix)
    repaired = {path: value for path, _, value in (part.partition(": ") for part in fix.split(" and "))}
    if "accelerator.nodes.max" in repaired:
        del repaired["accelerator.nodes.max"]
        repaired |= {"accelerator.nodes": {"max": int(fix.rpartition(" ")[2])}}  # type: ignore[dict-item]
    assert [f for f in findings_of("tpu", {**changes, **repaired}) if f.severity is Severity.ERROR] == []


def test_a_draft_model_of_the_catalog_is_not_called_unknown() -> None:
    guessing = {"method": "draft_model", "tokens": 3, "draftModel": "Qwen/Qwen3-0.6B"}
    model = {"id": "Qwen/Qwen3-8B", "maxModelLen": 4096, "dataParallel": 2, "speculativeDecoding": guessing}
    rules = {finding.id: finding.rule for finding in findings_of("gpu", {"models": [model]})}
    assert rules["LLMD-MEMORY-DRAFT-UNKNOWN"].startswith(
        "the catalog knows the size of the draft model, and it is not established how pipeline stages and"
    )
