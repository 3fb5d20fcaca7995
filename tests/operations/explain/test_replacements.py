"""Settings whose change replaces a cluster, a pool or an address say so: found by changing each of them."""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.google_types import google_types, under
from llm_d_gke.maintenance.reference.settings import page, schema
from llm_d_gke.operations.explain.command import stack_input_of
from llm_d_gke.operations.explain.explanation import without_collector
from llm_d_gke.operations.explain.fields import Objects
from llm_d_gke.operations.explain.origins import Builder, changes
from llm_d_gke.operations.report.compare import compare
from llm_d_gke.planning import StackPlan
from llm_d_gke.planning.findings import path_of
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.properties import changes as differences
from llm_d_gke.rehearsal.pulumi_engine.changes import diff_settings, save_settings
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.leaves import leaves
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.operations.report.test_compare import facts

NAMES = {"Cluster": "cluster", "Network": "network", "Subnetwork": "subnet", "Address": "address"}

# Parts of a plan from which such resources are built.
PARTS = ("network", "cluster", "accelerator_pools", "cpu_pool", "gateway", "project", "region", "location")

# One stack for each kind of accelerator: only slices have a topology, only GPUs a driver.
STACKS = ("gpu", "tpu")


def name_of(kind: str, name: str) -> str | None:
    if kind == "NodePool":
        return "CPU pool" if name == "cpu" else "accelerator pool"
    return NAMES.get(kind)


def replaced(before: Objects, after: Objects) -> set[str]:
    """The replacements by the provider between two builds of a stack, from its list of immutable properties."""
    names = set()
    for key, (resource, old) in before.items():
        name = name_of(*key)
        if name is None or key not in after:
            continue
        new = after[key][1]
        for path, _ in differences(old, new):
            ignored = under(path, *resource.options.ignore_changes)
            if not ignored and google_types()[resource.type].replaces(path, old, new):
                names.add(name)
    return names


# What runs inside of the cluster, which replaces nothing outside.
INSIDE: dict[str, Any] = {
    **dict.fromkeys(("models", "charts", "chart_namespaces", "chart_policies", "presets"), ()),
    **dict.fromkeys(("routes", "network_policies"), ()),
    **dict.fromkeys(("router", "models_endpoint")),
}


def build(plan: StackPlan) -> Objects:
    built = Builder().build(replace(plan, **INSIDE))
    assert built is not None
    return built


@functools.cache
def replacements() -> dict[str, set[str]]:
    """By setting: everything that some other value of it replaces, in any of the stacks."""
    by_setting: defaultdict[str, set[str]] = defaultdict(set)
    for stack in STACKS:
        # No resource depends on capacity and prices.
        stack_input = replace(stack_input_of(stack), figures=False)
        plan = stack_input.plan()
        assert plan is not None
        before = build(plan)
        with without_collector():
            for change in changes(stack_input, plan, facts=False):
                touched = {leaf.partition(".")[0].partition("[")[0] for leaf in change.paths}
                after = Builder().build(replace(change.plan, **INSIDE)) if touched & set(PARTS) else None
                if after is not None:
                    by_setting[change.input.origin.name] |= replaced(before, after)
    return {setting: what for setting, what in by_setting.items() if what}


def marked() -> dict[str, set[str]]:
    settings = StackSettings.model_validate(stack_input_of("gpu").values)
    return {path_of(*leaf.path): set(leaf.replaces) for leaf in leaves(settings) if leaf.replaces}


def test_every_setting_that_replaces_something_says_so() -> None:
    marks = marked()
    silent = {setting: what - marks.get(setting, set()) for setting, what in replacements().items()}
    assert not {setting: what for setting, what in silent.items() if what}
    assert len(replacements()) > 8


# Settings of existing resources have no other value to try; tests/components/infrastructure has examples. A class
# replaces the Gateway alone, inside of the cluster; tests/components/test_order.py looks at that.
ELSEWHERE = {
    *("llm-d:network.existing", "llm-d:cluster.existing", "llm-d:cluster.encryption.diskKey"),
    *("llm-d:cluster.nodeAccount", "llm-d:gateway.className", "llm-d:gateway.implementation"),
}


def test_no_setting_is_marked_that_replaces_nothing() -> None:
    assert marked().keys() - replacements().keys() == ELSEWHERE


@pytest.mark.parametrize(
    ("setting", "what"),
    [("location", "cluster"), ("accelerator.provisioning", "accelerator pool"), ("gateway.exposure", "address")],
)
def test_reference_and_schema_tell_it(setting: str, what: str) -> None:
    assert what in marked()[f"llm-d:{setting}"]
    key = setting.rpartition(".")[2]
    # Groups of settings may have keys of the same name, and only this one replaces something.
    lines = [line for line in page().splitlines() if line.startswith(f"| `{key}` |")]
    (line,) = [line for line in lines if "A change replaces: " in line]
    assert what in line
    assert f"A change replaces: {what}" in str(schema()).partition(f"{key}':")[2]


def test_the_comment_of_a_pull_request_names_them() -> None:
    text = compare({"gpu": facts()}, {"gpu": facts(**{"accelerator.provisioning": "spot"})})
    assert "- `llm-d:accelerator.provisioning`: `on-demand` → `spot` **replaces accelerator pool**" in text
    assert "hf_" not in text


def test_a_rehearsed_preview_names_the_settings_behind_a_change(tmp_path: Path) -> None:
    paths = StackPaths("gpu", root=tmp_path)
    paths.home.mkdir(parents=True)
    standing = load(PROJECT_ROOT, "gpu")
    assert list(diff_settings(paths, standing)) == []
    save_settings(paths, standing)
    assert list(diff_settings(paths, standing)) == []
    overrides = {"llm-d:accelerator.provisioning": "spot", "llm-d:models[0].replicas": "2"}
    assert list(diff_settings(paths, load(PROJECT_ROOT, "gpu", overrides))) == [
        "llm-d:accelerator.provisioning: on-demand -> spot: replaces accelerator pool",
        "llm-d:models[0].replicas: 1 -> 2",
    ]
    # Of a new group the defaults are no change.
    load_and_budget = {"llm-d:models[0].load.concurrency": "8", "llm-d:budget.maxMonthlyUsd": "5000"}
    assert list(diff_settings(paths, load(PROJECT_ROOT, "gpu", load_and_budget))) == [
        "llm-d:models[0].load.concurrency: (not set) -> 8",
        "llm-d:budget.maxMonthlyUsd: (none) -> 5000",
    ]
    own = {key: value for key, value in standing.values.items() if key != "llm-d:acknowledge"}
    without = replace(standing, values=own)
    (reason,) = [entry["reason"] for entry in standing.values["llm-d:acknowledge"]]
    assert list(diff_settings(paths, without)) == [
        "llm-d:acknowledge[0].id: LLMD-GATEWAY-OPEN -> (none)",
        f"llm-d:acknowledge[0].reason: {reason} -> (none)",
    ]
    assert "hf_" not in paths.settings.read_text(encoding="utf-8")
