"""The tree of components: each child under its own, each component with its token, names that stay."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pulumi
import pytest

from llm_d_gke import components
from llm_d_gke.components.instance import Component
from llm_d_gke.resource_graph import Graph, Recorded
from tests.stacks import OTHER_SCORER, OTHER_VALUES, PAUSED, graph_of

# Once published a token stays: a new one is another resource, with everything below it.
TOKENS = {
    "Autoscaling": "llm-d:inference:Autoscaling",
    "Certificate": "llm-d:platform:Certificate",
    "EndpointPicker": "llm-d:inference:EndpointPicker",
    "Dashboards": "llm-d:monitoring:Dashboards",
    "FleetGateway": "llm-d:gateway:FleetGateway",
    "FleetMembership": "llm-d:cluster:FleetMembership",
    "InferenceCluster": "llm-d:cluster:InferenceCluster",
    "InferenceCrds": "llm-d:inference:InferenceCrds",
    "InferenceGateway": "llm-d:gateway:InferenceGateway",
    "InferenceNetwork": "llm-d:network:InferenceNetwork",
    "InferencePool": "llm-d:inference:InferencePool",
    "InferenceRoute": "llm-d:gateway:InferenceRoute",
    "InferenceService": "llm-d:inference:InferenceService",
    "InferenceStack": "llm-d:stack:InferenceStack",
    "ModelRouter": "llm-d:gateway:ModelRouter",
    "ModelServer": "llm-d:inference:ModelServer",
    "ModelsEndpoint": "llm-d:gateway:ModelIndex",
    "Monitoring": "llm-d:monitoring:Monitoring",
    "NetworkPolicies": "llm-d:security:NetworkPolicies",
    "NodePools": "llm-d:cluster:NodePools",
    "PlatformCharts": "llm-d:platform:PlatformCharts",
    "Presets": "llm-d:inference:Presets",
    "ProjectServices": "llm-d:project:ProjectServices",
    "NamespaceResources": "llm-d:workspace:Workspace",
}

# Another parent of what the stack's own component holds, of the same token.
SAME_TOKEN = {"ImportParent"}

# Classes renamed after their token was published.
RENAMED = {"ModelsEndpoint": "ModelIndex", "NamespaceResources": "Workspace"}

# Component of every resource outside the namespace, and of those inside it with one place only.
PARENTS = {
    "gcp:compute/address:Address": "InferenceGateway",
    "gcp:compute/network:Network": "InferenceNetwork",
    "gcp:compute/router:Router": "InferenceNetwork",
    "gcp:compute/routerNat:RouterNat": "InferenceNetwork",
    "gcp:compute/subnetwork:Subnetwork": "InferenceNetwork",
    "gcp:container/cluster:Cluster": "InferenceCluster",
    "gcp:container/nodePool:NodePool": "NodePools",
    "gcp:projects/iAMMember:IAMMember": "InferenceCluster",
    "gcp:projects/service:Service": "ProjectServices",
    "gcp:serviceaccount/account:Account": "InferenceCluster",
    "kubernetes:core/v1:Namespace": "NamespaceResources",
    "kubernetes:gateway.networking.k8s.io/v1:Gateway": "InferenceGateway",
    "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute": "InferenceRoute",
    "kubernetes:inference.networking.k8s.io/v1:InferencePool": "InferencePool",
    "kubernetes:monitoring.googleapis.com/v1:PodMonitoring": "Monitoring",
    "kubernetes:networking.gke.io/v1:GCPBackendPolicy": "InferencePool",
    "kubernetes:networking.gke.io/v1:HealthCheckPolicy": "InferencePool",
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": "NetworkPolicies",
    "pulumi:providers:gcp": "InferenceStack",
    "pulumi:providers:kubernetes": "InferenceCluster",
}


def component_classes() -> list[str]:
    """Every component of the package, found by importing all of its modules."""
    names = set()
    for module in pkgutil.walk_packages(components.__path__, f"{components.__name__}."):
        for name, member in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if not issubclass(member, pulumi.ComponentResource) or member is Component:
                continue
            if member.__module__ == module.name:
                names.add(name)
    return sorted(names)


def components_of(graph: Graph) -> list[Recorded]:
    return [resource for resource in graph if resource.type.startswith("llm-d:")]


def test_every_component_has_its_token_written_down() -> None:
    assert set(component_classes()) - SAME_TOKEN == set(TOKENS)


def test_tokens_are_the_ones_written_down(either: Graph) -> None:
    """Several models use every component of one and two more; under KServe one component replaces three.

    A certificate is asked for: `tests/components/platform/test_certificates.py`; presets are for groups of pods:
    `tests/components/serving/test_kserve_multi_node.py`; dashboards: `tests/planning/platform/test_monitoring.py`;
    autoscaling: `tests/components/serving/test_autoscaling.py`; fleets: `tests/planning/routing/test_fleet.py`.
    """
    stacks = (either.stack, "multi-model-gpu", "kserve-single-replica-gpu")
    tokens = {stack: {r.type for r in components_of(graph_of(stack))} for stack in stacks}
    several = {TOKENS["ModelsEndpoint"], TOKENS["ModelRouter"]}
    service = {TOKENS["InferenceService"]}
    made_by_it = {TOKENS[name] for name in ("EndpointPicker", "InferencePool", "ModelServer")}
    on_request = ("Autoscaling", "Certificate", "Presets", "Dashboards", "FleetGateway", "FleetMembership")
    usual = set(TOKENS.values()) - {TOKENS[name] for name in on_request}
    assert tokens["multi-model-gpu"] == usual - service
    assert tokens["kserve-single-replica-gpu"] == usual - several - made_by_it
    assert tokens[either.stack] == usual - several - service


def test_tokens_name_their_class() -> None:
    assert {name: token.rsplit(":", 1)[1] for name, token in TOKENS.items()} == {
        name: RENAMED.get(name, name) for name in TOKENS
    }


def test_only_the_stack_component_hangs_below_the_stack(either: Graph) -> None:
    root = either.one("pulumi:pulumi:Stack")
    assert [child.type for child in either.children(root)] == [TOKENS["InferenceStack"]]


def test_all_other_components_hang_below_the_stack_component(either: Graph) -> None:
    inference = either.one(TOKENS["InferenceStack"])
    others = {r.urn for r in components_of(either)} - {inference.urn}
    assert {resource.urn for resource in either.children(inference) if not resource.custom} == others


def test_no_resource_is_without_component(either: Graph) -> None:
    without = [
        r.urn for r in either if r.custom and (r.parent is None or not either[r.parent].type.startswith("llm-d:"))
    ]
    assert without == []


def test_resources_are_children_of_their_component(either: Graph) -> None:
    parents = {r.type: either[r.parent].type for r in either if r.type in PARENTS and r.parent is not None}
    assert parents == {token: TOKENS[name] for token, name in PARENTS.items()}


def test_a_pickers_objects_are_children_of_the_picker(either: Graph) -> None:
    picker = either.one(TOKENS["EndpointPicker"])
    assert sorted(child.type.split(":", 1)[1] for child in either.children(picker)) == [
        "apps/v1:Deployment",
        "core/v1:ConfigMap",
        "core/v1:Service",
        "core/v1:ServiceAccount",
        "rbac.authorization.k8s.io/v1:ClusterRole",
        "rbac.authorization.k8s.io/v1:ClusterRoleBinding",
        "rbac.authorization.k8s.io/v1:Role",
        "rbac.authorization.k8s.io/v1:RoleBinding",
    ]


def test_no_default_provider_serves_anything(either: Graph) -> None:
    """A default provider takes its project, or its cluster, from the environment of the program."""
    without = [r.urn for r in either if r.custom and r.provider is None and not r.type.startswith("pulumi:providers:")]
    assert without == []


def test_kubernetes_objects_are_served_by_the_clusters_provider(either: Graph) -> None:
    provider = either.one("pulumi:providers:kubernetes").urn
    assert {r.provider for r in either if r.type.startswith("kubernetes:")} == {provider}


@pytest.mark.parametrize(
    "changes",
    [OTHER_VALUES, OTHER_SCORER, PAUSED, {"release": "llm-d-0.6"}],
    ids=["values", "scorer", "paused", "release"],
)
def test_a_changed_value_keeps_every_resource(gpu: Graph, changes: dict[str, object]) -> None:
    """Another URN would be another resource: deleted and created again instead of updated."""
    changed = graph_of("gpu", changes)
    assert [r.urn for r in changed] == [r.urn for r in gpu]
    assert [r.inputs for r in changed] != [r.inputs for r in gpu]
