"""Leftovers of a destroyed stack in a project, against a stand-in of Google's REST APIs."""

from __future__ import annotations

import ast
import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from llm_d_gke.operations.leftovers.command import identify, monthly, report_leftovers
from llm_d_gke.operations.leftovers.google import command, list_all
from llm_d_gke.operations.leftovers.kinds import KINDS
from llm_d_gke.operations.leftovers.match import Identity, leftovers
from llm_d_gke.resource_graph import Graph
from llm_d_gke.stackfile import PROJECT_ROOT

PROJECT = "my-project"
COMPUTE = f"/compute/v1/projects/{PROJECT}"
LINK = f"https://www.googleapis.com{COMPUTE}"


class Answer:
    def __init__(self, status_code: int, body: Any) -> None:
        self.status_code, self._body = status_code, body

    def json(self) -> Any:
        return self._body


class Project:
    """A stand-in: resources by collection, and collections that refuse requests."""

    def __init__(self) -> None:
        self.resources: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        self.refusing: dict[str, Answer] = {}
        self.deleted: list[str] = []

    def add(self, collection: str, name: str, scope: str = "regions/us-central1", **body: Any) -> str:
        link = f"{LINK}/{scope}/{collection}/{name}"
        keys = {"regions": "region", "zones": "zone"}
        where = {keys[scope.split("/")[0]]: scope} if scope != "global" else {}
        self.resources.setdefault(collection, []).append((scope, {"name": name, "selfLink": link, **where, **body}))
        return link

    def request(self, method: str, url: str, **_options: Any) -> Answer:
        path = urlsplit(url).path
        name = path.rpartition("/")[2]
        if method == "DELETE":
            self.deleted.append(name)
            for resource in self.resources.values():
                resource[:] = [resource for resource in resource if resource[1]["name"] != name]
            return Answer(200, {"name": "operation"})
        if name in self.refusing:
            return self.refusing[name]
        if "/aggregated/" in path:
            items: dict[str, dict[str, Any]] = {"zones/us-central1-f": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}
            for scope, body in self.resources.get(name, ()):
                items.setdefault(scope, {}).setdefault(name, []).append(body)
            return Answer(200, {"items": items})
        bodies = [body for _, body in self.resources.get(name, ())]
        if any(
            body["selfLink"].endswith(path.removeprefix(COMPUTE))
            for resource in self.resources.values()
            for _, body in resource
        ):
            return Answer(200, {})
        if path.count("/") > 6 and not bodies:
            return Answer(404, {"error": {"message": "not found"}})
        keys = {"serviceAccounts": "accounts"}
        return Answer(200, {keys.get(name, "items" if path.startswith("/compute") else name): bodies})


@pytest.fixture(scope="module")
def identity() -> Identity:
    return identify("gpu", {}, PROJECT)


@pytest.fixture
def project() -> Project:
    return Project()


def left_in(project: Project, identity: Identity) -> Mapping[str, bool]:
    """Names of leftovers, and whether each is certain."""
    resources, unanswered = list_all(PROJECT, project)
    assert unanswered == {}
    return {leftover.resource.name: leftover.is_certain for leftover in leftovers(resources, identity)}


def report(project: Project, identity: Identity, remove: bool = False) -> tuple[int, str]:
    output = io.StringIO()
    console = Console(file=output, width=200)
    status = report_leftovers(identity, project, console, remove=remove, yes=True)
    return status, output.getvalue()


def test_the_names_are_those_of_the_stack_s_graph(identity: Identity) -> None:
    assert (identity.cluster, identity.network) == ("llm-d-gpu", "llm-d-gpu-network")
    assert identity.planned["gcp:compute/address:Address"] == {"llm-d-gpu-gateway"}
    assert "llm-d-inference-scheduling" in identity.namespaces


def test_an_empty_project_is_the_proof(project: Project, identity: Identity) -> None:
    status, text = report(project, identity)
    assert status == 0
    lists = len(KINDS) + 1  # and the roles in the project's policy
    assert f"{lists} of {lists} lists answered" in text


def test_what_belongs_to_others_is_left_alone(project: Project, identity: Identity) -> None:
    project.add("addresses", "llm-d-gpu-gateway-2")
    project.add("firewalls", "gke-llm-d-gpu2-0a1b2c3d-vms", "global", network=f"{LINK}/global/networks/default")
    project.add("disks", "pvc-1", "zones/us-central1-a", labels={"goog-k8s-cluster-name": "other"}, sizeGb="10")
    project.add("networks", "default", "global")
    project.add("backendServices", "gkegw1-abcd-other-svc-8000-0123456789ab")
    assert left_in(project, identity) == {}


