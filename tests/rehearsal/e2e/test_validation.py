"""Every object of every kind of stack, before a real API server and a real scheduler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from catalog import load
from rehearsal import processes
from rehearsal.control_plane import ControlPlane
from rehearsal.graph import Graph
from rehearsal.graph.values import jsonable
from rehearsal.kube import Kube, KubeError, Manifest, Manifests, client
from rehearsal.machine.cloud import CLUSTER, NODE_POOL
from rehearsal.machine.pools import POOL_LABEL, Pool, node, pools
from rehearsal.paths import StackPaths
from rehearsal.render import manifests
from tests.stacks import graph_of

from .project import eventually

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
    "existing network": ("gpu", {"network": {"existing": EXISTING_NETWORK}}),
    "direct load balancer": ("gpu", {"gateway.directLoadBalancer": True}),
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
    "two replicas on tpu": ("tpu", {"models[0].replicas": 2}),
}
# What must be there for a pod to be admitted: made for real, all else is a dry run.
MADE = ("Namespace", "ServiceAccount")


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
        ControlPlane(paths).start(VERSION, secret_manager=True)
        with client(paths, on_warning=warnings.append) as kube:
            yield Server(kube, warnings)
    finally:
        processes.stop_all(paths)


def objects(graph: Graph) -> Manifests:
    """Every Kubernetes object of a graph; namespaces and service accounts first."""
    found: Manifests = [yaml.safe_load(text) for text in manifests(graph).values()]
    return sorted(found, key=lambda one: MADE.index(one["kind"]) if one["kind"] in MADE else len(MADE))


def title(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


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
    admitted_and_placed(server, graph_of(stack, changes, preview=False), silent=stack == "gpu")


def admitted_and_placed(server: Server, graph: Graph, *, silent: bool) -> None:
    """Every object is taken, without warnings where that is asked for, and every pod gets a node of the right pool."""
    every = objects(graph)
    assert {"Namespace", "Deployment", "Gateway", "HTTPRoute", "InferencePool"} <= {one["kind"] for one in every}
    server.warnings.clear()
    refused = []
    for one in every:
        try:
            server.kube.apply(one, force=True, dry_run=one["kind"] not in MADE)
        except KubeError as error:
            refused.append(f"{title(one)}: {error}")
    assert refused == []
    wanted = [pod for one in every if one["kind"] == "Deployment" for pod in pods_of(one)]
    assert len(wanted) >= 1
    nodes = nodes_of(graph, server.kube.server_version())
    try:
        for one in nodes:
            server.kube.create(one)
        # Not a dry run: Pod Security enforces on pods, and the scheduler has to find a node for each.
        for pod in wanted:
            server.kube.create(pod)
        if silent:
            assert server.warnings == []
        eventually(lambda: None not in placed(server.kube, wanted).values(), "every pod has a node", 20.0)
        landed = placed(server.kube, wanted)
        for pod in wanted:
            name = pod["metadata"]["name"]
            accelerated = "acc-" in str(landed[name])
            assert accelerated == ("llm-d.ai/inference-serving" in pod["metadata"]["labels"]), landed
    finally:
        for pod in wanted:
            server.kube.delete("v1", "Pod", pod["metadata"]["name"], pod["metadata"]["namespace"], grace=0)
        for one in nodes:
            server.kube.delete("v1", "Node", one["metadata"]["name"])


def placed(kube: Kube, pods: Manifests) -> dict[str, str | None]:
    """The node pool of each pod, None while it has no node."""
    pool_of = {one["metadata"]["name"]: one["metadata"]["labels"][POOL_LABEL] for one in kube.list("v1", "Node")}
    live = {one["metadata"]["name"]: one for one in kube.list("v1", "Pod", pods[0]["metadata"]["namespace"])}
    return {
        pod["metadata"]["name"]: pool_of.get(live[pod["metadata"]["name"]]["spec"].get("nodeName", "")) for pod in pods
    }


def nodes_of(graph: Graph, version: str) -> Manifests:
    """The machines of a stack's node pools when each has grown as far as it may."""
    records: dict[str, list[dict[str, Any]]] = {CLUSTER: [], NODE_POOL: []}
    for one in graph.resources:
        if one.type in records:
            plain = jsonable(one.inputs)
            assert isinstance(plain, dict)
            records[one.type].append(plain)
    found: list[Pool] = pools(records[NODE_POOL], load(), records[CLUSTER][0])
    assert len(found) >= 2
    return [
        node(pool, index, "golden-project", f"127.0.{number}.{index + 1}", version)
        for number, pool in enumerate(found, start=2)
        for index in range(max(pool.maximum, pool.initial))
    ]


def test_a_pod_that_breaks_pod_security_is_refused(server: Server) -> None:
    """The namespace's labels are in force: the test above could fail."""
    every = objects(graph_of("gpu", {}, preview=False))
    for one in every:
        if one["kind"] in MADE:
            server.kube.apply(one, force=True)
    deployment = next(one for one in every if one["kind"] == "Deployment")
    (pod, *_) = pods_of(deployment)
    pod["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    with pytest.raises(KubeError, match="violates PodSecurity"):
        server.kube.create(pod, dry_run=True)


def test_a_misspelt_field_is_refused(server: Server) -> None:
    (pool,) = [one for one in objects(graph_of("gpu", {}, preview=False)) if one["kind"] == "InferencePool"]
    pool["spec"]["targetPort"] = 8000
    with pytest.raises(KubeError, match=r"spec\.targetPort"):
        server.kube.apply(pool, force=True, dry_run=True)


def test_a_second_replica_leaves_the_first_alone() -> None:
    """A changed pod template would load every model anew, which takes minutes on GKE."""
    templates = [
        one["spec"]["template"]
        for replicas in (1, 2)
        for one in objects(graph_of("gpu", {"models[0].replicas": replicas}))
        if one["kind"] == "Deployment" and one["metadata"]["name"].endswith("-vllm")
    ]
    assert len(templates) == 2
    assert templates[0] == templates[1]
