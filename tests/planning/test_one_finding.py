"""One mistake is one finding: none beside it asks for something else, or repeats it in other words."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.planning.context import resolve_context
from llm_d_gke.planning.findings import Finding, Findings, Severity
from llm_d_gke.planning.rules import RULES, Rule
from llm_d_gke.settings import StackSettings
from tests.planning.refusals.case import findings_of
from tests.planning.refusals.every import EVERY
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
    (
        "prediction layers that the model lacks",
        "gpu",
        {"models[0].speculativeDecoding": {"method": "mtp", "tokens": 2}},
        "LLMD-SPECULATION-METHOD",
    ),
    (
        "the name of a scorer that a profile misspells",
        "gpu",
        {
            "picker.config": {
                "plugins": [{"type": "queue-scorer"}],
                "schedulingProfiles": [{"name": "default", "plugins": [{"pluginRef": "queue"}]}],
            }
        },
        "LLMD-PICKER-PROFILE-PLUGIN",
    ),
    (
        "a profile whose only scorer has weight 0",
        "gpu",
        {
            "picker.config": {
                "plugins": [{"type": "queue-scorer"}],
                "schedulingProfiles": [{"name": "default", "plugins": [{"pluginRef": "queue-scorer", "weight": 0}]}],
            }
        },
        "LLMD-PICKER-PROFILE-SCORERS",
    ),
    ("an image that cannot be one", "gpu", {"models[0].image": "ghcr.io/A/B:1"}, "LLMD-IMAGE-FORM"),
]

# An error and a warning about one place that are two mistakes of an example.
TWO_MISTAKES = {
    ("LLMD-IMAGE-COMMAND", "LLMD-IMAGE-UNKNOWN"),
    ("LLMD-PICKER-PLUGIN-REFERENCE", "LLMD-PICKER-PLUGIN-UNUSED"),
    ("LLMD-PICKER-PROFILE-NAME", "LLMD-PICKER-PROFILE-SCORERS"),
    ("LLMD-PICKER-PROFILES", "LLMD-PICKER-PROFILE-SCORERS"),
}


@pytest.mark.parametrize(("stack", "changes", "rule"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_it_is_found_once(stack: str, changes: dict[str, Any], rule: str) -> None:
    before = {finding.id for finding in findings_of(stack)}
    assert [finding.id for finding in findings_of(stack, changes) if finding.id not in before] == [rule]


def test_no_warning_repeats_an_error() -> None:
    """Neither at its place nor with its correction, of all examples."""
    pairs = {
        (error.id, warning.id)
        for wrong in EVERY
        for error, warning in product(wrong.findings(), wrong.findings())
        if (error.severity, warning.severity) == (Severity.ERROR, Severity.WARNING)
        and (_holds(error.path, warning.path) or _holds(warning.path, error.path) or _same_fix(error, warning))
    }
    assert pairs - TWO_MISTAKES == set()


def _holds(place: str, path: str) -> bool:
    """Whether a path is the place, or below it. The list of all models is no place."""
    return path == place or (path.startswith((f"{place}.", f"{place}[")) and place != "llm-d:models")


def _same_fix(error: Finding, warning: Finding) -> bool:
    return warning.fix in error.fix and " it" not in warning.fix


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.covered_by], ids=lambda rule: rule.id)
def test_rules_are_covered_by_errors(rule: Rule) -> None:
    assert rule.severity != "error"
    assert [other for other in rule.covered_by if RULES[other].severity == "warning"] == []


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


def test_what_several_models_say_of_one_setting_is_said_once() -> None:
    changes = {"deployment": "kserve", "accelerator.nodes.max": 2}
    warnings = [finding for finding in findings_of("multi-model-gpu", changes) if finding.id == "LLMD-KSERVE-ROLLOUT"]
    assert len(warnings) == 1