@pytest.mark.parametrize(
    ("collection", "name", "scope", "body"),
    [
        ("addresses", "llm-d-gpu-gateway", "regions/us-central1", {}),
        ("disks", "pvc-1", "zones/us-central1-a", {"labels": {"goog-k8s-cluster-name": "llm-d-gpu"}}),
        ("firewalls", "gke-llm-d-gpu-0a1b2c3d-vms", "global", {}),
        ("firewalls", "k8s-fw-l7-x", "global", {"network": f"{LINK}/global/networks/llm-d-gpu-network"}),
        ("instanceGroupManagers", "gke-llm-d-gpu-gpu-acc-tesla-t4-0a1b2c3d-grp", "zones/us-central1-a", {}),
        ("instanceGroupManagers", "gke-llm-d-gpu-gpu-acc-tesla-0a1b2c3d-grp", "zones/us-central1-a", {}),
        (
            "networkEndpointGroups",
            "anything",
            "zones/us-central1-a",
            {"network": f"{LINK}/global/networks/llm-d-gpu-network"},
        ),
        (
            "instances",
            "vm",
            "zones/us-central1-a",
            {"networkInterfaces": [{"network": f"{LINK}/global/networks/llm-d-gpu-network"}]},
        ),
    ],
)
def test_what_is_certainly_the_stack_s(
    project: Project, identity: Identity, collection: str, name: str, scope: str, body: dict[str, Any]
) -> None:
    project.add(collection, name, scope, **body)
    assert left_in(project, identity) == {name: True}


def test_a_load_balancer_is_found_as_a_whole_from_one_of_its_parts(project: Project, identity: Identity) -> None:
    network = f"{LINK}/global/networks/llm-d-gpu-network"
    group = project.add("networkEndpointGroups", "group", "zones/us-central1-a", network=network)
    check = project.add("healthChecks", "check")
    service = project.add("backendServices", "service", backends=[{"group": group}], healthChecks=[check])
    url_map = project.add("urlMaps", "map", defaultService=service)
    proxy = project.add("targetHttpProxies", "proxy", urlMap=url_map)
    project.add("forwardingRules", "rule", target=proxy)
    other = project.add("backendServices", "others")
    project.add("urlMaps", "others-map", defaultService=other)
    assert list(left_in(project, identity)) == ["rule", "proxy", "map", "service", "check", "group"]


def test_a_name_alone_is_no_certainty(project: Project, identity: Identity) -> None:
    project.add("backendServices", "gkegw1-abcd-llm-d-inference-scheduling-gemma-8000-0123456789ab")
    [certain] = left_in(project, identity).values()
    assert not certain
    status, text = report(project, identity, remove=True)
    assert status == 1
    assert "by its name only" in text
    assert project.deleted == []


def test_the_load_balancer_of_a_service_in_a_network_of_others_is_found(project: Project, identity: Identity) -> None:
    """As GKE exports them: names of uids, a description in JSON, and the tag of the cluster's nodes."""
    service = '{"kubernetes.io/service-name":"llm-d-inference-scheduling/inference-gateway-istio"}'
    project.add("forwardingRules", "a25a8e8e299b7425daa92080dc71f70a", target="pool", description=service)
    tags = {"network": f"{LINK}/global/networks/shared", "targetTags": ["gke-llm-d-gpu-7fd7c9d4-node"]}
    project.add("firewalls", "k8s-fw-a25a8e8e299b7425daa92080dc71f70a", "global", description=service, **tags)
    cluster = '{"kubernetes.io/cluster-id":"346b48ae4e449daf"}'
    project.add("firewalls", "k8s-346b48ae4e449daf-node-http-hc", "global", description=cluster, **tags)
    others = '{"kubernetes.io/service-name":"llm-d-inference-scheduling-2/web"}'
    project.add("forwardingRules", "b", description=others)
    project.add("firewalls", "k8s-fw-b", "global", description=others, targetTags=["gke-other-7fd7c9d4-node"])
    project.add("firewalls", "described", "global", description="not JSON")
    assert left_in(project, identity) == {
        "a25a8e8e299b7425daa92080dc71f70a": True,
        "k8s-fw-a25a8e8e299b7425daa92080dc71f70a": True,
        "k8s-346b48ae4e449daf-node-http-hc": True,
    }


