"""The resources that a step updates are in the recorded graph, with what they need."""

from __future__ import annotations

import pytest

from llm_d_gke import catalog
from llm_d_gke.operations.upgrades.run import targets_of
from llm_d_gke.planning.upgrades.planner import plan_upgrade
from llm_d_gke.planning.upgrades.step import Step
from llm_d_gke.resource_graph import Graph
from tests.stacks import graph_of, plan_of

RELEASES = catalog.load().releases


def upgraded(stack: str, before: str, after: str) -> tuple[list[Step], Graph]:
    old, new = (plan_of(stack, {"release": name}) for name in (before, after))
    return list(plan_upgrade(old, new, RELEASES[before], RELEASES[after]).steps), graph_of(stack, {"release": after})


@pytest.mark.parametrize("stack", ["gpu", "kserve-prefix-cache-gpu", "multi-model-gpu", "mixture-of-experts-wide-gpu"])
def test_every_part_of_every_step_is_a_resource(stack: str) -> None:
    steps, graph = upgraded(stack, "gaie-1.5", "llm-d-0.9")
    names = {(resource.type, resource.name) for resource in graph}
    for step in steps:
        assert {(part.type, part.name) for part in step.parts} <= names, step.name


def test_the_targets_of_the_servers_are_only_the_servers() -> None:
    steps, graph = upgraded("gpu", "gaie-1.5", "llm-d-0.9")
    [step] = [step for step in steps if step.name.startswith("servers-")]
    everything = {resource.urn for resource in graph}
    types = {urn.split("::")[2].rpartition("$")[2] for urn in targets_of(step, graph, everything)}
    assert "kubernetes:apps/v1:Deployment" in types
    assert "llm-d:inference:ModelServer" in types
    assert not types & {"gcp:container/cluster:Cluster", "llm-d:inference:EndpointPicker", "pulumi:pulumi:Stack"}


def test_what_does_not_exist_yet_and_is_needed_is_created_too() -> None:
    steps, graph = upgraded("gpu", "gaie-1.5", "llm-d-0.9")
    [step] = [step for step in steps if step.name.startswith("servers-")]
    [cluster] = graph.by_type("gcp:container/cluster:Cluster")
    existing = {resource.urn for resource in graph} - {cluster.urn}
    assert cluster.urn in targets_of(step, graph, existing)
    assert cluster.urn not in targets_of(step, graph, existing | {cluster.urn})
