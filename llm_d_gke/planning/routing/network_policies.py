"""NetworkPolicies: default deny, plus what requests, metrics, DNS, weights and Kubernetes itself need.

Sources: cloud.google.com/kubernetes-engine/docs/how-to/network-policy ("Network policy and Workload Identity
Federation for GKE", "Limitations"), cloud.google.com/load-balancing/docs/firewall-rules; for the collectors
manifests/operator.yaml of GoogleCloudPlatform/prometheus-engine.
Kubelets' probes come from the node and always pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any, Literal

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.plan.infrastructure import PRIVATE, NetworkPlan
from llm_d_gke.planning.plan.routing import (
    METADATA_SERVER,
    AccessPlan,
    GatewayPlan,
    ModelsEndpointPlan,
    NetworkPolicyPlan,
    PeerPlan,
    RouterPlan,
)
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.planning.platform.istio import ISTIO_NAMESPACE
from llm_d_gke.planning.serving.kv_events import EVENTS_PORT, follows_events
from llm_d_gke.planning.serving.pod_volumes import buckets_of
from llm_d_gke.settings.models import ModelSettings

# Google's probers of load balancers' backends (cloud.google.com/load-balancing/docs/health-check-concepts).
HEALTH_CHECKS = ("35.191.0.0/16", "130.211.0.0/22")

# Every pod of one of Istio's Gateways has this label, with the Gateway's name as its value.
GATEWAY_LABEL = "gateway.networking.k8s.io/gateway-name"
_ISTIOD = PeerPlan(pods={"app": "istiod"}, namespace=ISTIO_NAMESPACE)
_ISTIOD_PORT = 15012

_COLLECTORS = PeerPlan(pods={"app.kubernetes.io/name": "collector"}, namespace="gmp-system")

# A cache on the node where there is one (NodeLocal DNSCache, GKE's default since 1.33.1), kube-dns, or Cloud DNS, which
# answers at the metadata server's address.
_NAME_SERVERS = (
    PeerPlan(pods={"k8s-app": "node-local-dns"}, namespace="kube-system"),
    PeerPlan(pods={"k8s-app": "kube-dns"}, namespace="kube-system"),
    PeerPlan(cidr="169.254.20.10/32"),
    PeerPlan(cidr="169.254.169.254/32"),
)

# private.googleapis.com (cloud.google.com/vpc/docs/configure-private-google-access). It has no addresses of customers.
_GOOGLE = PeerPlan(cidr="199.36.153.8/30")

_LINK_LOCAL = "169.254.0.0/16"
_HTTPS = 443


def plan_network_policies(
    ctx: PlanContext,
    network: NetworkPlan,
    gateway: GatewayPlan,
    models: tuple[ModelPlan, ...],
    router: RouterPlan | None,
    models_endpoint: ModelsEndpointPlan | None,
) -> tuple[NetworkPolicyPlan, ...]:
    """One policy for each workload, and a default policy in a namespace that the stack creates."""
    if not ctx.settings.network_policies.enabled:
        ctx.warning("LLMD-NETWORK-POLICIES-OFF", "networkPolicies.enabled")
        return ()
    _check(ctx)
    builder = _PolicyBuilder(ctx, network, gateway)
    policies = [] if ctx.settings.namespace.existing else [NetworkPolicyPlan(name="default-deny", selector={})]
    for settings, model in zip(ctx.settings.models, models, strict=True):
        policies += [builder.server(settings, model, server) for server in model.servers]
        policies.append(builder.picker(model))
    if router is not None:
        policies.append(builder.router(router))
    if models_endpoint is not None:
        policies.append(builder.models_endpoint(models_endpoint))
    if gateway.implementation == "istio":
        policies.append(builder.gateway(models, router, models_endpoint))
    return tuple(policies)


class _PolicyBuilder:
    """Builds the policy of each workload from the stack's peers: proxies, health checks, collectors, Google's APIs."""

    def __init__(self, ctx: PlanContext, network: NetworkPlan, gateway: GatewayPlan) -> None:
        self._ctx, self._network, self._gateway = ctx, network, gateway
        istio = gateway.implementation == "istio"
        self._proxies = (
            (PeerPlan(pods={GATEWAY_LABEL: gateway.name}),)
            if istio
            # Proxies in every region of a fleet's Gateway send to the servers of all its clusters.
            else tuple(PeerPlan(cidr=cidr) for cidr in gateway.fleet.proxy_cidrs)
            if gateway.fleet is not None
            else (PeerPlan(cidr=network.proxy_cidr),)
        )
        self._probers = () if istio else tuple(PeerPlan(cidr=cidr) for cidr in HEALTH_CHECKS)
        self._collectors = (_COLLECTORS,) if ctx.settings.monitoring.enabled else ()

    def server(self, settings: ModelSettings, model: ModelPlan, server: ModelServerPlan) -> NetworkPolicyPlan:
        """Servers of one model in one role."""
        ports = [port.number for port in server.serving_ports]
        picker = _pods(model.picker.selector)
        events = [EVENTS_PORT] if follows_events(self._ctx) else []
        siblings = self._siblings(model, server)
        return NetworkPolicyPlan(
            name=server.name,
            selector=server.selector,
            ingress=(
                *_access(self._proxies, ports),
                *_access(self._probers, sorted({model.pool.health_port, *ports})),
                # Metrics, and prompts to tokenize; a server's metrics share the port of its API.
                *_access((picker,), [*ports, *events]),
                *_access(self._collectors, ports),
                *_access(siblings, []),
                *(_access(self._clients(), ports) if server.direct_service is not None else ()),
            ),
            egress=(
                *dns_access(),
                *_access(siblings, []),
                *self._weight_downloads(settings),
            ),
        )

    def picker(self, model: ModelPlan) -> NetworkPolicyPlan:
        """The picker of one model."""
        picker = model.picker
        events = [EVENTS_PORT] if follows_events(self._ctx) else []
        return NetworkPolicyPlan(
            name=picker.name,
            selector=picker.selector,
            ingress=(
                *_access(self._proxies, [picker.grpc_port]),
                *_access(self._probers, [picker.health_port]),
                *_access(self._collectors, [picker.metrics_port]),
            ),
            egress=(
                *dns_access(),
                *self._api_server(),
                *(
                    access
                    for server in model.servers
                    for access in _access(
                        (_pods(server.selector),), [*(port.number for port in server.serving_ports), *events]
                    )
                ),
            ),
        )

    def router(self, router: RouterPlan) -> NetworkPolicyPlan:
        metrics = [port.number for port in router.pod.ports if port.name == "metrics"]
        return NetworkPolicyPlan(
            name=router.name,
            selector=router.selector,
            ingress=(
                *_access(self._proxies, [router.grpc_port]),
                *_access(self._probers, [router.health_port]),
                *_access(self._collectors, metrics),
            ),
            egress=(*dns_access(), *self._api_server()),
        )

    def models_endpoint(self, models_endpoint: ModelsEndpointPlan) -> NetworkPolicyPlan:
        """The models endpoint, which serves fixed content and opens no connections."""
        return NetworkPolicyPlan(
            name=models_endpoint.name,
            selector=models_endpoint.selector,
            ingress=(*_access(self._proxies, [models_endpoint.port]), *_access(self._probers, [models_endpoint.port])),
        )

    def gateway(
        self, models: tuple[ModelPlan, ...], router: RouterPlan | None, models_endpoint: ModelsEndpointPlan | None
    ) -> NetworkPolicyPlan:
        """Istio's Envoys of the Gateway: clients come from anywhere, through a load balancer or a node."""
        behind: list[tuple[Mapping[str, str], int]] = []
        for model in models:
            behind.append((model.picker.selector, model.picker.grpc_port))
            behind += [(server.selector, port.number) for server in model.servers for port in server.serving_ports]
        if router is not None:
            behind.append((router.selector, router.grpc_port))
        if models_endpoint is not None:
            behind.append((models_endpoint.selector, models_endpoint.port))
        return NetworkPolicyPlan(
            name=self._gateway.name,
            selector={GATEWAY_LABEL: self._gateway.name},
            ingress=_access((PeerPlan(cidr="0.0.0.0/0"),), self._gateway.ports),
            egress=(
                *dns_access(),
                *_access((_ISTIOD,), [_ISTIOD_PORT]),
                *(access for selector, port in behind for access in _access((_pods(selector),), [port])),
            ),
        )

    def _siblings(self, model: ModelPlan, server: ModelServerPlan) -> tuple[PeerPlan, ...]:
        """Pods that exchange tensors: of one group, and of the other role. Their ports are chosen as they start."""
        own = (server.selector,) if server.group is not None else ()
        selectors = tuple(
            server_of_model.selector for server_of_model in model.servers if server_of_model.role != server.role
        )
        return tuple(_pods(selector) for selector in (*own, *selectors))

    def _weight_downloads(self, settings: ModelSettings) -> tuple[AccessPlan, ...]:
        # Adapters of the Hub are refused beside other weights.
        bucket, hub = bool(buckets_of(settings)), settings.source.kind == "hugging-face"
        private = self._ctx.settings.network_policies.private_google_access
        https = https_access() if hub or (bucket and not private) else _access((_GOOGLE,), [_HTTPS]) if bucket else ()
        # The sidecar that mounts a bucket, of weights or adapters, asks for a token of the pod's own identity; libtpu
        # looks up its slice.
        asks = bucket or self._ctx.accelerator.kind == "tpu"
        return (*https, *(metadata_access() if asks else ()))

    def _api_server(self) -> tuple[AccessPlan, ...]:
        """The control plane is no pod. Its private endpoint has an address of the node subnet, its public one anywhere.

        (cloud.google.com/kubernetes-engine/docs/concepts/network-isolation.) Ranges of an existing network are unknown.
        """
        is_existing = self._ctx.settings.network.existing is not None
        inside = PRIVATE_NETWORKS if is_existing else (self._network.subnet.node_cidr,)
        private = self._ctx.settings.cluster.existing is None and self._ctx.settings.cluster.private_nodes
        peers = (*(PeerPlan(cidr=cidr) for cidr in inside), *(() if private else (_internet(),)))
        return _access(peers, [_HTTPS])

    def _clients(self) -> tuple[PeerPlan, ...]:
        """Clients that bypass the Gateway: in the VPC, or forwarded by a node under its own address; no other pods."""
        is_existing = self._ctx.settings.network.existing is not None
        pods = () if is_existing else (self._network.subnet.pod_cidr,)
        return tuple(
            PeerPlan(cidr=str(cidr), except_cidrs=tuple(pod for pod in pods if IPv4Network(pod).subnet_of(cidr)))
            for cidr in PRIVATE
        )


