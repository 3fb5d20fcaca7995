"""Google's rules and defaults for clusters, and their versions."""

from __future__ import annotations

import re
from typing import Final

from llm_d_gke.catalog.versions import version_numbers
from llm_d_gke.rehearsal.providers.gcp.kinds import CLUSTER, NETWORK, SUBNETWORK, ResourceContext, refusal
from llm_d_gke.rehearsal.providers.gcp.machines import machine_of
from llm_d_gke.rehearsal.providers.gcp.network import cluster_ranges, parse_range, refuse_overlap
from llm_d_gke.rehearsal.providers.properties import Properties
from llm_d_gke.rehearsal.providers.requests import Refused

# The newest patch of each minor version, and the default of each channel. Versions are those of
# Google's page "GatewayClass capabilities" (the versions that added a Gateway API bundle), read 2026-08.
VERSIONS: Final = {
    "1.35": "1.35.2-gke.1842000",
    "1.34": "1.34.1-gke.1822000",
    "1.33": "1.33.2-gke.1335000",
    "1.32": "1.32.2-gke.1475000",
}
CHANNEL_DEFAULT: Final = {
    "RAPID": "1.35",
    "REGULAR": "1.35",
    "STABLE": "1.34",
    "EXTENDED": "1.34",
    "UNSPECIFIED": "1.34",
}


def version_of(inputs: Properties) -> str:
    """The control plane's version: the requested one, the newest of the requested minor, or the channel's default."""
    requested = inputs.get("minMasterVersion")
    if requested == "latest":
        return next(iter(VERSIONS.values()))
    if requested:
        shape = re.fullmatch(r"(1\.\d+)(\.\d+)?(-gke\.\d+)?", requested)
        newest = VERSIONS.get(shape[1]) if shape else None
        if shape is None or newest is None:
            raise refusal(400, f'Master version "{requested}" is unsupported (on offer: {", ".join(VERSIONS)})')
        if shape[3]:
            return str(requested)
        if newest.startswith(requested + ("" if shape[2] is None else "-")) or shape[2] is None:
            return newest
        raise refusal(400, f'Master version "{requested}" is unsupported (of {shape[1]} there is {newest})')
    channel = (inputs.get("releaseChannel") or {}).get("channel", "REGULAR")
    return VERSIONS[CHANNEL_DEFAULT[channel]]


def checking_cluster(context: ResourceContext) -> None:
    """Apply the rules for both creation and update."""
    inputs = context.inputs
    gateway = (inputs.get("gatewayApiConfig") or {}).get("channel", "CHANNEL_DISABLED")
    routes = inputs.get("networkingMode", "VPC_NATIVE") == "ROUTES"
    addons = inputs.get("addonsConfig") or {}
    if inputs.get("enableAutopilot"):
        _check_autopilot(context)
    if inputs.get("nodePools") or (inputs.get("nodeConfig") and not inputs.get("removeDefaultNodePool")):
        raise Refused("node pools inside the cluster resource are not simulated: use gcp.container.NodePool")
    if gateway != "CHANNEL_DISABLED" and routes:
        raise refusal(400, "Gateway API requires a VPC-native cluster")
    if gateway != "CHANNEL_DISABLED" and (addons.get("httpLoadBalancing") or {}).get("disabled"):
        raise refusal(400, "Gateway API requires the HttpLoadBalancing add-on")
    if routes and inputs.get("ipAllocationPolicy"):
        raise refusal(400, "Invalid ipAllocationPolicy: a ROUTES cluster has none")
    pool = (inputs.get("workloadIdentityConfig") or {}).get("workloadPool")
    if pool and pool != f"{context.project}.svc.id.goog":
        raise refusal(
            400, f"Workload Identity pool '{pool}' is invalid, the project's is {context.project}.svc.id.goog"
        )
    version_of(inputs)
    _check_network(context)


# What the provider refuses together with enable_autopilot (hashicorp/terraform-provider-google at e03b7622,
# google/services/container/resource_container_cluster.go).
_NOT_WITH_AUTOPILOT: Final = (
    "nodePools",
    "removeDefaultNodePool",
    "enableIntranodeVisibility",
    "networkPolicy",
    "defaultMaxPodsPerNode",
)


def _check_autopilot(context: ResourceContext) -> None:
    inputs = context.inputs
    for name in _NOT_WITH_AUTOPILOT:
        if inputs.get(name) is not None:
            raise Refused(f'"{name}": conflicts with enableAutopilot')
    scaling = inputs.get("clusterAutoscaling") or {}
    for name in ("enabled", "resourceLimits"):
        if scaling.get(name):
            raise Refused(f'"clusterAutoscaling.0.{name}": conflicts with enableAutopilot')
    if inputs.get("location") != context.region:
        raise refusal(400, "Autopilot clusters must be regional clusters.")


