"""Two stacks behind one multi-cluster Gateway: what the config cluster has, what a member has, and that they fit."""

from __future__ import annotations

import re
from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.operations.preflight.needs import needs_of
from llm_d_gke.resource_graph import Graph, Recorded
from tests.objects import of_kind
from tests.stacks import FLEET_CONFIG as CONFIG
from tests.stacks import FLEET_MEMBER as MEMBER
from tests.stacks import FLEET_RANGES as RANGES
from tests.stacks import graph_of, plan_of


def config() -> Graph:
    return graph_of("gpu", CONFIG)


def member() -> Graph:
    return graph_of("gpu", MEMBER)


def assert_selects_servers(graph: Graph, selector: dict[str, Any]) -> None:
    """The selector of an AutoscalingMetric has label names that GKE takes, and matches the pods of the pool."""
    assert all(re.fullmatch("[A-Za-z0-9_-]+", name) for name in selector["matchLabels"])
    [pool] = of_kind(graph, "InferencePool")
    [server] = [body for body in of_kind(graph, "Deployment") if "vllm" in body["metadata"]["name"]]
    labels = server["spec"]["template"]["metadata"]["labels"]
    for required in (selector, pool["spec"]["selector"]):
        assert labels.items() >= required["matchLabels"].items()
    # A Deployment's selector never changes.
    assert not selector["matchLabels"].keys() & server["spec"]["selector"]["matchLabels"].keys()


def test_only_the_config_cluster_has_the_gateway_with_an_address_in_each_region() -> None:
    [gateway] = of_kind(config(), "Gateway")
    assert gateway["spec"]["gatewayClassName"] == "gke-l7-cross-regional-internal-managed-mc"
    assert {(address["type"], address["value"]) for address in gateway["spec"]["addresses"]} == {
        (f"networking.gke.io/ephemeral-ipv4-address/{region}", region) for region in RANGES
    }
    assert of_kind(member(), "Gateway") == []
    assert of_kind(member(), "HTTPRoute") == []
    for graph in (config(), member()):
        assert graph.by_type("gcp:compute/address:Address") == []


def test_routes_and_policies_are_for_the_pools_of_all_clusters() -> None:
    backends = [
        backend
        for route in of_kind(config(), "HTTPRoute")
        for rule in route["spec"]["rules"]
        for backend in rule["backendRefs"]
    ]
    assert {(b["group"], b["kind"]) for b in backends} == {("networking.gke.io", "GCPInferencePoolImport")}
    for kind in ("HealthCheckPolicy", "GCPBackendPolicy"):
        [policy] = of_kind(config(), kind)
        assert policy["spec"]["targetRef"]["kind"] == "GCPInferencePoolImport"
        assert of_kind(member(), kind) == []


def test_a_cluster_that_is_not_exported_keeps_its_pool_and_policies() -> None:
    hidden = graph_of("gpu", MEMBER | {"fleet": {**MEMBER["fleet"], "exported": False}})
    [pool], [exported] = (of_kind(graph, "InferencePool") for graph in (hidden, member()))
    assert "networking.gke.io/export" not in (pool["metadata"].get("annotations") or {})
    assert pool["spec"] == exported["spec"]


def test_both_clusters_export_one_pool_of_the_same_name() -> None:
    pools = [pool for graph in (config(), member()) for pool in of_kind(graph, "InferencePool")]
    assert {pool["metadata"]["annotations"]["networking.gke.io/export"] for pool in pools} == {"True"}
    assert len(pools) == 2
    assert len({(pool["metadata"]["namespace"], pool["metadata"]["name"]) for pool in pools}) == 1
    [imported] = {
        backend["name"]
        for route in of_kind(config(), "HTTPRoute")
        for rule in route["spec"]["rules"]
        for backend in rule["backendRefs"]
    }
    assert imported == pools[0]["metadata"]["name"]


def test_the_metric_that_the_policy_names_is_exported_by_both() -> None:
    [policy] = of_kind(config(), "GCPBackendPolicy")
    [balanced] = policy["spec"]["default"]["customMetrics"]
    for graph in (config(), member()):
        [metric] = of_kind(graph, "AutoscalingMetric")
        [pool] = of_kind(graph, "InferencePool")
        [pods] = [source["pod"] for source in metric["spec"]["metrics"]]
        assert_selects_servers(graph, pods["selector"])
        [container] = pods["containers"]
        assert container["endpoint"] == {"port": pool["spec"]["targetPorts"][0]["number"], "path": "/metrics"}
        [gauge] = [entry["gauge"] for entry in container["metrics"]]
        assert balanced["name"] == f"gke.named_metrics.{gauge['name']}"
        assert gauge["prometheusMetricName"] == "vllm:kv_cache_usage_perc"
        assert gauge["loadBalancing"] == {"enabled": True}
    assert balanced["maxUtilizationPercent"] == 60