# Ranges of private networks (RFC 1918, RFC 6598).
PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")


def _check(ctx: PlanContext) -> None:
    existing = ctx.settings.network.existing
    gke = ctx.settings.gateway.implementation == "gke"
    is_set = "proxy_cidr" in ctx.settings.network.model_fields_set
    if gke and existing is not None and existing.proxy_subnetwork is not None and not is_set:
        ctx.error(
            "LLMD-PROXY-RANGE-UNKNOWN",
            "network.proxyCidr",
            value="(missing)",
            proxy_subnetwork=existing.proxy_subnetwork,
        )
    private = ctx.settings.network_policies.private_google_access
    if private and not any(buckets_of(model) and model.source.kind != "hugging-face" for model in ctx.settings.models):
        ctx.warning("LLMD-PRIVATE-ACCESS-UNUSED", "networkPolicies.privateGoogleAccess")
    if ctx.settings.cluster.existing is not None:
        ctx.warning(
            "LLMD-NETWORK-POLICIES-KEPT",
            "networkPolicies",
            value=f"cluster {ctx.settings.cluster.existing.name}",
        )


def _pods(selector: Mapping[str, str]) -> PeerPlan:
    return PeerPlan(pods=dict(selector))


def _internet() -> PeerPlan:
    """All public addresses: without private ranges and the metadata server."""
    return PeerPlan(cidr="0.0.0.0/0", except_cidrs=(*map(str, PRIVATE), _LINK_LOCAL))


