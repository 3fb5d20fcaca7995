"""Network, cluster and node pools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Literal

# What a subnet may have besides public addresses (cloud.google.com/vpc/docs/subnets, "Valid IPv4 ranges"); those for
# documentation are left out.
PRIVATE = tuple(
    IPv4Network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
    )
)

# Keeps the load balancer of a Service inside the VPC. Istio hands it down to the Service of a Gateway.
INTERNAL_LOAD_BALANCER: Mapping[str, str] = {"networking.gke.io/load-balancer-type": "Internal"}


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
class ProxySubnetPlan:
    name: str
    region: str
    cidr: str


@dataclass(frozen=True, kw_only=True)
class NetworkPlan:
    """VPC and subnets. Only names if `create` is false, for an existing network."""

    create: bool
    # Host project of a Shared VPC. None: the stack's own project.
    project: str | None
    region: str
    network: str
    subnet: SubnetPlan
    proxy_subnet: str
    proxy_cidr: str
    create_proxy_subnet: bool
    # Proxy-only subnets in the regions of a fleet's other clusters, without which its Gateway gets no address.
    other_proxies: tuple[ProxySubnetPlan, ...]
    # REGIONAL: of one region's load balancers. GLOBAL: of those across regions. A region of a VPC has one kind.
    proxy_purpose: Literal["REGIONAL_MANAGED_PROXY", "GLOBAL_MANAGED_PROXY"]
    router: str
    nat: str
    # False for public nodes or an existing network, whose egress this stack does not manage.
    create_nat: bool
    flow_logs: bool


@dataclass(frozen=True, kw_only=True)
class MaintenancePlan:
    start: str
    end: str
    recurrence: str


@dataclass(frozen=True, kw_only=True)
class ClusterSecurityPlan:
    """Protections of the cluster's control plane. Keys are resource names of Cloud KMS; None is Google's own key."""

    secrets_key: str | None
    disk_key: str | None
    binary_authorization: bool
    security_posture: Literal["BASIC", "DISABLED"]
    intranode_visibility: bool
    google_group: str | None
    google_cloud_addresses: bool


@dataclass(frozen=True, kw_only=True)
class ClusterPlan:
    """GKE cluster. `identifier` is known before anything exists: it names the cluster to the Kubernetes provider."""

    create: bool
    # GKE creates all nodes: the stack has no node pools, and some settings of a cluster do not exist.
    autopilot: bool
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
    # Id and roles of the nodes' account that the stack creates. `node_account` is the address of an existing one.
    service_account: str
    service_account_roles: tuple[str, ...]
    node_account: str | None
    secret_manager: bool
    # Seconds between two looks at newer versions of mounted secrets, 0 for none.
    secret_rotation_seconds: int
    managed_prometheus: bool
    multi_networking: bool
    # Faster reactions to metrics, which exported metrics of a fleet use.
    fast_metrics: bool
    security: ClusterSecurityPlan
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class TaintPlan:
    key: str
    value: str
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"]


@dataclass(frozen=True, kw_only=True)
class ReservationPlan:
    """A specific reservation, or a block of one. `project` is None in the stack's own project."""

    name: str
    project: str | None
    block: str | None
    sub_block: str | None


@dataclass(frozen=True, kw_only=True)
class NodeChoicePlan:
    """One choice of a ComputeClass."""

    machine_type: str
    provisioning: Literal["on-demand", "spot", "flex-start"]
    accelerators: int
    reservation: ReservationPlan | None = None


@dataclass(frozen=True, kw_only=True)
class ComputeClassPlan:
    """A ComputeClass in place of a node pool. GKE takes the first of `choices` that is available.

    `service_account` is the address of the nodes' account. `accelerator` is the value of GKE's label for it.
    """

    name: str
    choices: tuple[NodeChoicePlan, ...]
    active_migration: bool
    service_account: str
    accelerator: str
    tpu_topology: str | None


@dataclass(frozen=True, kw_only=True)
class WorkloadPolicyPlan:
    """A policy that places the hosts of a slice, or of an NVLink domain, together. The pools of a stack share it."""

    name: str
    region: str
    topology: str


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
    # Resource name of a Cloud KMS key; None is Google's own.
    disk_key: str | None = None
    guest_accelerator: str | None = None
    accelerators_per_node: int = 0
    driver_version: str | None = None
    threads_per_core: int | None = None
    # Only for slices of more than one host: the API refuses a topology on a single one.
    placement_topology: str | None = None
    # None: GKE places a slice compactly, and other nodes as it likes.
    workload_policy: WorkloadPolicyPlan | None = None
    provisioning: Literal["on-demand", "spot", "flex-start", "queued"] = "on-demand"
    reservation: str | None = None
    accelerator_network_profile: str | None = None
    # None for an existing cluster, which decides itself whether its nodes are private.
    private_nodes: bool | None = None
    # Set where GKE creates the nodes: then there is no node pool of this name, and the plan describes its first choice.
    compute_class: ComputeClassPlan | None = None
    # Of an Autopilot cluster: there is no node pool of this name, and the plan describes the nodes that pods get.
    autopilot: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    # Of its Kubernetes nodes; `labels` are the cloud's.
    node_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def nodes_per_zone(self) -> int:
        """Nodes of an autoscaled pool at its creation in each zone. GKE chooses three zones where none is named."""
        return -(-self.min_nodes // (len(self.zones) or 3))

    @property
    def flex_start(self) -> bool:
        """Whether the nodes are flex-start VMs. Queued TPUs are (GoogleCloudPlatform/cluster-toolkit#5218)."""
        queued_tpu = self.provisioning == "queued" and self.guest_accelerator is None
        return self.provisioning == "flex-start" or queued_tpu
