"""Failures of hand-made setups, as a load balancer shows them: same status, same answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from llm_d_gke.kube import Manifest
from llm_d_gke.planning.routing.gateway import ROUTE
from llm_d_gke.rehearsal.providers.gcp.store import CloudStore, Record
from tests.waiting import eventually

from .conftest import Running
from .project import PICKERS, Project, chat

pytestmark = pytest.mark.rehearsal

NAMESPACE = "llm-d-inference-scheduling"
MODEL = "google/gemma-2b-it"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
SERVICE = "gcp:projects/service:Service"


@contextmanager
def without(project: Project, token: str, stack: str = "gpu", **fields: str) -> Iterator[None]:
    """Google Cloud without the one resource that has these values, as if it had never been created."""
    store = CloudStore(project.paths(stack).cloud)
    with store.transaction() as cloud:
        records = cloud["resources"][token]
        ((key, record),) = [
            item for item in records.items() if all(item[1].get(name) == value for name, value in fields.items())
        ]
        removed: Record = records.pop(key)
        assert removed is record
    try:
        yield
    finally:
        with store.transaction() as cloud:
            cloud["resources"].setdefault(token, {})[key] = removed


def gateway(project: Project) -> Manifest:
    with project.kube("gpu") as kube:
        return kube.get("gateway.networking.k8s.io/v1", "Gateway", "inference-gateway", NAMESPACE)


def programmed(project: Project) -> Manifest:
    (programmed_condition,) = [
        condition for condition in gateway(project)["status"]["conditions"] if condition["type"] == "Programmed"
    ]
    condition: Manifest = programmed_condition
    return condition


def test_no_proxy_only_subnet_no_address(running: Running) -> None:
    project = running.project
    address = gateway(project)["status"]["addresses"]
    with without(project, SUBNETWORK, purpose="REGIONAL_MANAGED_PROXY"):
        eventually(lambda: programmed(project)["status"] == "False", "the Gateway is not programmed")
        assert "an active proxy-only subnetwork is required" in programmed(project)["message"]
        assert not gateway(project)["status"].get("addresses")
        assert project.diagnosed("gpu") == "no-proxy-only-subnet"
        status = " ".join(project.run("status", "gpu").split())  # a narrow column breaks its lines
        assert "an active proxy-only subnetwork is required" in status
    eventually(lambda: programmed(project)["status"] == "True", "the Gateway is programmed again")
    assert gateway(project)["status"]["addresses"] == address


def test_network_services_api_off_fault_filter_abort(running: Running) -> None:
    project = running.project
    url = project.endpoint("gpu")
    with without(project, SERVICE, service="networkservices.googleapis.com"):
        eventually(lambda: chat(url, MODEL).text == "fault filter abort", "requests are aborted")
        assert chat(url, MODEL).status_code == 500
        assert project.diagnosed("gpu") == "fault-filter-abort"
    eventually(lambda: chat(url, MODEL).status_code == 200, "requests are answered again")


def test_a_route_that_was_deleted_is_not_taken_for_a_missing_api(running: Running) -> None:
    project, kind = running.project, ("gateway.networking.k8s.io/v1", "HTTPRoute")
    url = project.endpoint("gpu")
    with project.kube("gpu") as kube:
        route = kube.get(*kind, ROUTE, NAMESPACE)
        kube.delete(*kind, ROUTE, NAMESPACE)
        try:
            eventually(lambda: chat(url, MODEL).status_code == 404, "no route matches")
            assert project.diagnosed("gpu") == "objects-differ"
        finally:
            metadata = {key: route["metadata"].get(key) for key in ("name", "namespace", "labels", "annotations")}
            kube.create({**{key: value for key, value in route.items() if key != "status"}, "metadata": metadata})
    eventually(lambda: chat(url, MODEL).status_code == 200, "requests are answered again")


@pytest.mark.slow
def test_deleted_servers_come_back_with_the_way_that_up_names(running: Running) -> None:
    project = running.project
    with project.kube("gpu") as kube:
        [server] = kube.list("apps/v1", "Deployment", NAMESPACE, labels="llm-d.ai/inference-serving=true")
        kube.delete("apps/v1", "Deployment", server["metadata"]["name"], NAMESPACE)
    eventually(lambda: not project.model_servers("gpu"), "no model server runs")
    assert "make up STACK=gpu ARGS=--refresh" in project.run("up", "gpu", code=1)
    project.run("up", "gpu", "--refresh")
    assert chat(project.endpoint("gpu"), MODEL).status_code == 200


def test_wrong_health_check_path_no_healthy_upstream(running: Running) -> None:
    project = running.project
    url = project.endpoint("gpu")
    kind = ("networking.gke.io/v1", "HealthCheckPolicy")

    def ask_for(path: str) -> str:
        with project.kube("gpu") as kube:
            (policy,) = kube.list(*kind, NAMESPACE)
            before: str = policy["spec"]["default"]["config"]["httpHealthCheck"]["requestPath"]
            change = {"spec": {"default": {"config": {"httpHealthCheck": {"requestPath": path}}}}}
            kube.patch(*kind, policy["metadata"]["name"], change, NAMESPACE)
        return before

    before = ask_for("/")
    try:
        eventually(lambda: chat(url, MODEL).status_code == 503, "requests are refused")
        assert chat(url, MODEL).text == "no healthy upstream"
        assert project.diagnosed("gpu") == "health-check-path"
    finally:
        assert ask_for(before) == "/"
    eventually(lambda: chat(url, MODEL).status_code == 200, "requests are answered again")


def test_more_replicas_than_the_pool_holds(running: Running) -> None:
    project = running.project
    kind, name = ("apps/v1", "Deployment"), "gemma-2b-it-vllm"

    def scale(replicas: int) -> None:
        with project.kube("gpu") as kube:
            kube.patch(*kind, name, {"spec": {"replicas": replicas}}, NAMESPACE)

    assert project.diagnosed("gpu") == ""
    scale(9)
    try:
        eventually(lambda: project.diagnosed("gpu") == "pool-at-maximum", "the full pool is the cause")
    finally:
        scale(1)
    eventually(lambda: len(project.model_servers("gpu")) == 1, "one replica is left")


def test_a_picker_that_refuses_its_configuration(running: Running) -> None:
    """With the picker's own words: decoding is strict, and it ends."""
    project = running.project
    name, kind = "gemma-2b-it-epp", ("v1", "ConfigMap")

    def write(config: str) -> None:
        with project.kube("gpu") as kube:
            kube.patch(*kind, name, {"data": {"picker.yaml": config}}, NAMESPACE)
            for pod in project.model_servers("gpu", PICKERS):
                kube.delete("v1", "Pod", pod["metadata"]["name"], NAMESPACE, gracePeriodSeconds=0)

    with project.kube("gpu") as kube:
        before: str = kube.get(*kind, name, NAMESPACE)["data"]["picker.yaml"]
    write(f"{before}\nschedulingProfile: []\n")
    try:
        eventually(lambda: project.diagnosed("gpu") == "picker-unknown-field", "the refused field is the cause")
    finally:
        write(before)
    eventually(lambda: chat(project.endpoint("gpu"), MODEL).status_code == 200, "requests are answered again")