def policy_spec(plan: NetworkPolicyPlan) -> dict[str, Any]:
    """The spec of a NetworkPolicy. It names both directions, so that all other traffic is denied.

    Empty lists and maps are left out: the Kubernetes provider drops them as soon as it can reach the cluster, so that
    the update plan of a new stack, whose preview has no cluster, would hold fields that the update does not have.
    """
    rules = {"ingress": [_rule("from", access) for access in plan.ingress]}
    rules["egress"] = [_rule("to", access) for access in plan.egress]
    return {"podSelector": _selector(plan.selector), "policyTypes": ["Ingress", "Egress"], **_unless_empty(rules)}


def _rule(side: str, access: AccessPlan) -> dict[str, Any]:
    ports = [{"protocol": protocol, "port": port} for protocol, port in access.ports]
    return {side: [_peer(peer) for peer in access.peers], **_unless_empty({"ports": ports})}


def _peer(peer: PeerPlan) -> dict[str, Any]:
    if peer.cidr is not None:
        return {"ipBlock": {"cidr": peer.cidr, **_unless_empty({"except": list(peer.except_cidrs)})}}
    selectors = {"podSelector": _selector(peer.pods)}
    if peer.namespace is not None:
        # Kubernetes sets this label on every namespace.
        selectors["namespaceSelector"] = _selector({"kubernetes.io/metadata.name": peer.namespace})
    return selectors


def _selector(labels: Mapping[str, str]) -> dict[str, Any]:
    """Selects pods or namespaces with all labels; without any, all of them."""
    return _unless_empty({"matchLabels": dict(labels)})


def _unless_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def dns_access() -> tuple[AccessPlan, ...]:
    """Name servers of a cluster, and no others: questions to a foreign one can carry data out."""
    return (AccessPlan(peers=_NAME_SERVERS, ports=(("UDP", 53), ("TCP", 53))),)


def https_access() -> tuple[AccessPlan, ...]:
    """HTTPS to public addresses: the Hub, and Google's APIs."""
    return _access((_internet(),), [_HTTPS])


def metadata_access() -> tuple[AccessPlan, ...]:
    """The metadata server, which knows the pod's identity and its node."""
    return tuple(access for cidr, port in METADATA_SERVER for access in _access((PeerPlan(cidr=cidr),), [port]))


def _access(peers: Sequence[PeerPlan], ports: Sequence[int]) -> tuple[AccessPlan, ...]:
    """No rule where there are no peers: Kubernetes takes an empty list for all peers. No ports mean all ports."""
    tcp: Literal["TCP"] = "TCP"
    return (AccessPlan(peers=tuple(peers), ports=tuple((tcp, port) for port in ports)),) if peers else ()
