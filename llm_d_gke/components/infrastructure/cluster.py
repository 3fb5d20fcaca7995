"""The GKE cluster, its node identity, and the provider that reaches its API server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes
from pulumi.output import UNKNOWN

from llm_d_gke.components.infrastructure.cluster_security import cluster_security, first_node_config
from llm_d_gke.components.infrastructure.network import NetworkResources
from llm_d_gke.components.infrastructure.services import ProjectServices
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.options import SLOW_CREATE, child
from llm_d_gke.planning.plan.infrastructure import ClusterPlan, MaintenancePlan


@dataclass(frozen=True, kw_only=True)
class ClusterResources:
    """The cluster and its providers. `created` is None for an existing cluster, with which nothing may be deleted."""

    plan: ClusterPlan
    project: str
    created: gcp.container.Cluster | None
    # Address of the account that nodes run as.
    node_account: pulumi.Output[str]
    node_permissions: list[gcp.projects.IAMMember]
    kubeconfig: pulumi.Output[str]
    provider: kubernetes.Provider
    # Creates a provider that adopts existing objects, for CRDs that outlive the stack that installed them.
    adopt: Callable[[], kubernetes.Provider]

    @property
    def created_name(self) -> pulumi.Output[str]:
        """The name, known once the cluster exists."""
        return pulumi.Output.from_input(self.plan.name) if self.created is None else self.created.name


class InferenceCluster(Component):
    """VPC-native GKE cluster with Gateway API, Dataplane V2 and Workload Identity.

    A Standard cluster has no node pools; `NodePools` adds them, CPU nodes first. Autopilot creates its nodes itself.
    """

    resources: ClusterResources

    def __init__(
        self,
        plan: ClusterPlan,
        project: str,
        network: NetworkResources,
        services: ProjectServices,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("llm-d:cluster:InferenceCluster", "cluster", opts)
        account = self._node_account(plan, project, services)
        permissions = [
            gcp.projects.IAMMember(
                named(role.removeprefix("roles/").replace(".", "-"), self),
                project=project,
                role=role,
                member=account.apply(lambda email: f"serviceAccount:{email}"),
                opts=child(self),
            )
            for role in plan.service_account_roles
        ]
        created = self._create(plan, network, services, account) if plan.create else None
        cluster = created or gcp.container.Cluster.get(named("existing", self), plan.identifier, opts=child(self))
        kubeconfig = _kubeconfig(plan, cluster)
        self.resources = ClusterResources(
            plan=plan,
            project=project,
            created=created,
            node_account=account,
            node_permissions=permissions,
            kubeconfig=kubeconfig,
            provider=self._cluster_provider("kubernetes", plan, cluster, kubeconfig),
            adopt=lambda: self._cluster_provider("kubernetes-adopting", plan, cluster, kubeconfig, adopts=True),
        )
        self.register_outputs({"name": plan.name})

    def _node_account(self, plan: ClusterPlan, project: str, services: ProjectServices) -> pulumi.Output[str]:
        if plan.node_account is not None:
            return pulumi.Output.from_input(plan.node_account)
        return gcp.serviceaccount.Account(
            named("nodes", self),
            account_id=plan.service_account,
            project=project,
            display_name=f"Nodes of {plan.name}",
            opts=child(self, depends_on=services.services),
        ).email

    def _cluster_provider(
        self,
        name: str,
        plan: ClusterPlan,
        cluster: gcp.container.Cluster,
        kubeconfig: pulumi.Output[str],
        *,
        adopts: bool = False,
    ) -> kubernetes.Provider:
        """A provider for the cluster's API server. With `adopts` it adopts objects that already exist."""
        return kubernetes.Provider(
            named(name, self),
            kubeconfig=kubeconfig,
            # Constant in every preview: otherwise previews of a new cluster would show every object as replaced.
            cluster_identifier=plan.identifier,
            enable_server_side_apply=True,
            # ConfigMaps keep their names and change in place; a checksum annotation restarts the pods that read them.
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
            upsert_existing_objects=adopts or None,
            opts=child(self, depends_on=[cluster]),
        )

    def _create(
        self, plan: ClusterPlan, network: NetworkResources, services: ProjectServices, account: pulumi.Output[str]
    ) -> gcp.container.Cluster:
        return gcp.container.Cluster(
            named("cluster", self),
            name=plan.name,
            location=plan.location,
            min_master_version=plan.min_version,
            network=network.network,
            subnetwork=network.subnetwork,
            networking_mode="VPC_NATIVE",
            ip_allocation_policy={
                "cluster_secondary_range_name": network.pod_range,
                "services_secondary_range_name": network.service_range,
            },
            gateway_api_config={"channel": "CHANNEL_STANDARD"},
            release_channel={"channel": plan.release_channel},
            control_plane_endpoints_config={
                "dns_endpoint_config": {"allow_external_traffic": plan.dns_endpoint},
                "ip_endpoints_config": {"enabled": not plan.dns_endpoint},
            },
            monitoring_config={
                "enable_components": ["SYSTEM_COMPONENTS"],
                "managed_prometheus": {"enabled": plan.managed_prometheus},
            },
            logging_config={"enable_components": ["SYSTEM_COMPONENTS", "WORKLOADS"]},
            deletion_protection=plan.deletion_protection,
            resource_labels=dict(plan.labels),
            maintenance_policy=_maintenance_policy(plan.maintenance),
            secret_manager_config=_secret_manager(plan),
            pod_autoscaling={"hpa_profile": "PERFORMANCE"} if plan.fast_metrics else None,
            enable_multi_networking=True if plan.multi_networking else None,
            # Always set: if it were left out, an existing cluster would keep its private nodes.
            private_cluster_config={"enable_private_nodes": plan.private_nodes},
            master_authorized_networks_config=_authorized_networks(plan),
            **(autopilot_nodes(account) if plan.autopilot else standard_nodes(plan, account)),
            **cluster_security(plan.security, autopilot=plan.autopilot),
            opts=pulumi.ResourceOptions(
                parent=self,
                # APIs first, then NAT, through which private nodes pull their images.
                depends_on=[*network.ready, *services.services],
                custom_timeouts=SLOW_CREATE,
                # GKE also reports node pools that were added outside of the cluster resource.
                ignore_changes=["nodePools", "nodeConfig", "initialNodeCount", *_reported(plan)],
            ),
        )


