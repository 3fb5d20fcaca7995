"""Google's rules for node pools, and the sizes of a pool. `machines` has the rules for machine types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_d_gke.catalog.schema import region_of
from llm_d_gke.google_types import CLUSTER, NODE_POOL
from llm_d_gke.rehearsal.providers.gcp.kinds import FACTS, ResourceContext, refers, refusal
from llm_d_gke.rehearsal.providers.gcp.machines import DEFAULT_MACHINE, check_machine
from llm_d_gke.rehearsal.providers.gcp.platform import refuse_missing_account
from llm_d_gke.rehearsal.providers.gcp.store import Record
from llm_d_gke.rehearsal.providers.properties import Properties


@dataclass(frozen=True)
class Size:
    """Number of nodes in all zones of a pool: `start` at creation, `least` to `most` afterwards."""

    start: int
    minimum: int
    maximum: int


def size_of(inputs: Mapping[str, Any], zones: int) -> Size:
    """The sizes in a pool's arguments. Counts are per zone, except the totals of autoscaling."""
    start = inputs.get("nodeCount") if inputs.get("nodeCount") is not None else inputs.get("initialNodeCount")
    fixed = (start or 0) * zones
    scaling = inputs.get("autoscaling")
    if not scaling:
        return Size(fixed, fixed, fixed)
    if scaling.get("totalMaxNodeCount"):
        minimum, maximum = scaling.get("totalMinNodeCount") or 0, scaling["totalMaxNodeCount"]
    else:
        minimum, maximum = (scaling.get("minNodeCount") or 0) * zones, (scaling.get("maxNodeCount") or 0) * zones
    return Size(min(max(fixed, minimum), maximum), minimum, maximum)


def zones_of(inputs: Properties, cluster: Record) -> list[str]:
    """The zones of a pool: its own list, else its cluster's."""
    location, further = cluster["location"], cluster.get("nodeLocations") or []
    if inputs.get("nodeLocations"):
        return sorted(inputs["nodeLocations"])
    if location.count("-") == 2:
        return sorted({location, *further})  # a zonal cluster lists only the zones beyond its own
    return sorted(further) or [f"{location}-{letter}" for letter in FACTS["clusters"]["zones"].get(location, "abc")]


def cluster_of(context: ResourceContext) -> tuple[str, Record]:
    """The cluster of a pool. Raises Refused when there is none of that name at the pool's location."""
    reference, location = context.inputs["cluster"], context.inputs.get("location")
    for other, record in context.all(CLUSTER):
        if refers(reference, other) and (location is None or record["location"] == location):
            return other, record
    name = reference.rpartition("/")[2]
    raise refusal(f"Not found: projects/{context.project}/locations/{location or '-'}/clusters/{name}", code=404)


def pool_outputs(context: ResourceContext) -> Properties:
    _, cluster = cluster_of(context)
    config = {"machineType": DEFAULT_MACHINE, **(context.inputs.get("nodeConfig") or {})}
    zones = zones_of(context.inputs, cluster)
    group = f"https://www.googleapis.com/compute/v1/projects/{context.project}/zones/%s/instanceGroupManagers/gke-{context.inputs['name']}"
    return {
        "location": cluster["location"],
        "nodeConfig": config,
        "nodeLocations": zones,
        "initialNodeCount": context.inputs.get("initialNodeCount", context.inputs.get("nodeCount", 0)),
        "version": cluster["masterVersion"],
        "maxPodsPerNode": cluster.get("defaultMaxPodsPerNode", 110),
        "management": {"autoRepair": True, "autoUpgrade": True, **(context.inputs.get("management") or {})},
        "instanceGroupUrls": [group % zone for zone in zones],
        "managedInstanceGroupUrls": [group.replace("Managers", "s") % zone for zone in zones],
        "operation": "",
    }


def checking_pool(context: ResourceContext) -> None:
    """Apply the rules for both creation and update."""
    _, cluster = cluster_of(context)
    inputs, config = context.inputs, context.inputs.get("nodeConfig") or {}
    zones = zones_of(inputs, cluster)
    region = region_of(cluster["location"])
    for zone in zones:
        if region_of(zone) != region:
            raise refusal(
                f"Invalid value for field 'node_pool.locations': '{zone}'. It is not in region {region} of the cluster"
            )
    _check_counts(inputs)
    _check_provisioning(inputs, config)
    if config.get("serviceAccount"):
        refuse_missing_account(context, config["serviceAccount"])
    check_machine(context, inputs, config, zones)


def _check_counts(inputs: Properties) -> None:
    scaling = inputs.get("autoscaling")
    if not scaling:
        return
    total = scaling.get("totalMaxNodeCount") is not None
    low, high = ("totalMinNodeCount", "totalMaxNodeCount") if total else ("minNodeCount", "maxNodeCount")
    minimum, maximum = scaling.get(low) or 0, scaling.get(high) or 0
    if not maximum:
        raise refusal("Maximum node count 0 is not valid, it must be 1 or more")
    if minimum > maximum:
        raise refusal(f"Minimum node count {minimum} is greater than maximum node count {maximum}")
    start = inputs.get("initialNodeCount")
    if start is not None and start > maximum:
        raise refusal(f"Initial node count {start} is greater than maximum node count {maximum}")


def _check_provisioning(inputs: Properties, config: Mapping[str, Any]) -> None:
    if config.get("flexStart") and (inputs.get("management") or {}).get("autoRepair", True):
        raise refusal("Invalid node pool: flex start needs management.autoRepair false")
    if config.get("flexStart") and (inputs.get("nodeCount") or inputs.get("initialNodeCount")):
        raise refusal("Invalid node pool: flex start pools start empty and grow on demand; leave the node count out")
    scaling = inputs.get("autoscaling") or {}
    queued = (inputs.get("queuedProvisioning") or {}).get("enabled")
    if queued and (not scaling or scaling.get("minNodeCount") or scaling.get("totalMinNodeCount")):
        raise refusal("Invalid node pool: queued provisioning needs autoscaling from 0 nodes")


def deleting_pools_of(context: ResourceContext) -> None:
    """Delete the node pools of a deleted cluster, as Google does."""
    pools = context.cloud["resources"].get(NODE_POOL, {})
    for pool in [key for key, record in pools.items() if refers(record["cluster"], context.id)]:
        del pools[pool]
