"""Scanned pods have the NetworkPolicies of their own namespace with them, and not those of charts."""

from __future__ import annotations

import pytest

from llm_d_gke.maintenance.scan.__main__ import with_policies
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from tests.stacks import graph_of

STACK = "kserve-istio-single-replica-gpu"


@pytest.mark.parametrize("left_out", ["nothing", "Gateway"])
def test_policies_of_the_stack_stay_with_its_pods(left_out: str) -> None:
    """A member of a fleet has no Gateway."""
    bodies = [dict(body) for body in kubernetes_objects(graph_of(STACK)) if body["kind"] != left_out]
    own = next(body["metadata"]["namespace"] for body in bodies if body["kind"] == "LLMInferenceService")
    policies = {
        (body["metadata"]["namespace"], body["metadata"]["name"]) for body in bodies if body["kind"] == "NetworkPolicy"
    }
    with_policies({STACK: bodies})
    left = {
        (body["metadata"]["namespace"], body["metadata"]["name"]) for body in bodies if body["kind"] == "NetworkPolicy"
    }
    assert left == {(namespace, name) for namespace, name in policies if namespace == own}
    assert left
    assert policies - left
