"""The policy by which KServe's Deployments start new pods before they end old ones."""

from __future__ import annotations

import pytest

from llm_d_gke.planning.serving.shutdown import LISTED_SECONDS, NOTICE_SECONDS
from tests.objects import of_kind, one
from tests.stacks import existing_cluster, graph_of, plan_of

STACK = "kserve-single-replica-gpu"
SINCE = {"cluster.version": "1.36"}
EXISTING = existing_cluster("1.36.4-gke.1391000")


@pytest.mark.parametrize(
    ("stack", "changes", "count"),
    [
        (STACK, SINCE, 1),
        (STACK, {}, 0),
        (STACK, {"cluster.version": "1.35"}, 0),
        (STACK, {**EXISTING, "namespace.existing": True, "namespace.name": "theirs"}, 0),
        (STACK, EXISTING, 1),
        ("gpu", SINCE, 0),
    ],
)
def test_a_cluster_that_is_known_to_have_such_policies_gets_one(
    stack: str, changes: dict[str, object], count: int
) -> None:
    graph = graph_of(stack, changes)
    assert len(of_kind(graph, "MutatingAdmissionPolicy")) == count
    assert len(of_kind(graph, "MutatingAdmissionPolicyBinding")) == count


def test_it_is_about_the_services_of_the_stack() -> None:
    graph = graph_of("multi-model-gpu", {"deployment": "kserve", **SINCE})
    spec = one(graph, "MutatingAdmissionPolicy")["spec"]
    selected = spec["matchConstraints"]
    assert selected == one(graph, "MutatingAdmissionPolicyBinding")["spec"]["matchResources"]
    namespace = plan_of("multi-model-gpu").namespace.name
    assert selected["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    assert selected["objectSelector"]["matchLabels"] == {"app.kubernetes.io/part-of": "llminferenceservice"}
    [names] = selected["objectSelector"]["matchExpressions"]
    services = {service["metadata"]["name"] for service in of_kind(graph, "LLMInferenceService")}
    assert len(services) > 1
    assert (names["key"], set(names["values"])) == ("app.kubernetes.io/name", services)


def test_the_services_come_after_it() -> None:
    graph = graph_of(STACK, SINCE)
    binding = graph.one("kubernetes:admissionregistration.k8s.io/v1:MutatingAdmissionPolicyBinding")
    assert graph.depends(graph.one("kubernetes:serving.kserve.io/v1alpha2:LLMInferenceService"), binding)


def test_pickers_that_elect_a_leader_keep_their_strategy() -> None:
    """A new one is not ready before the old leader ends: a surge would never be over."""
    one_picker = one(graph_of(STACK, SINCE), "MutatingAdmissionPolicy")["spec"]["mutations"]
    elected = one(graph_of(STACK, SINCE | {"picker.replicas": 2}), "MutatingAdmissionPolicy")["spec"]["mutations"]
    waits, surges = (mutation["jsonPatch"]["expression"] for mutation in one_picker)
    assert f'/spec/minReadySeconds", value: {LISTED_SECONDS}' in waits
    assert "RollingUpdate" in surges
    assert f'"seconds": {NOTICE_SECONDS}' in surges
    assert elected == one_picker[:1]