def _check_network(context: ResourceContext) -> None:
    inputs = context.inputs
    network_id, network = context.need(NETWORK, inputs.get("network", "default"), "network")
    allocation = inputs.get("ipAllocationPolicy") or {}
    for kind in ("cluster", "services"):
        if allocation.get(f"{kind}SecondaryRangeName") and allocation.get(f"{kind}Ipv4CidrBlock"):
            raise refusal(
                400, f"Invalid ipAllocationPolicy: {kind}SecondaryRangeName and {kind}Ipv4CidrBlock exclude each other"
            )
    ranges = [
        allocation[key] for key in ("clusterSecondaryRangeName", "servicesSecondaryRangeName") if allocation.get(key)
    ]
    if inputs.get("subnetwork"):
        subnetwork_id, subnetwork = context.need(SUBNETWORK, inputs["subnetwork"], "subnetwork", region=context.region)
        if context.find(NETWORK, subnetwork["network"]) != (network_id, network):
            raise refusal(400, f"Subnetwork '{subnetwork_id}' is not in network '{network_id}'")
        if subnetwork.get("purpose", "PRIVATE") != "PRIVATE":
            raise refusal(400, f"Subnetwork '{subnetwork_id}' is for {subnetwork['purpose']}, nodes cannot live in it")
        present = [secondary["rangeName"] for secondary in subnetwork.get("secondaryIpRanges") or []]
        for name in ranges:
            if name not in present:
                raise refusal(
                    400,
                    f"Secondary range '{name}' does not exist in subnetwork '{subnetwork_id}' (it has {present})",
                )
    elif ranges:
        raise refusal(400, f"Secondary ranges {ranges} need the subnetwork they belong to")
    elif not network.get("autoCreateSubnetworks", True):
        raise refusal(400, f"Network '{network_id}' has custom subnetworks: the cluster must name one")
    if len(ranges) == 2 and ranges[0] == ranges[1]:
        raise refusal(400, f"Pods and services cannot share the secondary range '{ranges[0]}'")
    control_plane = (inputs.get("privateClusterConfig") or {}).get("masterIpv4CidrBlock")
    if control_plane and parse_range(control_plane, "masterIpv4CidrBlock").prefixlen != 28:
        raise refusal(400, f"Invalid privateClusterConfig.masterIpv4CidrBlock: '{control_plane}' must be a /28")
    refuse_overlap(context, network_id, list(cluster_ranges(inputs)))


def creating_cluster(context: ResourceContext) -> None:
    for other, _ in context.all(CLUSTER):
        raise Refused(f"the rehearsal has one cluster per stack, and there is {other} already")
    checking_cluster(context)
    if context.inputs.get("enableAutopilot"):
        return
    if not context.inputs.get("initialNodeCount"):
        raise refusal(400, "Cluster.initial_node_count must be greater than zero (with remove_default_node_pool too)")
    if not context.inputs.get("removeDefaultNodePool"):
        machine_of({})  # the default pool's, which must be one the rehearsal can make


def updating_cluster(context: ResourceContext) -> None:
    checking_cluster(context)
    has = (context.record or {})["masterVersion"]
    version = version_of(context.inputs) if context.inputs.get("minMasterVersion") else has
    if version_numbers(version)[:2] < version_numbers(has)[:2]:
        raise refusal(400, f"Master cannot be downgraded from {has} to {version}: a minor version does not go back")


def cluster_outputs(context: ResourceContext) -> Properties:
    """The record before the control plane runs. Its addresses are added later."""
    inputs = context.inputs
    version = version_of(inputs)
    if context.record:
        # Only a version requests an upgrade. A channel upgrades at any time, and never downgrades.
        has = context.record["masterVersion"]
        version = version if inputs.get("minMasterVersion") and version_numbers(has) < version_numbers(version) else has
    allocation = dict(inputs.get("ipAllocationPolicy") or {})
    return {
        "masterVersion": version,
        "minMasterVersion": inputs.get("minMasterVersion"),
        "nodeVersion": version,
        "location": inputs.get("location") or context.region,
        "network": inputs.get("network", "default"),
        "clusterIpv4Cidr": _range(context, allocation, "cluster"),
        "servicesIpv4Cidr": _range(context, allocation, "services"),
        "networkingMode": inputs.get("networkingMode", "VPC_NATIVE"),
        "defaultMaxPodsPerNode": inputs.get("defaultMaxPodsPerNode", 110),
        "operation": "",
    }


def _range(context: ResourceContext, allocation: Properties, kind: str) -> str:
    """The range of pods or services: the argument, that of a named secondary range, or one that Google chooses."""
    block = allocation.get(f"{kind}Ipv4CidrBlock") or ""
    name = allocation.get(f"{kind}SecondaryRangeName")
    if name and context.inputs.get("subnetwork"):
        subnetwork = context.find(SUBNETWORK, context.inputs["subnetwork"])
        for secondary in (subnetwork[1].get("secondaryIpRanges") or []) if subnetwork else []:
            if secondary["rangeName"] == name:
                return str(secondary["ipCidrRange"])
    return (
        block
        if block and not block.startswith("/")
        else {"cluster": "10.4.0.0/14", "services": "34.118.224.0/20"}[kind]
    )


def deleting_cluster(context: ResourceContext) -> None:
    if (context.record or {}).get("deletionProtection", True):
        raise Refused(
            f"Cannot destroy cluster '{context.id.rpartition('/')[2]}' because deletionProtection is set to true: "
            "set it to false, run `up` once so that the state knows, then destroy"
        )


def default_pool(context: ResourceContext) -> tuple[str, Properties] | None:
    """Id and arguments of the default node pool of a cluster, if the program keeps it. Autopilot has none."""
    if context.inputs.get("removeDefaultNodePool") or context.inputs.get("enableAutopilot"):
        return None
    inputs = {
        "cluster": context.inputs["name"],
        "name": "default-pool",
        "initialNodeCount": context.inputs["initialNodeCount"],
    }
    return f"{context.id}/nodePools/default-pool", inputs
