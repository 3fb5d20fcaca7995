"""One stack that is broken in one way after another: `diagnose` names each cause.

faulty_pods.py has what the pods need. ELSEWHERE are causes that other tests provoke, UNPROVOKED those that none does.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.maintenance.measure.rehearsed import fill_disk
from llm_d_gke.operations.diagnose.messages import messages
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.kube import Kube, Manifest
from llm_d_gke.rehearsal.providers.gcp.lifecycle import DAEMON
from llm_d_gke.rehearsal.toolchain.build import binaries
from tests.waiting import eventually

from .faulty_pods import ENGINE, LAST_WORDS, NAMESPACE, PICKER, Faulty, picker_pods, pods
from .project import Command, Project, chat, project_in

STACK = "gpu"
AT_ONCE = 25
ELSEWHERE = {
    "no-proxy-only-subnet": "test_failures.py",
    "fault-filter-abort": "test_failures.py",
    "no-healthy-upstream": "test_failures.py",
    "pool-at-maximum": "test_failures.py",
    # The real picker's own words; the first one also in a stack.
    **dict.fromkeys(
        (
            *("picker-unknown-field", "picker-duplicate-plugin", "picker-unknown-plugin", "picker-undefined-plugin"),
            *("picker-parameters", "picker-api-version", "picker-configuration", "picker-api-server"),
            "picker-unknown-flag",
        ),
        "test_picker_messages.py",
    ),
    # A real Envoy's; diagnose itself sends the key of a rehearsed stack.
    **dict.fromkeys(("upstream-timeout", "upstream-reset"), "test_envoy_words.py"),
    "key-refused": "test_tokens.py, test_edge.py",
    # The real scheduler's.
    **{name: "test_scheduler_words.py" for name, message in messages().items() if message.origin == "scheduler"},
}
_AS_DATA = (
    "tested as data in tests/operations/diagnose: the simulated autoscaler's next event would cover it, or KEDA's"
)
UNPROVOKED = {
    **{
        name: _AS_DATA
        for name, message in messages().items()
        if message.origin in ("autoscaler", "scaling") and name not in ("pool-at-maximum", "no-pool-fits")
    },
    "pool-saturated": "diagnose's request has no low priority",
    "picker-profiles": "tested as data in tests/operations/diagnose: a filter that leaves no replica would provoke it",
}
GATEWAY_WORDS = tuple(
    name for name, message in messages().items() if message.origin == "gateway" and name not in ELSEWHERE
)
# Provoked here one after the other, because each needs the stack itself.
STEPS = (
    *("warden", "webhook-unreachable", "pod-security", "resource-quota", "service-account-missing"),
    *("disk-limit", "no-replica", "picker-unreachable", *GATEWAY_WORDS),
)
DEPLOYMENT, REPLICA_SET = ("apps/v1", "Deployment"), ("apps/v1", "ReplicaSet")
GATEWAY = ("gateway.networking.k8s.io/v1", "Gateway")


def test_every_cause_is_provoked_or_has_its_reason() -> None:
    provoked = {*pods(), *picker_pods({}, ELSEWHERE), *STEPS, *ELSEWHERE}
    assert set(messages()) == provoked | set(UNPROVOKED)
    assert not provoked & set(UNPROVOKED)


class Stack:
    """The stack that is broken, and what `diagnose` says about it."""

    def __init__(self, project: Project, kube: Kube) -> None:
        self.project, self.kube = project, kube

    def causes(self, *changes: str) -> list[dict[str, Any]]:
        done = Command(self.project.root, ("diagnose", STACK, "--json", *changes), "llm_d_gke").wait()
        causes: list[dict[str, Any]] = json.loads(done.text)["causes"]
        return causes

    def shows(self, cause: str, *changes: str) -> None:
        seen: list[str] = []

        def named() -> bool:
            seen[:] = [f"{cause_seen['id']}: {cause_seen['evidence']}" for cause_seen in self.causes(*changes)]
            return any(text.startswith(f"{cause}: ") for text in seen)

        try:
            eventually(named, cause, every=0.5, patience=40.0)
        except AssertionError:
            raise AssertionError(f"no {cause} among {seen}") from None

    def show_at_pods(self, faulty: Mapping[str, Faulty]) -> None:
        """Each pod, which has the name of its cause, shows it; then the pods are removed."""
        seen: dict[str, list[str]] = {}

        def unnamed() -> list[str]:
            return [name for name in faulty if not any(text.startswith(f"{name}: ") for text in seen.get(name, ()))]

        def all_named() -> bool:
            seen.clear()
            for cause in self.causes():
                pod = cause["subject"].removeprefix("Pod/").split()[0]
                seen.setdefault(pod, []).append(f"{cause['id']}: {cause['evidence']}")
            return not unnamed()

        try:
            for name, pod in faulty.items():
                pod.create(self.kube, name)
            eventually(all_named, "every cause is named", every=0.5)
        except AssertionError:
            raise AssertionError({name: seen.get(name) for name in unnamed()}) from None
        finally:
            for name in faulty:
                self.kube.delete("v1", "Pod", name, NAMESPACE, grace=0)

    @contextmanager
    def object(self, manifest: Manifest) -> Iterator[None]:
        metadata = manifest["metadata"]
        self.kube.create(manifest)
        try:
            yield
        finally:
            self.kube.delete(manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace"))

    def scale(self, name: str, replicas: int) -> None:
        self.kube.patch(*DEPLOYMENT, name, {"spec": {"replicas": replicas}}, NAMESPACE)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Without autoscaler, node agent and load balancer, whose next words would cover the scheduler's."""
        [daemon] = [process for process in processes.listing(self.project.paths(STACK)) if process.name == DAEMON]
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(daemon.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("causes")
    with pytest.MonkeyPatch.context() as patch, project_in(folder) as project:
        patch.setenv("REHEARSAL_LLM_D_INFERENCE_SIM", str(printing_engine(folder / "engine")))
        project.run("up", STACK)
        with project.kube(STACK) as kube:
            yield Stack(project, kube)


def printing_engine(file: Path) -> Path:
    """The simulated engine, except that it prints its last words and ends where it has some."""
    engine = binaries(["llm-d-inference-sim"], lambda _: None)["llm-d-inference-sim"]
    words = f'if [ -n "${LAST_WORDS}" ]; then printf "%s\\n" "${LAST_WORDS}"; exit 1; fi'
    file.write_text(f'#!/bin/sh\n{words}\nexec "{engine}" "$@"\n', encoding="utf-8")
    file.chmod(0o755)
    return file


def replica_set(**spec: Any) -> Manifest:
    """Pods that are not admitted, of an owner with the name of the engine's."""
    security = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
        **spec.pop("security", {}),
    }
    container = {"name": "main", "image": "busybox:1", "securityContext": security, **spec.pop("container", {})}
    labels = {"test": "refused"}
    return {
        "apiVersion": REPLICA_SET[0],
        "kind": REPLICA_SET[1],
        "metadata": {"name": f"{ENGINE}-refused", "namespace": NAMESPACE},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}},
        },
    }