def test_each_is_shown_with_its_price_and_its_command(project: Project, identity: Identity) -> None:
    project.add("addresses", "llm-d-gpu-gateway")
    project.add("disks", "pvc-1", "zones/us-central1-a", labels={"goog-k8s-cluster-name": "llm-d-gpu"}, sizeGb="100")
    status, text = report(project, identity)
    assert status == 1
    assert "$10.00 a month" in text
    assert "gcloud compute disks delete pvc-1 --zone=us-central1-a --project=my-project" in text
    assert "gcloud compute addresses delete llm-d-gpu-gateway --region=us-central1 --project=my-project" in text


def test_removal_follows_the_order_of_references(project: Project, identity: Identity) -> None:
    network = f"{LINK}/global/networks/llm-d-gpu-network"
    project.add("networks", "llm-d-gpu-network", "global")
    project.add("subnetworks", "llm-d-gpu-nodes", network=network)
    project.add("forwardingRules", "rule", network=network)
    status, text = report(project, identity, remove=True)
    assert status == 0, text
    assert project.deleted == ["rule", "llm-d-gpu-nodes", "llm-d-gpu-network"]


def test_a_stack_that_is_up_is_not_removed(project: Project, identity: Identity) -> None:
    project.resources["clusters"] = [("", {"name": "llm-d-gpu", "location": "us-central1-a", "selfLink": "x"})]
    status, text = report(project, identity, remove=True)
    assert status == 1
    assert "Run `pulumi destroy` first" in text
    assert project.deleted == []


def test_what_could_not_be_asked_is_no_proof(project: Project, identity: Identity) -> None:
    project.refusing["disks"] = Answer(403, {"error": {"message": "Required 'compute.disks.list' permission"}})
    status, text = report(project, identity)
    assert status == 1
    assert "could not list: disk (403: Required 'compute.disks.list' permission)" in text


def test_an_api_that_is_off_has_nothing(project: Project, identity: Identity) -> None:
    details = [{"reason": "SERVICE_DISABLED"}]
    project.refusing["secrets"] = Answer(403, {"error": {"message": "is disabled", "details": details}})
    assert report(project, identity)[0] == 0


def test_prices_are_the_catalog_s() -> None:
    kinds = {kind.title: kind for kind in KINDS}
    assert monthly(kinds["address"], {}) == pytest.approx(7.3)
    assert monthly(kinds["health check"], {}) == 0
    assert monthly(kinds["instance"], {}) is None


def test_a_global_part_gets_a_global_command() -> None:
    resources, _ = list_all(PROJECT, _with_global_address())
    assert command(resources[0], PROJECT) == "gcloud compute addresses delete a --global --project=my-project"


def _with_global_address() -> Project:
    project = Project()
    project.add("addresses", "a", "global")
    return project


# What a component creates that is in no list, and why nothing of it can stay alone.
COVERED_OTHERWISE = {
    "gcp:projects/service:Service": "an API stays enabled on purpose",
    "gcp:container/nodePool:NodePool": "a part of the cluster",
    "gcp:compute/routerNat:RouterNat": "a part of the router",
    "gcp:gkehub/feature:Feature": "one switch of the whole project's fleet; it costs nothing",
    "gcp:billing/budget:Budget": "of the billing account, not of the project; it costs nothing",
    "gcp:projects/iAMMember:IAMMember": "in the project's policy",
    "gcp:storage/bucketIAMMember:BucketIAMMember": "in the bucket's policy",
    "gcp:secretmanager/secretIamMember:SecretIamMember": "in the secret's policy",
}


def test_every_type_that_a_component_creates_is_listed(gpu: Graph) -> None:
    created = {resource.type for resource in gpu.resources if resource.type.startswith("gcp:")}
    for file in (PROJECT_ROOT / "llm_d_gke" / "components").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            words = ast.unparse(node).split(".") if isinstance(node, ast.Attribute) else []
            if len(words) == 3 and words[0] == "gcp" and words[2][0].isupper() and not words[2].endswith("Args"):
                created.add(f"gcp:{words[1]}/{words[2][0].lower()}{words[2][1:]}:{words[2]}")
    assert len(created) > 10
    assert created - {kind.graph for kind in KINDS} - set(COVERED_OTHERWISE) == set()
    assert set(COVERED_OTHERWISE) - created == set()
