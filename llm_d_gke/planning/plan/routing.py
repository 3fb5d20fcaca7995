"""Gateway, routes, InferencePool, endpoint picker, model router and network policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llm_d_gke.planning.plan.edge import BackendAccessPlan, EdgePlan
from llm_d_gke.planning.plan.platform import CertificatePlan
from llm_d_gke.planning.plan.pods import PodPlan

HTTP_PORT = 80


@dataclass(frozen=True, kw_only=True)
class TlsPlan:
    """Listener certificate: annotation-style options, or a Secret, which `certificate` fills where the stack asks."""

    options: Mapping[str, str]
    secret: str | None
    certificate: CertificatePlan | None = None


@dataclass(frozen=True, kw_only=True)
class FleetPlan:
    """This cluster's part in a fleet. `membership` is the id of its membership, `regions` are those of all clusters.

    The config cluster holds the Gateway. A member has none. `exported` says whether the Gateway sends requests here,
    `metrics_by_pod` in which form the cluster takes an AutoscalingMetric.
    """

    config: bool
    exported: bool
    metrics_by_pod: bool
    membership: str
    regions: tuple[str, ...]
    max_utilization_percent: int
    proxy_cidrs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class GatewayPlan:
    """One Gateway. `annotations` are of the load balancer's Service, where the implementation makes one.

    `pods` and `service` are merged into the Deployment and the Service that Istio makes of it; empty where nothing runs
    in the cluster.
    """

    name: str
    implementation: Literal["gke", "istio"]
    class_name: str
    annotations: Mapping[str, str]
    pods: Mapping[str, Any]
    service: Mapping[str, Any]
    region: str
    address: str
    create_address: bool
    external: bool
    subnetwork: str
    port: int
    protocol: Literal["HTTP", "HTTPS"]
    tls: TlsPlan | None
    hostname: str | None
    edge: EdgePlan
    # None outside of a fleet.
    fleet: FleetPlan | None = None

    @property
    def exists(self) -> bool:
        """Whether this cluster has the Gateway: in a fleet only the config cluster does."""
        return self.fleet is None or self.fleet.config

    @property
    def listener(self) -> str:
        """Name of the listener that routes belong to."""
        return self.protocol.lower()

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port, HTTP_PORT) if self.edge.redirect else (self.port,)

    @property
    def certificate(self) -> CertificatePlan | None:
        """The certificate that the stack requests for the listener."""
        return self.tls.certificate if self.tls is not None else None


@dataclass(frozen=True, kw_only=True)
class BackendTlsPlan:
    """TLS from Istio to a pool's servers: `service` is Istio's Service for the pool, `host` its DNS name.

    `authority` is a Secret of the namespace with the CA certificate (ca.crt) of the issuer, which then has to be
    one for `host`; None: it is not verified.
    """

    service: str
    host: str
    authority: str | None


@dataclass(frozen=True, kw_only=True)
class ObjectivePlan:
    """InferenceObjective of a pool. Requests that name it have its priority."""

    name: str
    pool: str
    priority: int


@dataclass(frozen=True, kw_only=True)
class PoolPlan:
    """InferencePool with what the implementation of the Gateway needs beside it."""

    name: str
    implementation: Literal["gke", "istio"]
    # None if its servers use HTTP.
    tls: BackendTlsPlan | None
    selector: Mapping[str, str]
    target_ports: tuple[int, ...]
    picker_service: str
    picker_port: int
    failure_mode: Literal["FailOpen", "FailClose"]
    health_path: str
    health_port: int
    health_interval: int
    timeout_seconds: int
    draining_seconds: int
    access: BackendAccessPlan
    objectives: tuple[ObjectivePlan, ...] = ()
    # The fleet for which the pool is exported, and the label of the servers whose metric is exported to it.
    fleet: FleetPlan | None = None
    metric_selector: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class TokenizerServicePlan:
    """A Service of a model's servers, where the picker has prompts turned into tokens."""

    name: str
    selector: Mapping[str, str]
    port: int


@dataclass(frozen=True, kw_only=True)
class PickerPlan:
    """Endpoint picker of one pool. `config` is the EndpointPickerConfig as plain values."""

    name: str
    replicas: int
    # Of several replicas the one that holds this Lease works. None where all work.
    lease: str | None
    # Of several pickers the elected one is ready and the others are not.
    ready_replicas: int
    # A new picker becomes ready only after the old leader has ended: an update must not wait for it.
    max_unavailable: int
    # What is waited for where the rollout as such never ends.
    wait_for: tuple[str, ...]
    pod: PodPlan
    selector: Mapping[str, str]
    grpc_port: int
    health_port: int
    metrics_port: int
    config: Mapping[str, Any]
    config_file: str
    objective_groups: tuple[str, ...]
    metrics_reader: str | None
    # Only where the picker's index is precise.
    tokenizer_service: TokenizerServicePlan | None