def webhook() -> Manifest:
    """A webhook whose Service has no pods."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "absent"},
        "webhooks": [
            {
                "name": "absent.example.com",
                "clientConfig": {"service": {"name": "absent", "namespace": NAMESPACE, "path": "/"}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
                "objectSelector": {"matchLabels": {"test": "refused"}},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 2,
            }
        ],
    }


def warden() -> list[Manifest]:
    """A policy of the API server with the words of GKE's."""
    group = "admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    constraints = {"resourceRules": [rule], "objectSelector": {"matchLabels": {"test": "refused"}}}
    words = "GKE Warden rejected the request because it violates one or more constraints."
    return [
        {
            "apiVersion": group,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": "warden"},
            "spec": {"matchConstraints": constraints, "validations": [{"expression": "false", "message": words}]},
        },
        {
            "apiVersion": group,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": "warden"},
            "spec": {"policyName": "warden", "validationActions": ["Deny"]},
        },
    ]


def quota() -> Manifest:
    spec = {"hard": {"requests.nvidia.com/gpu": "1"}}
    metadata = {"name": "faulty", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}


REFUSED: dict[str, tuple[list[Manifest], Callable[[], Manifest]]] = {
    "webhook-unreachable": ([webhook()], replica_set),
    "warden": (warden(), replica_set),
    "pod-security": ([], lambda: replica_set(security={"privileged": True, "allowPrivilegeEscalation": True})),
    "service-account-missing": ([], lambda: replica_set(serviceAccountName="absent")),
    "resource-quota": (
        [quota()],
        lambda: replica_set(
            container={"resources": {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}}
        ),
    ),
}


