"""One mistake is one finding: none beside it asks for something else, or repeats it in other words."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.planning.context import Findings, resolve_context
from llm_d_gke.settings import StackSettings
from tests.planning.refusals.case import findings_of
from tests.stacks import values_of

L4: dict[str, Any] = {"accelerator": {"type": "nvidia-l4", "nodes": {"max": 4}}, "location": "us-central1-a"}

MISTAKES: list[tuple[str, str, dict[str, Any], str]] = [
    ("no divisor on a TPU", "tpu", {"models[0].tensorParallel": 3}, "LLMD-TP-TPU-CHIPS"),
    (
        "tensor parallelism over nodes",
        "gpu",
        {**L4, "models": [{"id": "Qwen/Qwen3-8B", "maxModelLen": 4096, "tensorParallel": 2}]},
        "LLMD-TP-ACROSS-NODES",
    ),
    (
        "ranks of a dense model",
        "gpu",
        {**L4, "models": [{"id": "Qwen/Qwen3-8B", "maxModelLen": 4096, "dataParallel": 2}]},
        "LLMD-DENSE-RANKS",
    ),
    (
        "blocks on the host beside a transfer",
        "disaggregated-gpu",
        {"models[0].kvOffloadGib": 64},
        "LLMD-KV-OFFLOAD",
    ),
]


@pytest.mark.parametrize(("stack", "changes", "rule"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_it_is_found_once(stack: str, changes: dict[str, Any], rule: str) -> None:
    before = {finding.id for finding in findings_of(stack)}
    assert [finding.id for finding in findings_of(stack, changes) if finding.id not in before] == [rule]


@pytest.mark.parametrize(
    ("topology", "machine"),
    [
        ("1x1", "ct6e-standard-1t"),
        ("2x2", "ct6e-standard-4t"),
        ("2x4", "ct6e-standard-8t"),
        ("4x4", "ct6e-standard-4t"),
    ],
)
def test_a_topology_names_its_machine(topology: str, machine: str) -> None:
    """Without a machine type it is the one with the fewest hosts whose slices have the topology."""
    values = values_of("tpu", {"accelerator": {"type": "tpu-v6e", "topology": topology}})
    settings = StackSettings.model_validate(values)
    ctx = resolve_context("tpu", settings, load(), Findings(), transfers_kv_cache=False)
    assert ctx is not None
    assert ctx.machine.name == machine


def test_misspelled_keys_of_a_group_do_not_take_it_away() -> None:
    """Without autoscaling the one replica that is the default would be refused, too."""
    changes = {"models[0].replicas": None, "models[0].autoscaling": {"min": 2, "max": 2, "target": {"cpu": 50}}}
    before = {finding.id for finding in findings_of("prefix-cache-gpu")}
    after = {finding.id for finding in findings_of("prefix-cache-gpu", changes)}
    assert after - before == {"LLMD-SETTING-UNKNOWN"}
