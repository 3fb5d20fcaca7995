"""One model, and the whole stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from llm_d_gke.planning.findings import Finding
from llm_d_gke.planning.plan.estimates import CapacityPlan, CostPlan
from llm_d_gke.planning.plan.infrastructure import ClusterPlan, NetworkPlan, NodePoolPlan
from llm_d_gke.planning.plan.platform import (
    CertificatePlan,
    ChartPlan,
    HuggingFacePlan,
    InferenceCrdsPlan,
    MonitoringPlan,
    NamespacePlan,
    PodGuardPlan,
    PullSecretPlan,
    RolloutPolicyPlan,
)
from llm_d_gke.planning.plan.routing import (
    GatewayPlan,
    ModelsEndpointPlan,
    NetworkPolicyPlan,
    PickerPlan,
    PoolPlan,
    RoutePlan,
    RouterPlan,
)
from llm_d_gke.planning.plan.serving import InferenceServicePlan, ModelServerPlan
from llm_d_gke.planning.plan.timeline import TimelinePlan


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
    # None if the catalog lacks a figure, or with zero replicas.
    capacity: CapacityPlan | None
    # With it KServe makes pool, picker and servers, under the names they have in this plan.
    inference_service: InferenceServicePlan | None = None


class Place(NamedTuple):
    """A namespace of a cluster, by the cluster's identifier. It holds one stack."""

    cluster: str
    namespace: str

    def refusal(self, stack: str, other: str) -> str:
        """Why a stack cannot be where another one is."""
        return (
            f"stacks {other} and {stack} have the same namespace, {self.namespace}, in cluster"
            f" {self.cluster.rpartition('/')[2]}: they would overwrite each other's objects, and a destroy of one would"
            " delete what the other serves with. Set another namespace.name in one of them"
        )


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
    # Of the charts' namespaces, by namespace.
    chart_policies: Mapping[str, tuple[NetworkPolicyPlan, ...]]
    # Of KServe's, in the stack's namespace.
    presets: tuple[str, ...]
    namespace: NamespacePlan
    # None where Pod Security alone is strict enough.
    pod_guard: PodGuardPlan | None
    # None where KServe writes no Deployment, or the cluster has no such policies.
    rollout_policy: RolloutPolicyPlan | None
    hugging_face: HuggingFacePlan
    pull_secret: PullSecretPlan | None
    gateway: GatewayPlan
    routes: tuple[RoutePlan, ...]
    # Both only where a stack serves several models.
    router: RouterPlan | None
    models_endpoint: ModelsEndpointPlan | None
    models: tuple[ModelPlan, ...]
    network_policies: tuple[NetworkPolicyPlan, ...]
    monitoring: MonitoringPlan
    cost: CostPlan
    # None while the stack is paused.
    timeline: TimelinePlan | None
    # No model server and no accelerator node for now.
    paused: bool
    labels: Mapping[str, str]
    warnings: tuple[Finding, ...]

    @property
    def get_credentials(self) -> str:
        """The command that gives kubectl access to the cluster on GKE."""
        access = " --dns-endpoint" if self.cluster.dns_endpoint else ""
        return (
            f"gcloud container clusters get-credentials {self.cluster.name}"
            f" --location {self.location} --project {self.project}{access}"
        )

    @property
    def place(self) -> Place:
        return Place(self.cluster.identifier, self.namespace.name)

    def early_routes_to(self, pool: str) -> tuple[str, ...]:
        """Names of the routes that lead to an InferencePool and come before it."""
        return tuple(
            route.name for route in self.routes if route.early and any(pool in dict(rule.pools) for rule in route.rules)
        )
