"""Mistakes of hand-made stacks that no other test of components covers (docs/pitfalls.md)."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.resource_graph import Graph, Recorded
from llm_d_gke.resource_graph.values import jsonable
from tests.stacks import graph_of


def test_one_way_in_is_all_there_is(either: Graph) -> None:
    """A Service of type LoadBalancer or NodePort is a second one, past the Gateway."""
    assert _types(either) == {"ClusterIP"}
    changes = {"gateway.exposure": "internal", "gateway.directLoadBalancer": True}
    assert _types(graph_of(either.stack, changes)) == {
        "ClusterIP",
        "LoadBalancer",
    }


def _types(graph: Graph) -> set[str]:
    return {spec(service).get("type", "ClusterIP") for service in graph.by_type("kubernetes:core/v1:Service")}


def spec(resource: Recorded) -> dict[str, Any]:
    plain = jsonable(resource.inputs["spec"])
    assert isinstance(plain, dict)
    return plain


def test_no_pool_has_a_label_of_gkes_own(either: Graph) -> None:
    assert len(either.by_type("gcp:container/nodePool:NodePool")) == 2
    for pool in either.by_type("gcp:container/nodePool:NodePool"):
        config = jsonable(pool.inputs["nodeConfig"])
        assert isinstance(config, dict)
        labels = config.get("labels") or {}
        assert isinstance(labels, dict)
        assert [key for key in labels if "gke" in key or "google" in key] == []


@pytest.mark.parametrize("stack", ["gpu", "tpu"])
def test_another_pattern_keeps_the_way_in(stack: str) -> None:
    """Same names and same values: an update touches neither the address nor anything below it."""
    graph_before = graph_of(stack)
    other = graph_of(stack, {"pattern": "prefix-cache", "models[0].replicas": 2})
    ways = ("compute/", "container/cluster", "Gateway", "HTTPRoute", ":Namespace")
    entry_resources = [
        r for r in graph_before if any(part in r.type for part in ways) and not r.type.startswith("llm-d:")
    ]
    assert len(entry_resources) > 8
    after = {r.urn: r.inputs for r in other}
    assert [r.urn for r in entry_resources if after.get(r.urn) != r.inputs] == []
