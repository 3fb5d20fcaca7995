"""Numbers in messages have no exponent, which YAML reads as text: `3e+06`."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llm_d_gke.planning import RefusedError, plan_raw
from llm_d_gke.planning.findings import Finding
from llm_d_gke.planning.setting_errors.values import flow


def _about_the_budget(maximum: float, rule: str) -> Finding:
    values: dict[str, Any] = {
        "project": "my-project",
        "location": "us-central1-a",
        "accelerator": {"type": "nvidia-l4", "nodes": {"max": 1000}},
        "models": [{"id": "Qwen/Qwen3-0.6B"}],
        "prices": {"date": "2026-01-01", "machines": {"g2-standard-4": {"onDemand": 5000}}},
        "budget": {"maxMonthlyUsd": maximum},
    }
    with pytest.raises(RefusedError) as refused:
        plan_raw("chat", values, frozenset())
    [finding] = [finding for finding in refused.value.findings if finding.id == rule]
    return finding


@pytest.mark.parametrize("value", [3_000_000.0, 1_234_567.5, 0.00001, 0.85, 5000.0])
def test_a_number_is_written_as_yaml_reads_it(value: float) -> None:
    assert yaml.safe_load(flow(value)) == value


def test_the_value_of_a_setting_keeps_all_digits() -> None:
    assert _about_the_budget(1_234_567.5, "LLMD-BUDGET").value == "1234567.5"


def test_an_advised_number_is_no_text() -> None:
    assert _about_the_budget(300_000_000, "LLMD-SETTING-RANGE").fix == "use 3000000"
