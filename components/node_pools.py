"""Node pools: CPU nodes first, then accelerators."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_gcp as gcp

from components.cluster import ClusterResources
from components.options import SLOW_CREATE
from planning.plan import NodePoolPlan


class NodePools(pulumi.ComponentResource):
    """The cluster's node pools.

    Accelerator pools come after the CPU pool: GKE taints accelerator nodes only when a pool without them exists.
    """

    cpu: gcp.container.NodePool
    accelerators: list[gcp.container.NodePool]

    def __init__(
        self,
        cpu: NodePoolPlan,
        accelerators: tuple[NodePoolPlan, ...],
        project: str,
        location: str,
        cluster: ClusterResources,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("llm-d:cluster:NodePools", "node-pools", None, opts)
        self._project, self._location, self._cluster = project, location, cluster
        self.cpu = self._pool("cpu", cpu, [])
        self.accelerators = [self._pool(plan.name, plan, [self.cpu]) for plan in accelerators]
        self.register_outputs({})

    def _pool(self, name: str, plan: NodePoolPlan, after: list[gcp.container.NodePool]) -> gcp.container.NodePool:
        cluster = self._cluster
        optional: dict[str, Any] = {}
        if plan.autoscaled:
            # Bounds of a slice are per zone; the total ones are refused there.
            optional["autoscaling"] = (
                {"min_node_count": plan.min_nodes, "max_node_count": plan.max_nodes}
                if plan.placement_topology
                else {
                    "total_min_node_count": plan.min_nodes,
                    "total_max_node_count": plan.max_nodes,
                    # Scarce accelerators: take them where they are.
                    "location_policy": "ANY" if plan.accelerators_per_node else "BALANCED",
                }
            )
            optional["initial_node_count"] = plan.min_nodes
        else:
            optional["node_count"] = plan.max_nodes
        if plan.zones:
            optional["node_locations"] = list(plan.zones)
        if plan.placement_topology is not None:
            optional["placement_policy"] = {"type": "COMPACT", "tpu_topology": plan.placement_topology}
        if plan.provisioning == "queued":
            optional["queued_provisioning"] = {"enabled": True}
        if plan.accelerator_network_profile is not None:
            optional["network_config"] = {"accelerator_network_profile": plan.accelerator_network_profile}
        return gcp.container.NodePool(
            name,
            name=plan.name,
            project=self._project,
            location=self._location,
            cluster=cluster.created.name if cluster.created else cluster.name,
            # Flex-start capacity is given for a time: repairing a node would give it back.
            management={"auto_repair": plan.provisioning != "flex-start", "auto_upgrade": True},
            node_config=self._node_config(plan),
            **optional,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*cluster.node_permissions, *after],
                custom_timeouts=SLOW_CREATE,
                # There is seldom quota for two accelerator pools at once.
                delete_before_replace=bool(plan.accelerators_per_node),
                # Only the pool's first size; a later difference would replace it.
                ignore_changes=["initialNodeCount"],
            ),
        )

    def _node_config(self, plan: NodePoolPlan) -> dict[str, Any]:
        config: dict[str, Any] = {
            "machine_type": plan.machine_type,
            "disk_size_gb": plan.disk_gib,
            "disk_type": plan.disk_type,
            "image_type": "COS_CONTAINERD",
            "service_account": self._cluster.node_account.email,
            "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
            "workload_metadata_config": {"mode": "GKE_METADATA"},
            "shielded_instance_config": {"enable_secure_boot": True, "enable_integrity_monitoring": True},
            "metadata": {"disable-legacy-endpoints": "true"},
            "resource_labels": dict(plan.labels),
        }
        if plan.guest_accelerator is not None:
            config["guest_accelerators"] = [
                {
                    "type": plan.guest_accelerator,
                    "count": plan.accelerators_per_node,
                    # Explicit: GKE's own default drifts, and a change replaces the pool.
                    "gpu_driver_installation_config": {"gpu_driver_version": plan.driver_version},
                }
            ]
        if plan.accelerators_per_node:
            # Image streaming: engine images of 10 GiB and more start before they are pulled whole.
            config["gcfs_config"] = {"enabled": True}
            config["gvnic"] = {"enabled": True}
        if plan.provisioning == "spot":
            config["spot"] = True
        if plan.provisioning == "flex-start":
            config["flex_start"] = True
        if plan.reservation is not None:
            config["reservation_affinity"] = {
                "consume_reservation_type": "SPECIFIC_RESERVATION",
                "key": "compute.googleapis.com/reservation-name",
                "values": [plan.reservation],
            }
        elif plan.provisioning != "on-demand":
            config["reservation_affinity"] = {"consume_reservation_type": "NO_RESERVATION"}
        return config
