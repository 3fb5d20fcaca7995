"""The InferencePool CRD that the stack installs on older clusters keeps the rules of the published one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.components.platform.crds import DEFINITION, LEGACY_DEFINITION, OBJECTIVE_DEFINITION
from llm_d_gke.rehearsal.toolchain.build import module_dir
from tests.stacks import graph_of, plan_of


def _without_prose(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_prose(item)
            for key, item in value.items()
            if not (key == "description" and isinstance(item, str))
        }
    return [_without_prose(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("definition", "pins", "name"),
    [
        (DEFINITION, "cluster", "inference.networking.k8s.io_inferencepools.yaml"),
        (OBJECTIVE_DEFINITION, "cluster", "inference.networking.x-k8s.io_inferenceobjectives.yaml"),
        (LEGACY_DEFINITION, "definitions", "inference.networking.x-k8s.io_inferencepools.yaml"),
    ],
)
def test_the_definition_is_the_published_one_without_its_prose(definition: Path, pins: str, name: str) -> None:
    published = module_dir("sigs.k8s.io/gateway-api-inference-extension", pins) / "config" / "crd" / "bases"
    upstream = read_yaml(published / name)
    ours = read_yaml(definition)
    assert ours["spec"] == _without_prose(upstream["spec"])
    assert ours["metadata"]["name"] == upstream["metadata"]["name"]
    # The API server refuses a definition in a k8s.io group without it.
    approved = "api-approved.kubernetes.io"
    assert ours["metadata"]["annotations"].get(approved) == upstream["metadata"]["annotations"].get(approved)


def test_only_a_kserve_that_insists_gets_the_kind_of_before() -> None:
    kserve = {"deployment": "kserve"}
    rendered = {
        release: plan_of("gpu", {**kserve, "release": release}).crds.legacy for release in ("gaie-1.5", "llm-d-0.9")
    }
    assert rendered == {"gaie-1.5": True, "llm-d-0.9": False}
    assert plan_of("gpu").crds.legacy is False
    # There KServe's chart has both kinds.
    assert plan_of("gpu", {**kserve, "release": "gaie-1.5", "cluster.version": "1.33"}).crds.legacy is False


@pytest.mark.parametrize(
    ("changes", "installed"),
    [
        ({}, False),
        ({"release": "llm-d-0.6"}, False),
        # Up to v1.2.0 of the inference extension a picker ends without the CRD.
        ({"release": "llm-d-0.4"}, True),
        ({"release": "gaie-1.5", "picker.release": "llm-d-0.4"}, True),
        ({"release": "llm-d-0.4", "picker.release": "gaie-1.5"}, False),
        # KServe's chart has it.
        ({"release": "llm-d-0.4", "deployment": "kserve"}, False),
    ],
)
def test_a_picker_that_ends_without_objectives_gets_their_crd(changes: dict[str, object], installed: bool) -> None:
    assert plan_of("gpu", changes).crds.objectives is installed


def test_so_does_the_picker_of_prefill_and_decode() -> None:
    assert plan_of("disaggregated-gpu", {"release": "llm-d-0.4"}).crds.objectives is True


def test_a_definition_that_an_earlier_stack_left_is_taken_over() -> None:
    """It is kept on destroy, so a second `up` in the same cluster finds it there."""
    graph = graph_of("gpu", {"cluster.version": "1.33"})
    definition = graph.one("kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition")
    adopting = graph.one("pulumi:providers:kubernetes", "kubernetes-adopting")
    assert adopting["upsertExistingObjects"] in (True, "true")
    assert definition.provider is not None
    assert definition.provider.startswith(adopting.urn)


def test_nothing_else_is_taken_over() -> None:
    [provider] = graph_of("gpu").by_type("pulumi:providers:kubernetes")
    assert "upsertExistingObjects" not in provider.inputs
