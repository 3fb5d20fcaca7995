"""Node pools: CPU nodes first, then accelerators."""

from __future__ import annotations

import pulumi
from pulumi_gcp import compute, container

from llm_d_gke.components.infrastructure.cluster import ClusterResources
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.options import SLOW_CREATE
from llm_d_gke.planning.plan.infrastructure import NodePoolPlan


class NodePools(Component):
    """The cluster's node pools.

    Accelerator pools come after the CPU pool: GKE taints accelerator nodes only when a pool without them exists.
    """

    cpu: container.NodePool | None
    accelerators: list[container.NodePool]
    # What pods outside accelerator nodes wait for: the CPU pool, or an Autopilot cluster, which creates their nodes.
    cpu_ready: list[pulumi.Resource]

    def __init__(
        self,
        cpu: NodePoolPlan,
        accelerators: tuple[NodePoolPlan, ...],
        cluster: ClusterResources,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("llm-d:cluster:NodePools", "node-pools", opts)
        self._cluster = cluster
        self._policy = self._workload_policy(accelerators)
        self.cpu = None if cpu.autopilot else self._pool("cpu", cpu, [])
        self.cpu_ready = [self.cpu] if self.cpu is not None else [cluster.created] if cluster.created else []
        # Logical names are positions, not accelerators: a changed accelerator replaces the pool instead of adding one.
        self.accelerators = [
            self._pool(f"accelerator-{number}", plan, [self.cpu] if self.cpu is not None else [])
            for number, plan in enumerate(accelerators)
            # GKE creates the nodes of a compute class, and all nodes of an Autopilot cluster.
            if plan.compute_class is None and not plan.autopilot
        ]
        self.register_outputs({})

    def _pool(self, name: str, plan: NodePoolPlan, pools_before: list[container.NodePool]) -> container.NodePool:
        cluster = self._cluster
        return container.NodePool(
            named(name, self),
            name=plan.name,
            project=cluster.project,
            location=cluster.plan.location,
            cluster=cluster.created.name if cluster.created else cluster.plan.name,
            node_locations=list(plan.zones) or None,
            node_count=None if plan.autoscaled else plan.max_nodes,
            initial_node_count=plan.nodes_per_zone if plan.autoscaled else None,
            autoscaling=_autoscaling(plan),
            # Flex-start capacity is limited in time; repairing a node would give it back.
            management={"auto_repair": not plan.flex_start, "auto_upgrade": True},
            upgrade_settings=_upgrade(plan),
            placement_policy=self._placement(plan),
            queued_provisioning={"enabled": True} if plan.provisioning == "queued" else None,
            network_config=_network(plan),
            node_config=_node_config(plan, cluster.node_account),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*cluster.node_permissions, *pools_before],
                custom_timeouts=SLOW_CREATE,
                # GKE refuses a second pool of one name, and quota rarely covers additional accelerator nodes.
                delete_before_replace=True,
                # Only the initial size; a later difference would replace the pool.
                ignore_changes=["initialNodeCount"],
            ),
        )

    def _workload_policy(self, plans: tuple[NodePoolPlan, ...]) -> compute.ResourcePolicy | None:
        """The policy that places hosts together; all slices of a stack have one topology."""
        policy = next((plan.workload_policy for plan in plans if plan.workload_policy is not None), None)
        if policy is None:
            return None
        created = self._cluster.created
        return compute.ResourcePolicy(
            named("slices", self),
            name=policy.name,
            project=self._cluster.project,
            region=policy.region,
            workload_policy={"type": "HIGH_THROUGHPUT", "accelerator_topology": policy.topology},
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[created] if created is not None else [], delete_before_replace=True
            ),
        )

    def _placement(self, plan: NodePoolPlan) -> container.NodePoolPlacementPolicyArgs | None:
        if plan.placement_topology is None and plan.workload_policy is None:
            return None
        policy = self._policy.name if self._policy is not None else None
        return container.NodePoolPlacementPolicyArgs(
            # GKE stores no type beside a policy's name: one that is set would differ and replace the pool.
            type="COMPACT" if policy is None else "",
            policy_name=policy,
            tpu_topology=plan.placement_topology,
        )


