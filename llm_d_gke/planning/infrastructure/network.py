"""VPC, ranges, proxy-only subnet, NAT."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network
from itertools import combinations

from llm_d_gke.planning import names
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.plan.infrastructure import PRIVATE, NetworkPlan, ProxySubnetPlan, SubnetPlan
from llm_d_gke.settings.network import ExistingNetwork
from llm_d_gke.wording import count

# Every auto-mode VPC owns this block in all regions (cloud.google.com/vpc/docs/subnets, "Auto mode IPv4 ranges").
AUTO_MODE = IPv4Network("10.128.0.0/9")

# Ranges that no subnet may have (cloud.google.com/vpc/docs/subnets, "Prohibited IPv4 subnet ranges").
PROHIBITED = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4")))

# Docker's default bridge (cloud.google.com/vpc/docs/subnets, "Additional considerations").
DOCKER = IPv4Network("172.17.0.0/16")

# For messages, settings that no range of these collides with.
DEFAULTS = {
    "nodeCidr": "10.0.0.0/20",
    "podCidr": "10.4.0.0/14",
    "serviceCidr": "10.8.0.0/20",
    "proxyCidr": "192.168.0.0/23",
}

# Smallest masks that GKE accepts: nodes /29, pods /24, services /27 (cloud.google.com/kubernetes-engine/docs/concepts/
# alias-ips, its tables of ranges); and of proxy-only subnets /26, of which Google recommends /23
# (cloud.google.com/load-balancing/docs/proxy-only-subnets).
_LARGEST_PREFIX = {"nodeCidr": 29, "podCidr": 24, "serviceCidr": 27, "proxyCidr": 26}


def plan_network(ctx: PlanContext) -> NetworkPlan:
    """Names and ranges of the network, with findings for ranges that cannot be."""
    settings = ctx.settings.network
    existing = settings.existing
    _check_ranges(ctx)
    _check_existing(ctx)
    base = names.join("llm-d", ctx.stack)
    fleet = ctx.settings.fleet
    # Only Google's own Envoys live in one. Those of a fleet are the config cluster's, whose Gateway waits for them.
    create_proxy = (
        ctx.settings.gateway.implementation == "gke"
        and (existing is None or existing.proxy_subnetwork is None)
        and (fleet is None or fleet.role == "config")
    )
    others = fleet.proxy_cidrs if fleet is not None and create_proxy else {}
    return NetworkPlan(
        create=existing is None,
        project=_host_project(ctx),
        region=ctx.region,
        network=existing.network if existing else names.join(base, "network"),
        subnet=SubnetPlan(
            name=existing.subnetwork if existing else names.join(base, "nodes"),
            node_cidr=str(settings.node_cidr),
            pod_range=existing.pod_range if existing else "pods",
            pod_cidr=str(settings.pod_cidr),
            service_range=existing.service_range if existing else "services",
            service_cidr=str(settings.service_cidr),
        ),
        proxy_subnet=existing.proxy_subnetwork
        if existing and existing.proxy_subnetwork
        else names.join(base, "proxies"),
        proxy_cidr=str(settings.proxy_cidr),
        create_proxy_subnet=create_proxy,
        other_proxies=tuple(
            ProxySubnetPlan(name=names.join(base, "proxies", region), region=region, cidr=str(cidr))
            for region, cidr in others.items()
            if region != ctx.region
        ),
        proxy_purpose="REGIONAL_MANAGED_PROXY" if fleet is None else "GLOBAL_MANAGED_PROXY",
        router=names.join(base, "router"),
        nat=names.join(base, "nat"),
        create_nat=existing is None and ctx.settings.cluster.private_nodes,
        flow_logs=settings.flow_logs,
    )


def _host_project(ctx: PlanContext) -> str | None:
    existing = ctx.settings.network.existing
    return existing.project if existing is not None and existing.project != ctx.settings.project else None


def _check_existing(ctx: PlanContext) -> None:
    network, cluster = ctx.settings.network.existing, ctx.settings.cluster
    if _host_project(ctx) is not None and ctx.settings.gateway.implementation == "gke":
        ctx.warning("LLMD-SHARED-VPC-FIREWALL", "network.existing.project", value=_host_project(ctx))
    if cluster.existing is not None and network is None:
        # The load balancer of a Gateway is built in the VPC of its cluster.
        ctx.error("LLMD-NETWORK-OF-CLUSTER", "network.existing")
    if network is not None and network.pod_range == network.service_range:
        ctx.error("LLMD-RANGE-TWICE", "network.existing.serviceRange", subnetwork=network.subnetwork)
    if network is not None and network.proxy_subnetwork == network.subnetwork:
        ctx.error("LLMD-SUBNET-TWICE", "network.existing.proxySubnetwork")
    if network is not None and not network.nat and cluster.existing is None and cluster.private_nodes:
        ctx.warning("LLMD-NETWORK-NAT", "network.existing.nat", network=network.network)
    if cluster.existing is None and not cluster.private_nodes:
        ctx.warning("LLMD-NODES-PUBLIC", "cluster.privateNodes")


def _max_nodes(ctx: PlanContext) -> int:
    """Nodes of all pools at their largest."""
    settings = ctx.settings
    prefill = (settings.prefill_accelerator or settings.accelerator).nodes.max if ctx.role == "decode" else 0
    return settings.accelerator.nodes.max + prefill + settings.cpu_pool.nodes.max


def _own_addresses(ctx: PlanContext) -> int:
    """Addresses of internal load balancers, which come from the subnet of the nodes."""
    gateway = ctx.settings.gateway
    return int(gateway.exposure == "internal") + int(gateway.direct_load_balancer)


def _wanted_prefix(ctx: PlanContext, key: str) -> int:
    """The prefix length of the smallest range that fits all nodes: an address each, or a /24 each for their pods."""
    if key == "podCidr":
        # 110 pods a node, GKE's default, take a /24 (kubernetes-engine/docs/how-to/flexible-pod-cidr).
        return 24 - (_max_nodes(ctx) - 1).bit_length()
    if key == "nodeCidr":
        # Four addresses of every subnet are Google's own (cloud.google.com/vpc/docs/subnets, "Unusable addresses").
        return 32 - (_max_nodes(ctx) + _own_addresses(ctx) + 4 - 1).bit_length()
    return 32


def _check_ranges(ctx: PlanContext) -> None:
    """Check each range alone, then all of them for overlaps."""
    settings = ctx.settings.network
    ranges = {"proxyCidr": settings.proxy_cidr}
    if settings.existing is None:
        ranges |= {"nodeCidr": settings.node_cidr, "podCidr": settings.pod_cidr, "serviceCidr": settings.service_cidr}
    elif settings.existing.proxy_subnetwork is not None:
        if ctx.settings.gateway.implementation == "gke":
            _check_stated_range(ctx, settings.existing, settings.proxy_cidr)
        ranges = {}
    for key, cidr in ranges.items():
        _check_range(ctx, key, cidr)
    for pair in combinations(ranges, 2):
        if ranges[pair[0]].overlaps(ranges[pair[1]]):
            # The one to change is the one that the stack file sets.
            key, second = pair if str(ranges[pair[0]]) != DEFAULTS[pair[0]] else pair[::-1]
            others = [cidr for other, cidr in ranges.items() if other != key]
            default = IPv4Network(DEFAULTS[key])
            free = _free_range(ranges[key], others) if any(map(default.overlaps, others)) else default
            case = "free" if free is not None else "full"
            ctx.error("LLMD-CIDR-OVERLAP", "network", key, case=case, second=second, other=ranges[second], free=free)
    if settings.existing is not None and settings.existing.auto_mode:
        for key, cidr in ranges.items():
            if cidr.overlaps(AUTO_MODE):
                ctx.error("LLMD-CIDR-AUTO-MODE", "network", key, auto_mode=AUTO_MODE)


def _free_range(present: IPv4Network, others: Sequence[IPv4Network]) -> IPv4Network | None:
    """A private range as large as `present` that overlaps none of the others. None where there is no room."""
    occupied = [*others, DOCKER, AUTO_MODE]
    for private in PRIVATE:
        # It begins where the space does, or behind one of the others.
        for start in [private[0], *(cidr[-1] + 1 for cidr in occupied)]:
            candidate = IPv4Network((start, present.prefixlen), strict=False)
            if candidate[0] < start and int(candidate[-1]) < 2**32 - 1:
                candidate = IPv4Network((candidate[-1] + 1, present.prefixlen))
            if candidate.subnet_of(private) and not any(candidate.overlaps(cidr) for cidr in occupied):
                return candidate
    return None


def _beside_nodes(ctx: PlanContext) -> str:
    own = _own_addresses(ctx)
    return f", {count(own, 'internal load balancer')} and 4 addresses of Google's own" if own else ""


def _subnet_command(ctx: PlanContext, existing: ExistingNetwork) -> str:
    """The command that prints the range of the existing proxy-only subnet."""
    project = existing.project or ctx.settings.project or "PROJECT"
    return (
        f"gcloud compute networks subnets describe {existing.proxy_subnetwork} --project {project}"
        f" --region {ctx.region} --format 'value(ipCidrRange)'"
    )


def _check_stated_range(ctx: PlanContext, existing: ExistingNetwork, cidr: IPv4Network) -> None:
    """The range of a proxy-only subnet that exists. Network policies admit it, so one that no such subnet can have is
    refused: too small a range shuts proxies out, and too large a one lets others in."""
    command = _subnet_command(ctx, existing)
    if any(cidr.overlaps(prohibited) for prohibited in PROHIBITED):
        ctx.error("LLMD-CIDR-PRIVATE", "network.proxyCidr", case="stated", command=command)
    elif cidr.prefixlen > (largest := _LARGEST_PREFIX["proxyCidr"]):
        fix = f"set it to what {command} prints"
        ctx.error("LLMD-CIDR-SMALL", "network.proxyCidr", largest_prefix=largest, fix=fix)


def _check_range(ctx: PlanContext, key: str, cidr: IPv4Network) -> None:
    """A range of private addresses that Google accepts, and that is large enough for the pools' nodes."""
    if cidr.overlaps(DOCKER):
        ctx.warning("LLMD-CIDR-DOCKER", "network", key, docker=DOCKER, default=DEFAULTS[key])
    # GKE takes public addresses for Services, which no packet outside of a node has.
    is_possible = not any(cidr.overlaps(prohibited) for prohibited in PROHIBITED)
    if not (is_possible if key == "serviceCidr" else any(cidr.subnet_of(private) for private in PRIVATE)):
        ctx.error("LLMD-CIDR-PRIVATE", "network", key, case="own")
    required = _wanted_prefix(ctx, key)
    if cidr.prefixlen > _LARGEST_PREFIX[key]:
        ctx.error(
            "LLMD-CIDR-SMALL",
            "network",
            key,
            largest_prefix=_LARGEST_PREFIX[key],
            fix=f"use {cidr.supernet(new_prefix=23 if key == 'proxyCidr' else min(_LARGEST_PREFIX[key], required))}",
        )
    elif required < cidr.prefixlen:
        ctx.error(
            "LLMD-CIDR-NODES",
            "network",
            key,
            required=required,
            rule=f"too small for the {_max_nodes(ctx)} nodes that both pools may grow to"
            + (": GKE gives each a /24 of it" if key == "podCidr" else _beside_nodes(ctx)),
        )
