"""Resources that a stack file names as existing. The simulated Google Cloud has them outside any stack's state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from llm_d_gke.google_types import CLUSTER, NETWORK, SUBNETWORK
from llm_d_gke.planning.plan.infrastructure import ClusterPlan, NetworkPlan
from llm_d_gke.rehearsal.paths import StackPaths, difference, record_difference
from llm_d_gke.rehearsal.providers.gcp.provider import GcpProvider
from llm_d_gke.rehearsal.providers.gcp.store import CloudStore
from llm_d_gke.rehearsal.providers.requests import CreateRequest

# Begins the URN of a resource that the stack file names as existing.
EXISTING = "existing::"

# An existing cluster shows that they are enabled.
_SERVICES = ("compute.googleapis.com", "container.googleapis.com")


def create_existing(
    paths: StackPaths, project: str, network: NetworkPlan, cluster: ClusterPlan, report: Callable[[str], None]
) -> None:
    """Create the network, subnets and cluster that the stack file names as existing, unless they are there already.

    The cluster has the named version and what the stack itself would give it: Gateway API, VPC-native networking,
    Workload Identity. It has no node pools of its own. Starts a control plane.
    """
    if network.create and cluster.create:
        return
    provider, store = GcpProvider(paths, report), CloudStore(paths.cloud)
    with store.transaction() as cloud:
        cloud["enabled"] = sorted({*cloud.get("enabled", []), *_SERVICES})
    for kind, identifier, inputs in _resources(project, network, cluster):
        if identifier not in store.resources(kind):
            request = CreateRequest(
                urn=f"{EXISTING}{identifier}", type=kind, name="existing", inputs=inputs, preview=False
            )
            provider.create(request)
            record_difference(paths, difference("existing", resource=identifier))


def _resources(project: str, network: NetworkPlan, cluster: ClusterPlan) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Kind, identifier and inputs of each existing resource, in the order of their creation."""
    host, subnet = network.project or project, network.subnet
    vpc = f"projects/{host}/global/networks/{network.network}"
    subnets = f"projects/{host}/regions/{network.region}/subnetworks"
    where = {"project": host, "region": network.region, "network": vpc}
    if not network.create:
        yield NETWORK, vpc, {"project": host, "name": network.network, "autoCreateSubnetworks": False}
        ranges = {subnet.pod_range: subnet.pod_cidr, subnet.service_range: subnet.service_cidr}
        yield (
            SUBNETWORK,
            f"{subnets}/{subnet.name}",
            {
                **where,
                "name": subnet.name,
                "ipCidrRange": subnet.node_cidr,
                "privateIpGoogleAccess": True,
                "secondaryIpRanges": [{"rangeName": name, "ipCidrRange": cidr} for name, cidr in ranges.items()],
            },
        )
        if not network.create_proxy_subnet:
            yield (
                SUBNETWORK,
                f"{subnets}/{network.proxy_subnet}",
                {
                    **where,
                    "name": network.proxy_subnet,
                    "ipCidrRange": network.proxy_cidr,
                    "purpose": network.proxy_purpose,
                    "role": "ACTIVE",
                },
            )
    if not cluster.create:
        yield CLUSTER, cluster.identifier, _cluster(project, vpc, subnets, network, cluster)


def _cluster(project: str, vpc: str, subnets: str, network: NetworkPlan, cluster: ClusterPlan) -> dict[str, Any]:
    return {
        "project": project,
        "name": cluster.name,
        "location": cluster.location,
        "minMasterVersion": cluster.min_version,
        "network": vpc,
        "subnetwork": f"{subnets}/{network.subnet.name}",
        "networkingMode": "VPC_NATIVE",
        "ipAllocationPolicy": {
            "clusterSecondaryRangeName": network.subnet.pod_range,
            "servicesSecondaryRangeName": network.subnet.service_range,
        },
        "gatewayApiConfig": {"channel": "CHANNEL_STANDARD"},
        "workloadIdentityConfig": {"workloadPool": cluster.workload_pool},
        "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}},
        "secretManagerConfig": {"enabled": cluster.secret_manager},
        "removeDefaultNodePool": True,
        "initialNodeCount": 1,
    }
