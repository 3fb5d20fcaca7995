"""Google's rules for node pools, and the sizes of a pool. `machines` has the rules for machine types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from llm_d_gke.catalog.schema import region_of
from llm_d_gke.rehearsal.providers.gcp.kinds import (
    CLUSTER,
    NODE_POOL,
    SUBNETWORK,
    ResourceContext,
    refers,
    refusal,
)
from llm_d_gke.rehearsal.providers.gcp.machines import DEFAULT_MACHINE, check_machine, machine_of
from llm_d_gke.rehearsal.providers.gcp.platform import refuse_missing_account
from llm_d_gke.rehearsal.providers.gcp.store import Record
from llm_d_gke.rehearsal.providers.properties import Properties

# Regions whose zones are not a, b and c: a regional cluster without node locations gets these.
ZONE_LETTERS: Final = {"us-central1": "abc", "us-east1": "bcd", "europe-west1": "bcd"}
DEVICE_TAINTS: Final = ("nvidia.com/gpu", "google.com/tpu")


@dataclass(frozen=True)
class Size:
    """Number of nodes in all zones of a pool: `start` at creation, `least` to `most` afterwards."""

    start: int
    minimum: int
    maximum: int


def size_of(inputs: Properties, zones: int) -> Size:
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
    return sorted(further) or [f"{location}-{letter}" for letter in ZONE_LETTERS.get(location, "abc")]


def cluster_of(context: ResourceContext) -> tuple[str, Record]:
    """The cluster of a pool. Raises Refused when there is none of that name at the pool's location."""
    reference, location = context.inputs["cluster"], context.inputs.get("location")
    for other, record in context.all(CLUSTER):
        if refers(reference, other) and (location is None or record["location"] == location):
            return other, record
    name = reference.rpartition("/")[2]
    raise refusal(404, f"Not found: projects/{context.project}/locations/{location or '-'}/clusters/{name}")


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
        "version": context.inputs.get("version", cluster["masterVersion"]),
        "maxPodsPerNode": context.inputs.get("maxPodsPerNode", cluster.get("defaultMaxPodsPerNode", 110)),
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
                400,
                f"Invalid value for field 'node_pool.locations': '{zone}'. It is not in region {region} of the cluster",
            )
    _check_counts(inputs)
    _check_provisioning(inputs, config)
    _check_placement(inputs, zones, is_tpu=machine_of(config).topology_family)
    _check_storage_and_taints(config)
    _check_accounts(context, config)
    check_machine(context, inputs, config, zones)


def _check_counts(inputs: Properties) -> None:
    scaling = inputs.get("autoscaling") or {}
    if inputs.get("initialNodeCount") is not None and inputs.get("nodeCount") is not None:
        raise refusal(400, f"Cannot set both initial_node_count and node_count on node pool {inputs['name']}")
    totals = [scaling.get("totalMinNodeCount"), scaling.get("totalMaxNodeCount")]
    per_zone = [scaling.get("minNodeCount"), scaling.get("maxNodeCount")]
    if any(totals) and any(per_zone):
        raise refusal(400, "Invalid autoscaling: per-zone limits and total limits exclude each other")
    if scaling:
        minimum, maximum = totals if any(totals) else per_zone
        if not maximum:
            raise refusal(400, f"Maximum node count {maximum or 0} is not valid, it must be 1 or more")
        if (minimum or 0) > maximum:
            raise refusal(400, f"Minimum node count {minimum} is greater than maximum node count {maximum}")
        start = inputs.get("initialNodeCount")
        if start is not None and start > maximum:
            raise refusal(400, f"Initial node count {start} is greater than maximum node count {maximum}")
    upgrade = inputs.get("upgradeSettings") or {}
    if (
        upgrade.get("strategy", "SURGE") == "SURGE"
        and upgrade.get("maxSurge") == 0
        and not upgrade.get("maxUnavailable")
    ):
        raise refusal(400, "Invalid upgradeSettings: maxSurge and maxUnavailable cannot both be 0")
    version = inputs.get("version")
    if version and not re.fullmatch(r"1\.\d+(\.\d+(-gke\.\d+)?)?", version):
        raise refusal(400, f'Node version "{version}" is unsupported')


