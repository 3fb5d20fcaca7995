"""Replicas of several pods under the real controller: serving and computing pods, and the loss of one."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from llm_d_gke.kube import Manifest, Manifests
from tests.waiting import eventually

from .group_stacks import KSERVE, MODELS, NAMESPACE, SLICE, WIDE
from .project import Project, chat

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

GROUP = "leaderworkerset.sigs.k8s.io/name"


@pytest.fixture(scope="module")
def project(group_stacks: Project) -> Project:
    return group_stacks


def members(project: Project, stack: str) -> Manifests:
    """The pods of all groups, leaders first."""
    with project.kube(stack) as kube:
        pods_listed = kube.list("v1", "Pod", NAMESPACE, labels=GROUP)
    return sorted(pods_listed, key=lambda pod: str(pod["metadata"]["name"]))


def is_ready(pod: Manifest) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def variables(pod: Manifest) -> dict[str, str]:
    return {variable["name"]: variable.get("value", "") for variable in pod["spec"]["containers"][0]["env"]}


def answers(project: Project, stack: str, number: int) -> list[httpx.Response]:
    address = project.endpoint(stack)
    with ThreadPoolExecutor(32) as pool:
        return list(pool.map(lambda n: chat(address, MODELS[stack], prompt=f"{n} things to say"), range(number)))


@pytest.mark.parametrize(("stack", "group"), [(WIDE, "deepseek-r1-vllm"), (KSERVE, "deepseek-r1-kserve-mn")])
def test_every_rank_of_both_hosts_is_chosen_by_the_picker(project: Project, stack: str, group: str) -> None:
    """Sixteen endpoints: eight ports on each of two pods, the second of which is no leader."""
    addresses = answers(project, stack, 320)
    assert {answer.status_code for answer in addresses} == {200}
    ranks = {(answer.headers["x-inference-pod"], answer.headers["x-inference-port"]) for answer in addresses}
    assert {pod for pod, _ in ranks} == {f"{group}-0", f"{group}-0-1"}
    assert len(ranks) == 16


@pytest.mark.parametrize("stack", [WIDE, KSERVE])
def test_each_host_has_its_network_cards(project: Project, stack: str) -> None:
    with project.kube(stack) as kube:
        claims = kube.list("resource.k8s.io/v1", "ResourceClaim", NAMESPACE)
    cards = [claim["status"]["allocation"]["devices"]["results"] for claim in claims]
    assert [len(card) for card in cards] == [8, 8]
    nodes = {device["pool"] for card in cards for device in card}
    assert nodes == {pod["spec"]["nodeName"] for pod in members(project, stack)}


def test_only_the_leader_of_a_slice_answers(project: Project) -> None:
    pods = members(project, SLICE)
    assert [is_ready(pod) for pod in pods] == [True] * 4
    assert {answer.headers["x-inference-pod"] for answer in answers(project, SLICE, 20)} == {
        pods[0]["metadata"]["name"]
    }


def test_the_hosts_of_a_slice_know_one_another(project: Project) -> None:
    pods = members(project, SLICE)
    environments = [variables(pod) for pod in pods]
    assert [environment["TPU_WORKER_ID"] for environment in environments] == ["0", "1", "2", "3"]
    assert {environment["TPU_WORKER_HOSTNAMES"] for environment in environments} == {
        ",".join(f"{pod['metadata']['name']}.deepseek-v2-lite-chat-vllm" for pod in pods)
    }
    with project.kube(SLICE) as kube:
        pools = {node["metadata"]["name"]: node["metadata"]["labels"] for node in kube.list("v1", "Node")}
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 4
    assert {pools[pod["spec"]["nodeName"]]["cloud.google.com/gke-nodepool"] for pod in pods} == {
        "mixture-of-experts-tpu-acc-tpu-v6e"
    }


def test_a_lost_host_takes_its_group_along_and_the_group_comes_back(project: Project) -> None:
    """The loss of the experts on the ranks of one host affects all ranks: the whole group is recreated."""
    before = {pod["metadata"]["uid"] for pod in members(project, WIDE)}
    [lost_pod] = [pod for pod in members(project, WIDE) if pod["metadata"]["name"] == "deepseek-r1-vllm-0-1"]
    engines = project.paths(WIDE).home / "pods" / lost_pod["metadata"]["uid"] / "pids.json"
    os.killpg(json.loads(engines.read_text())["vllm"], signal.SIGKILL)

    def is_new() -> bool:
        pods = members(project, WIDE)
        return len(pods) == 2 and all(is_ready(pod) and pod["metadata"]["uid"] not in before for pod in pods)

    eventually(is_new, "both pods of the group are new and ready")
    eventually(lambda: {answer.status_code for answer in answers(project, WIDE, 8)} == {200}, "it answers")
