"""The address of a Gateway's load balancer, and why one gets none."""

from __future__ import annotations

from llm_d_gke.kube import Manifest
from llm_d_gke.rehearsal.load_balancer.kinds import EPHEMERAL, is_istio_gateway
from llm_d_gke.rehearsal.load_balancer.statuses import address_of
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Cloud

_NO_PROXY_SUBNET = (
    "error cause: gceSync: generic::invalid_argument: Insert: Invalid value for field 'resource.target': an active "
    "proxy-only subnetwork is required in the same region and VPC as the forwarding rule (region {region}: none with "
    "purpose {purpose} and role ACTIVE)"
)


def address_for(gateway: Manifest, cloud: Cloud, used: set[str]) -> tuple[str, str | None]:
    """Returns (address, None), or ("", why the load balancer gets no address). Adds a new address to `used`.

    A fleet's Gateway names regions, in each of which Google chooses an address. Here it gets one.
    """
    requested = gateway["spec"].get("addresses") or []
    regions = [str(address["value"]) for address in requested if str(address.get("type")).startswith(EPHEMERAL)]
    if not is_istio_gateway(gateway):
        purpose = "GLOBAL_MANAGED_PROXY" if regions else "REGIONAL_MANAGED_PROXY"
        for region in regions or [cloud.region]:
            if not cloud.has_proxy_subnet(purpose, region):
                return "", _NO_PROXY_SUBNET.format(region=region, purpose=purpose)
    if requested and not regions:
        return _requested(requested[0], cloud)
    current = address_of(gateway)
    if current:
        return current, None
    free = next(candidate for low in range(1, 250) if (candidate := f"127.{cloud.block}.251.{low}") not in used)
    used.add(free)
    return free, None


def _requested(address: Manifest, cloud: Cloud) -> tuple[str, str | None]:
    value = str(address.get("value") or "")
    if address.get("type") != "NamedAddress":
        return value, None
    reserved = cloud.reserved_address(value)
    if reserved is None:
        return "", f'no regional address is named "{value}" in region {cloud.region}'
    return reserved, None
