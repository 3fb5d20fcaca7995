"""One stack that is broken in one way after another: `diagnose` names each cause.

faulty_pods.py has what the pods need. ELSEWHERE are causes that other tests provoke.
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
import yaml

from llm_d_gke.catalog.reading import parse_yaml, read_yaml
from llm_d_gke.components import custom_resources
from llm_d_gke.kube import Kube, Manifest
from llm_d_gke.operations.diagnose.messages import messages, states
from llm_d_gke.planning.routing.gateway import ROUTE
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.load_balancer import envoy
from llm_d_gke.rehearsal.providers.gcp.lifecycle import DAEMON
from llm_d_gke.rehearsal.toolchain.build import binaries
from tests.waiting import eventually

from .faulty_pods import ENGINE, LAST_WORDS, MORE_ARGUMENTS, NAMESPACE, PICKER, Faulty, picker_pods, pods
from .live import fill_disk
from .project import ENGINES, PICKERS, Command, Project, chat, project_in

STACK = "gpu"
AT_ONCE = 25
ELSEWHERE = {
    # Words of components, as their source has them: given to the rules as objects. Some are provoked as well.
    **{
        name: "tests/operations/diagnose/test_rules.py"
        for name, message in messages().items()
        if message.origin in ("admission", "certificate", "endpoint", "kserve", "scaling")
    },
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
    # KEDA's operator's.
    **dict.fromkeys(
        ("scaler-denied", "scaler-without-data", "scaler-trigger", "scaler-many-series"), "test_scaling.py"
    ),
    "scale-target-missing": "test_scaling.py",
    **dict.fromkeys(
        (
            *("pods-refused", "not-scaling", "certificate-waits", "autoscaler-stuck", "pods-missing"),
            *("queue-waits", "capacity-requested", "capacity-refused", "policy-refused", "kserve-condition"),
        ),
        "tests/operations/diagnose/test_rules.py",
    ),
    # Words of a node, and of `pulumi up`, which no stack that runs shows.
    "node-lost": "tests/operations/diagnose/test_words.py",
    **{
        name: "tests/operations/diagnose/test_words.py"
        for name, message in messages().items()
        if message.origin == "update"
    },
    "health-check-path": "test_failures.py",
    "objects-differ": "test_failures.py, tests/operations/diagnose/test_facts.py",
    "kserve-presets": "test_kserve_conditions.py",
}
GATEWAY_WORDS = tuple(
    name for name, message in messages().items() if message.origin == "gateway" and name not in ELSEWHERE
)
# Provoked here one after the other, because each needs the stack itself.
STEPS = (
    *("warden", "webhook-unreachable", "pod-security", "resource-quota", "service-account-missing"),
    "policy-of-cluster",
    "name-too-long",
    *("disk-limit", "no-replica", "picker-unreachable", *GATEWAY_WORDS, "pool-saturated", "picker-profiles"),
    *("scaled-down", "endpoint-refuses", "endpoint-unreachable"),
)
DEPLOYMENT, REPLICA_SET = ("apps/v1", "Deployment"), ("apps/v1", "ReplicaSet")
GATEWAY = ("gateway.networking.k8s.io/v1", "Gateway")
# Objects that the Gateway's controller refuses in unknown words.
REFUSALS = {
    "gateway-refused": (*GATEWAY, "inference-gateway"),
    "httproute-refused": ("gateway.networking.k8s.io/v1", "HTTPRoute", ROUTE),
    "inferencepool-refused": ("inference.networking.k8s.io/v1", "InferencePool", "gemma-2b-it"),
}
OBJECTIVE = "inference.networking.x-k8s.io/v1alpha2"
# More requests wait at the engine, and more of its cache is in use, than a picker fills up.
FULL = '--fake-metrics={"running-requests":8,"waiting-requests":50,"kv-cache-usage":0.99}'


def test_every_cause_is_provoked() -> None:
    assert {*messages(), *states()} == {*pods(), *picker_pods({}, ELSEWHERE), *STEPS, *REFUSALS, *ELSEWHERE}


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
                self.kube.delete("v1", "Pod", name, NAMESPACE, gracePeriodSeconds=0)

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

    def restart(self, name: str, labels: str, **variables: str) -> None:
        """New pods of a Deployment, with these variables of their container."""
        before = self.project.ready(STACK, labels)
        deployment = self.kube.get(*DEPLOYMENT, name, NAMESPACE)
        container = deployment["spec"]["template"]["spec"]["containers"][0]["name"]
        env = [{"name": key, "value": value} for key, value in {"RESTARTED": os.urandom(4).hex(), **variables}.items()]
        template = {"spec": {"containers": [{"name": container, "env": env}]}}
        self.kube.patch(*DEPLOYMENT, name, {"spec": {"template": template}}, NAMESPACE, content="strategic")

        def replaced() -> bool:
            names = {pod["metadata"]["name"] for pod in self.project.model_servers(STACK, labels)}
            return len(names) == len(before) and names == self.project.ready(STACK, labels) and not names & before

        eventually(replaced, f"{name} has new pods")

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
    """The simulated engine with more arguments, or where it has last words one that prints them and ends."""
    engine = binaries(["llm-d-inference-sim"], lambda _: None)["llm-d-inference-sim"]
    words = f'if [ -n "${LAST_WORDS}" ]; then printf "%s\\n" "${LAST_WORDS}"; exit 1; fi'
    file.write_text(f'#!/bin/sh\n{words}\nexec "{engine}" "$@" ${MORE_ARGUMENTS}\n', encoding="utf-8")
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


WARDEN = "GKE Warden rejected the request because it violates one or more constraints."


def policy(words: str) -> list[Manifest]:
    """A policy of the API server with these words, such as those of GKE's."""
    group = "admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    constraints = {"resourceRules": [rule], "objectSelector": {"matchLabels": {"test": "refused"}}}
    return [
        {
            "apiVersion": group,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": "refusal"},
            "spec": {"matchConstraints": constraints, "validations": [{"expression": "false", "message": words}]},
        },
        {
            "apiVersion": group,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": "refusal"},
            "spec": {"policyName": "refusal", "validationActions": ["Deny"]},
        },
    ]


