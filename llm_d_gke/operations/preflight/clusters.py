"""What a stack needs of an existing cluster, and how to turn it on.

Source: cloud.google.com/sdk/gcloud/reference/container/clusters/update; the fields are the Container API's (v1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from google.cloud import container_v1


@dataclass(frozen=True, kw_only=True)
class Feature:
    """`option`: of `gcloud container clusters update`; empty where a cluster cannot be changed."""

    lacking: str
    is_on: Callable[[container_v1.Cluster], bool]
    option: str = ""
    instead: str = ""


FEATURES: Mapping[str, Feature] = {
    "standard": Feature(
        lacking="it is an Autopilot cluster, and the stack would add node pools to it",
        is_on=lambda cluster: not cluster.autopilot.enabled,
        instead="set cluster.mode: autopilot",
    ),
    "autopilot": Feature(
        lacking="it is a Standard cluster, and GKE would create no nodes for the stack's pods",
        is_on=lambda cluster: cluster.autopilot.enabled,
        instead="remove cluster.mode",
    ),
    "workload-identity": Feature(
        lacking="it has no Workload Identity Federation, by which pods have identities of their own",
        is_on=lambda cluster: bool(cluster.workload_identity_config.workload_pool),
        option="--workload-pool={project}.svc.id.goog",
    ),
    "dns-endpoint": Feature(
        lacking="its DNS endpoint is closed to users, and Pulumi reaches the cluster there",
        is_on=lambda cluster: cluster.control_plane_endpoints_config.dns_endpoint_config.allow_external_traffic,
        option="--enable-dns-access",
    ),
    "gateway-api": Feature(
        lacking="its Gateway API is off, so there is no GatewayClass",
        is_on=lambda cluster: (
            cluster.network_config.gateway_api_config.channel == container_v1.GatewayAPIConfig.Channel.CHANNEL_STANDARD
        ),
        option="--gateway-api=standard",
    ),
    "load-balancing": Feature(
        lacking="its add-on HttpLoadBalancing is off, so nothing builds the Gateway's load balancer",
        is_on=lambda cluster: not cluster.addons_config.http_load_balancing.disabled,
        option="--update-addons=HttpLoadBalancing=ENABLED",
    ),
    "buckets": Feature(
        lacking="its Cloud Storage FUSE CSI driver is off, so no bucket is mounted",
        is_on=lambda cluster: cluster.addons_config.gcs_fuse_csi_driver_config.enabled,
        option="--update-addons=GcsFuseCsiDriver=ENABLED",
    ),
    "secret-manager": Feature(
        lacking="its Secret Manager add-on is off, so no secret is mounted",
        is_on=lambda cluster: cluster.secret_manager_config.enabled,
        option="--enable-secret-manager",
    ),
    "managed-prometheus": Feature(
        lacking="Managed Service for Prometheus is off, so nothing collects metrics",
        is_on=lambda cluster: cluster.monitoring_config.managed_prometheus_config.enabled,
        option="--enable-managed-prometheus",
    ),
    "dataplane-v2": Feature(
        lacking="it has no Dataplane V2, and without enforcement of network policies they have no effect",
        is_on=lambda cluster: (
            cluster.network_config.datapath_provider == container_v1.DatapathProvider.ADVANCED_DATAPATH
            or cluster.network_policy.enabled
        ),
        instead="use another cluster, or turn on --enable-network-policy there",
    ),
}
