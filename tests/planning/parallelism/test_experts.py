"""Experts that do not divide evenly among devices: refused where vLLM or its kernels refuse them, else accepted."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.catalog.schema import Quantization
from llm_d_gke.planning.findings import Severity
from llm_d_gke.planning.parallelism.sharding import shares
from llm_d_gke.planning.served_model import served_model
from llm_d_gke.planning.serving.sharding_checks import check_sharding
from tests.planning.parallelism.test_layout import CATALOG, H100, H200, V6E, context_for

L4 = {"type": "nvidia-l4", "machineType": "g2-standard-96"}
QWEN, GPT_OSS = "Qwen/Qwen3-Coder-480B-A35B-Instruct", "openai/gpt-oss-120b"  # 160 and 128 experts
BALANCED = ["--enable-eplb"]


def expert_findings(
    accelerator: dict[str, Any],
    model: str,
    devices: int,
    *,
    all_to_all: str = "allgather_reducescatter",
    extra: list[str] | None = None,
) -> list[tuple[str, Severity]]:
    """Findings of experts on data-parallel ranks of one device each."""
    ranks = {"dataParallel": devices, "expertParallel": True, "allToAll": all_to_all}
    ctx = context_for(accelerator, {"id": model, "allowExtraArgs": True, "extraArgs": extra or [], **ranks})
    before = len(ctx.findings)
    check_sharding(served_model(ctx, 0), CATALOG.models[model])
    return [(finding.id, finding.severity) for finding in ctx.findings[before:]]


REFUSED, WARNED = [("LLMD-EP-EXPERTS", Severity.ERROR)], [("LLMD-EP-UNEVEN", Severity.WARNING)]


@pytest.mark.parametrize("all_to_all", ["deepep_low_latency", "deepep_high_throughput"])
def test_deepep_needs_an_even_division(all_to_all: str) -> None:
    assert expert_findings(H200, QWEN, 24, all_to_all=all_to_all) == REFUSED
    assert expert_findings(H200, QWEN, 32, all_to_all=all_to_all) == []


def test_vllm_accepts_an_uneven_division() -> None:
    assert expert_findings(L4, QWEN, 24) == []


@pytest.mark.parametrize("accelerator", [H100, H200])
def test_kernels_without_a_map_of_experts_are_warned_of(accelerator: dict[str, Any]) -> None:
    assert expert_findings(accelerator, QWEN, 24) == WARNED


def test_devices_without_an_expert_are_warned_of() -> None:
    assert expert_findings(L4, QWEN, 161) == WARNED


def test_gpt_oss_is_loaded_in_equal_slices() -> None:
    assert expert_findings(L4, GPT_OSS, 24) == REFUSED
    assert expert_findings(L4, GPT_OSS, 32) == []
    assert not shares(CATALOG.models[GPT_OSS], 3, by_expert=True)


def test_tpus_need_an_even_division() -> None:
    assert expert_findings(V6E, QWEN, 24) == REFUSED


@pytest.mark.parametrize(
    ("extra", "devices", "expected"),
    [
        (BALANCED, 24, REFUSED),
        (BALANCED, 32, []),
        ([*BALANCED, "--eplb-config", '{"num_redundant_experts": 32}'], 24, []),
        ([*BALANCED, '--eplb-config={"num_redundant_experts": 8}'], 32, REFUSED),
        ([*BALANCED, "--eplb-config.num_redundant_experts", "32"], 24, []),
        ([*BALANCED, "--num-redundant-experts=32"], 24, []),
        # As in argparse, the last one counts.
        ([*BALANCED, "--num-redundant-experts=8", "--num-redundant-experts=32"], 24, []),
        ([*BALANCED, "--eplb-config", "{"], 24, REFUSED),
    ],
)
def test_the_load_balancer_counts_copies(extra: list[str], devices: int, expected: list[object]) -> None:
    """A configuration that is no JSON is vLLM's to refuse; the experts are then counted without copies."""
    assert expert_findings(L4, QWEN, devices, extra=extra) == expected


@pytest.mark.parametrize(
    ("method", "model", "devices", "whole"),
    [
        ("awq", "Qwen/Qwen3-30B-A3B", 4, True),
        ("gptq", "Qwen/Qwen3-30B-A3B", 4, True),
        ("compressed-tensors", "Qwen/Qwen3-30B-A3B", 4, False),
        ("awq", "Qwen/Qwen3-30B-A3B", 2, True),
        ("awq", "Qwen/Qwen2.5-14B-Instruct", 8, False),
    ],
)
def test_groups_of_experts_are_halved_until_they_fit(method: str, model: str, devices: int, *, whole: bool) -> None:
    """192 numbers of an expert are three groups of 64, where the checkpoint has groups of 128: moe_wna16.py."""
    quantization = Quantization(method=method, bits=4, group=128)
    assert shares(CATALOG.models[model].model_copy(update={"quantization": quantization}), devices) is whole
