"""Helm releases: their order, what they leave behind, and a look at what exists."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from resource_graph import Graph, Recorded, record

RELEASE = "kubernetes:helm.sh/v3:Release"
KIND = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
NAMESPACE = "kubernetes:core/v1:Namespace"
PROGRAM = Path(__file__).with_name("charts_program.py")


@functools.cache
def graph(*, brought: bool = False, existing: bool = False, preview: bool = True) -> Graph:
    flags = {"charts:brought": str(brought).lower(), "charts:existing": str(existing).lower()}
    return record(PROGRAM, stack="gpu", project="charts", config=flags, preview=preview)


def release(found: Graph, name: str) -> Recorded:
    return found.one(RELEASE, name)


def test_a_failed_installation_is_taken_back() -> None:
    assert [one.name for one in graph().by_type(RELEASE) if one["atomic"] is not True or not one["timeout"]] == []


def test_versions_are_pinned() -> None:
    assert [one.name for one in graph().by_type(RELEASE) if not one["version"]] == []


def test_each_release_waits_for_those_it_needs() -> None:
    found = graph()
    kserve = release(found, "kserve-llmisvc-resources")
    early = [one.name for one in found.by_type(RELEASE) if one.name != "kserve-runtime-configs" and one is not kserve]
    assert [name for name in early if not found.depends(kserve, release(found, name))] == []


def test_each_is_in_a_namespace_of_the_strictest_level() -> None:
    found = graph()
    for one in found.by_type(RELEASE):
        namespace = found.one(NAMESPACE, str(one["namespace"]))
        assert found.depends(one, namespace)
        about = namespace["metadata"]
        assert isinstance(about, dict)
        assert about["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_kinds_of_what_is_installed_are_not_read() -> None:
    """Helm waits for them, and the first preview of a stack must not look for what its own up will make."""
    assert graph().by_type(KIND) == []


def test_a_cluster_of_ours_takes_them_with_it() -> None:
    found = graph()
    assert {one.options.deleted_with for one in found.by_type(RELEASE)} == {
        found.one("gcp:compute/network:Network").urn
    }


def test_in_a_cluster_of_others_kserves_kinds_stay() -> None:
    found = graph(brought=True)
    assert {one.options.deleted_with for one in found.by_type(RELEASE)} == {None}
    assert [one.name for one in found.by_type(RELEASE) if one.options.retain_on_delete] == ["kserve-llmisvc-crd"]


def test_what_exists_is_looked_at_and_not_installed() -> None:
    found = graph(brought=True, existing=True)
    assert found.by_type(RELEASE) == []
    assert "llminferenceservices.serving.kserve.io" in {kind.id for kind in found.by_type(KIND)}


@pytest.mark.parametrize("name", ["lws", "istiod"])
def test_a_release_stands_below_its_component(name: str) -> None:
    found = graph()
    parent = release(found, name).parent
    assert parent is not None
    assert found[parent].type == "llm-d:platform:PlatformCharts"