def _reported(plan: ClusterPlan) -> list[str]:
    """Ignore the endpoint that Google reports when the public one is turned off: it is the private one.

    Other clusters do not ignore it, since the old value would be kept when the public endpoint is turned on.
    """
    return ["privateClusterConfig.enablePrivateEndpoint"] if plan.dns_endpoint else []


def _secret_manager(plan: ClusterPlan) -> gcp.container.ClusterSecretManagerConfigArgs | None:
    """GKE's add-on that mounts secrets of Secret Manager; a token is read once, keys are read again."""
    if not plan.secret_manager:
        return None
    rotation = None
    if plan.secret_rotation_seconds:
        rotation = gcp.container.ClusterSecretManagerConfigRotationConfigArgs(
            enabled=True, rotation_interval=f"{plan.secret_rotation_seconds}s"
        )
    return gcp.container.ClusterSecretManagerConfigArgs(enabled=True, rotation_config=rotation)


def _maintenance_policy(window: MaintenancePlan | None) -> gcp.container.ClusterMaintenancePolicyArgs | None:
    if window is None:
        return None
    recurring = gcp.container.ClusterMaintenancePolicyRecurringWindowArgs(
        start_time=window.start, end_time=window.end, recurrence=window.recurrence
    )
    return gcp.container.ClusterMaintenancePolicyArgs(recurring_window=recurring)


