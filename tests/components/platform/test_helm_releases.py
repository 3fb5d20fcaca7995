"""Helm releases: their order, what they leave behind, and a look at what exists."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from llm_d_gke.resource_graph import Graph, Recorded, record

RELEASE = "kubernetes:helm.sh/v3:Release"
KIND = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
NAMESPACE = "kubernetes:core/v1:Namespace"
PROGRAM = Path(__file__).with_name("charts_program.py")


@functools.cache
def graph(*, existing_cluster_given: bool = False, existing: bool = False, preview: bool = True) -> Graph:
    flags = {"charts:brought": str(existing_cluster_given).lower(), "charts:existing": str(existing).lower()}
    return record(PROGRAM, stack="gpu", project="charts", config=flags, preview=preview)


def release(recorded: Graph, name: str) -> Recorded:
    return recorded.one(RELEASE, name)


def test_a_failed_installation_is_taken_back() -> None:
    assert [
        resource.name
        for resource in graph().by_type(RELEASE)
        if resource["atomic"] is not True or not resource["timeout"]
    ] == []


def test_versions_are_pinned() -> None:
    assert [resource.name for resource in graph().by_type(RELEASE) if not resource["version"]] == []


def test_each_release_waits_for_those_it_needs() -> None:
    recorded = graph()
    kserve = release(recorded, "kserve-llmisvc-resources")
    early = [
        resource.name
        for resource in recorded.by_type(RELEASE)
        if resource.name != "kserve-runtime-configs" and resource is not kserve
    ]
    assert [name for name in early if not recorded.depends(kserve, release(recorded, name))] == []


def test_each_is_in_a_namespace_of_the_strictest_level() -> None:
    recorded = graph()
    for resource in recorded.by_type(RELEASE):
        namespace = recorded.one(NAMESPACE, str(resource["namespace"]))
        assert recorded.depends(resource, namespace)
        about = namespace["metadata"]
        assert isinstance(about, dict)
        assert about["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_kinds_of_what_is_installed_are_not_read() -> None:
    """Helm waits for them, and the first preview of a stack must not look for what its own up will make."""
    assert graph().by_type(KIND) == []


def test_a_cluster_of_ours_takes_them_with_it() -> None:
    recorded = graph()
    assert {resource.options.deleted_with for resource in recorded.by_type(RELEASE)} == {
        recorded.one("gcp:compute/network:Network").urn
    }


def test_in_a_cluster_of_others_kserves_kinds_stay() -> None:
    recorded = graph(existing_cluster_given=True)
    assert {resource.options.deleted_with for resource in recorded.by_type(RELEASE)} == {None}
    assert [resource.name for resource in recorded.by_type(RELEASE) if resource.options.retain_on_delete] == [
        "kserve-llmisvc-crd"
    ]


def test_what_exists_is_looked_at_and_not_installed() -> None:
    recorded = graph(existing_cluster_given=True, existing=True)
    assert recorded.by_type(RELEASE) == []
    assert "llminferenceservices.serving.kserve.io" in {kind.id for kind in recorded.by_type(KIND)}


@pytest.mark.parametrize("name", ["lws", "istiod"])
def test_a_release_stands_below_its_component(name: str) -> None:
    recorded = graph()
    parent = release(recorded, name).parent
    assert parent is not None
    assert recorded[parent].type == "llm-d:platform:PlatformCharts"
