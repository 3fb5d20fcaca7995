"""What an attacker looks for in the objects of every stack: rights, accounts, and open ways through the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from llm_d_gke.planning.infrastructure.cluster import NODE_ROLES
from llm_d_gke.planning.serving.autoscaling import METRICS_ROLE
from policy.llmd_policy.resources import Resource
from tests.planning.routing.test_edge import JWT
from tests.policy.graphs import EVERY_STACK, resources_of

# Settings that bring objects which no stack file of the project has.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{stack: (stack, {}) for stack in EVERY_STACK},
    "several pickers": ("prefix-cache-gpu", {"picker.replicas": 2}),
    "token in Secret Manager": ("gpu", {"huggingFace": {"secretManagerSecret": "hf"}}),
    "weights in a bucket": ("gpu", {"models[0].source": {"kind": "bucket", "bucket": "weights", "path": "model"}}),
    "without metrics": ("gpu", {"monitoring.enabled": False}),
    "tokens of clients": ("gpu", JWT),
}
REVIEWS = {("tokenreviews", "create"), ("subjectaccessreviews", "create")}
GRANTED = {*NODE_ROLES, METRICS_ROLE, "roles/storage.objectViewer", "roles/secretmanager.secretAccessor"}


@pytest.fixture(scope="module", params=VARIANTS)
def resources(request: pytest.FixtureRequest) -> list[Resource]:
    stack, changes = VARIANTS[request.param]
    return resources_of(stack, changes)


def of(resources: list[Resource], *kinds: str) -> Iterator[Mapping[str, Any]]:
    return (resource.properties for resource in resources if resource.type.rpartition(":")[2] in kinds)


def test_roles_name_what_they_allow(resources: list[Resource]) -> None:
    roles = list(of(resources, "Role", "ClusterRole"))
    assert roles
    for rule in (rule for role in roles for rule in role["rules"]):
        words = {*rule.get("verbs", ()), *rule.get("resources", ()), *rule.get("apiGroups", ())}
        assert not words & {"*", "escalate", "bind", "impersonate", "deletecollection", "pods/exec"}, rule
        if "secrets" in rule.get("resources", ()):
            assert rule["verbs"] == ["get"]
            assert rule["resourceNames"]
        if set(rule.get("verbs", ())) & {"update", "patch", "delete"} and rule["resources"] != ["events"]:
            assert rule["resourceNames"], rule


def test_nothing_of_the_whole_cluster_is_read(resources: list[Resource]) -> None:
    for role in of(resources, "ClusterRole"):
        for rule in role["rules"]:
            if rule.get("nonResourceURLs"):
                assert (rule["nonResourceURLs"], rule["verbs"]) == (["/metrics"], ["get"])
            else:
                assert {(kind, verb) for kind in rule["resources"] for verb in rule["verbs"]} <= REVIEWS


def test_rights_are_given_to_accounts_of_the_stack(resources: list[Resource]) -> None:
    own = {
        (account["metadata"]["namespace"], account["metadata"]["name"]) for account in of(resources, "ServiceAccount")
    }
    for binding in of(resources, "RoleBinding", "ClusterRoleBinding"):
        for subject in binding["subjects"]:
            assert subject["kind"] == "ServiceAccount"
            # Google's collector of metrics, which no stack creates.
            assert (subject["namespace"], subject["name"]) in {*own, ("gmp-system", "collector")}


def test_accounts_mount_no_token_unless_their_pod_says_so(resources: list[Resource]) -> None:
    accounts = list(of(resources, "ServiceAccount"))
    assert accounts
    assert {account["automountServiceAccountToken"] for account in accounts if "type" not in account} == {False}


def test_every_way_through_the_network_has_an_end(resources: list[Resource]) -> None:
    """Rules without peers admit all addresses; those without ports all ports, which only pods of one model need."""
    policies = list(of(resources, "NetworkPolicy"))
    assert policies
    for spec in (policy["spec"] for policy in policies):
        assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
        for rule, peers in (
            *((rule, rule.get("from")) for rule in spec.get("ingress") or ()),
            *((rule, rule.get("to")) for rule in spec.get("egress") or ()),
        ):
            assert peers, spec
            for peer in peers:
                selectors = [peer.get(kind) or {} for kind in ("podSelector", "namespaceSelector")]
                assert peer.get("ipBlock") or any(selector.get("matchLabels") for selector in selectors), peer
            if not rule.get("ports"):
                assert all("ipBlock" not in peer and "namespaceSelector" not in peer for peer in peers), rule


def test_a_token_is_required_of_somebody(resources: list[Resource]) -> None:
    for policy in of(resources, "AuthorizationPolicy"):
        assert policy["spec"]["rules"]
        for rule in policy["spec"]["rules"]:
            assert all(way["source"]["requestPrincipals"] for way in rule["from"])


def test_roles_of_google_cloud_are_few_and_given_to_service_accounts(resources: list[Resource]) -> None:
    for resource in resources:
        if resource.type.startswith("gcp:") and "Member" in resource.type:
            assert resource.properties["role"] in GRANTED
            # Of an account that does not exist yet it is not known.
            member = str(resource.properties["member"])
            assert member == "[unknown]" or member.startswith("serviceAccount:")
