"""Every pod fulfills Pod Security `restricted`, or has an annotation with the exception and its reason.

The checks are those of kubernetes.io/docs/concepts/security/pod-security-standards, each as a predicate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from tests.objects import Object, container, one, pods
from tests.stacks import graph_of

EXCEPTION = "llm-d.ai/security-exception"
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}

Check = Callable[[Object], bool]

RESTRICTED: dict[str, Check] = {
    "hostNamespaces": lambda pod: not {"hostNetwork", "hostPID", "hostIPC"} & set(pod["spec"]),
    "hostPorts": lambda pod: not any("hostPort" in port for port in container(pod).get("ports", [])),
    "privileged": lambda pod: "privileged" not in container(pod)["securityContext"],
    "procMount": lambda pod: "procMount" not in container(pod)["securityContext"],
    "sysctls": lambda pod: "sysctls" not in pod["spec"]["securityContext"],
    "appArmor": lambda pod: "appArmorProfile" not in pod["spec"]["securityContext"],
    "seLinux": lambda pod: "seLinuxOptions" not in pod["spec"]["securityContext"],
    "volumeTypes": lambda pod: all(set(volume) - {"name"} <= VOLUMES for volume in pod["spec"].get("volumes", [])),
    "allowPrivilegeEscalation": lambda pod: container(pod)["securityContext"]["allowPrivilegeEscalation"] is False,
    "capabilities": lambda pod: container(pod)["securityContext"]["capabilities"] == {"drop": ["ALL"]},
    "seccompProfile": lambda pod: pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"},
    "runAsNonRoot": lambda pod: (
        pod["spec"]["securityContext"]["runAsNonRoot"] is True and pod["spec"]["securityContext"]["runAsUser"] != 0
    ),
}

# What this program keeps beyond the standard.
BEYOND: dict[str, Check] = {
    "readOnlyRootFilesystem": lambda pod: container(pod)["securityContext"]["readOnlyRootFilesystem"] is True,
    "volumesAreWalkedOnce": lambda pod: pod["spec"]["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch",
    "noServiceLinks": lambda pod: pod["spec"]["enableServiceLinks"] is False,
    "memoryIsBounded": lambda pod: "memory" in container(pod)["resources"]["limits"],
    "pinnedImage": lambda pod: ":" in container(pod)["image"] and not container(pod)["image"].endswith(":latest"),
}

VARIANTS: dict[str, dict[str, object]] = {
    "as in its file": {},
    "bucket, many pickers": {
        "models[0].source": {"kind": "bucket", "bucket": "weights", "path": "model"},
        "picker.replicas": 2,
    },
    "volume claim": {"models[0].source": {"kind": "volume-claim", "claim": "weights", "path": "model"}},
    "secret manager": {"huggingFace": {"secretManagerSecret": "hf"}},
}


def broken(template: Object) -> set[str]:
    """Names of the checks a pod does not pass."""
    return {name for name, check in (RESTRICTED | BEYOND).items() if not check(template)}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS.keys())
def test_every_pod_is_restricted_on_gpu(changes: dict[str, object]) -> None:
    graph = graph_of("gpu", changes)
    assert {name: broken(template) for name, template in pods(graph).items()} == {
        name: set() for name in ("gemma-2b-it-epp", "gemma-2b-it-vllm")
    }


def test_the_tpu_engine_breaks_one_rule_and_says_so(tpu: Graph) -> None:
    templates = pods(tpu)
    server = next(template for name, template in templates.items() if name.endswith("-vllm"))
    assert {name.rsplit("-", 1)[1]: broken(template) for name, template in templates.items()} == {
        "epp": set(),
        "vllm": {"runAsNonRoot"},
    }
    rule, reason = server["metadata"]["annotations"][EXCEPTION].split(": ", 1)
    assert rule == "runAsNonRoot"
    assert "vfio" in reason


def test_who_breaks_no_rule_claims_no_exception(either: Graph) -> None:
    claims = {name for name, pod in pods(either).items() if EXCEPTION in pod["metadata"].get("annotations", {})}
    assert claims == {name for name, pod in pods(either).items() if broken(pod)}


def test_the_namespace_enforces_the_strictest_level_that_admits_its_pods(gpu: Graph, tpu: Graph) -> None:
    prefix = "pod-security.kubernetes.io/"
    levels = {graph.stack: one(graph, "Namespace")["metadata"]["labels"] for graph in (gpu, tpu)}
    assert {stack: labels[f"{prefix}enforce"] for stack, labels in levels.items()} == {
        "gpu": "restricted",
        "tpu": "baseline",
    }
    assert {labels[f"{prefix}warn"] for labels in levels.values()} == {"restricted"}


def test_only_the_picker_has_a_token_of_the_api_server(either: Graph) -> None:
    mounts = {name.rsplit("-", 1)[1]: pod["spec"]["automountServiceAccountToken"] for name, pod in pods(either).items()}
    assert mounts == {"epp": True, "vllm": False}


def test_accounts_mount_no_token_by_themselves(either: Graph) -> None:
    accounts = either.by_type("kubernetes:core/v1:ServiceAccount")
    assert {account["automountServiceAccountToken"] for account in accounts} == {False}


def test_every_container_can_write_where_it_must(either: Graph) -> None:
    """The root file system is read-only: caches and temporary files need volumes."""
    server = next(pod for name, pod in pods(either).items() if name.endswith("-vllm"))
    mounts = {mount["mountPath"] for mount in container(server)["volumeMounts"] if not mount.get("readOnly")}
    assert {"/tmp", "/dev/shm"} <= mounts
    environment = {v["name"]: v["value"] for v in container(server)["env"] if v.get("value", "").startswith("/")}
    read = {"HF_TOKEN_PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH"}
    written = {name: path for name, path in environment.items() if name not in read}
    assert all(any(path == mount or path.startswith(f"{mount}/") for mount in mounts) for path in written.values())


@pytest.mark.parametrize("stack", ["gpu", "kserve-prefix-cache-gpu", "multi-model-gpu", "mixture-of-experts-tpu"])
def test_no_object_has_an_empty_list(stack: str) -> None:
    """A controller that writes a custom kind drops it, and every later preview would show that it is added again."""
    empty = [
        f"{body['kind']} {body['metadata']['name']}: {path}"
        for body in kubernetes_objects(graph_of(stack))
        if body["kind"] not in ("NetworkPolicy", "PodDisruptionBudget")
        for path in _empty_lists(body, "")
    ]
    assert empty == []


def _empty_lists(value: object, path: str) -> list[str]:
    if isinstance(value, Mapping):
        return [empty_list for key, item in value.items() for empty_list in _empty_lists(item, f"{path}.{key}")]
    if isinstance(value, list):
        return [empty_list for item in value for empty_list in _empty_lists(item, f"{path}[]")] if value else [path]
    return []
