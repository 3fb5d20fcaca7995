"""Google's rules and defaults for clusters, and their versions."""

from __future__ import annotations

import re
from typing import Final

from llm_d_gke.catalog.versions import version_numbers
from llm_d_gke.google_types import CLUSTER, NETWORK, SUBNETWORK
from llm_d_gke.rehearsal.providers.gcp.kinds import FACTS, ResourceContext, refusal
from llm_d_gke.rehearsal.providers.properties import Properties
from llm_d_gke.rehearsal.providers.requests import Refused

_VERSIONS: Final[dict[str, str]] = FACTS["clusters"]["versions"]


def version_of(inputs: Properties) -> str:
    """The control plane's version: the requested one, the newest of the requested minor, or the channel's default."""
    requested = inputs.get("minMasterVersion")
    if requested == "latest":
        return next(iter(_VERSIONS.values()))
    if requested:
        shape = re.fullmatch(r"(1\.\d+)(\.\d+)?(-gke\.\d+)?", requested)
        newest = _VERSIONS.get(shape[1]) if shape else None
        if shape is None or newest is None:
            raise refusal(f'Master version "{requested}" is unsupported (on offer: {", ".join(_VERSIONS)})')
        if shape[3]:
            return str(requested)
        if newest.startswith(requested + ("" if shape[2] is None else "-")) or shape[2] is None:
            return newest
        raise refusal(f'Master version "{requested}" is unsupported (of {shape[1]} there is {newest})')
    channel = (inputs.get("releaseChannel") or {}).get("channel", "REGULAR")
    return _VERSIONS[FACTS["clusters"]["channels"][channel]]


def checking_cluster(context: ResourceContext) -> None:
    """Apply the rules for both creation and update."""
    inputs = context.inputs
    if inputs.get("enableAutopilot") and inputs.get("location") != context.region:
        raise refusal("Autopilot clusters must be regional clusters.")
    version_of(inputs)
    _check_network(context)


def _check_network(context: ResourceContext) -> None:
    inputs = context.inputs
    network_id, network = context.need(NETWORK, inputs["network"], "network")
    subnetwork_id, subnetwork = context.need(SUBNETWORK, inputs["subnetwork"], "subnetwork", region=context.region)
    if context.find(NETWORK, subnetwork["network"]) != (network_id, network):
        raise refusal(f"Subnetwork '{subnetwork_id}' is not in network '{network_id}'")
    if subnetwork.get("purpose", "PRIVATE") != "PRIVATE":
        raise refusal(f"Subnetwork '{subnetwork_id}' is for {subnetwork['purpose']}, nodes cannot live in it")
    allocation = inputs["ipAllocationPolicy"]
    names = [allocation[f"{kind}SecondaryRangeName"] for kind in ("cluster", "services")]
    present = [secondary["rangeName"] for secondary in subnetwork.get("secondaryIpRanges") or []]
    for name in names:
        if name not in present:
            raise refusal(f"Secondary range '{name}' does not exist in subnetwork '{subnetwork_id}' (it has {present})")
    if names[0] == names[1]:
        raise refusal(f"Pods and services cannot share the secondary range '{names[0]}'")


def creating_cluster(context: ResourceContext) -> None:
    for other, _ in context.all(CLUSTER):
        raise Refused(f"the rehearsal has one cluster per stack, and there is {other} already")
    checking_cluster(context)


def updating_cluster(context: ResourceContext) -> None:
    checking_cluster(context)
    has = (context.record or {})["masterVersion"]
    version = version_of(context.inputs) if context.inputs.get("minMasterVersion") else has
    if version_numbers(version)[:2] < version_numbers(has)[:2]:
        raise refusal(f"Master cannot be downgraded from {has} to {version}: a minor version does not go back")


def cluster_outputs(context: ResourceContext) -> Properties:
    """The record before the control plane runs. Its addresses are added later."""
    inputs = context.inputs
    version = version_of(inputs)
    if context.record:
        # Only a version requests an upgrade. A channel upgrades at any time, and never downgrades.
        has = context.record["masterVersion"]
        version = version if inputs.get("minMasterVersion") and version_numbers(has) < version_numbers(version) else has
    return {
        "masterVersion": version,
        "minMasterVersion": inputs.get("minMasterVersion"),
        "nodeVersion": version,
        "location": inputs.get("location") or context.region,
        "network": inputs["network"],
        "clusterIpv4Cidr": _range(context, "cluster"),
        "servicesIpv4Cidr": _range(context, "services"),
        "networkingMode": "VPC_NATIVE",
        "defaultMaxPodsPerNode": 110,
        "operation": "",
    }


def _range(context: ResourceContext, kind: str) -> str:
    """The range of pods or services: that of the named secondary range of the subnet."""
    name = context.inputs["ipAllocationPolicy"][f"{kind}SecondaryRangeName"]
    _, subnetwork = context.need(SUBNETWORK, context.inputs["subnetwork"], "subnetwork")
    secondary = subnetwork.get("secondaryIpRanges") or []
    return next(str(entry["ipCidrRange"]) for entry in secondary if entry["rangeName"] == name)


def deleting_cluster(context: ResourceContext) -> None:
    if (context.record or {}).get("deletionProtection", True):
        raise Refused(
            f"Cannot destroy cluster '{context.id.rpartition('/')[2]}' because deletionProtection is set to true: "
            "set it to false, run `up` once so that the state knows, then destroy"
        )
