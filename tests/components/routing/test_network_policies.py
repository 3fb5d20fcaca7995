"""Allowed connections, computed from the rendered policies, against a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.routing.models_endpoint import PORT
from llm_d_gke.stackfile import project_stacks
from tests.objects import one
from tests.stacks import existing_cluster, graph_of, plan_of

OURS = "llm-d-inference-scheduling"


@dataclass(frozen=True)
class Party:
    """A peer with an address, and with labels if it is a pod."""

    name: str
    address: str
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str | None = None
    ports: tuple[tuple[str, int], ...] = ()


def world(plan: StackPlan) -> list[Party]:
    """Those the stack did not make. Pods of other namespaces carry none of the labels that would let them in."""
    subnet = plan.network.subnet
    return [
        Party("proxies", _within(plan.network.proxy_cidr, 9)),
        Party("health checks", "35.191.8.1"),
        Party("client in the VPC", "10.200.0.1"),
        Party("internet", "151.101.1.1", ports=(("TCP", 443), ("TCP", 80))),
        Party("metadata", "169.254.169.254", ports=(("TCP", 80), ("UDP", 53))),
        Party("API server", _within(subnet.node_cidr, 2), ports=(("TCP", 443),)),
        Party("names", _within(subnet.pod_cidr, 2), {"k8s-app": "kube-dns"}, "kube-system", (("UDP", 53), ("TCP", 53))),
        Party("istiod", _within(subnet.pod_cidr, 6), {"app": "istiod"}, "istio-system", (("TCP", 15012),)),
        Party("collector", _within(subnet.pod_cidr, 3), {"app.kubernetes.io/name": "collector"}, "gmp-system"),
        Party("stranger", _within(subnet.pod_cidr, 4), {"app": "shell"}, OURS),
        Party(
            "foreigner",
            _within(subnet.pod_cidr, 5),
            {"llm-d.ai/inference-serving": "true"},
            "default",
            (("TCP", 8000),),
        ),
    ]


def _within(cidr: str, number: int) -> str:
    return str(ip_network(cidr)[number])


def parties(plan: StackPlan) -> list[Party]:
    """The stack's own pods, one of each workload."""
    pods: dict[str, tuple[Mapping[str, str], tuple[int, ...]]] = {}
    for model in plan.models:
        for server in model.servers:
            name = f"{model.key} {server.role}"
            containers = [server.pod, *server.pod.sidecars]
            ports = [port.number for container in containers for port in container.ports]
            pods[name] = ({**server.selector, **server.pod.labels}, (*ports, 22))
            if server.group is not None:
                pods[f"{name} of the same group"] = pods[name]
        labels = {**model.picker.selector, **model.picker.pod.labels}
        pods[f"{model.key} picker"] = (labels, tuple(p.number for p in model.picker.pod.ports))
    if plan.router is not None:
        pods["router"] = (plan.router.pod.labels, tuple(port.number for port in plan.router.pod.ports))
    if plan.gateway.implementation == "istio":
        pods["gateway"] = ({"gateway.networking.k8s.io/gateway-name": plan.gateway.name}, (plan.gateway.port,))
    if plan.models_endpoint is not None:
        pods["index"] = (plan.models_endpoint.pod.labels, (plan.models_endpoint.port,))
    return [
        Party(
            name,
            _within(plan.network.subnet.pod_cidr, 256 + number),
            labels,
            OURS,
            tuple(("TCP", port) for port in ports),
        )
        for number, (name, (labels, ports)) in enumerate(pods.items(), start=1)
    ]


