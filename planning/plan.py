"""What follows from settings and catalogue: frozen values, everything that will be created by name.

Every string that ends in a manifest is already here, so a plan can be printed, compared and tested without Pulumi.
Units are in the names: `gib` and `mib` are binary, money is US dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import SecretStr

from planning.figures import CapacityPlan, CostPlan
from planning.findings import Finding
from planning.memory import MemoryVerdict
from planning.speed import Simulation


@dataclass(frozen=True, kw_only=True)
class SubnetPlan:
    """Node subnet with its secondary ranges."""

    name: str
    node_cidr: str
    pod_range: str
    pod_cidr: str
    service_range: str
    service_cidr: str


@dataclass(frozen=True, kw_only=True)
class NetworkPlan:
    """VPC and subnets. Names only, where `create` is false: somebody else made them."""

    create: bool
    region: str
    network: str
    subnet: SubnetPlan
    proxy_subnet: str
    proxy_cidr: str
    create_proxy_subnet: bool
    router: str
    nat: str
    # False for public nodes or a brought network: the nodes' way out is then not this stack's affair.
    create_nat: bool


@dataclass(frozen=True, kw_only=True)
class MaintenancePlan:
    start: str
    end: str
    recurrence: str


@dataclass(frozen=True, kw_only=True)
class ClusterPlan:
    """GKE cluster. `identifier` is known before anything exists: it names the cluster to the Kubernetes provider."""

    create: bool
    name: str
    location: str
    identifier: str
    release_channel: str
    min_version: str | None
    private_nodes: bool
    dns_endpoint: bool
    authorized_networks: tuple[tuple[str, str], ...]
    maintenance: MaintenancePlan | None
    deletion_protection: bool
    workload_pool: str
    service_account: str
    service_account_roles: tuple[str, ...]
    secret_manager: bool
    managed_prometheus: bool
    multi_networking: bool
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class TaintPlan:
    key: str
    value: str
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"]


@dataclass(frozen=True, kw_only=True)
class NodePoolPlan:
    """One GKE node pool. `guest_accelerator` is None on TPU machine types: they bring their chips."""

    name: str
    machine_type: str
    zones: tuple[str, ...]
    min_nodes: int
    max_nodes: int
    autoscaled: bool
    disk_gib: int
    disk_type: str
    guest_accelerator: str | None = None
    accelerators_per_node: int = 0
    driver_version: str | None = None
    threads_per_core: int | None = None
    # Only for slices of more than one host: the API refuses a topology on a single one.
    placement_topology: str | None = None
    provisioning: Literal["on-demand", "spot", "flex-start", "queued"] = "on-demand"
    reservation: str | None = None
    accelerator_network_profile: str | None = None
    # None in a cluster that somebody else made: whether its nodes are private is not this stack's to say.
    private_nodes: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    # Of its Kubernetes nodes; `labels` are the cloud's.
    node_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NamespacePlan:
    name: str
    create: bool
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class HuggingFacePlan:
    """Where the token is at run time. `secret` is a Kubernetes Secret; `secret_manager` a Secret Manager one."""

    secret: str | None
    create_secret: bool
    token: SecretStr | None
    secret_manager: str | None


@dataclass(frozen=True, kw_only=True)
class PullSecretPlan:
    name: str
    create: bool
    server: str = ""
    username: str = ""
    password: SecretStr | None = None


@dataclass(frozen=True, kw_only=True)
class InferenceCrdsPlan:
    """Whether this stack installs the InferencePool CRD, because the cluster's version does not bring it.

    `legacy`: and that of the group before, inference.networking.x-k8s.io, for a KServe that insists on it.
    """

    install: bool
    legacy: bool


@dataclass(frozen=True, kw_only=True)
class IstioPlan:
    """What the Sail operator is asked for: a control plane of `version`, with the pull secret of its images."""

    name: str
    namespace: str
    version: str
    values: Mapping[str, Any]
    pull_secret: PullSecretPlan | None


@dataclass(frozen=True, kw_only=True)
class ChartPlan:
    """A controller installed by its Helm chart, or (`existing`) taken to be there.

    `name` is the release's; `chart` a reference, or a name in `repository`; `crds` are kinds that have to be there
    where it is taken so; `after` names other charts of the plan; `retain` leaves the release behind when the stack
    goes; `pod_security` is the level that its own pods keep; `istio` comes with it, where it is an operator's chart.
    """

    name: str
    chart: str
    repository: str | None
    version: str
    namespace: str
    values: Mapping[str, Any]
    crds: tuple[str, ...]
    existing: bool
    after: tuple[str, ...]
    retain: bool
    timeout_seconds: int
    pod_security: Literal["restricted", "baseline"]
    istio: IstioPlan | None


@dataclass(frozen=True, kw_only=True)
class IssuerPlan:
    """Who signs certificates: an issuer that is there, or one made here, with which each signs itself."""

    name: str
    kind: Literal["ClusterIssuer", "Issuer"]
    create: bool


@dataclass(frozen=True, kw_only=True)
class CertificatePlan:
    """A certificate that cert-manager puts into `secret` and renews there."""

    name: str
    secret: str
    dns_names: tuple[str, ...]
    issuer: IssuerPlan


@dataclass(frozen=True, kw_only=True)
class TlsPlan:
    """Listener certificate: annotation-style options, or a Secret, which `certificate` fills where the stack asks."""

    options: Mapping[str, str]
    secret: str | None
    certificate: CertificatePlan | None = None


@dataclass(frozen=True, kw_only=True)
class GatewayPlan:
    """One Gateway. `annotations` are of the load balancer's Service, where the implementation makes one.

    `pods` is merged into the Deployment that Istio makes of it; empty where nothing runs in the cluster.
    """

    name: str
    implementation: Literal["gke", "istio"]
    class_name: str
    annotations: Mapping[str, str]
    pods: Mapping[str, Any]
    region: str
    address: str
    create_address: bool
    external: bool
    subnetwork: str
    port: int
    protocol: Literal["HTTP", "HTTPS"]
    tls: TlsPlan | None
    hostname: str | None

    @property
    def certificate(self) -> CertificatePlan | None:
        """What the stack has signed for the listener."""
        return self.tls.certificate if self.tls is not None else None


@dataclass(frozen=True, kw_only=True)
class EnvPlan:
    """One environment variable: a literal, a field of the pod, or a key of a Secret."""

    name: str
    value: str | None = None
    field_path: str | None = None
    secret: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class PortPlan:
    name: str
    number: int


@dataclass(frozen=True, kw_only=True)
class ProbePlan:
    """GET of `path`, gRPC health of `grpc_service`, or without both whether the port is open. Times in seconds."""

    port: int
    path: str | None = None
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    grpc_service: str | None = None
    initial_delay: int = 0
    period: int = 10
    timeout: int = 5
    failures: int = 3


@dataclass(frozen=True, kw_only=True)
class VolumePlan:
    """A volume and where it is mounted. `source` is the Kubernetes volume source, `kind` its key."""

    name: str
    kind: str
    source: Mapping[str, Any]
    mount_path: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class SecurityException:
    """A rule of Pod Security `restricted` that a pod cannot keep, and why."""

    rule: Literal["runAsNonRoot", "capabilities", "privileged"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class ContainerPlan:
    """One container. Its volumes are the pod's: where two containers name the same one, they share it."""

    container: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...]
    env: tuple[EnvPlan, ...]
    ports: tuple[PortPlan, ...]
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    startup: ProbePlan | None
    # None of a container that answers nobody.
    liveness: ProbePlan | None
    readiness: ProbePlan | None
    volumes: tuple[VolumePlan, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PodPlan(ContainerPlan):
    """A pod of one container and its sidecars; only what differs between this program's pods.

    Sidecars are native ones: they start before the container and end after it.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    sidecars: tuple[ContainerPlan, ...] = ()
    service_account: str
    # Only picker and model router talk to the API server.
    mount_api_token: bool
    user: int
    security_exception: SecurityException | None
    # Linux capabilities that the container keeps.
    capabilities: tuple[str, ...] = ()
    # Templates of devices, of dynamic resource allocation, that the pod takes.
    claims: tuple[str, ...] = ()
    # Node labels: pods of one group rather have the same value of each, the first most.
    near: tuple[str, ...] = ()
    node_selector: Mapping[str, str]
    tolerations: tuple[TaintPlan, ...]
    # A new pod of a Deployment has been ready for so many seconds before an old one is taken away.
    min_ready_seconds: int = 0
    # Seconds from the pod's deletion to SIGTERM, in which it serves on: who sends it requests has to notice first.
    pre_stop_seconds: int = 0
    # From the deletion to SIGKILL.
    grace_seconds: int
    pull_secret: str | None
    # Replicas of a workload are kept apart where nodes allow it.
    spread_over: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class GroupPlan:
    """A replica of several pods that start and end together, one a host (LeaderWorkerSet).

    `size` counts pods, `ranks` the data-parallel engines in all of them: 1 is one engine over all pods. `workers` are
    those beside the leader, None where all run the same. Pods of one group share a value of the node label
    `exclusive_topology`, and no two groups do.
    """

    size: int
    ranks: int
    workers: PodPlan | None
    exclusive_topology: str | None


@dataclass(frozen=True, kw_only=True)
class ClaimTemplatePlan:
    """Devices that a pod takes besides what its containers request: all of a class that its node has."""

    name: str
    device_class: str


@dataclass(frozen=True, kw_only=True)
class ModelServerPlan:
    """The vLLM servers of one model in one role: a Deployment, or groups of pods."""

    name: str
    role: Literal["both", "decode", "prefill"]
    group: GroupPlan | None = None
    claim_template: ClaimTemplatePlan | None = None
    service_account: str
    replicas: int
    # What one replica runs on, as people say it: `1 x T4`.
    hardware: str
    pod: PodPlan
    selector: Mapping[str, str]
    # Of a group with one server only its leader answers requests.
    serving_selector: Mapping[str, str]
    serving_ports: tuple[PortPlan, ...]
    start_up_seconds: int
    # Spare nodes decide: without them a rolling update would wait for an accelerator that never comes.
    max_surge: int
    max_unavailable: int
    workload_identity_secret: str | None
    # None where the catalogue lacks the model or a figure of the accelerator.
    memory: MemoryVerdict | None
    latency: Simulation | None
    # What the servers answer, API and metrics alike.
    protocol: Literal["http", "https"] = "http"
    # A Service of type LoadBalancer that leads to these servers past the Gateway.
    direct_service: str | None


@dataclass(frozen=True, kw_only=True)
class BackendTlsPlan:
    """How Istio opens TLS to a pool's servers: `service` is the one it makes of the pool, `host` its name in DNS.

    `authority` is a Secret of the namespace with the certificate (ca.crt) of who signed theirs, which then has to be
    one for `host`; None: it is not verified.
    """

    service: str
    host: str
    authority: str | None


@dataclass(frozen=True, kw_only=True)
class PoolPlan:
    """InferencePool with what the implementation of the Gateway needs beside it."""

    name: str
    implementation: Literal["gke", "istio"]
    # None where its servers speak HTTP.
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


@dataclass(frozen=True, kw_only=True)
class RendererPlan:
    """A Service of a model's servers, where the picker has prompts turned into tokens."""

    name: str
    selector: Mapping[str, str]
    port: int


@dataclass(frozen=True, kw_only=True)
class PickerPlan:
    """Endpoint picker of one pool. `config` is the EndpointPickerConfig as plain values."""

    name: str
    replicas: int
    # Of several replicas one works.
    leader_election: bool
    # Of several pickers the elected one is ready and the others are not.
    ready_replicas: int
    # A new picker is not ready before the old leader is gone: an update must not wait for it.
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
    renderer: RendererPlan | None


@dataclass(frozen=True, kw_only=True)
class RouteRulePlan:
    """Requests below a path, with `header` (name, value) where one is given: to a pool, or to (Service, port).

    `rewrite` takes the place of the path before the request goes on. `timeout_seconds` where the Gateway takes it from
    the route.
    """

    path: str
    rewrite: str | None = None
    header: tuple[str, str] | None = None
    # (InferencePool, weight): a pool gets its weight's share of their sum.
    pools: tuple[tuple[str, int], ...] = ()
    service: tuple[str, int] | None = None
    timeout_seconds: int | None = None


@dataclass(frozen=True, kw_only=True)
class SplitPlan:
    """A name in requests that several models share. `models`: (served name, pool, weight)."""

    name: str
    models: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, kw_only=True)
