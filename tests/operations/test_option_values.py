"""Values for vLLM's options, and whether the planner refuses what its parsers were seen to refuse."""

from __future__ import annotations

import pytest
import yaml

from llm_d_gke.catalog.engines import load_facts, versions
from llm_d_gke.operations.conformance import option_values
from llm_d_gke.operations.conformance.option_values import Probe, probes, refusal_here
from llm_d_gke.planning.serving.extra_args import OWNED


@pytest.mark.parametrize("version", versions())
def test_every_option_that_a_stack_may_write_gets_right_and_wrong_values(version: str) -> None:
    tried = set(probes(load_facts(version)))
    assert {Probe("--seed", None), Probe("--seed", "8"), Probe("--seed", "word")} <= tried
    assert {Probe("--dtype", choice) for choice in ("half", "auto", "8")} <= tried
    assert not {probe.option for probe in tried} & set(OWNED)


@pytest.mark.parametrize(
    ("option", "value", "refused"),
    [
        ("--seed", "8", False),
        ("--seed", "8k", True),
        ("--seed", "", True),
        ("--max-num-scheduled-tokens", "8k", False),
        ("--max-cpu-loras", "None", False),
        ("--cpu-offload-gb", "None", True),
        ("--cpu-offload-gb", "inf", False),
        ("--pooler-config", "None", False),
        ("--pooler-config", "8", True),
        ("--pooler-config", "[1]", True),
        ("--generation-config", "", False),
        ("--collect-detailed-traces", "word", True),
        ("--collect-detailed-traces", "model", False),
        ("--collect-detailed-traces", None, True),
        ("--numa-bind-nodes", "word", True),
        ("--safetensors-load-strategy", "None", True),
    ],
)
def test_the_planner_refuses_what_the_parser_was_seen_to_refuse(option: str, value: str | None, refused: bool) -> None:
    assert (refusal_here("0.26.0", Probe(option, value)) is not None) is refused


def test_nothing_is_refused_that_vllm_takes() -> None:
    results = yaml.safe_load(option_values.FILE.read_text(encoding="utf-8"))
    refused_here = [(version, *row) for version, result in results.items() for row in result["differences"]]
    assert [row for row in refused_here if row[2] == "planner"] == []