@pytest.mark.rehearsal
@pytest.mark.slow
def test_causes_at_pods(stack: Stack) -> None:
    """Engines and pickers that end, images that are not pulled, containers and volumes that cannot be."""
    stack.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "faulty", "namespace": NAMESPACE}})
    selector = stack.kube.get(*DEPLOYMENT, PICKER, NAMESPACE)["spec"]["selector"]["matchLabels"]
    pickers = picker_pods(selector, ELSEWHERE)
    # A few at a time: each of them is started again and again.
    faulty = list({**pods(), **pickers}.items())
    for start in range(0, len(faulty), AT_ONCE):
        stack.show_at_pods(dict(faulty[start : start + AT_ONCE]))


@pytest.mark.rehearsal
@pytest.mark.slow
@pytest.mark.parametrize("cause", REFUSED)
def test_pods_that_are_not_admitted(stack: Stack, cause: str) -> None:
    objects, owner = REFUSED[cause]
    for manifest in objects:
        stack.kube.create(manifest)
    if cause in ("warden", "resource-quota"):
        # Policies and quotas are in force a moment after they exist.
        eventually(lambda: refused(stack.kube, owner()), f"{cause} is in force")
    try:
        with stack.object(owner()):
            # The plan has a second replica, which is not there.
            stack.shows(cause, "-c", "models[0].replicas=2")
    finally:
        for manifest in objects:
            metadata = manifest["metadata"]
            stack.kube.delete(manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace"))
        for event in stack.kube.list("v1", "Event", NAMESPACE, fields="reason=FailedCreate"):
            stack.kube.delete("v1", "Event", event["metadata"]["name"], NAMESPACE)


def refused(kube: Kube, owner: Manifest) -> bool:
    template = owner["spec"]["template"]
    metadata = {**template["metadata"], "name": "trial", "namespace": NAMESPACE}
    try:
        kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}, dry_run=True)
    except Exception:
        return True
    return False


@pytest.mark.rehearsal
@pytest.mark.slow
def test_an_engine_that_fills_its_disk_is_evicted_and_replaced(stack: Stack) -> None:
    [engine] = stack.project.model_servers(STACK)
    name = engine["metadata"]["name"]
    fill_disk(stack.project.paths(STACK), engine)
    # The plan has a second replica, which is not there: the cause stays named when the Deployment has replaced the pod.
    stack.shows("disk-limit", "-c", "models[0].replicas=2")
    eventually(lambda: bool(stack.project.ready(STACK) - {name}), "another pod has taken its place")
    assert stack.project.verified(STACK) >= {"replicas", "chat"}
    assert stack.project.diagnosed(STACK) == ""
    stack.kube.delete("v1", "Pod", name, NAMESPACE)


@pytest.mark.rehearsal
@pytest.mark.slow
def test_no_replica_is_ready(stack: Stack) -> None:
    stack.scale(ENGINE, 0)
    stack.shows("no-replica")
    stack.scale(ENGINE, 1)
    eventually(lambda: len(stack.project.ready(STACK)) == 1, "a replica is ready again")


@pytest.mark.rehearsal
@pytest.mark.slow
def test_no_picker_is_ready(stack: Stack) -> None:
    """Envoy's answer has no words for it."""
    stack.scale(PICKER, 0)
    stack.shows("picker-unreachable")
    stack.scale(PICKER, 1)
    endpoint = stack.project.endpoint(STACK)
    eventually(lambda: chat(endpoint, "google/gemma-2b-it").status_code == 200, "the endpoint answers again")


@pytest.mark.rehearsal
@pytest.mark.slow
@pytest.mark.parametrize("cause", GATEWAY_WORDS)
def test_words_of_the_gateway_controller(stack: Stack, cause: str) -> None:
    """Written into the Gateway's condition, in place of what the simulated load balancer would write."""
    with stack.paused():
        gateway = stack.kube.get(*GATEWAY, "inference-gateway", NAMESPACE)
        moment = gateway["status"]["conditions"][0]["lastTransitionTime"]
        condition = {"type": "Programmed", "status": "False", "reason": "Invalid", "message": messages()[cause].example}
        status = {"conditions": [{**condition, "lastTransitionTime": moment}]}
        stack.kube.patch_status(*GATEWAY, "inference-gateway", status, NAMESPACE)
        stack.shows(cause)
