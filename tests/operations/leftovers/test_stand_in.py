"""A cluster that is deleted before its Gateways leaves load balancers, in the stand-in as on Google Cloud."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from llm_d_gke.google_types import ADDRESS, CLUSTER, NETWORK, SUBNETWORK
from llm_d_gke.operations.leftovers.bindings import project_policy
from llm_d_gke.operations.leftovers.command import identify, report_leftovers
from llm_d_gke.operations.leftovers.match import Identity
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp import CloudStore, GcpProvider
from llm_d_gke.rehearsal.providers.gcp.controller_resources import (
    disks,
    istio_services,
    load_balancers,
    service_load_balancers,
    site_of,
)
from llm_d_gke.rehearsal.providers.gcp.store import MARKS
from llm_d_gke.rehearsal.providers.requests import DeleteRequest, Refused
from tests.google_api import ROLE, GoogleApi

PROJECT = "my-project"
VPC = f"projects/{PROJECT}/global/networks/llm-d-gpu-network"
CLUSTER_ID = f"projects/{PROJECT}/locations/us-central1-a/clusters/llm-d-gpu"
CLUSTER_RECORD: dict[str, Any] = {
    "name": "llm-d-gpu",
    "project": PROJECT,
    "location": "us-central1-a",
    "network": VPC,
} | {"deletionProtection": False}
GATEWAY: dict[str, Any] = {
    "metadata": {"namespace": "llm-d-inference-scheduling", "name": "inference-gateway"},
    "spec": {
        "gatewayClassName": "gke-l7-regional-external-managed",
        "listeners": [
            {"name": "http", "protocol": "HTTP", "port": 80},
            {"name": "https", "protocol": "HTTPS", "port": 443},
        ],
    },
}
ROUTE = {
    "metadata": {"namespace": "llm-d-inference-scheduling", "name": "inference"},
    "spec": {
        "parentRefs": [{"name": "inference-gateway"}],
        "rules": [{"backendRefs": [{"name": "gemma", "kind": "InferencePool"}, {"name": "router", "port": 80}]}],
    },
}
VOLUME = {
    "metadata": {"name": "pvc-1"},
    "spec": {"csi": {"driver": "pd.csi.storage.gke.io"}, "capacity": {"storage": "100Gi"}},
}


@pytest.fixture(scope="module")
def identity() -> Identity:
    return identify("gpu", {}, PROJECT)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudStore:
    """A Google Cloud with the network, the subnet and the cluster of stack gpu."""
    monkeypatch.setattr("llm_d_gke.rehearsal.providers.gcp.store.cache_root", lambda: tmp_path / "register")
    store = CloudStore(StackPaths("gpu", tmp_path).cloud)
    subnet = f"projects/{PROJECT}/regions/us-central1/subnetworks/llm-d-gpu-nodes"
    with store.transaction() as cloud:
        marks: dict[str, Any] = {MARKS: {"urn": "", "run": ""}}
        cloud["resources"] = {
            NETWORK: {VPC: {"name": "llm-d-gpu-network", **marks}},
            SUBNETWORK: {subnet: {"name": "llm-d-gpu-nodes", "network": VPC, **marks}},
            CLUSTER: {CLUSTER_ID: {**CLUSTER_RECORD, **marks}},
        }
    return store


def delete(tmp_path: Path, kind: str, identifier: str) -> None:
    provider = GcpProvider(StackPaths("gpu", tmp_path), lambda _: None)
    request = DeleteRequest(
        urn="urn",
        type=kind,
        name="name",
        config={"project": PROJECT, "region": "us-central1"},
        id=identifier,
        olds={},
    )
    provider.delete(request)


def report(store: CloudStore, identity: Identity, remove: bool = False) -> tuple[int, str]:
    output = io.StringIO()
    status = report_leftovers(identity, GoogleApi(store), Console(file=output, width=300), remove=remove, yes=True)
    return status, output.getvalue()


def test_parts_of_a_gateway_are_those_of_google_s_load_balancer() -> None:
    parts = list(load_balancers([GATEWAY], [ROUTE], site_of(CLUSTER_RECORD, "us-central1")))
    assert [part.collection for part in parts] == [
        "forwardingRules",
        "forwardingRules",
        "targetHttpProxies",
        "targetHttpsProxies",
        "urlMaps",
        "backendServices",
        "backendServices",
        "healthChecks",
        "healthChecks",
        "networkEndpointGroups",
        "networkEndpointGroups",
        "firewalls",
    ]
    assert len({part.id for part in parts}) == len(parts)
    assert all(len(part.record["name"]) <= 63 for part in parts)


def test_istio_s_gateway_has_the_parts_of_a_service_and_all_of_them_are_the_stack_s(
    store: CloudStore, identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    istio = {**GATEWAY, "spec": {**GATEWAY["spec"], "gatewayClassName": "istio"}}
    site = site_of(CLUSTER_RECORD, "us-central1")
    assert list(load_balancers([istio], [ROUTE], site)) == []
    closed = {"metadata": {"namespace": "llm-d", "name": "closed"}, "spec": {"type": "ClusterIP"}}
    parts = list(service_load_balancers([*istio_services([istio]), closed], site))
    assert [part.collection for part in parts] == [
        "forwardingRules",
        "targetPools",
        "firewalls",
        "httpHealthChecks",
        "firewalls",
    ]
    assert list(service_load_balancers([closed], site)) == []
    monkeypatch.setattr("llm_d_gke.rehearsal.providers.gcp.provider.left_by_cluster", lambda *_: parts)
    delete(tmp_path, CLUSTER, CLUSTER_ID)
    status, _ = report(store, identity, remove=True)
    # Network and subnet of the fixture go, too.
    assert status == 0
    assert not any(records for records in store.read()["resources"].values())


def test_a_cluster_deleted_first_leaves_what_holds_the_network_and_leftovers_removes_it(
    store: CloudStore, identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_of(CLUSTER_RECORD, "us-central1")
    left = [*load_balancers([GATEWAY], [ROUTE], site), *disks([VOLUME], site)]
    monkeypatch.setattr("llm_d_gke.rehearsal.providers.gcp.provider.left_by_cluster", lambda *_: left)
    delete(tmp_path, CLUSTER, CLUSTER_ID)
    delete(tmp_path, SUBNETWORK, f"projects/{PROJECT}/regions/us-central1/subnetworks/llm-d-gpu-nodes")
    with pytest.raises(Refused, match="is already being used by"):
        delete(tmp_path, NETWORK, VPC)

    status, text = report(store, identity)
    assert status == 1
    assert text.count("gcloud compute") == len(left) + 1, text
    assert "disk pvc-1, us-central1-a, $10.00 a month" in text
    assert "by its name only" not in text, "from the network on, every part is found by reference"

    status, text = report(store, identity, remove=True)
    assert status == 0, text
    assert store.read()["resources"] == {}
    assert report(store, identity)[0] == 0


def test_nothing_is_left_in_the_right_order(
    store: CloudStore, identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_d_gke.rehearsal.providers.gcp.provider.left_by_cluster", lambda *_: [])
    delete(tmp_path, CLUSTER, CLUSTER_ID)
    delete(tmp_path, SUBNETWORK, f"projects/{PROJECT}/regions/us-central1/subnetworks/llm-d-gpu-nodes")
    delete(tmp_path, NETWORK, VPC)
    assert report(store, identity)[0] == 0


def test_a_role_of_the_stack_s_account_is_found_and_removed(store: CloudStore, identity: Identity) -> None:
    email = f"llm-d-gpu-nodes@{PROJECT}.iam.gserviceaccount.com"
    members = {
        "own": {"role": "roles/artifactregistry.reader", "member": f"serviceAccount:{email}"},
        "deleted": {"role": "roles/logging.logWriter", "member": f"deleted:serviceAccount:{email}?uid=1"},
        "other": {"role": "roles/artifactregistry.reader", "member": "user:someone@example.com"},
    }
    with store.transaction() as cloud:
        cloud["resources"] = {ROLE: members}
    status, text = report(store, identity)
    assert status == 1
    command = f"gcloud projects remove-iam-policy-binding {PROJECT} --role=roles/artifactregistry.reader"
    assert f"{command} --member='serviceAccount:{email}'" in text
    assert "someone@example.com" not in text
    assert report(store, identity, remove=True)[0] == 0
    assert list(store.resources(ROLE)) == ["other"]


def test_an_address_in_use_is_not_deleted(store: CloudStore) -> None:
    identifier = f"projects/{PROJECT}/regions/us-central1/addresses/a"
    rule = "projects/p/regions/us-central1/forwardingRules/r"
    with store.transaction() as cloud:
        cloud["resources"] |= {
            ADDRESS: {identifier: {"name": "a"}},
            "gke:compute/forwardingRules": {rule: {"name": "r", "IPAddress": identifier}},
        }
    answer = GoogleApi(store).request("DELETE", f"https://compute.googleapis.com/compute/v1/{identifier}")
    assert answer.status_code == 400
    assert identifier in store.resources(ADDRESS)


def test_the_policy_of_the_project_is_read_whole() -> None:
    assert project_policy(PROJECT).read.endswith(f"/projects/{PROJECT}:getIamPolicy")
