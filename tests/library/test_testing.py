"""The library's mocks for unit tests give what the program reads, where mocks that echo the inputs do not."""

from __future__ import annotations

from typing import Any

import pulumi

from llm_d_gke.testing import Mocks
from tests.stacks import PROJECT, graph_of


def answer(token: str, name: str, inputs: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    arguments = pulumi.runtime.MockResourceArgs(typ=token, name=name, inputs=inputs, provider="", resource_id=None)
    return Mocks(PROJECT).new_resource(arguments)


def test_a_cluster_has_the_endpoint_of_which_the_kubeconfig_is_made() -> None:
    [cluster] = graph_of("gpu").by_type("gcp:container/cluster:Cluster")
    _, values = answer(cluster.type, cluster.name, dict(cluster.inputs))
    assert values["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["endpoint"]
    assert values["name"] == cluster.inputs["name"]


def test_ids_and_links_name_the_project() -> None:
    identifier, values = answer("gcp:compute/network:Network", "net", {"name": "shop"})
    assert identifier is not None
    assert f"projects/{PROJECT}/" in identifier
    assert f"projects/{PROJECT}/" in values["selfLink"]
