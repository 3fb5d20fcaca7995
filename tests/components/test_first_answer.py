"""Nothing waits for what it does not need: the order of resources costs no more than the longest necessary chain.

Seconds are the slowest ones of llm_d_gke/catalog/timeline.yaml. What a chain needs is stated here, with the reason.
"""

from __future__ import annotations

import pytest

from llm_d_gke.catalog.timeline import load_timeline
from llm_d_gke.resource_graph import Graph, Recorded
from tests.components.schedule import deciding_chain, finish_times
from tests.stacks import graph_of

STEPS = load_timeline().steps
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
CLUSTER = "gcp:container/cluster:Cluster"
NODE_POOL = "gcp:container/nodePool:NodePool"
NETWORK = "gcp:compute/network:Network"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
SERVICE_API = "gcp:projects/service:Service"
SERVERS = ("kubernetes:apps/v1:Deployment", "kubernetes:serving.kserve.io/v1alpha2:LLMInferenceService")


def worst(step: str) -> float:
    step_times = STEPS[step]
    return float((step_times.by_kind.get("gpu") or step_times.seconds or (0.0, 0.0))[1])


# Weights are 120 s here, which every chain has alike.
SERVER_SECONDS = worst("node") + worst("image") + 120.0 + worst("engine") + worst("compile")
# The step of the network is three resources that follow each other: network, subnet or router, NAT.
NETWORK_SECONDS = worst("network") / 3


def seconds(resource: Recorded) -> float:
    if resource.type == SERVICE_API:
        return worst("apis")
    if resource.type.startswith("gcp:compute/"):
        return NETWORK_SECONDS
    if resource.type == CLUSTER:
        # With the node pool that GKE makes first and the provider removes again.
        return worst("cluster")
    if resource.type == NODE_POOL:
        return worst("pools")
    if resource.type == GATEWAY:
        return worst("load-balancer")
    if is_server(resource):
        return SERVER_SECONDS
    return 20.0 if "helm" in resource.type else 1.0


def is_server(resource: Recorded) -> bool:
    return resource.type in SERVERS and not resource.name.endswith(("-epp", "-router"))


def servers(graph: Graph) -> list[Recorded]:
    return [resource for resource in graph if is_server(resource) and "router" not in resource.name]


# An API before its resources; a network and a subnet before a cluster; CPU nodes before accelerators, because GKE
# taints accelerator nodes only where there are others; accelerator nodes before what runs on them.
NECESSARY = worst("apis") + 2 * NETWORK_SECONDS + worst("cluster") + 2 * worst("pools") + SERVER_SECONDS


def ratio(stack: str) -> float:
    """Seconds until the first answer over those of the longest necessary chain."""
    graph = graph_of(stack)
    finished = finish_times(graph, seconds)
    ways = [finished[resource.urn] for resource in graph if resource.type == GATEWAY]
    answer = max(*(finished[server.urn] for server in servers(graph)), *ways)
    chain = [resource.name for resource in deciding_chain(graph, servers(graph)[0].urn, seconds)]
    assert answer >= NECESSARY, chain
    return answer / NECESSARY


@pytest.mark.parametrize(
    "stack",
    [
        "gpu",
        "prefix-cache-gpu",
        "multi-model-gpu",
        "disaggregated-gpu",
        "kserve-single-replica-gpu",
        "kserve-prefix-cache-gpu",
        "kserve-istio-single-replica-gpu",
    ],
)
def test_the_first_answer_waits_for_nothing_that_it_does_not_need(stack: str) -> None:
    assert ratio(stack) <= 1.05


def test_a_needless_wait_would_show() -> None:
    graph = graph_of("gpu")
    finished = finish_times(graph, lambda resource: 600.0 if resource.type == GATEWAY else seconds(resource))
    [gateway] = [resource for resource in graph if resource.type == GATEWAY]
    assert finished[gateway.urn] + SERVER_SECONDS > 1.05 * NECESSARY
