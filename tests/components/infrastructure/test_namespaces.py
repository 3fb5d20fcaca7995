"""Every namespace that a stack makes has a quota, limits for containers that state none, and no token by default."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from llm_d_gke.stackfile import project_stacks
from tests.objects import Object, of_kind, one
from tests.stacks import ALL_THERE, existing_cluster, graph_of, plan_of

POLICY = "ValidatingAdmissionPolicy"


def namespaces_with(stack: str, kind: str, name: str | None = None) -> set[str]:
    return {body["metadata"]["namespace"] for body in of_kind(graph_of(stack), kind, name)}


@functools.cache
def planned(stack: str) -> int:
    """Pods of a stack's models."""
    models = plan_of(stack).models
    servers = [server for model in models for server in model.servers]
    pods = sum(server.replicas * (server.group.size if server.group is not None else 1) for server in servers)
    return pods + sum(model.picker.replicas for model in models)


@pytest.mark.parametrize("stack", project_stacks())
def test_every_namespace_is_bounded(stack: str) -> None:
    own = {body["metadata"]["name"] for body in of_kind(graph_of(stack), "Namespace")}
    assert own
    for kind, name in (("ResourceQuota", "quota"), ("LimitRange", "limits"), ("ServiceAccount", "default")):
        assert namespaces_with(stack, kind, name) == own, kind
    # Each is closed by a policy for pods without a policy of their own.
    everything = [
        body["metadata"]["namespace"]
        for body in of_kind(graph_of(stack), "NetworkPolicy")
        if not body["spec"]["podSelector"].get("matchLabels")
    ]
    assert sorted(everything) == sorted(own)
    assert "default" not in own | namespaces_with(stack, "ServiceAccount")


@pytest.mark.parametrize("stack", project_stacks())
def test_the_quota_admits_the_pods_of_any_stack_beside_its_own(stack: str) -> None:
    """A switch runs both side by side, and the new quota counts the old pods."""
    quota = plan_of(stack).namespace.quota
    assert int(quota["pods"]) >= planned(stack) + max(planned(other) for other in project_stacks())
    # Accelerators of pods that leave would keep the new ones from starting.
    assert set(quota) == {"pods", "services.loadbalancers"}


@pytest.mark.parametrize(
    ("stack", "changes", "balancers"),
    [
        ("gpu", {}, 0),
        ("gpu", {"gateway": {"directLoadBalancer": True, "exposure": "internal"}}, 2),
        ("kserve-istio-single-replica-gpu", {}, 1),
    ],
)
def test_no_load_balancers_beside_those_of_a_switch(stack: str, changes: dict[str, Any], balancers: int) -> None:
    assert plan_of(stack, changes).namespace.quota["services.loadbalancers"] == str(balancers)


def test_the_owner_of_an_existing_namespace_bounds_it() -> None:
    graph = graph_of("tpu", {**existing_cluster(), **ALL_THERE})
    assert [
        body["kind"] for body in kubernetes_objects(graph) if body["kind"] in ("ResourceQuota", "LimitRange", POLICY)
    ] == []
    assert of_kind(graph, "ServiceAccount", "default") == []


def test_containers_of_the_stack_do_not_live_by_the_defaults() -> None:
    """A limit that the namespace adds could be below a request that the plan states."""
    for stack in project_stacks():
        plan = plan_of(stack)
        for model in plan.models:
            for pod in (model.picker.pod, *(server.pod for server in model.servers)):
                for container in (pod, *pod.sidecars):
                    assert {"cpu", "memory", "ephemeral-storage"} <= container.limits.keys() & container.requests.keys()


class TestPodGuard:
    def test_only_a_namespace_below_restricted_has_one(self) -> None:
        below = {}
        for stack in project_stacks():
            graph = graph_of(stack)
            policies = of_kind(graph, POLICY)
            level = plan_of(stack).namespace.labels["pod-security.kubernetes.io/enforce"]
            below[stack] = (level != "restricted", len(policies))
        assert {stack: counts for stack, counts in below.items() if counts[0] != bool(counts[1])} == {}
        assert {counts[0] for counts in below.values()} == {True, False}

    def test_pods_start_under_it(self) -> None:
        graph = graph_of("tpu")
        binding = graph.one("kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding")
        for deployment in graph.by_type("kubernetes:apps/v1:Deployment"):
            assert binding.urn in deployment.dependencies

    def test_it_holds_for_one_namespace(self) -> None:
        graph = graph_of("tpu")
        selector = {"matchLabels": {"kubernetes.io/metadata.name": plan_of("tpu").namespace.name}}
        binding = one(graph, "ValidatingAdmissionPolicyBinding")
        assert binding["spec"]["matchResources"]["namespaceSelector"] == selector
        assert one(graph, POLICY)["spec"]["matchConstraints"]["namespaceSelector"] == selector
        assert binding["spec"]["validationActions"] == ["Deny"]

    def test_an_exception_lifts_its_own_rules_of_one_container(self) -> None:
        rules = _rules(one(graph_of("tpu"), POLICY))
        lifted = {rule for rule, expression in rules.items() if "serviceAccountName" in expression}
        assert lifted == {"runAsNonRoot"}
        assert "serviceAccountName == 'qwen2-5-3b-instruct-vllm' && c.name == 'vllm'" in rules["runAsNonRoot"]
        rules = _rules(one(graph_of("mixture-of-experts-wide-gpu"), POLICY))
        assert {rule for rule, expression in rules.items() if "serviceAccountName" in expression} == {
            "runAsNonRoot",
            "capabilities",
            "privileged",
            "allowPrivilegeEscalation",
        }


def _rules(policy: Object) -> dict[str, str]:
    return {rule["message"].split()[1]: rule["expression"] for rule in policy["spec"]["validations"]}


class TestChartNamespaces:
    STACK = "kserve-istio-prefix-cache-gpu"

    def policy(self, namespace: str) -> Object:
        [matching] = [
            body
            for body in of_kind(graph_of(self.STACK), "NetworkPolicy")
            if body["metadata"]["namespace"] == namespace
        ]
        return matching

    @pytest.mark.parametrize(
        ("namespace", "ports"),
        [("lws-system", [9443]), ("kserve", [9443]), ("cert-manager", [10250]), ("istio-system", [15012, 15017])],
    )
    def test_only_webhooks_and_the_configuration_of_proxies_are_reached(self, namespace: str, ports: list[int]) -> None:
        spec = self.policy(namespace)["spec"]
        assert spec["podSelector"].get("matchLabels", {}) == {}
        assert [port["port"] for access in spec["ingress"] for port in access["ports"]] == ports
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        out = {(port["protocol"], port["port"]) for access in spec["egress"] for port in access["ports"]}
        challenge = {("TCP", 80)} if namespace == "cert-manager" else set()
        assert out == {("UDP", 53), ("TCP", 53), ("TCP", 443)} | challenge

    def test_there_are_none_where_the_stack_has_none(self) -> None:
        assert of_kind(graph_of(self.STACK, {"networkPolicies.enabled": False}), "NetworkPolicy") == []
