"""Arguments of the cluster resource that differ between the modes of GKE, Standard and Autopilot."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_gcp as gcp

from llm_d_gke.components.infrastructure.cluster_security import first_node_config
from llm_d_gke.planning.plan.infrastructure import ClusterPlan


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
