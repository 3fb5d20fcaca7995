"""Every object of every kind of stack, before a real API server and a real scheduler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.catalog.reading import parse_yaml, read_yaml
from llm_d_gke.google_types import CLUSTER, NODE_POOL
from llm_d_gke.kube import Kube, KubeError, Manifest, Manifests
from llm_d_gke.rehearsal.autoscaler.node_pools import POOL_LABEL, Pool, node, pools
from llm_d_gke.rehearsal.autoscaler.nodes import resource_slice
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.control_plane.addons import Features
from llm_d_gke.rehearsal.control_plane.control_plane import ControlPlane
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.toolchain.build import module_dir
from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.rendering import manifests
from llm_d_gke.resource_graph.values import jsonable
from tests.stacks import FLEET_CONFIG, FLEET_MEMBER, graph_of
from tests.waiting import eventually

pytestmark = pytest.mark.rehearsal

VERSION = "1.34.1-gke.1829001"
EXISTING_NETWORK = {
    "network": "shared",
    "subnetwork": "nodes",
    "podRange": "pods",
    "serviceRange": "services",
    "proxySubnetwork": "proxies",
}
VARIANTS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "gpu": ("gpu", {}),
    "tpu": ("tpu", {}),
    "internal gateway": ("gpu", {"gateway.exposure": "internal"}),
    "certificate manager": (
        "gpu",
        {
            "gateway.tls": {"kind": "certificate-manager", "certificates": ["llm"]},
            "gateway.hostname": "llm.example.com",
        },
    ),
    "pre-shared certificate": ("gpu", {"gateway.tls": {"kind": "pre-shared", "certificates": ["llm"]}}),
    "certificate in a secret": ("gpu", {"gateway.tls": {"kind": "secret", "secret": "llm-tls"}}),
    "two pickers": ("gpu", {"picker.replicas": 2}),
    "two pickers on tpu": ("tpu", {"picker.replicas": 2}),
    "existing network": ("gpu", {"network": {"existing": EXISTING_NETWORK, "proxyCidr": "192.168.0.0/23"}}),
    "direct load balancer": ("gpu", {"gateway.exposure": "internal", "gateway.directLoadBalancer": True}),
    "weights in a bucket": (
        "gpu",
        {"models[0].source": {"kind": "bucket", "bucket": "my-weights", "path": "gemma-2b-it"}},
    ),
    "weights in a bucket on tpu": (
        "tpu",
        {"models[0].source": {"kind": "bucket", "bucket": "my-weights", "path": "qwen"}},
    ),
    "token in Secret Manager": ("gpu", {"huggingFace": {"secretManagerSecret": "hugging-face"}}),
    "pull secret": (
        "gpu",
        {"registry": {"server": "registry.example.com", "username": "me", "password": "a-registry-password"}},
    ),
    "paused": ("gpu", {"paused": True}),
    "no monitoring": ("gpu", {"monitoring.enabled": False}),
    "kinds that this GKE does not bring": ("gpu", {"cluster.version": "1.33"}),
    "three replicas": ("gpu", {"models[0].replicas": 3}),
    "config cluster of a fleet": ("gpu", FLEET_CONFIG),
    "member of a fleet": ("gpu", FLEET_MEMBER),
    "member of a fleet with the older form of its metric": ("gpu", FLEET_MEMBER | {"cluster.version": VERSION}),
    "two replicas on tpu": ("tpu", {"models[0].replicas": 2}),
    "ranks over two hosts": ("mixture-of-experts-wide-gpu", {}),
    "ranks over two hosts without DeepEP": (
        "mixture-of-experts-wide-gpu",
        {"models[0].allToAll": "allgather_reducescatter", "models[0].replicas": 2, "accelerator.nodes.max": 4},
    ),
    "a slice of four hosts": ("mixture-of-experts-tpu", {}),
    "stages on two hosts": (
        "mixture-of-experts-wide-gpu",
        {
            "pattern": "single-replica",
            "models[0]": {"id": "meta-llama/Llama-3.1-405B-Instruct", "maxModelLen": 8192, "pipelineParallel": 2},
        },
    ),
}
# Objects that must exist for a pod to be admitted are created; the rest is a dry run.
CREATED_FIRST = ("Namespace", "ServiceAccount", "ResourceClaimTemplate")


@dataclass
class Server:
    """An API server with what GKE installs, and the warnings it gave since they were last looked at."""

    kube: Kube
    warnings: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    paths = StackPaths("validation", tmp_path_factory.mktemp("validation"))
    warnings: list[str] = []
    try:
        ControlPlane(paths).start(Features(VERSION, secret_manager=True))
        with client(paths, on_warning=warnings.append) as kube:
            # The CRD that a chart installs.
            [kind] = (module_dir("sigs.k8s.io/lws") / "config" / "crd" / "bases").glob("*leaderworkersets.yaml")
            kube.apply(read_yaml(kind))
            kube.wait_established(["leaderworkersets.leaderworkerset.x-k8s.io"])
            yield Server(kube, warnings)
    finally:
        processes.stop_all(paths)


def objects(graph: Graph) -> Manifests:
    """Every Kubernetes object of a graph; namespaces and service accounts first."""
    unsorted: Manifests = [parse_yaml(text) for text in manifests(graph).values()]
    return sorted(
        unsorted,
        key=lambda manifest: (
            CREATED_FIRST.index(manifest["kind"]) if manifest["kind"] in CREATED_FIRST else len(CREATED_FIRST)
        ),
    )


def title(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def members_of(group: Manifest) -> Manifests:
    """The pods of a LeaderWorkerSet: the first of each group is its leader."""
    metadata, spec = group["metadata"], group["spec"]["leaderWorkerTemplate"]
    pods = []
    for number in range(group["spec"]["replicas"]):
        for index in range(spec["size"]):
            template = spec["workerTemplate"] if index else spec.get("leaderTemplate", spec["workerTemplate"])
            labels = template["metadata"]["labels"] | {"leaderworkerset.sigs.k8s.io/group-key": f"group-{number}"}
            name = f"{metadata['name']}-{number}" + (f"-{index}" if index else "")
            about = {**template["metadata"], "labels": labels, "name": name, "namespace": metadata["namespace"]}
            pods.append({"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": template["spec"]})
    return pods


def pods_of(deployment: Manifest) -> Manifests:
    """The pods its controller would make."""
    namespace = deployment["metadata"]["namespace"]
    template = deployment["spec"]["template"]
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **template["metadata"],
                "name": f"{deployment['metadata']['name']}-{number}",
                "namespace": namespace,
            },
            "spec": template["spec"],
        }
        for number in range(deployment["spec"].get("replicas", 1))
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_api_server_takes_every_object_and_the_scheduler_every_pod(server: Server, variant: str) -> None:
    stack, changes = VARIANTS[variant]
    has_gateway = not variant.startswith("member of a fleet")
    admitted_and_placed(server, graph_of(stack, changes, preview=False), silent=stack == "gpu", has_gateway=has_gateway)


def admitted_and_placed(server: Server, graph: Graph, *, silent: bool, has_gateway: bool = True) -> None:
    """Every object is accepted, if required without warnings, and every pod gets a node of the right pool."""
    every = objects(graph)
    kinds = {manifest["kind"] for manifest in every}
    assert {"Namespace", "Deployment", "InferencePool"} <= kinds
    assert ({"Gateway", "HTTPRoute"} <= kinds) is has_gateway
    server.warnings.clear()
    refused = []
    for manifest in every:
        try:
            server.kube.apply(manifest, force=True, dry_run=manifest["kind"] not in CREATED_FIRST)
        except KubeError as error:
            refused.append(f"{title(manifest)}: {error}")
    assert refused == []
    pods = [pod for manifest in every if manifest["kind"] == "Deployment" for pod in pods_of(manifest)]
    pods += [pod for manifest in every if manifest["kind"] == "LeaderWorkerSet" for pod in members_of(manifest)]
    assert len(pods) >= 1
    nodes = nodes_of(graph, server.kube.server_version())
    try:
        for machines, manifest in nodes:
            cards = resource_slice(machines, server.kube.create(manifest))
            if cards is not None:
                server.kube.create(cards)
        # Not a dry run: Pod Security enforces on pods, and the scheduler has to find a node for each.
        for pod in pods:
            server.kube.create(pod)
        if silent:
            assert server.warnings == []
        eventually(lambda: None not in placed(server.kube, pods).values(), "every pod has a node")
        landed = placed(server.kube, pods)
        for pod in pods:
            name = pod["metadata"]["name"]
            # A long name of a stack shortens that of its accelerator pool.
            accelerated = "-cpu" not in str(landed[name])
            assert accelerated == ("llm-d.ai/inference-serving" in pod["metadata"]["labels"]), landed
    finally:
        for pod in pods:
            server.kube.delete("v1", "Pod", pod["metadata"]["name"], pod["metadata"]["namespace"], gracePeriodSeconds=0)
        for _, manifest in nodes:
            server.kube.delete("v1", "Node", manifest["metadata"]["name"])
        # No garbage collector removes the objects of the nodes and pods before the next stack.
        for kind in ("ResourceSlice", "ResourceClaim"):
            for manifest in server.kube.list("resource.k8s.io/v1", kind):
                about = manifest["metadata"]
                server.kube.delete("resource.k8s.io/v1", kind, about["name"], about.get("namespace"))


def placed(kube: Kube, pods: Manifests) -> dict[str, str | None]:
    """The node pool of each pod, None while it has no node."""
    pool_of = {node["metadata"]["name"]: node["metadata"]["labels"][POOL_LABEL] for node in kube.list("v1", "Node")}
    live = {pod["metadata"]["name"]: pod for pod in kube.list("v1", "Pod", pods[0]["metadata"]["namespace"])}
    return {
        pod["metadata"]["name"]: pool_of.get(live[pod["metadata"]["name"]]["spec"].get("nodeName", "")) for pod in pods
    }


def nodes_of(graph: Graph, version: str) -> list[tuple[Pool, Manifest]]:
    """The machines of a stack's node pools when each has grown as far as it may."""
    records: dict[str, list[dict[str, Any]]] = {CLUSTER: [], NODE_POOL: []}
    for resource in graph.resources:
        if resource.type in records:
            plain = jsonable(resource.inputs)
            assert isinstance(plain, dict)
            records[resource.type].append(plain)
    node_pools: list[Pool] = pools(records[NODE_POOL], load(), records[CLUSTER][0])
    assert len(node_pools) >= 2
    return [
        (pool, node(pool, index, "golden-project", f"127.0.{number}.{index + 1}", version))
        for number, pool in enumerate(node_pools, start=2)
        for index in range(max(pool.maximum, pool.initial))
    ]


