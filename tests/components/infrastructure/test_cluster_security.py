"""Protections of the cluster: what every stack has, and what a setting adds."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llm_d_gke.planning.infrastructure.cluster import NODE_ROLES
from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.values import jsonable
from tests.stacks import existing_cluster, graph_of, plan_of

CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
KEY = "projects/keys/locations/us-central1/keyRings/llm-d/cryptoKeys/gke"
NETWORKS = [{"cidr": "203.0.113.0/24", "name": "office"}]


def test_the_first_node_is_as_protected_as_the_others(either: Graph) -> None:
    """GKE creates a first node. With the default account the creation fails where that account is disabled."""
    config = either.one(CLUSTER)["nodeConfig"]
    pool = either.by_type(POOL)[0]["nodeConfig"]
    for name in (
        "serviceAccount",
        "oauthScopes",
        "imageType",
        "workloadMetadataConfig",
        "shieldedInstanceConfig",
        "metadata",
    ):
        assert config[name] == pool[name], name
    assert config["shieldedInstanceConfig"] == {"enableIntegrityMonitoring": True, "enableSecureBoot": True}


def test_nodes_run_as_an_account_that_exists() -> None:
    account = "llm-d-nodes@my-project.iam.gserviceaccount.com"
    for stack, changes in (("gpu", {}), ("compute-class-gpu", {}), ("autopilot-gpu", {}), ("gpu", existing_cluster())):
        graph = graph_of(stack, {"cluster.nodeAccount": account, **changes})
        assert graph.by_type("gcp:serviceaccount/account:Account") == []
        assert not [
            member["role"]
            for member in graph.by_type("gcp:projects/iAMMember:IAMMember")
            if member["role"] in NODE_ROLES
        ]
        text = json.dumps([jsonable(resource.inputs) for resource in graph])
        assert "-nodes@" in text
        assert account in text
        assert set(re.findall(r"[-a-z0-9]+-nodes@[-a-z0-9.]+", text)) == {account}


def test_defaults_of_google_are_stated(either: Graph) -> None:
    cluster = either.one(CLUSTER)
    assert cluster["masterAuth"] == {"clientCertificateConfig": {"issueClientCertificate": False}}
    assert cluster["enableLegacyAbac"] is False
    assert cluster["rbacBindingConfig"] == {
        "enableInsecureBindingSystemAuthenticated": False,
        "enableInsecureBindingSystemUnauthenticated": False,
    }
    assert cluster["enableIntranodeVisibility"] is False
    assert cluster["securityPostureConfig"] == {"mode": "BASIC", "vulnerabilityMode": "VULNERABILITY_DISABLED"}
    assert cluster["nodePoolDefaults"] == {"nodeConfigDefaults": {"insecureKubeletReadonlyPortEnabled": "FALSE"}}


@pytest.mark.parametrize(
    ("setting", "value", "property_", "expected"),
    [
        ("encryption.secretsKey", KEY, "databaseEncryption", {"state": "ENCRYPTED", "keyName": KEY}),
        ("binaryAuthorization", True, "binaryAuthorization", {"evaluationMode": "PROJECT_SINGLETON_POLICY_ENFORCE"}),
        ("intranodeVisibility", True, "enableIntranodeVisibility", True),
        (
            "securityPosture",
            "disabled",
            "securityPostureConfig",
            {"mode": "DISABLED", "vulnerabilityMode": "VULNERABILITY_DISABLED"},
        ),
        (
            "googleGroup",
            "gke-security-groups@example.com",
            "authenticatorGroupsConfig",
            {"securityGroup": "gke-security-groups@example.com"},
        ),
    ],
)
def test_a_setting_of_the_cluster_reaches_it(setting: str, value: Any, property_: str, expected: Any) -> None:
    without, with_it = graph_of("gpu").one(CLUSTER), graph_of("gpu", {f"cluster.{setting}": value}).one(CLUSTER)
    assert with_it[property_] == expected
    assert without.inputs.get(property_) != expected


def test_every_disk_of_a_node_is_encrypted_with_the_key() -> None:
    graph = graph_of("gpu", {"cluster.encryption.diskKey": KEY})
    configs = [resource["nodeConfig"] for resource in (*graph.by_type(CLUSTER), *graph.by_type(POOL))]
    assert len(configs) == 3
    assert {config["bootDiskKmsKey"] for config in configs} == {KEY}


def test_pools_in_an_existing_cluster_take_the_key_too() -> None:
    plan = plan_of("gpu", existing_cluster() | {"cluster.encryption.diskKey": KEY})
    assert {pool.disk_key for pool in (plan.cpu_pool, *plan.accelerator_pools)} == {KEY}
    assert "LLMD-EXISTING-IGNORED" not in {finding.id for finding in plan.warnings}


def test_a_key_for_disks_may_be_in_a_place_that_contains_the_region() -> None:
    for place in ("us-central1", "us", "global"):
        key = KEY.replace("us-central1", place)
        assert plan_of("gpu", {"cluster.encryption.diskKey": key}).cpu_pool.disk_key == key


def test_apis_follow_the_settings() -> None:
    changes = {"cluster.binaryAuthorization": True, "cluster.encryption.secretsKey": KEY}
    added = set(plan_of("gpu", changes).services) - set(plan_of("gpu").services)
    assert added == {"binaryauthorization.googleapis.com", "cloudkms.googleapis.com"}


def test_other_customers_of_google_do_not_reach_the_control_plane() -> None:
    access = {"access": "authorized-networks", "authorizedNetworks": NETWORKS}
    closed = graph_of("gpu", {"cluster.controlPlane": access}).one(CLUSTER)
    opened = graph_of("gpu", {"cluster.controlPlane": access | {"googleCloudAddresses": True}}).one(CLUSTER)
    assert closed["masterAuthorizedNetworksConfig"]["gcpPublicCidrsAccessEnabled"] is False
    assert opened["masterAuthorizedNetworksConfig"]["gcpPublicCidrsAccessEnabled"] is True


def test_flow_logs_are_of_the_node_subnet() -> None:
    nodes, proxies = (
        next(
            resource
            for resource in graph_of("gpu", {"network.flowLogs": True}).by_type(SUBNETWORK)
            if resource.name == name
        )
        for name in ("nodes", "proxies")
    )
    assert nodes["logConfig"] == {
        "aggregationInterval": "INTERVAL_10_MIN",
        "flowSampling": 0.5,
        "metadata": "INCLUDE_ALL_METADATA",
    }
    assert "logConfig" not in proxies.inputs
    assert all("logConfig" not in subnet.inputs for subnet in graph_of("gpu").by_type(SUBNETWORK))