class RoutePlan:
    """One HTTPRoute. `early`: it comes before its pools, because what makes them waits for it."""

    name: str
    rules: tuple[RouteRulePlan, ...]
    early: bool = False


@dataclass(frozen=True, kw_only=True)
class MappingPlan:
    """One base model and the other names that lead to it, as the model router reads them from a ConfigMap."""

    name: str
    base_model: str
    others: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CalloutPlan:
    """How the load balancer asks the model router. `timeout_seconds` is for one message, GKE takes 10 at most."""

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
    mappings: tuple[MappingPlan, ...]
    mapping_labels: Mapping[str, str]
    config: Mapping[str, Any] | None
    config_file: str
    callout: CalloutPlan
    metrics_reader: str | None


@dataclass(frozen=True, kw_only=True)
class ModelIndexPlan:
    """What answers requests that are for no model: their list, health, and 404 for everything else."""

    name: str
    replicas: int
    pod: PodPlan
    selector: Mapping[str, str]
    port: int
    health_path: str
    health_interval: int


@dataclass(frozen=True, kw_only=True)
class InferenceServicePlan:
    """The LLMInferenceService from which KServe makes a model's pool, picker and servers.

    `routes` lead to it, also below `path`; `conditions` of its status are what it is waited for.
    """

    name: str
    path: str
    uri: str
    model_name: str
    routes: tuple[str, ...]
    conditions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """Everything one model needs. `key` is stable under reordering and names its resources."""

    key: str
    id: str
    served_name: str
    # Aliases and adapters: further names in requests.
    other_names: tuple[str, ...]
    pool: PoolPlan
    picker: PickerPlan
    # One, or decode first and then prefill: the first is what requests arrive at.
    servers: tuple[ModelServerPlan, ...]
    # What its servers show, where they answer in HTTPS.
    certificate: CertificatePlan | None
    # None where the catalogue lacks a figure, or no replica is wanted.
    capacity: CapacityPlan | None
    # With it KServe makes pool, picker and servers, under the names they have in this plan.
    inference_service: InferenceServicePlan | None = None