def _authorized_networks(plan: ClusterPlan) -> gcp.container.ClusterMasterAuthorizedNetworksConfigArgs | None:
    if plan.dns_endpoint:
        # Authorized networks protect the public endpoint, which is turned off.
        return None
    return gcp.container.ClusterMasterAuthorizedNetworksConfigArgs(
        gcp_public_cidrs_access_enabled=plan.security.google_cloud_addresses,
        cidr_blocks=[
            gcp.container.ClusterMasterAuthorizedNetworksConfigCidrBlockArgs(cidr_block=cidr, display_name=name)
            for cidr, name in plan.authorized_networks
        ],
    )


def _kubeconfig(plan: ClusterPlan, cluster: gcp.container.Cluster) -> pulumi.Output[str]:
    """A kubeconfig without credentials: the gcloud plugin requests them when needed, so the state holds none."""
    if plan.dns_endpoint:
        # A public CA signs the certificate of the DNS endpoint.
        access = {"server": cluster.control_plane_endpoints_config.apply(_dns_server)}
    else:
        access = {
            "server": pulumi.Output.concat("https://", cluster.endpoint),
            "certificate-authority-data": cluster.master_auth.apply(lambda auth: auth.cluster_ca_certificate or ""),
        }
    return pulumi.Output.json_dumps(_document(plan.identifier, access))


def _dns_server(config: gcp.container.outputs.ClusterControlPlaneEndpointsConfig | None) -> str:
    endpoint = config.dns_endpoint_config.endpoint if config and config.dns_endpoint_config else None
    if endpoint:
        return f"https://{endpoint}"
    if pulumi.runtime.is_dry_run():
        # Google creates the DNS name with the cluster. Until then it is unknown, not absent.
        return cast(str, UNKNOWN)
    raise pulumi.RunError(
        "the cluster has no DNS endpoint: enable it, or set llm-d:cluster.controlPlane.access to authorized-networks."
        " In a unit test, mocks have to return it: llm_d_gke.testing.Mocks does"
    )


def _document(name: str, cluster: Mapping[str, pulumi.Input[str]]) -> dict[str, object]:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "gke-gcloud-auth-plugin",
        "installHint": "install it with: gcloud components install gke-gcloud-auth-plugin",
        "provideClusterInfo": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"exec": plugin}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def standard_nodes(plan: ClusterPlan, account: pulumi.Output[str]) -> dict[str, Any]:
    """Arguments of a cluster whose nodes the stack's node pools describe."""
    return {
        # Dataplane V2 enforces NetworkPolicies from the first pod on. Changing it later replaces the cluster.
        "datapath_provider": "ADVANCED_DATAPATH",
        "workload_identity_config": {"workload_pool": plan.workload_pool},
        "enable_shielded_nodes": True,
        "addons_config": {
            "gcs_fuse_csi_driver_config": {"enabled": True},
            "gce_persistent_disk_csi_driver_config": {"enabled": True},
            # The Gateway controller needs this add-on.
            "http_load_balancing": {"disabled": False},
        },
        "remove_default_node_pool": True,
        "initial_node_count": 1,
        "node_config": first_node_config(plan, account),
    }


def autopilot_nodes(account: pulumi.Output[str]) -> dict[str, Any]:
    """Arguments of a cluster whose nodes GKE creates.

    Autopilot has Dataplane V2, Workload Identity, shielded nodes and the CSI drivers in any case; the gcp provider
    refuses most of their settings with `enable_autopilot` (hashicorp/terraform-provider-google at e03b7622,
    google/services/container/resource_container_cluster.go).
    """
    container = gcp.container
    return {
        "enable_autopilot": True,
        "cluster_autoscaling": container.ClusterClusterAutoscalingArgs(
            auto_provisioning_defaults=container.ClusterClusterAutoscalingAutoProvisioningDefaultsArgs(
                service_account=account, oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"]
            )
        ),
        "addons_config": {"http_load_balancing": {"disabled": False}},
    }