def _check_provisioning(inputs: Properties, config: Mapping[str, Any]) -> None:
    queued = (inputs.get("queuedProvisioning") or {}).get("enabled")
    chosen = [name for name in ("spot", "preemptible", "flexStart") if config.get(name)] + [
        "queuedProvisioning"
    ] * bool(queued)
    # Queued provisioning of flex-start machines is possible, the other pairs exclude each other.
    if len(chosen) > 1 and set(chosen) != {"flexStart", "queuedProvisioning"}:
        raise refusal(400, f"Invalid node pool: {' and '.join(chosen)} exclude each other")
    affinity = config.get("reservationAffinity") or {}
    reservation = affinity.get("consumeReservationType")
    if chosen and reservation not in (None, "NO_RESERVATION", "UNSPECIFIED"):
        raise refusal(400, f"Invalid node pool: {' and '.join(chosen)} cannot use reservations ({reservation})")
    if reservation == "SPECIFIC_RESERVATION" and not (affinity.get("key") and affinity.get("values")):
        raise refusal(400, "Invalid reservationAffinity: SPECIFIC_RESERVATION needs key and values")
    if config.get("flexStart") and (inputs.get("management") or {}).get("autoRepair", True):
        raise refusal(400, "Invalid node pool: flex start needs management.autoRepair false")
    if config.get("flexStart") and (inputs.get("nodeCount") or inputs.get("initialNodeCount")):
        raise refusal(
            400, "Invalid node pool: flex start pools start empty and grow on demand; leave the node count out"
        )
    scaling = inputs.get("autoscaling") or {}
    if queued and (not scaling or scaling.get("minNodeCount") or scaling.get("totalMinNodeCount")):
        raise refusal(400, "Invalid node pool: queued provisioning needs autoscaling from 0 nodes")


def _check_placement(inputs: Properties, zones: list[str], is_tpu: bool) -> None:
    if (inputs.get("placementPolicy") or {}).get("type") != "COMPACT" or is_tpu:
        return
    if len(zones) != 1:
        raise refusal(400, f"Invalid placementPolicy: COMPACT needs exactly one zone, the pool has {len(zones)}")
    if (inputs.get("upgradeSettings") or {}).get("strategy") == "BLUE_GREEN":
        raise refusal(400, "Invalid placementPolicy: COMPACT excludes BLUE_GREEN upgrades")
    if (inputs.get("queuedProvisioning") or {}).get("enabled"):
        raise refusal(400, "Invalid placementPolicy: COMPACT excludes queued provisioning")


def _check_storage_and_taints(config: Mapping[str, Any]) -> None:
    if config.get("ephemeralStorageLocalSsdConfig") and config.get("localNvmeSsdBlockConfig"):
        raise refusal(
            400, "Invalid nodeConfig: ephemeralStorageLocalSsdConfig and localNvmeSsdBlockConfig exclude each other"
        )
    if config.get("secondaryBootDisks") and not (config.get("gcfsConfig") or {}).get("enabled"):
        raise refusal(400, "Invalid nodeConfig: secondary boot disks need image streaming (gcfsConfig.enabled)")
    if (config.get("fastSocket") or {}).get("enabled") and not (config.get("gvnic") or {}).get("enabled"):
        raise refusal(400, "Invalid nodeConfig: fast socket needs gvnic.enabled")
    for taint in config.get("taints") or []:
        if taint["key"] in DEVICE_TAINTS:
            raise refusal(
                400, f"Duplicate taint '{taint['key']}': GKE adds it to accelerator nodes itself; do not declare it"
            )


def _check_accounts(context: ResourceContext, config: Mapping[str, Any]) -> None:
    email = config.get("serviceAccount")
    if email:
        refuse_missing_account(context, email)
    network = context.inputs.get("networkConfig") or {}
    if network.get("subnetwork"):
        context.need(SUBNETWORK, network["subnetwork"], "subnetwork")


def deleting_pools_of(context: ResourceContext) -> None:
    """Delete the node pools of a deleted cluster, as Google does."""
    pools = context.cloud["resources"].get(NODE_POOL, {})
    for pool in [key for key, record in pools.items() if refers(record["cluster"], context.id)]:
        del pools[pool]
