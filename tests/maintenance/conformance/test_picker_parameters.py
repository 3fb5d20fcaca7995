"""Values for parameters of pickers' plugins, and whether the planner refuses what the pickers were seen to refuse."""

from __future__ import annotations

import pytest

from llm_d_gke import catalog
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.maintenance.conformance import picker_parameters
from llm_d_gke.maintenance.conformance.picker_parameters import probes, refusal_here

PICKERS = catalog.load().pickers


def test_every_parameter_gets_right_and_wrong_values() -> None:
    tried = list(probes(PICKERS["epp-v1.5.0"].plugins["max-score-picker"]))
    assert {probe.path for probe in tried} == {"", "maxNumOfEndpoints"}
    assert {"maxNumOfEndpoints": 7} in [probe.parameters for probe in tried]
    assert {"maxNumOfEndpoints": "text"} in [probe.parameters for probe in tried]


@pytest.mark.parametrize(
    ("build", "plugin", "parameters", "refused"),
    [
        ("epp-v1.5.0", "utilization-detector", {"kvCacheUtilThreshold": 0}, True),
        ("epp-v1.5.0", "core-metrics-extractor", {"defaultEngine": "mine"}, True),
        ("epp-v1.5.0", "core-metrics-extractor", {"defaultEngine": "trtllm-serve"}, False),
        ("llm-d-inference-scheduler-v0.7.1", "model-server-protocol-metrics", {"defaultEngine": "trtllm-serve"}, True),
        ("llm-d-inference-scheduler-v0.7.1", "precise-prefix-cache-scorer", {}, True),
        ("llm-d-inference-scheduler-v0.7.1", "prefix-cache-scorer", {"maxPrefixTokensToMatch": "x"}, False),
        ("epp-v1.5.0", "prefix-cache-scorer", {"maxPrefixTokensToMatch": "x"}, True),
        ("epp-v1.5.0", "max-score-picker", {"maxNumOfEndpoints": -1}, False),
        ("epp-v1.5.0", "max-score-picker", {"maxNumOfEndpoints": "1"}, True),
    ],
    ids=str,
)
def test_the_planner_refuses_what_the_picker_was_seen_to_refuse(
    build: str, plugin: str, parameters: dict[str, object], refused: bool
) -> None:
    picker = PICKERS[build]
    assert (refusal_here(picker, picker.plugins[plugin], parameters) is not None) is refused


def test_nothing_is_taken_that_a_picker_refuses() -> None:
    """Of the recorded differences, none is a value that the planner lets through and the picker ends on."""
    results = read_yaml(picker_parameters.FILE)
    assert set(results) == {build for build, _, _ in picker_parameters.pinned_pickers()}
    accepted_by_planner = [row for result in results.values() for row in result["differences"] if row[3] == "planner"]
    # An amount of memory that no machine has.
    assert [row[:2] for row in accepted_by_planner] == [["precise-prefix-cache-scorer", "kvEventsConfig.concurrency"]]


@pytest.mark.parametrize("build", [name for name, picker in PICKERS.items() if picker.unchecked])
def test_unchecked_parameters_exist(build: str) -> None:
    for plugin, paths in PICKERS[build].unchecked.items():
        assert set(paths) <= {probe.path for probe in probes(PICKERS[build].plugins[plugin])}