def quota() -> Manifest:
    spec = {"hard": {"requests.nvidia.com/gpu": "1"}}
    metadata = {"name": "faulty", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}


def with_long_name() -> Manifest:
    """A StatefulSet whose name leaves no room for what its controller appends in a label of its pods."""
    owner = replica_set()
    name = owner["metadata"]["name"].ljust(55, "n")
    metadata = {**owner["metadata"], "name": name}
    return {**owner, "kind": "StatefulSet", "metadata": metadata, "spec": {**owner["spec"], "serviceName": name}}


REFUSED: dict[str, tuple[list[Manifest], Callable[[], Manifest]]] = {
    "webhook-unreachable": ([webhook()], replica_set),
    "warden": (policy(WARDEN), replica_set),
    "policy-of-cluster": (policy("no pods on Sundays"), replica_set),
    "pod-security": ([], lambda: replica_set(security={"privileged": True, "allowPrivilegeEscalation": True})),
    "service-account-missing": ([], lambda: replica_set(serviceAccountName="absent")),
    "name-too-long": ([], with_long_name),
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
    if cause in ("warden", "policy-of-cluster", "resource-quota"):
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
def test_a_replica_is_missing_without_a_word(stack: Stack) -> None:
    stack.shows("scaled-down", "-c", "models[0].replicas=2")


@pytest.mark.rehearsal
@pytest.mark.slow
def test_a_full_pool_refuses_low_priorities(stack: Stack) -> None:
    """A priority is that of the InferenceObjective that a request names, as `diagnose` does by its header."""
    kind = read_yaml(Path(custom_resources.__file__).with_name("inference_objective_crd.yaml"))
    pool = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "gemma-2b-it"}
    batch = {
        "apiVersion": OBJECTIVE,
        "kind": "InferenceObjective",
        "metadata": {"name": "batch", "namespace": NAMESPACE},
        "spec": {"poolRef": pool, "priority": -1},
    }
    with stack.object(kind):
        eventually(lambda: stack.kube.serves(OBJECTIVE, "InferenceObjective"), "the kind is served")
        stack.kube.create(batch)
        stack.restart(ENGINE, ENGINES, **{MORE_ARGUMENTS: FULL})
        # It looks for the kind once, when it starts.
        stack.restart(PICKER, PICKERS)
        stack.shows("pool-saturated", "--header", "x-gateway-inference-objective: batch")
        assert stack.project.diagnosed(STACK) == ""
        stack.restart(ENGINE, ENGINES, **{MORE_ARGUMENTS: ""})
    stack.restart(PICKER, PICKERS)


@pytest.mark.rehearsal
@pytest.mark.slow
def test_a_filter_of_the_picker_leaves_no_replica(stack: Stack) -> None:
    kind, filtering = ("v1", "ConfigMap"), "header-based-testing-filter"
    before = stack.kube.get(*kind, PICKER, NAMESPACE)["data"]
    config = parse_yaml(before["picker.yaml"])
    config["plugins"].append({"type": filtering})
    config["schedulingProfiles"][0]["plugins"].append({"pluginRef": filtering})
    for data in ({"picker.yaml": yaml.safe_dump(config)}, before):
        stack.kube.patch(*kind, PICKER, {"data": data}, NAMESPACE)
        stack.restart(PICKER, PICKERS)
        if data is not before:
            stack.shows("picker-profiles")


@pytest.mark.rehearsal
@pytest.mark.slow
def test_the_endpoint_refuses_a_name_then_a_protocol_and_then_every_connection(stack: Stack) -> None:
    stack.shows("model-name-unknown", "-c", "models[0].servedName=another")
    # Envoy lets no client change the protocol, and has no words for it.
    stack.shows("endpoint-refuses", "-H", "connection: upgrade", "-H", "upgrade: websocket")
    with stack.paused():
        [proxy] = [process for process in processes.listing(stack.project.paths(STACK)) if process.name == envoy.NAME]
        os.kill(proxy.pid, signal.SIGKILL)
        stack.shows("endpoint-unreachable")
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


@pytest.mark.rehearsal
@pytest.mark.slow
@pytest.mark.parametrize("cause", REFUSALS)
def test_what_the_gateway_controller_refuses_in_unknown_words(stack: Stack, cause: str) -> None:
    version, kind, name = REFUSALS[cause]
    with stack.paused():
        item = stack.kube.get(version, kind, name, NAMESPACE)
        status = item["status"]
        parent = status if kind == "Gateway" else status["parents"][0]
        for condition in parent["conditions"]:
            condition |= {"status": "False", "reason": "Invalid", "message": "words that nobody knows"}
        stack.kube.patch_status(version, kind, name, status, NAMESPACE)
        stack.shows(cause)
