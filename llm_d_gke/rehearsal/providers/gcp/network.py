"""Google's rules and defaults for networks, subnets, routers and addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any, Final

from llm_d_gke.google_types import ADDRESS, CLUSTER, NETWORK, ROUTER, SUBNETWORK
from llm_d_gke.rehearsal.providers.gcp.cloud_view import short_name
from llm_d_gke.rehearsal.providers.gcp.controller_resources import PREFIX
from llm_d_gke.rehearsal.providers.gcp.kinds import FACTS, ResourceContext, number_of, refers, refusal
from llm_d_gke.rehearsal.providers.properties import Properties

Range = ipaddress.IPv4Network

_AUTOMATIC: Final = Range(FACTS["networks"]["automatic"])
_FORBIDDEN: Final = [Range(block) for block in FACTS["networks"]["forbidden"]]
PROXY_PURPOSES: Final = ("REGIONAL_MANAGED_PROXY", "GLOBAL_MANAGED_PROXY")
SMALLEST_PROXY_SUBNET: Final = 26  # "must be /26 or larger" (proxy-only subnets for Envoy-based load balancers)
SMALLEST_SUBNET: Final = 29
# External and internal reserved addresses: 127.<block>.250.1 upward.
POOL: Final = 250


def parse_range(text: str, field: str) -> Range:
    """Parse a CIDR by Google's rules: no host bits, and no reserved range."""
    try:
        block = Range(text)
    except ValueError as error:
        raise refusal(
            f"Invalid value for field '{field}': '{text}'. Must be a CIDR range without host bits ({error})"
        ) from error
    for forbidden in _FORBIDDEN:
        if block.overlaps(forbidden):
            raise refusal(f"Invalid value for field '{field}': '{text}'. The range {forbidden} is reserved")
    return block


def ranges(inputs: Properties) -> Iterator[tuple[str, Range]]:
    """The ranges of a subnet, each with its argument."""
    if inputs.get("ipCidrRange"):
        yield "ipCidrRange", parse_range(inputs["ipCidrRange"], "ipCidrRange")
    for index, secondary in enumerate(inputs.get("secondaryIpRanges") or []):
        if secondary.get("ipCidrRange"):
            field = f"secondaryIpRanges[{index}].ipCidrRange"
            yield field, parse_range(secondary["ipCidrRange"], field)


def existing_ranges(context: ResourceContext, network_id: str) -> Iterator[tuple[str, Range]]:
    """Every range of a network that other resources use, with its user."""
    for other, record in context.all(SUBNETWORK):
        if refers(record["network"], network_id):
            for field, used in ranges(record):
                yield f"subnetwork '{short_name(other)}' ({field} {used})", used
    network = context.find(NETWORK, network_id)
    if network and network[1].get("autoCreateSubnetworks", True):
        yield f"the automatic subnetworks of '{short_name(network_id)}' ({_AUTOMATIC})", _AUTOMATIC


def refuse_overlap(context: ResourceContext, network_id: str, ranges: list[tuple[str, Range]]) -> None:
    for index, (field, block) in enumerate(ranges):
        for other_field, other in ranges[:index]:
            if block.overlaps(other):
                raise refusal(
                    f"Invalid IPCidrRange: {block} ({field}) conflicts with {other} ({other_field}) "
                    "of the same resource"
                )
        for owner, other in existing_ranges(context, network_id):
            if block.overlaps(other):
                raise refusal(
                    f"Invalid IPCidrRange: {block} ({field}) conflicts with {owner} of network"
                    f" '{short_name(network_id)}'"
                )


def creating_subnetwork(context: ResourceContext) -> None:
    inputs = context.inputs
    network_id, _ = context.need(NETWORK, inputs["network"], "network")
    requested_ranges = list(ranges(inputs))
    for field, block in requested_ranges:
        if block.prefixlen > SMALLEST_SUBNET:
            raise refusal(f"Invalid value for field '{field}': '{block}'. A range is at least /{SMALLEST_SUBNET}")
    purpose = inputs.get("purpose", "PRIVATE")
    if purpose in PROXY_PURPOSES:
        _refuse_proxy_subnet(context, network_id, purpose)
    refuse_overlap(context, network_id, requested_ranges)