@dataclass(frozen=True, kw_only=True)
class PeerPlan:
    """One other side: pods by their labels, in the namespace of `namespace` or in the policy's own, or addresses."""

    pods: Mapping[str, str] = field(default_factory=dict)
    namespace: str | None = None
    cidr: str | None = None
    except_cidrs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # An empty peer is everybody: never what somebody who forgot its selector meant.
        if bool(self.cidr) == bool(self.pods or self.namespace):
            raise ValueError("a peer is pods, a namespace, or a range of addresses")


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
    """What pods of a selector may be reached by and may reach; nothing else, in either direction."""

    name: str
    selector: Mapping[str, str]
    ingress: tuple[AccessPlan, ...] = ()
    egress: tuple[AccessPlan, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MonitoringPlan:
    enabled: bool
    interval_seconds: int


@dataclass(frozen=True, kw_only=True)
class StackPlan:
    """One inference environment, whole."""

    stack: str
    project: str
    location: str
    region: str
    release: str
    pattern: str
    services: tuple[str, ...]
    network: NetworkPlan
    cluster: ClusterPlan
    cpu_pool: NodePoolPlan
    accelerator_pools: tuple[NodePoolPlan, ...]
    crds: InferenceCrdsPlan
    # In the order in which they need each other; most stacks need none.
    charts: tuple[ChartPlan, ...]
    chart_namespaces: tuple[NamespacePlan, ...]
    # Of KServe's, in the stack's namespace.
    presets: tuple[str, ...]
    namespace: NamespacePlan
    hugging_face: HuggingFacePlan
    pull_secret: PullSecretPlan | None
    gateway: GatewayPlan
    routes: tuple[RoutePlan, ...]
    # Both only where a stack serves several models.
    router: RouterPlan | None
    model_index: ModelIndexPlan | None
    models: tuple[ModelPlan, ...]
    network_policies: tuple[NetworkPolicyPlan, ...]
    monitoring: MonitoringPlan
    cost: CostPlan
    # No model server and no accelerator node for now.
    paused: bool
    labels: Mapping[str, str]
    warnings: tuple[Finding, ...]
