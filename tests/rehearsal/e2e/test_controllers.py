"""Controllers of charts run for real: they make what they should, refuse what they must, and come back."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from llm_d_gke.kube import ApiError, Manifest
from tests.waiting import eventually

from .group_stacks import KSERVE as STACK
from .group_stacks import MODELS, NAMESPACE
from .project import Project, chat

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

MODEL = MODELS[STACK]
GROUPS = ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet")
SERVICES = ("serving.kserve.io/v1alpha2", "LLMInferenceService")


@pytest.fixture(scope="module")
def project(group_stacks: Project) -> Project:
    return group_stacks


def group(**template: Any) -> Manifest:
    """Two pods of a container that only counts as running."""
    security = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "member",
        "image": "busybox:1",
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        "securityContext": security,
    }
    worker = {"metadata": {"labels": {"app": "pair"}}, "spec": {"containers": [container]}}
    return {
        "apiVersion": GROUPS[0],
        "kind": GROUPS[1],
        "metadata": {"name": "pair", "namespace": NAMESPACE},
        "spec": {"replicas": 1, "leaderWorkerTemplate": {"size": 2, "workerTemplate": worker, **template}},
    }


def manager(project: Project, starts: str) -> int:
    """Process of a controller's pod, 0 while there is none."""
    for file in (project.paths(STACK).home / "pods").glob("*/pids.json"):
        pids = json.loads(file.read_text(encoding="utf-8"))
        if str(pids["pod"]).startswith(starts):
            return int(pids.get("manager") or 0)
    return 0


def test_a_request_is_answered_through_what_kserve_made(project: Project) -> None:
    answer = chat(project.endpoint(STACK), MODEL)
    assert answer.status_code == 200
    with project.kube(STACK) as kube:
        [service] = kube.list(*SERVICES, NAMESPACE)
        [pool] = kube.list("inference.networking.k8s.io/v1", "InferencePool", NAMESPACE)
        pods = kube.list("v1", "Pod", NAMESPACE, labels="kserve.io/component=workload")
    assert pool["metadata"]["ownerReferences"][0]["uid"] == service["metadata"]["uid"]
    assert answer.headers["x-inference-pod"] in {pod["metadata"]["name"] for pod in pods}


def test_kserve_refuses_what_it_could_not_run(project: Project) -> None:
    with project.kube(STACK) as kube:
        [service] = kube.list(*SERVICES, NAMESPACE)
        wrong = {
            "apiVersion": SERVICES[0],
            "kind": SERVICES[1],
            "metadata": {"name": "wrong", "namespace": NAMESPACE},
            "spec": {
                "model": service["spec"]["model"],
                "worker": {"containers": [{"name": "main", "image": "vllm/vllm-openai:v0.19.1"}]},
            },
        }
        with pytest.raises(ApiError, match="parallelism must be configured"):
            kube.create(wrong)


def test_a_group_is_a_leader_and_its_workers(project: Project) -> None:
    with project.kube(STACK) as kube:
        with pytest.raises(ApiError, match="subGroupSize"):
            kube.create(group(subGroupPolicy={"subGroupSize": 3}))
        kube.create(group())

        def members() -> list[Manifest]:
            pods_listed = kube.list("v1", "Pod", NAMESPACE, labels="leaderworkerset.sigs.k8s.io/name=pair")
            return [pod for pod in pods_listed if (pod.get("status") or {}).get("phase") == "Running"]

        eventually(lambda: len(members()) == 2, "a leader and a worker run")
        leaders = {
            variable["value"]
            for pod in members()
            for variable in pod["spec"]["containers"][0]["env"]
            if variable["name"] == "LWS_LEADER_ADDRESS"
        }
        # Put into each pod by the webhook of pods.
        assert leaders == {f"pair-0.pair.{NAMESPACE}"}
        kube.delete(*GROUPS, "pair", NAMESPACE, propagationPolicy="Foreground")
        eventually(lambda: kube.find(*GROUPS, "pair", NAMESPACE) is None, "the group is gone")


def test_a_killed_controller_comes_back_with_its_webhooks(project: Project) -> None:
    before = manager(project, "lws-controller-manager")
    assert before
    os.kill(before, signal.SIGKILL)
    eventually(lambda: manager(project, "lws-controller-manager") not in (0, before), "another process runs")

    def refuses() -> bool:
        with project.kube(STACK) as kube:
            try:
                kube.create(group(subGroupPolicy={"subGroupSize": 3}))
            except ApiError as error:
                return "subGroupSize" in str(error)
        return False

    eventually(refuses, "the webhook answers again")


def test_nothing_is_left(project: Project) -> None:
    project.run("down", STACK)
    assert project.leftovers(STACK) == []
    # The other stacks of groups would run until the last test of the session.
    project.clear()