def _refuse_proxy_subnet(context: ResourceContext, network_id: str, purpose: str) -> None:
    inputs = context.inputs
    size = parse_range(inputs["ipCidrRange"], "ipCidrRange").prefixlen
    if size > SMALLEST_PROXY_SUBNET:
        raise refusal(
            f"Invalid value for field 'resource.ipCidrRange': '{inputs['ipCidrRange']}'. Purpose {purpose} needs "
            f"64 addresses or more: /{SMALLEST_PROXY_SUBNET} at least, /23 recommended"
        )
    for other, record in context.all(SUBNETWORK):
        same = refers(record["network"], network_id) and record.get("region") == context.region
        if same and record.get("purpose") == purpose and record.get("role") == "ACTIVE":
            raise refusal(
                f"Invalid resource usage: '{short_name(other)}' is the active {purpose} subnetwork of network "
                f"'{short_name(network_id)}' in region {context.region} already; there can be one"
            )


def updating_subnetwork(context: ResourceContext) -> None:
    creating_subnetwork(context)
    kept_names = {secondary["rangeName"] for secondary in context.inputs.get("secondaryIpRanges") or []}
    for name, cluster in _secondary_users(context):
        if name not in kept_names:
            raise refusal(f"The secondary range '{name}' is being used by cluster '{cluster}'")


def _secondary_users(context: ResourceContext) -> Iterator[tuple[str, str]]:
    for other, record in context.all(CLUSTER):
        allocation = record.get("ipAllocationPolicy") or {}
        if refers(record.get("subnetwork", "default"), context.id):
            for key in ("clusterSecondaryRangeName", "servicesSecondaryRangeName"):
                if allocation.get(key):
                    yield allocation[key], other.rpartition("/")[2]


def subnetwork_outputs(context: ResourceContext) -> Properties:
    gateway = str(Range(context.inputs["ipCidrRange"])[1]) if context.inputs.get("ipCidrRange") else ""
    return {
        "gatewayAddress": gateway,
        "subnetworkId": int(number_of(context.id)) >> 11,
        "fingerprint": number_of(context.id),
    }


def deleting_network(context: ResourceContext) -> None:
    # Endpoint groups, rules and firewall rules that a deleted cluster left hold the network, too.
    left = [token for token in context.cloud["resources"] if token.startswith(PREFIX)]
    for token in (SUBNETWORK, ROUTER, CLUSTER, *left):
        refuse_if_used(context, token, "network")


def deleting_subnetwork(context: ResourceContext) -> None:
    for token in (CLUSTER, ADDRESS):
        refuse_if_used(context, token, "subnetwork")


def refuse_if_used(context: ResourceContext, token: str, key: str) -> None:
    """Refuse the deletion of the resource while a resource of `token` names it in its argument `key`."""
    for other, record in context.all(token):
        if record.get(key) and refers(record[key], context.id):
            what = context.kind.token.rpartition(":")[2].lower()
            raise refusal(f"The {what} resource '{context.id}' is already being used by '{other}'")


def creating_in_network(context: ResourceContext) -> None:
    context.need(NETWORK, context.inputs["network"], "network")


def creating_nat(context: ResourceContext) -> None:
    context.need(ROUTER, context.inputs["router"], "router", region=context.region)


def creating_address(context: ResourceContext) -> None:
    if context.inputs.get("subnetwork"):
        context.need(SUBNETWORK, context.inputs["subnetwork"], "subnetwork", region=context.region)


def address_outputs(context: ResourceContext) -> Properties:
    """An address of the stack's loopback block, reserved until its owner is deleted."""
    computed: dict[str, Any] = {
        "labelFingerprint": number_of(context.id),
        "addressId": int(number_of(context.id)) >> 11,
        "users": [],
    }
    if context.inputs.get("addressType", "EXTERNAL") == "EXTERNAL":
        computed["networkTier"] = "PREMIUM"
    used = {record.get("address") for _, record in context.all(ADDRESS)}
    free = (f"127.{context.cloud['block']}.{POOL}.{host}" for host in range(1, 255))
    address = (context.record or {}).get("address") or next((block for block in free if block not in used), None)
    if address is None:
        raise refusal("Quota 'STATIC_ADDRESSES' exceeded. Limit: 254.0 in a rehearsal", code=403)
    return {**computed, "address": address}
