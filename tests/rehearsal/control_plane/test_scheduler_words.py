"""The real scheduler says why a pod has no node, and the diagnosis names the cause by its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from llm_d_gke.kube import Kube, Manifest
from llm_d_gke.operations.diagnose.messages import messages, recognize
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.control_plane.addons import Features
from llm_d_gke.rehearsal.control_plane.control_plane import ControlPlane
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from tests.waiting import eventually

pytestmark = pytest.mark.rehearsal

NODE, ZONE = "node-1", "topology.kubernetes.io/zone"
STORAGE, DEVICES = "storage.k8s.io/v1", "resource.k8s.io/v1"
SIZE = {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "10Gi"}


def asks(resource: str, amount: str = "1") -> Manifest:
    return {"containers": [{**CONTAINER, "resources": {"requests": {resource: amount}, "limits": {resource: amount}}}]}


def listens(port: int) -> Manifest:
    return {"containers": [{**CONTAINER, "ports": [{"containerPort": port, "hostPort": port}]}]}


def mounts(claim: str) -> Manifest:
    return {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]}


LEADER = {"labelSelector": {"matchLabels": {"leader": "absent"}}, "topologyKey": "kubernetes.io/hostname"}
CONTAINER = {"name": "main", "image": "registry.example/main:1"}
# Causes with one node that is ready and free.
PODS: dict[str, tuple[str, Manifest]] = {
    "gpu": ("no-accelerator", asks("nvidia.com/gpu")),
    "tpu": ("no-chips", asks("google.com/tpu")),
    "disk": ("no-local-disk", asks("ephemeral-storage", "1Ti")),
    "rdma": ("rdma-networks", asks("networking.gke.io.networks/rdma-0")),
    "cpu": ("no-cpu-or-memory", asks("cpu", "100")),
    "selector": ("no-node-matches", {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"}}),
    "no-claim": ("volume-unbound", mounts("absent")),
    "unbound": ("volume-unbound", mounts("unbound")),
    "elsewhere": ("volume-elsewhere", mounts("elsewhere")),
    "device": ("devices-unavailable", {"resourceClaims": [{"name": "nic", "resourceClaimName": "nic"}]}),
    "class": ("device-class", {"resourceClaims": [{"name": "nic", "resourceClaimName": "classless"}]}),
    "port": ("node-claimed", listens(8080)),
    "gate": ("scheduling-gates", {"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]}),
    "apart": (
        "pods-apart",
        {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [LEADER]}}},
    ),
}
# Causes of a node's own state: what changes at it, and back.
NODES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "cordoned": ({"unschedulable": True}, {"unschedulable": None}),
    "taint": (
        {"taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]},
        {"taints": []},
    ),
}


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    paths = StackPaths("scheduler", tmp_path_factory.mktemp("rehearsal"))
    ControlPlane(paths).start(Features("1.34.1-gke.1829001"))
    with client(paths) as connection:
        eventually(lambda: connection.find("v1", "ServiceAccount", "default", "default") is not None)
        yield connection
    processes.stop_all(paths)


def create_pod(kube: Kube, name: str, spec: Manifest) -> None:
    metadata = {"name": name, "namespace": "default"}
    kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [CONTAINER], **spec}})


def words(kube: Kube, pod: str) -> str:
    conditions = kube.get("v1", "Pod", pod, "default")["status"].get("conditions") or []
    return next((str(condition.get("message")) for condition in conditions if condition["type"] == "PodScheduled"), "")


def shows(kube: Kube, pod: str, cause: str) -> None:
    def is_named() -> bool:
        recognized = recognize("scheduler", words(kube, pod), pod)
        return recognized is not None and recognized.id == cause

    try:
        eventually(is_named, cause, every=0.2, patience=30)
    except AssertionError:
        raise AssertionError(f"{cause} is not in: {words(kube, pod)}") from None


def claim(name: str, **spec: Any) -> Manifest:
    resources = {"requests": {"storage": "1Gi"}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": resources, "storageClassName": "manual", **spec},
    }


def storage() -> list[Manifest]:
    """A volume in another zone with its claim, and a claim that no volume fits."""
    zone = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["us-central1-b"]}]}
    volume = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "manual",
        "csi": {"driver": "pd.csi.storage.gke.io", "volumeHandle": "disk"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [zone]}},
        "claimRef": {"name": "elsewhere", "namespace": "default"},
    }
    return [
        {
            "apiVersion": STORAGE,
            "kind": "StorageClass",
            "metadata": {"name": "manual"},
            "provisioner": "kubernetes.io/no-provisioner",
        },
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "elsewhere"}, "spec": volume},
        claim("elsewhere", volumeName="elsewhere"),
        claim("unbound"),
    ]


def devices() -> list[Manifest]:
    """A claim of a device that no node has, and one of a class that the cluster does not have."""

    def claimed(name: str, device_class: str) -> Manifest:
        request = {"name": "nic", "exactly": {"deviceClassName": device_class}}
        return {
            "apiVersion": DEVICES,
            "kind": "ResourceClaim",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"devices": {"requests": [request]}},
        }

    device_class = {"apiVersion": DEVICES, "kind": "DeviceClass", "metadata": {"name": "nic"}, "spec": {}}
    return [device_class, claimed("nic", "nic"), claimed("classless", "absent")]


def resize(kube: Kube, **changes: str) -> None:
    size = SIZE | changes
    kube.patch_status("v1", "Node", NODE, {"allocatable": size, "capacity": size})


def test_pods_without_a_node_have_their_cause(kube: Kube) -> None:
    create_pod(kube, "first", asks("cpu", "100"))
    shows(kube, "first", "no-nodes")
    kube.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": {ZONE: "us-central1-a"}}})
    resize(kube)
    for manifest in (*storage(), *devices()):
        kube.create(manifest)
    create_pod(kube, "holder", listens(8080))
    eventually(lambda: kube.get("v1", "Pod", "holder", "default")["spec"].get("nodeName"))
    for name, (_, spec) in PODS.items():
        create_pod(kube, name, spec)
    for name, (cause, _) in PODS.items():
        shows(kube, name, cause)
    for cause, (change, back) in NODES.items():
        kube.patch("v1", "Node", NODE, {"spec": change})
        create_pod(kube, cause, {})
        shows(kube, cause, cause)
        kube.patch("v1", "Node", NODE, {"spec": back})
    eventually(lambda: all(kube.get("v1", "Pod", cause, "default")["spec"].get("nodeName") for cause in NODES))
    resize(kube, pods="2")
    create_pod(kube, "one-more", {})
    shows(kube, "one-more", "too-many-pods")


def test_each_cause_of_the_scheduler_is_among_them() -> None:
    causes = {name for name, message in messages().items() if message.origin == "scheduler"}
    # Of a claim that does not exist the controller of claims speaks (tests/operations/diagnose).
    # The scheduler here (1.36) does not name a taint; the one that wrote the example did.
    others = {"no-nodes", "too-many-pods", "claims-missing", "node-maintenance"}
    assert {cause for cause, _ in PODS.values()} | set(NODES) | others == causes