@dataclass(frozen=True, kw_only=True)
class PathPlan:
    """A request path: this one, or with `prefix` everything below it."""

    value: str
    prefix: bool = False


@dataclass(frozen=True, kw_only=True)
class RouteRulePlan:
    """Requests to any of `paths`, with `header` (name, value) where one is given: to a pool, or to (Service, port).

    `rewrite` replaces a prefix before the request is forwarded. `timeout_seconds` where the Gateway takes it from
    the route.
    """

    paths: tuple[PathPlan, ...]
    rewrite: str | None = None
    header: tuple[str, str] | None = None
    # (InferencePool, weight): a pool gets its weight's share of their sum.
    pools: tuple[tuple[str, int], ...] = ()
    service: tuple[str, int] | None = None
    timeout_seconds: int | None = None


@dataclass(frozen=True, kw_only=True)
class RequestNamePlan:
    """A name in requests, and what serves it: one model's pool, or several by weight.

    `key` names the ConfigMap from which the model router learns it, `others` are aliases and adapters of its model,
    `aliases` the former alone, `root` is the repository of its weights, or the name itself where models share it.
    """

    key: str
    name: str
    others: tuple[str, ...]
    aliases: tuple[str, ...]
    root: str
    # (InferencePool, weight), as in RouteRulePlan.
    pools: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class RoutePlan:
    """One HTTPRoute. An `early` one is created before the servers of its pools are ready, and nothing waits for it."""

    name: str
    rules: tuple[RouteRulePlan, ...]
    early: bool = False


@dataclass(frozen=True, kw_only=True)
class RoutingExtensionPlan:
    """The model router as an extension of the load balancer. `timeout_seconds` is per message, at most 10 on GKE."""

    name: str
    gateway: str
    authority: str
    timeout_seconds: int
    fail_open: bool


@dataclass(frozen=True, kw_only=True)
class RouterPlan:
    """The model router of one Gateway. `config` is its configuration file, where the release has one."""

    name: str
    replicas: int
    pod: PodPlan
    selector: Mapping[str, str]
    grpc_port: int
    health_port: int
    health_interval: int
    names: tuple[RequestNamePlan, ...]
    mapping_labels: Mapping[str, str]
    config: Mapping[str, Any] | None
    config_file: str
    callout: RoutingExtensionPlan
    metrics_reader: str | None


@dataclass(frozen=True, kw_only=True)
class ModelsEndpointPlan:
    """The endpoint for requests without a known model: the list of models, health, and 404 for everything else."""

    name: str
    replicas: int
    pod: PodPlan
    selector: Mapping[str, str]
    port: int
    health_path: str
    health_interval: int
    timeout_seconds: int
    access: BackendAccessPlan


@dataclass(frozen=True, kw_only=True)
class PeerPlan:
    """One other side: pods by their labels, in the namespace of `namespace` or in the policy's own, or addresses."""

    pods: Mapping[str, str] = field(default_factory=dict)
    namespace: str | None = None
    cidr: str | None = None
    except_cidrs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # An empty peer means all peers, which is never the intention of a missing selector.
        if bool(self.cidr) == bool(self.pods or self.namespace):
            raise ValueError("a peer is pods, a namespace, or a range of addresses")


# Addresses and ports of the node's metadata server: with Dataplane V2 a pod queries the first, otherwise the second
# replaces it.
METADATA_SERVER = (("169.254.169.254/32", 80), ("169.254.169.252/32", 988))


@dataclass(frozen=True, kw_only=True)
class AccessPlan:
    """Peers and the ports open to them, as (protocol, number). Without ports all are."""

    peers: tuple[PeerPlan, ...]
    ports: tuple[tuple[Literal["TCP", "UDP"], int], ...]

    def __post_init__(self) -> None:
        if not self.peers:
            raise ValueError("access without peers is for everybody")


@dataclass(frozen=True, kw_only=True)
class NetworkPolicyPlan:
    """Allowed peers, in both directions, of the pods of a selector. All other traffic is denied."""

    name: str
    selector: Mapping[str, str]
    ingress: tuple[AccessPlan, ...] = ()
    egress: tuple[AccessPlan, ...] = ()
