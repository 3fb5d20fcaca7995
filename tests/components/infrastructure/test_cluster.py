"""The cluster and the way to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from llm_d_gke.resource_graph import UNKNOWN, Graph, Secret, contains_unknown
from tests.stacks import ALL_THERE, PROJECT, existing_cluster, graph_of

CLUSTER = "gcp:container/cluster:Cluster"
PROVIDER = "pulumi:providers:kubernetes"

NETWORKS = {
    "cluster.controlPlane": {
        "access": "authorized-networks",
        "authorizedNetworks": [{"cidr": "203.0.113.0/24", "name": "office"}],
    }
}
EXISTING = existing_cluster()
EXISTING_NETWORK = {
    "network": "hub",
    "subnetwork": "hub-nodes",
    "podRange": "hub-pods",
    "serviceRange": "hub-services",
    "proxySubnetwork": "hub-proxies",
}

EXISTING_FRONT = {
    "network.existing": EXISTING_NETWORK,
    "network.proxyCidr": "172.16.0.0/23",
    "gateway.existingAddress": "front",
}


def kubeconfig(graph: Graph) -> dict[str, Any]:
    text = graph.one(PROVIDER)["kubeconfig"]
    document = json.loads(text.value if isinstance(text, Secret) else text)
    assert isinstance(document, dict)
    return document


def keys(value: object) -> set[str]:
    if isinstance(value, Mapping):
        return {str(key) for key in value} | {key for item in value.values() for key in keys(item)}
    if isinstance(value, list):
        return {key for item in value for key in keys(item)}
    return set()


class TestProvider:
    def test_the_cluster_is_known_before_it_exists(self, either: Graph) -> None:
        """With an unknown identifier each preview of a new cluster would show every object replaced."""
        provider, cluster = either.one(PROVIDER), either.one(CLUSTER)
        expected = f"projects/{PROJECT}/locations/{cluster['location']}/clusters/{cluster['name']}"
        assert provider["clusterIdentifier"] == expected
        assert not contains_unknown(provider["clusterIdentifier"])

    def test_the_address_is_unknown_until_the_cluster_exists(self, either: Graph) -> None:
        assert either.one(PROVIDER)["kubeconfig"] is UNKNOWN

    @pytest.mark.parametrize("changes", [{}, NETWORKS, EXISTING], ids=["dns", "authorized-networks", "existing"])
    def test_the_kubeconfig_asks_a_plugin_for_credentials(self, changes: dict[str, Any]) -> None:
        """A token in it would be in the stack's state, in every update plan, and stale within the hour."""
        document = kubeconfig(graph_of("gpu", changes, preview=False))
        [user] = document["users"]
        assert set(user["user"]) == {"exec"}
        assert user["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
        secret = {"token", "password", "username", "client-key-data", "client-certificate-data", "auth-provider"}
        assert not keys(document) & secret

    def test_the_kubeconfig_is_complete(self) -> None:
        document = kubeconfig(graph_of("gpu", preview=False))
        [context], [cluster], [user] = document["contexts"], document["clusters"], document["users"]
        assert document["current-context"] == context["name"]
        assert context["context"] == {"cluster": cluster["name"], "user": user["name"]}
        assert cluster["cluster"]["server"].startswith("https://")

    def test_only_the_public_address_needs_the_clusters_authority(self) -> None:
        """The DNS endpoint's certificate is a public authority's: against the cluster's own it would be refused."""
        dns = kubeconfig(graph_of("gpu", preview=False))["clusters"][0]["cluster"]
        address = kubeconfig(graph_of("gpu", NETWORKS, preview=False))["clusters"][0]["cluster"]
        assert set(dns) == {"server"}
        assert set(address) == {"server", "certificate-authority-data"}
        assert base64.b64decode(address["certificate-authority-data"])

    def test_objects_are_applied_and_changed_in_place(self, either: Graph) -> None:
        provider = either.one(PROVIDER)
        options = ("enableServerSideApply", "enableConfigMapMutable", "enableSecretMutable")
        assert {option: provider[option] for option in options} == dict.fromkeys(options, "true")


class TestShape:
    def test_what_the_gateway_and_the_nodes_need_is_on(self, either: Graph) -> None:
        cluster = either.one(CLUSTER)
        assert cluster["gatewayApiConfig"] == {"channel": "CHANNEL_STANDARD"}
        assert cluster["networkingMode"] == "VPC_NATIVE"
        assert cluster["datapathProvider"] == "ADVANCED_DATAPATH"
        assert cluster["workloadIdentityConfig"] == {"workloadPool": f"{PROJECT}.svc.id.goog"}
        assert cluster["addonsConfig"]["httpLoadBalancing"] == {"disabled": False}
        assert cluster["addonsConfig"]["gcsFuseCsiDriverConfig"] == {"enabled": True}
        assert cluster["enableShieldedNodes"] is True
        assert cluster["monitoringConfig"]["managedPrometheus"] == {"enabled": True}
        assert cluster["privateClusterConfig"] == {"enablePrivateNodes": True}
        assert cluster["removeDefaultNodePool"] is True

    def test_the_ranges_are_those_of_the_subnet(self, either: Graph) -> None:
        ranges = {r["rangeName"] for r in either.one("gcp:compute/subnetwork:Subnetwork", "nodes")["secondaryIpRanges"]}
        policy = either.one(CLUSTER)["ipAllocationPolicy"]
        assert {policy["clusterSecondaryRangeName"], policy["servicesSecondaryRangeName"]} == ranges

    def test_what_gke_reports_of_other_pools_is_no_change(self, either: Graph) -> None:
        pools = {"nodePools", "nodeConfig", "initialNodeCount"}
        # Without a public address Google reports the private one as the only one.
        assert set(either.one(CLUSTER).options.ignore_changes) == pools | {"privateClusterConfig.enablePrivateEndpoint"}
        assert set(graph_of("gpu", NETWORKS).one(CLUSTER).options.ignore_changes) == pools

    def test_the_public_address_is_off_or_guarded(self, gpu: Graph) -> None:
        guarded = graph_of("gpu", NETWORKS).one(CLUSTER)
        assert gpu.one(CLUSTER)["controlPlaneEndpointsConfig"] == {
            "dnsEndpointConfig": {"allowExternalTraffic": True},
            "ipEndpointsConfig": {"enabled": False},
        }
        assert "masterAuthorizedNetworksConfig" not in gpu.one(CLUSTER).inputs
        assert guarded["controlPlaneEndpointsConfig"]["ipEndpointsConfig"] == {"enabled": True}
        assert guarded["masterAuthorizedNetworksConfig"] == {
            "gcpPublicCidrsAccessEnabled": False,
            "cidrBlocks": [{"cidrBlock": "203.0.113.0/24", "displayName": "office"}],
        }

    def test_what_is_not_asked_for_is_left_to_gke(self, either: Graph) -> None:
        absent = {"minMasterVersion", "maintenancePolicy", "secretManagerConfig", "enableMultiNetworking"}
        assert not absent & set(either.one(CLUSTER).inputs)

    def test_what_is_asked_for_is_set(self) -> None:
        weekend = "FREQ=WEEKLY;BYDAY=SA,SU"
        window = {"start": "2026-01-03T00:00:00Z", "end": "2026-01-03T08:00:00Z", "recurrence": weekend}
        changes = {
            "cluster": {
                "version": "1.35",
                "maintenanceWindow": window,
                "deletionProtection": True,
                "privateNodes": False,
            },
            "huggingFace": {"secretManagerSecret": "hf"},
        }
        cluster = graph_of("gpu", changes).one(CLUSTER)
        assert cluster["minMasterVersion"] == "1.35"
        assert cluster["maintenancePolicy"] == {
            "recurringWindow": {
                "startTime": window["start"],
                "endTime": window["end"],
                "recurrence": window["recurrence"],
            }
        }
        assert cluster["secretManagerConfig"] == {"enabled": True}
        assert cluster["deletionProtection"] is True
        assert cluster["privateClusterConfig"] == {"enablePrivateNodes": False}


class TestBrought:
    def test_a_brought_cluster_is_read_only(self) -> None:
        graph = graph_of("gpu", EXISTING)
        cluster = graph.one(CLUSTER)
        assert cluster.read
        assert cluster.id == graph.one(PROVIDER)["clusterIdentifier"]
        assert {pool["cluster"] for pool in graph.by_type("gcp:container/nodePool:NodePool")} == {"shared"}

    def test_a_brought_network_is_not_made(self) -> None:
        graph = graph_of("gpu", EXISTING_FRONT)
        assert [r.type for r in graph if r.type.startswith("gcp:compute/") and not r.read] == []
        assert graph.one(CLUSTER)["network"] == f"projects/{PROJECT}/global/networks/hub"
        assert graph.one(CLUSTER)["subnetwork"] == f"projects/{PROJECT}/regions/us-central1/subnetworks/hub-nodes"

    def test_a_missing_proxy_only_subnet_is_made_in_a_brought_network(self) -> None:
        graph = graph_of(
            "gpu", {"network.existing": {k: v for k, v in EXISTING_NETWORK.items() if k != "proxySubnetwork"}}
        )
        proxies = graph.one("gcp:compute/subnetwork:Subnetwork")
        assert (proxies.name, proxies["purpose"], proxies["role"]) == ("proxies", "REGIONAL_MANAGED_PROXY", "ACTIVE")
        # A region of a VPC has one, and Google patches no purpose.
        assert (proxies.options.replace_on_changes, proxies.options.delete_before_replace) == (("purpose",), True)
        assert graph.depends(graph.one("kubernetes:gateway.networking.k8s.io/v1:Gateway"), proxies)

    def test_a_brought_address_is_read_only(self) -> None:
        graph = graph_of("gpu", EXISTING_FRONT)
        address = graph.one("gcp:compute/address:Address")
        assert address.read
        gateway = graph.one("kubernetes:gateway.networking.k8s.io/v1:Gateway")
        assert gateway["spec"]["addresses"] == [{"type": "NamedAddress", "value": "front"}]

    def test_a_brought_namespace_is_left_alone(self) -> None:
        graph = graph_of("gpu", {**existing_cluster(), **ALL_THERE})
        assert graph.by_type("kubernetes:core/v1:Namespace") == []


class TestSharedVpc:
    """A network of a Shared VPC's host project, given by self links or by names and project."""

    LINKS = {
        "network": "https://www.googleapis.com/compute/v1/projects/net-host/global/networks/shared",
        "subnetwork": "projects/net-host/regions/us-central1/subnetworks/nodes",
        "podRange": "pods",
        "serviceRange": "services",
        "nat": True,
    }
    NAMES = {**LINKS, "network": "shared", "subnetwork": "nodes", "project": "net-host"}

    @pytest.mark.parametrize("existing", [LINKS, NAMES], ids=["links", "names"])
    def test_the_cluster_is_in_the_host_projects_network(self, existing: Mapping[str, Any]) -> None:
        graph = graph_of("gpu", {"network.existing": existing})
        cluster = graph.one(CLUSTER)
        assert cluster["network"] == "projects/net-host/global/networks/shared"
        assert cluster["subnetwork"] == "projects/net-host/regions/us-central1/subnetworks/nodes"
        assert graph.one("gcp:compute/subnetwork:Subnetwork", "proxies")["project"] == "net-host"


def test_nat_is_deleted_before_the_subnet() -> None:
    graph = graph_of("gpu")
    assert graph.depends(
        graph.one("gcp:compute/routerNat:RouterNat"), graph.one("gcp:compute/subnetwork:Subnetwork", "nodes")
    )