def test_a_pod_that_breaks_pod_security_is_refused(server: Server) -> None:
    """The namespace's labels are in force: the test above could fail."""
    every = objects(graph_of("gpu", {}, preview=False))
    for manifest in every:
        if manifest["kind"] in CREATED_FIRST:
            server.kube.apply(manifest, force=True)
    deployment = next(manifest for manifest in every if manifest["kind"] == "Deployment")
    (pod, *_) = pods_of(deployment)
    pod["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    with pytest.raises(KubeError, match="violates PodSecurity"):
        server.kube.create(pod, dry_run=True)


def test_a_misspelled_field_is_refused(server: Server) -> None:
    (pool,) = [
        manifest for manifest in objects(graph_of("gpu", {}, preview=False)) if manifest["kind"] == "InferencePool"
    ]
    pool["spec"]["targetPort"] = 8000
    with pytest.raises(KubeError, match=r"spec\.targetPort"):
        server.kube.apply(pool, force=True, dry_run=True)


def test_a_second_replica_leaves_the_first_alone() -> None:
    """A changed pod template would load every model again, which takes minutes on GKE."""
    templates = [
        manifest["spec"]["template"]
        for replicas in (1, 2)
        for manifest in objects(graph_of("gpu", {"models[0].replicas": replicas}))
        if manifest["kind"] == "Deployment" and manifest["metadata"]["name"].endswith("-vllm")
    ]
    assert len(templates) == 2
    assert templates[0] == templates[1]
