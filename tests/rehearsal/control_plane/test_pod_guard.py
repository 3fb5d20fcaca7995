"""A real API server admits every pod of the stacks, and no other pod that breaks Pod Security `restricted`."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llm_d_gke.kube import ApiError, Kube, Manifest
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.control_plane.addons import Features
from llm_d_gke.rehearsal.control_plane.control_plane import ControlPlane
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from policy.llmd_policy.resources import Pod, pods_of
from tests.policy.graphs import resources_of
from tests.stacks import graph_of

pytestmark = pytest.mark.rehearsal

# A namespace of each level, and each exception under both deployments.
STACKS: dict[str, dict[str, Any]] = {
    "gpu": {},
    "tpu": {},
    "disaggregated-tpu": {},
    "kserve-disaggregated-tpu": {},
    "mixture-of-experts-wide-gpu": {},
    "kserve-mixture-of-experts-wide-gpu": {},
}
KINDS = ("Namespace", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    paths = StackPaths("pod-guard", tmp_path_factory.mktemp("rehearsal"))
    ControlPlane(paths).start(Features("1.34.1-gke.1829001"))
    with client(paths) as connection:
        yield connection
    processes.stop_all(paths)


def namespace_of(stack: str) -> str:
    return f"pods-of-{stack}"


@pytest.fixture(scope="module", params=STACKS)
def stack(request: pytest.FixtureRequest, kube: Kube) -> str:
    """The name of a stack whose namespace and policy are in the cluster, and in force."""
    name = str(request.param)
    for body in kubernetes_objects(graph_of(name, {"namespace.name": namespace_of(name)})):
        if body["kind"] in KINDS and body["metadata"]["name"].startswith(namespace_of(name)):
            kube.apply(dict(body))
    for account in ("plain", *{str(pod["spec"]["serviceAccountName"]) for pod in pods(name)}):
        metadata = {"name": account, "namespace": namespace_of(name)}
        kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    # `baseline` admits root: only the policy refuses it. The API server follows policies a moment after their creation.
    root = pod("plain", securityContext={"runAsNonRoot": False, "runAsUser": 0})
    deadline = time.monotonic() + 60
    while refusal(kube, name, root) is None and time.monotonic() < deadline:
        time.sleep(0.2)
    return name


def pods(stack: str) -> list[Manifest]:
    resources = resources_of(stack, {"namespace.name": namespace_of(stack)})
    return [_manifest(pod) for resource in resources for pod in pods_of(resource)]


def _manifest(policy_pod: Pod) -> Manifest:
    spec = copy.deepcopy(dict(policy_pod.spec))
    # KServe gives its picker the account that it makes.
    spec.setdefault("serviceAccountName", "plain")
    # LeaderWorkerSet's controller fills these in, and a dry run has no claims of devices.
    for affinity in spec.get("affinity", {}).values():
        for term in affinity["preferredDuringSchedulingIgnoredDuringExecution"]:
            term["podAffinityTerm"].pop("matchLabelKeys", None)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}


def pod(account: str, name: str = "main", **container: Any) -> Manifest:
    """A pod that keeps every rule, but for what `container` changes."""
    security = {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    changed = security | container.pop("securityContext", {})
    if changed.get("privileged"):
        del changed["allowPrivilegeEscalation"]
    containers = [{"name": name, "image": "example/main:1", "securityContext": changed, **container}]
    spec = {"serviceAccountName": account, "containers": containers}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}


def refusal(kube: Kube, stack: str, manifest: Manifest) -> str | None:
    placed = copy.deepcopy(manifest)
    placed["metadata"]["namespace"] = namespace_of(stack)
    try:
        kube.create(placed, dry_run=True)
    except ApiError as error:
        return str(error)
    return None


def is_refused(kube: Kube, stack: str, manifest: Manifest) -> bool:
    """Whether Pod Security or the policy refuses it. Other refusals, such as those of a field, do not count."""
    text = refusal(kube, stack, manifest) or ""
    return "violates PodSecurity" in text or "of Pod Security restricted" in text


def test_every_pod_of_the_stack_is_admitted(kube: Kube, stack: str) -> None:
    manifests = pods(stack)
    assert manifests
    assert [text for manifest in manifests if (text := refusal(kube, stack, manifest)) is not None] == []


def test_a_pod_that_keeps_the_rules_is_admitted(kube: Kube, stack: str) -> None:
    assert refusal(kube, stack, pod("plain")) is None


def _host_network(manifest: Manifest) -> None:
    manifest["spec"]["hostNetwork"] = True


def _host_path(manifest: Manifest) -> None:
    manifest["spec"]["volumes"] = [{"name": "node", "hostPath": {"path": "/"}}]


def _sidecar(manifest: Manifest) -> None:
    root = copy.deepcopy(manifest["spec"]["containers"][0]) | {"name": "beside"}
    root["securityContext"] |= {"runAsNonRoot": False, "runAsUser": 0}
    manifest["spec"]["initContainers"] = [root]


def _security(**changes: Any) -> Callable[[Manifest], None]:
    def change(manifest: Manifest) -> None:
        context = manifest["spec"]["containers"][0]["securityContext"]
        context |= changes
        if changes.get("privileged"):
            del context["allowPrivilegeEscalation"]

    return change


def _pod_security(**context: Any) -> Callable[[Manifest], None]:
    return lambda manifest: manifest["spec"].update(securityContext=context)


def _container(**fields: Any) -> Callable[[Manifest], None]:
    return lambda manifest: manifest["spec"]["containers"][0].update(fields)


def _unset(field: str) -> Callable[[Manifest], None]:
    return lambda manifest: manifest["spec"]["containers"][0]["securityContext"].pop(field)


FAULTS: dict[str, Callable[[Manifest], None]] = {
    "root": _security(runAsNonRoot=False, runAsUser=0),
    "no user stated": _unset("runAsNonRoot"),
    "privileged": _security(privileged=True),
    "escalation not refused": _unset("allowPrivilegeEscalation"),
    "capability added": _security(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
    "capabilities kept": _unset("capabilities"),
    "no seccomp profile": _unset("seccompProfile"),
    "network of the node": _host_network,
    "folder of the node": _host_path,
    "sidecar as root": _sidecar,
    "without AppArmor": _security(appArmorProfile={"type": "Unconfined"}),
    "pod without AppArmor": _pod_security(appArmorProfile={"type": "Unconfined"}),
    "SELinux type of the host": _security(seLinuxOptions={"type": "spc_t"}),
    "SELinux role": _pod_security(seLinuxOptions={"role": "system_r"}),
    "probe of another host": _container(livenessProbe={"httpGet": {"host": "10.0.0.1", "port": 80}}),
    "hook at another host": _container(lifecycle={"preStop": {"httpGet": {"host": "10.0.0.1", "port": 80}}}),
    "kernel parameter": _pod_security(sysctls=[{"name": "net.core.somaxconn", "value": "1024"}]),
    "port of the node": _container(ports=[{"containerPort": 80, "hostPort": 80}]),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_pod_of_another_account_is_held_to_restricted(
    kube: Kube, stack: str, fault: Callable[[Manifest], None]
) -> None:
    faulty = pod("plain")
    fault(faulty)
    assert is_refused(kube, stack, faulty)


@pytest.mark.parametrize(
    "name", ["network of the node", "folder of the node", "sidecar as root", "no seccomp profile", "without AppArmor"]
)
def test_an_engine_breaks_the_rules_of_its_exception_only(kube: Kube, stack: str, name: str) -> None:
    engine = next(
        manifest
        for manifest in pods(stack)
        if "server" in str(manifest) or "vllm" in str(manifest["spec"]["serviceAccountName"])
    )
    spec = engine["spec"]
    faulty = pod(spec["serviceAccountName"], spec["containers"][0]["name"])
    FAULTS[name](faulty)
    assert is_refused(kube, stack, faulty)