def policies(stack: str, changes: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    kind = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
    bodies = [resource.inputs for resource in graph_of(stack, changes).resources if resource.type == kind]
    return [body["spec"] for body in bodies if body["metadata"]["namespace"] == OURS]


def reachable(specs: list[dict[str, Any]], everybody: list[Party]) -> set[tuple[str, str, int]]:
    """(from, to, port) of every connection that policies let through."""
    return {
        (source.name, other.name, port)
        for source in everybody
        for other in everybody
        if source is not other
        for protocol, port in other.ports
        if _allowed(specs, source, other, protocol, port)
    }


def _allowed(specs: list[dict[str, Any]], source: Party, other: Party, protocol: str, port: int) -> bool:
    return _open(specs, source, other, "egress", "to", protocol, port) and _open(
        specs, other, source, "ingress", "from", protocol, port
    )


def _open(specs: list[dict[str, Any]], own: Party, peer: Party, way: str, key: str, protocol: str, port: int) -> bool:
    """Whether the policies that select a party allow a peer. Several add up; without any, all traffic is allowed."""
    if own.namespace != OURS:
        return True
    selecting = [spec for spec in specs if _has(own, spec["podSelector"].get("matchLabels", {}))]
    isolated = any(way.capitalize() in spec["policyTypes"] for spec in selecting)
    rules = (rule for spec in selecting for rule in spec.get(way) or [])
    return not isolated or any(
        (not rule.get(key) or any(_is(peer, labels) for labels in rule[key])) and _port(rule, protocol, port)
        for rule in rules
    )


def _port(rule: Mapping[str, Any], protocol: str, port: int) -> bool:
    return not rule.get("ports") or any(p["protocol"] == protocol and p["port"] == port for p in rule["ports"])


def _has(party: Party, labels: Mapping[str, str]) -> bool:
    return labels.items() <= party.labels.items()


def _is(party: Party, peer: Mapping[str, Any]) -> bool:
    if "ipBlock" in peer:
        block, address = peer["ipBlock"], ip_address(party.address)
        inside = address in ip_network(block["cidr"])
        return inside and not any(address in ip_network(cidr) for cidr in block.get("except") or [])
    if party.namespace is None:
        return False
    space = (peer.get("namespaceSelector") or {}).get("matchLabels", {}).get("kubernetes.io/metadata.name", OURS)
    return space == party.namespace and _has(party, peer["podSelector"].get("matchLabels", {}))


def table(stack: str, changes: Mapping[str, Any] | None = None) -> set[tuple[str, str, int]]:
    plan = plan_of(stack, changes)
    own = parties(plan)
    names = {party.name for party in own}
    allowed = reachable(policies(stack, changes), [*own, *world(plan)])
    return {way for way in allowed if way[0] in names or way[1] in names}


def of_model(key: str, *, metadata: bool = False) -> set[tuple[str, str, int]]:
    """One model behind the load balancer, with weights of the Hub."""
    server, picker = f"{key} both", f"{key} picker"
    return {
        ("proxies", server, 8000),
        ("health checks", server, 8000),
        ("collector", server, 8000),
        (picker, server, 8000),
        (server, "internet", 443),
        (server, "names", 53),
        (server, "metadata", 53),
        *({(server, "metadata", 80)} if metadata else ()),
        ("proxies", picker, 9002),
        ("health checks", picker, 9003),
        ("collector", picker, 9090),
        (picker, "API server", 443),
        (picker, "names", 53),
        (picker, "metadata", 53),
    }


# The load balancer connects to the router, which reads ConfigMaps; the list of models opens no connections.
ROUTED = {
    ("proxies", "router", 9004),
    ("health checks", "router", 9005),
    ("collector", "router", 9090),
    ("router", "API server", 443),
    ("router", "names", 53),
    ("router", "metadata", 53),
    ("proxies", "index", PORT),
    ("health checks", "index", PORT),
}


class TestTable:
    def test_single_replica_on_a_gpu(self) -> None:
        [model] = plan_of("gpu").models
        assert table("gpu") == of_model(model.key)

    def test_single_replica_on_a_tpu(self) -> None:
        """libtpu looks its slice up."""
        [model] = plan_of("tpu").models
        assert table("tpu") == of_model(model.key, metadata=True)

    def test_several_models_do_not_reach_each_other(self) -> None:
        first, other = plan_of("multi-model-gpu").models
        assert table("multi-model-gpu") == of_model(first.key) | of_model(other.key) | ROUTED

    def test_a_precise_index_hears_its_engines(self) -> None:
        changes = {"picker.prefixRouting": "precise"}
        [model] = plan_of("prefix-cache-gpu").models
        events = {(f"{model.key} picker", f"{model.key} both", 5557)}
        assert table("prefix-cache-gpu", changes) == of_model(model.key) | events

    def test_weights_of_a_bucket_are_read_with_the_pod_s_identity(self) -> None:
        changes = {"models[0].source": {"kind": "bucket", "bucket": "weights", "path": "m"}}
        [model] = plan_of("gpu", changes).models
        assert table("gpu", changes) == of_model(model.key, metadata=True)

    def test_so_are_adapters_of_a_bucket(self) -> None:
        """The sidecar that mounts them gets its token from the metadata server, wherever the weights are."""
        claim = {"kind": "volume-claim", "claim": "weights", "path": "m"}
        for source in ({"kind": "hugging-face"}, claim):
            changes = {"models[0].source": source, "models[0].adapters": [{"name": "a", "source": "gs://weights/a"}]}
            [model] = plan_of("gpu", changes).models
            assert table("gpu", changes) == of_model(model.key, metadata=True)

    @pytest.mark.parametrize("everywhere", [False, True])
    def test_a_bucket_is_reached_at_google_s_private_addresses(self, everywhere: bool) -> None:
        """Where the network's names lead there. What comes of the Hub needs the internet, as before."""
        changes = {
            "models[0].source": {"kind": "hugging-face"}
            if everywhere
            else {"kind": "bucket", "bucket": "weights", "path": "m"},
            "models[0].adapters": [{"name": "a", "source": "gs://weights/a"}],
            "networkPolicies.privateGoogleAccess": True,
        }
        plan = plan_of("gpu", changes)
        [model] = plan.models
        [policy] = [entry for entry in plan.network_policies if entry.name == model.servers[0].name]
        [https] = [access for access in policy.egress if access.ports == (("TCP", 443),)]
        assert [peer.cidr for peer in https.peers] == ["0.0.0.0/0" if everywhere else "199.36.153.8/30"]
        unused = "LLMD-PRIVATE-ACCESS-UNUSED" in [finding.id for finding in plan.warnings]
        assert unused is everywhere

    def test_adapters_of_an_image_need_nobody(self) -> None:
        claim = {"kind": "volume-claim", "claim": "weights", "path": "m"}
        changes = {"models[0].source": claim, "models[0].adapters": [{"name": "a", "source": "oci://r.io/a:1"}]}
        [model] = plan_of("gpu", changes).models
        assert table("gpu", changes) == of_model(model.key) - {(f"{model.key} both", "internet", 443)}

    def test_weights_of_a_volume_need_nobody(self) -> None:
        changes = {"models[0].source": {"kind": "volume-claim", "claim": "weights", "path": "m"}}
        [model] = plan_of("gpu", changes).models
        assert table("gpu", changes) == of_model(model.key) - {(f"{model.key} both", "internet", 443)}

    def test_pods_of_a_group_reach_each_other_on_every_port(self) -> None:
        """Tensors are exchanged on ports chosen at the start."""
        allowed = table("mixture-of-experts-wide-gpu")
        [model] = plan_of("mixture-of-experts-wide-gpu").models
        first, other = f"{model.key} both", f"{model.key} both of the same group"
        assert {(first, other, 22), (other, first, 22), (first, other, 8001)} <= allowed
        assert not {way for way in allowed if way[2] == 22} - {(first, other, 22), (other, first, 22)}

    @pytest.mark.parametrize("stack", ["disaggregated-gpu", "kserve-disaggregated-gpu"])
    def test_prefill_and_decode_reach_each_other_on_every_port(self, stack: str) -> None:
        """Blocks of the KV cache are sent between them on dedicated ports."""
        allowed = table(stack)
        [model] = plan_of(stack).models
        prefill, decode = f"{model.key} prefill", f"{model.key} decode"
        assert {(first, other, 22) for first, other in ((prefill, decode), (decode, prefill))} == {
            way for way in allowed if way[2] == 22
        }
        assert {(f"{model.key} picker", role, 8000) for role in (prefill, decode)} <= allowed

    @pytest.mark.parametrize("stack", ["kserve-single-replica-gpu", "kserve-prefix-cache-gpu"])
    def test_under_kserve_it_is_the_same(self, stack: str) -> None:
        [model] = plan_of(stack).models
        assert table(stack) == of_model(model.key)

    @pytest.mark.parametrize("stack", ["kserve-istio-single-replica-gpu", "kserve-istio-prefix-cache-gpu"])
    def test_istio_s_gateway_is_a_pod(self, stack: str) -> None:
        """Clients reach it from anywhere, and it reaches the model and its picker; nothing else comes from outside."""
        plan = plan_of(stack)
        [model] = plan.models
        server, picker, port = f"{model.key} both", f"{model.key} picker", plan.gateway.port
        behind = {way for way in of_model(model.key) if way[0] not in ("proxies", "health checks")}
        allowed = table(stack)
        inside = {(source, "gateway", port) for source, to, _ in allowed if to == "gateway"}
        assert allowed - inside == behind | {
            ("gateway", server, 8000),
            ("gateway", picker, 9002),
            ("gateway", "istiod", 15012),
            ("gateway", "names", 53),
            ("gateway", "metadata", 53),
        }
        # The stack's own pods have no business there.
        assert {source for source, _, _ in inside} == {party.name for party in world(plan)} - {"stranger"}

    def test_the_way_past_the_gateway_is_for_the_vpc(self) -> None:
        """A node passes connections on under its own address, which is in the range of the API server's."""
        changes = {"gateway.exposure": "internal", "gateway.directLoadBalancer": True}
        [model] = plan_of("gpu", changes).models
        server = f"{model.key} both"
        added = {("client in the VPC", server, 8000), ("API server", server, 8000)}
        assert table("gpu", changes) == of_model(model.key) | added
        sources = one(graph_of("gpu", changes), "Service", "gemma-2b-it-direct")["spec"]["loadBalancerSourceRanges"]
        assert "10.0.0.0/8" in sources
        assert not [cidr for cidr in sources if ip_address("151.101.1.1") in ip_network(cidr)]

    def test_without_monitoring_no_collector_comes_in(self) -> None:
        changes = {"monitoring.enabled": False}
        [model] = plan_of("gpu").models
        assert table("gpu", changes) == {way for way in of_model(model.key) if way[0] != "collector"}


@pytest.mark.parametrize("stack", project_stacks())
def test_only_those_who_have_to_reach_port_8000(stack: str) -> None:
    """Not a pod of the namespace or of another, not another model's picker; servers of one model do."""
    for source, other, port in table(stack):
        if port == 8000:
            key = other.split(" ")[0]
            assert source in ("proxies", "gateway", "health checks", "collector") or source.split(" ")[0] == key, (
                source,
                other,
            )


def test_without_policies_everybody_reaches_it() -> None:
    """Otherwise the evaluator could return anything."""
    changes = {"networkPolicies.enabled": False}
    [model] = plan_of("gpu").models
    assert policies("gpu", changes) == []
    assert ("stranger", f"{model.key} both", 8000) in table("gpu", changes)
    assert ("foreigner", f"{model.key} both", 8000) in table("gpu", changes)


def peers(specs: list[dict[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for spec in specs:
        for way, key in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(way) or []:
                yield from rule[key]


@pytest.mark.parametrize("stack", ["gpu", "multi-model-tpu"])
def test_every_peer_has_a_selector(stack: str) -> None:
    """An empty selector means all pods."""
    all_peers = list(peers(policies(stack)))
    assert all_peers
    for peer in all_peers:
        assert peer.get("ipBlock", {}).get("cidr") or peer["podSelector"].get("matchLabels")


def test_a_namespace_of_others_is_not_closed() -> None:
    """Only pods of this stack are."""
    changes = existing_cluster() | {"namespace.existing": True, "huggingFace": {"existingSecret": "mine"}}
    assert all(spec["podSelector"].get("matchLabels") for spec in policies("gpu", changes))
    assert [spec for spec in policies("gpu") if not spec["podSelector"].get("matchLabels")]


def test_a_cluster_of_this_stack_enforces_them() -> None:
    [cluster] = [resource for resource in graph_of("gpu").resources if resource.type == "gcp:container/cluster:Cluster"]
    assert cluster.inputs["datapathProvider"] == "ADVANCED_DATAPATH"