def _autoscaling(plan: NodePoolPlan) -> container.NodePoolAutoscalingArgs | None:
    if not plan.autoscaled:
        return None
    if plan.placement_topology is not None:
        # For a TPU slice GKE refuses total limits; the limits are per zone.
        return container.NodePoolAutoscalingArgs(min_node_count=plan.min_nodes, max_node_count=plan.max_nodes)
    return container.NodePoolAutoscalingArgs(
        total_min_node_count=plan.min_nodes,
        total_max_node_count=plan.max_nodes,
        # ANY: use whichever zone has capacity.
        location_policy="ANY" if plan.accelerators_per_node else "BALANCED",
    )


def _upgrade(plan: NodePoolPlan) -> container.NodePoolUpgradeSettingsArgs | None:
    """Upgrade node by node where a reservation has no spare one; by default GKE adds a node first.

    A slice of several hosts is upgraded as a whole (github.com/google/skills, gke-upgrades at 1af7775).
    """
    if plan.reservation is None or plan.placement_topology is not None:
        return None
    return container.NodePoolUpgradeSettingsArgs(max_surge=0, max_unavailable=1)


def _network(plan: NodePoolPlan) -> container.NodePoolNetworkConfigArgs | None:
    if plan.accelerator_network_profile is None and plan.private_nodes is None:
        return None
    return container.NodePoolNetworkConfigArgs(
        # Set for each pool: an existing one would otherwise stay private after the cluster's NAT is removed.
        enable_private_nodes=plan.private_nodes,
        accelerator_network_profile=plan.accelerator_network_profile,
    )


def _node_config(plan: NodePoolPlan, account: pulumi.Output[str]) -> container.NodePoolNodeConfigArgs:
    accelerated = bool(plan.accelerators_per_node)
    return container.NodePoolNodeConfigArgs(
        machine_type=plan.machine_type,
        disk_size_gb=plan.disk_gib,
        disk_type=plan.disk_type,
        boot_disk_kms_key=plan.disk_key,
        image_type="COS_CONTAINERD",
        service_account=account,
        oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
        workload_metadata_config=container.NodePoolNodeConfigWorkloadMetadataConfigArgs(mode="GKE_METADATA"),
        shielded_instance_config=container.NodePoolNodeConfigShieldedInstanceConfigArgs(
            enable_secure_boot=True, enable_integrity_monitoring=True
        ),
        metadata={"disable-legacy-endpoints": "true"},
        resource_labels=dict(plan.labels),
        labels=dict(plan.node_labels) or None,
        guest_accelerators=_guest_accelerators(plan),
        # Image streaming: engine images of 10 GiB and more start before the pull is complete.
        gcfs_config=container.NodePoolNodeConfigGcfsConfigArgs(enabled=True) if accelerated else None,
        gvnic=container.NodePoolNodeConfigGvnicArgs(enabled=True) if accelerated else None,
        spot=True if plan.provisioning == "spot" else None,
        flex_start=True if plan.flex_start else None,
        reservation_affinity=_reservation(plan),
        advanced_machine_features=_threads(plan.threads_per_core),
    )


def _threads(per_core: int | None) -> container.NodePoolNodeConfigAdvancedMachineFeaturesArgs | None:
    if per_core is None:
        return None
    return container.NodePoolNodeConfigAdvancedMachineFeaturesArgs(threads_per_core=per_core)


def _guest_accelerators(plan: NodePoolPlan) -> list[container.NodePoolNodeConfigGuestAcceleratorArgs] | None:
    if plan.guest_accelerator is None:
        return None
    return [
        container.NodePoolNodeConfigGuestAcceleratorArgs(
            type=plan.guest_accelerator,
            count=plan.accelerators_per_node,
            # Explicit, because GKE's default changes over time and a different value replaces the pool.
            gpu_driver_installation_config=_driver(plan.driver_version),
        )
    ]


def _driver(
    version: str | None,
) -> container.NodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfigArgs | None:
    if version is None:
        return None
    return container.NodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfigArgs(gpu_driver_version=version)


def _reservation(plan: NodePoolPlan) -> container.NodePoolNodeConfigReservationAffinityArgs | None:
    if plan.reservation is not None:
        return container.NodePoolNodeConfigReservationAffinityArgs(
            consume_reservation_type="SPECIFIC_RESERVATION",
            key="compute.googleapis.com/reservation-name",
            values=[plan.reservation],
        )
    if plan.provisioning == "on-demand":
        return None
    return container.NodePoolNodeConfigReservationAffinityArgs(consume_reservation_type="NO_RESERVATION")
