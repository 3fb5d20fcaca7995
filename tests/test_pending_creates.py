"""What a killed engine was creating gets the id that its provider gives, so that a destroy deletes it."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.pending_creates import adopt_pending

PROVIDER = {
    "urn": "urn:pulumi:gpu::llm-d::pulumi:providers:gcp::google",
    "type": "pulumi:providers:gcp",
    "id": "1",
    "inputs": {"project": "my-project", "region": "us-central1"},
}
GCP, KUBERNETES = f"{PROVIDER['urn']}::1", "urn:provider::2"


def creating(kind: str, inputs: dict[str, Any], provider: str = GCP, operation: str = "creating") -> dict[str, Any]:
    resource = {"urn": f"urn:{kind}", "type": kind, "custom": True, "inputs": inputs, "provider": provider}
    return {"type": operation, "resource": resource}


@pytest.mark.parametrize(
    ("kind", "inputs", "identifier"),
    [
        (
            "gcp:serviceaccount/account:Account",
            {"accountId": "llm-d-gpu-nodes"},
            "projects/my-project/serviceAccounts/llm-d-gpu-nodes@my-project.iam.gserviceaccount.com",
        ),
        (
            "gcp:serviceaccount/account:Account",
            {"accountId": "nodes", "project": "example.com:chat"},
            "projects/example.com:chat/serviceAccounts/nodes@chat.example.com.iam.gserviceaccount.com",
        ),
        ("gcp:compute/network:Network", {"name": "vpc"}, "projects/my-project/global/networks/vpc"),
        (
            "gcp:compute/routerNat:RouterNat",
            {"name": "nat", "router": "router", "region": "europe-west4"},
            "my-project/europe-west4/router/nat",
        ),
        (
            "gcp:container/nodePool:NodePool",
            {"name": "gpu", "location": "us-central1-a", "cluster": "projects/p/locations/us-central1-a/clusters/one"},
            "projects/my-project/locations/us-central1-a/clusters/one/nodePools/gpu",
        ),
        ("kubernetes:apps/v1:Deployment", {"metadata": {"name": "engine", "namespace": "llm-d"}}, "llm-d/engine"),
        ("kubernetes:core/v1:Namespace", {"metadata": {"name": "llm-d"}}, "llm-d"),
        ("kubernetes:helm.sh/v3:Release", {"name": "kserve", "namespace": "kserve"}, "kserve/kserve"),
    ],
)
def test_a_creation_is_recorded_by_the_id_of_its_arguments(kind: str, inputs: dict[str, Any], identifier: str) -> None:
    state, adopted = adopt_pending({"resources": [PROVIDER], "pending_operations": [creating(kind, inputs)]})
    assert adopted == [f"urn:{kind}"]
    assert "pending_operations" not in state
    [_, recorded] = state["resources"]
    assert (recorded["id"], recorded["outputs"], recorded["custom"]) == (identifier, inputs, True)


def test_an_id_that_google_chooses_stays_unrecorded() -> None:
    operation = creating("gcp:monitoring/alertPolicy:AlertPolicy", {"displayName": "late"})
    assert adopt_pending({"resources": [PROVIDER], "pending_operations": [operation]}) == (
        {"resources": [PROVIDER]},
        [],
    )


def test_updates_and_deletions_are_in_the_state_already() -> None:
    kind, inputs = "gcp:compute/network:Network", {"name": "vpc"}
    operations = [creating(kind, inputs, operation=operation) for operation in ("updating", "deleting")]
    assert adopt_pending({"resources": [PROVIDER], "pending_operations": operations})[1] == []


def test_a_creation_that_was_recorded_is_not_recorded_twice_and_a_replacement_is_deleted() -> None:
    operation = creating("gcp:compute/network:Network", {"name": "vpc"})
    for identifier, expected in (("projects/my-project/global/networks/vpc", []), ("old", [True])):
        recorded = {**operation["resource"], "id": identifier}
        state, adopted = adopt_pending({"resources": [PROVIDER, recorded], "pending_operations": [operation]})
        assert [resource.get("delete") for resource in state["resources"][2:]] == expected
        assert len(adopted) == len(expected)