@pytest.mark.parametrize(("version", "by_pod"), [("1.34.1-gke.1829001", False), ("1.35.1-gke.1396000", True)])
def test_older_clusters_take_the_metric_in_its_older_form(version: str, by_pod: bool) -> None:
    graph = graph_of("gpu", CONFIG | {"cluster.version": version})
    [metric] = of_kind(graph, "AutoscalingMetric")
    if by_pod:
        assert set(metric["spec"]) == {"metrics"}
    else:
        assert_selects_servers(graph, metric["spec"]["selector"])
        assert metric["spec"]["metrics"] == [{"name": "vllm:kv_cache_usage_perc", "exportName": "kv-cache"}]


def test_both_are_members_and_one_configures() -> None:
    for graph in (config(), member()):
        [membership] = graph.by_type("gcp:gkehub/membership:Membership")
        assert membership.inputs["location"] == "global"
        [cluster] = graph.by_type("gcp:container/cluster:Cluster")
        assert graph.depends(membership, cluster)
        assert cluster.inputs["podAutoscaling"] == {"hpaProfile": "PERFORMANCE"}
    [feature] = config().by_type("gcp:gkehub/feature:Feature")
    assert feature.inputs["name"] == "multiclusteringress"
    assert member().by_type("gcp:gkehub/feature:Feature") == []
    [gateway] = config().by_type("kubernetes:gateway.networking.k8s.io/v1:Gateway")
    assert config().depends(gateway, feature)


def test_proxies_are_global_and_let_in_from_every_region() -> None:
    proxies = proxy_subnets(config())
    assert {subnet.inputs["purpose"] for subnet in proxies} == {"GLOBAL_MANAGED_PROXY"}
    for changes in (CONFIG, MEMBER):
        [server] = [policy for policy in plan_of("gpu", changes).network_policies if policy.name.endswith("-vllm")]
        peers = {peer.cidr for access in server.ingress for peer in access.peers}
        assert set(RANGES.values()) <= peers


def proxy_subnets(graph: Graph) -> list[Recorded]:
    return [subnet for subnet in graph.by_type("gcp:compute/subnetwork:Subnetwork") if "purpose" in subnet.inputs]


def test_the_gateway_waits_for_the_proxies_of_every_region_which_are_the_config_clusters() -> None:
    """A member comes up after the config cluster, whose Gateway would wait indefinitely for its subnet."""
    graph = config()
    proxies = proxy_subnets(graph)
    assert {subnet.inputs["region"]: subnet.inputs["ipCidrRange"] for subnet in proxies} == RANGES
    assert len({subnet.inputs["name"] for subnet in proxies}) == len(RANGES)
    [gateway] = graph.by_type("kubernetes:gateway.networking.k8s.io/v1:Gateway")
    assert all(graph.depends(gateway, subnet) for subnet in proxies)
    assert proxy_subnets(member()) == []


def test_apis_of_fleets_are_enabled() -> None:
    assert {"gkehub.googleapis.com", "multiclusteringress.googleapis.com"} <= set(plan_of("gpu", CONFIG).services)
    assert "gkehub.googleapis.com" not in plan_of("gpu").services


def test_outputs_name_no_address_that_nobody_knows() -> None:
    assert "endpoint" not in config().outputs
    assert "kubectl get gateway inference-gateway" in str(config().outputs["gatewayAddresses"])
    assert "gatewayAddresses" not in member().outputs


def test_preflight_looks_for_no_gateway_where_there_is_none() -> None:
    of_config, of_member = (needs_of(plan_of("gpu", changes), load()).names for changes in (CONFIG, MEMBER))
    assert {need.kind for need in of_config if need.is_created} >= {"network", "subnetwork", "cluster"}
    assert "address" not in {need.kind for need in (*of_config, *of_member)}
    assert [need.location for need in of_config if "-proxies" in need.name] == list(RANGES)
    assert [need for need in of_member if "-proxies" in need.name] == []
