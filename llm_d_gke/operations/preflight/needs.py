"""Derives from a plan what a stack needs of a project: quotas with amounts, APIs, permissions, names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog.quotas import AcceleratorQuotas, Quota, load_quotas
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.planning.plan.infrastructure import NodePoolPlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.platform.helm_releases import KEDA
from llm_d_gke.planning.surge_capacity import busy_nodes, by_role

_PERMISSIONS = Path(__file__).with_name("permissions.yaml")

Kind = Literal["network", "subnetwork", "address", "cluster"]


@dataclass(frozen=True, kw_only=True)
class QuotaNeed:
    """How much of one quota: `now` for the planned replicas, `maximum` for the largest size of the pools.

    `location` is a region, a zone for zonal quotas, "" for global ones. `spare` is drawn on where this one is full.
    """

    quota: Quota
    location: str
    now: float
    maximum: float
    what: str
    spare: Quota | None = None


@dataclass(frozen=True, kw_only=True)
class MachineNeed:
    """A machine type, and an accelerator that is attached to it, in one zone."""

    zone: str
    machine: str
    accelerator: str | None
    path: str


@dataclass(frozen=True, kw_only=True)
class NameNeed:
    """A name that has to be free if the stack creates the object (`is_created`), and has to exist otherwise."""

    kind: Kind
    name: str
    location: str
    is_created: bool
    path: str


@dataclass(frozen=True, kw_only=True)
class Needs:
    project: str
    region: str
    quotas: tuple[QuotaNeed, ...]
    machines: tuple[MachineNeed, ...]
    services: tuple[str, ...]
    permissions: tuple[str, ...]
    names: tuple[NameNeed, ...]
    # The VPC of the new proxy-only subnet, and its range. None for an existing subnet.
    proxies: tuple[str, str] | None
    # Of the network and its subnets: a Shared VPC is in another project.
    network_project: str
    # What an existing cluster has to have; keys of FEATURES in clusters.py.
    features: tuple[str, ...]


def needs_of(plan: StackPlan, catalog: Catalog) -> Needs:
    """The quotas, machine types, APIs and permissions that a stack needs in its project."""
    network = plan.network
    return Needs(
        project=plan.project,
        region=plan.region,
        quotas=tuple(_merged(_quotas(plan, catalog))),
        machines=tuple(_machines(plan, catalog)),
        services=plan.services,
        permissions=tuple(sorted(_permissions(plan))),
        names=tuple(_names(plan)),
        proxies=(network.network, network.proxy_cidr) if network.create_proxy_subnet and not network.create else None,
        network_project=network.project or plan.project,
        features=() if plan.cluster.create else tuple(_features(plan)),
    )


def _features(plan: StackPlan) -> Iterator[str]:
    yield "autopilot" if plan.cluster.autopilot else "standard"
    yield "workload-identity"
    if plan.cluster.dns_endpoint:
        yield "dns-endpoint"
    if plan.gateway.implementation == "gke":
        yield from ("gateway-api", "load-balancing")
    if any(server.buckets for model in plan.models for server in model.servers):
        yield "buckets"
    if plan.cluster.secret_manager:
        yield "secret-manager"
    if plan.cluster.managed_prometheus:
        yield "managed-prometheus"
    if plan.network_policies:
        yield "dataplane-v2"


def _quotas(plan: StackPlan, catalog: Catalog) -> Iterator[QuotaNeed]:
    quotas, region = load_quotas(), plan.region
    for pool in plan.accelerator_pools:
        accelerator = catalog.accelerator_on(pool.machine_type, pool.guest_accelerator)
        if accelerator is None:
            continue
        maximum = pool.max_nodes * pool.accelerators_per_node
        now = _nodes(plan, pool) * pool.accelerators_per_node
        first, spare = _drawn_on(quotas.of_accelerator(accelerator.name), pool)
        title = accelerator.title
        for location in pool.zones if first.zonal else (region,):
            yield QuotaNeed(quota=first, location=location, now=now, maximum=maximum, what=title, spare=spare)
        if accelerator.kind == "gpu":
            yield QuotaNeed(quota=quotas.all_gpus, location="", now=now, maximum=maximum, what="GPUs of all kinds")
    # Autopilot chooses the machines of pods without accelerators: their quota is not known before.
    for pool in (*(() if plan.cpu_pool.autopilot else (plan.cpu_pool,)), *plan.accelerator_pools):
        machine = catalog.machines[pool.machine_type]
        nodes = _nodes(plan, pool)
        if machine.family in quotas.cpus:
            cpus = (nodes * machine.quota, pool.max_nodes * machine.quota)
            yield _need(quotas.cpus[machine.family], region, cpus, f"vCPUs of {machine.family.upper()} machines")
        yield _need(quotas.all_cpus, "", (nodes * machine.quota, pool.max_nodes * machine.quota), "vCPUs of all kinds")
        yield _need(quotas.others["instances"], region, (nodes, pool.max_nodes), "nodes")
        if pool.disk_type == "pd-balanced":
            disks = (nodes * pool.disk_gib, pool.max_nodes * pool.disk_gib)
            yield _need(quotas.others["disks"], region, disks, "GB of boot disks")
        if pool.private_nodes is False:
            yield _need(quotas.others["used-addresses"], region, (nodes, pool.max_nodes), "addresses of public nodes")
    if plan.gateway.create_address and plan.gateway.external:
        yield _need(quotas.others["static-addresses"], region, (1, 1), "the Gateway's address")
    if plan.network.create:
        yield _need(quotas.others["networks"], "", (1, 1), "VPCs")
        yield _need(quotas.others["subnetworks"], "", (2, 2), "subnets")
    if plan.network.create_nat:
        yield _need(quotas.others["routers"], "", (1, 1), "Cloud Routers")


def _need(quota: Quota, location: str, amount: tuple[float, float], what: str) -> QuotaNeed:
    return QuotaNeed(quota=quota, location=location, now=amount[0], maximum=amount[1], what=what)


def _merged(needs: Iterator[QuotaNeed]) -> list[QuotaNeed]:
    """Merge the needs of each quota and location by adding their amounts."""
    merged: dict[tuple[str, str], QuotaNeed] = {}
    for need in needs:
        key = (need.quota.title, need.location)
        before = merged.get(key)
        if before is None:
            merged[key] = need
            continue
        what = before.what if before.what == need.what else f"{before.what}, {need.what}"
        merged[key] = replace(before, now=before.now + need.now, maximum=before.maximum + need.maximum, what=what)
    return list(merged.values())


def _drawn_on(quotas: AcceleratorQuotas, pool: NodePoolPlan) -> tuple[Quota, Quota | None]:
    """The quota that nodes of a pool count against, and what flex-start takes where that is full."""
    if pool.provisioning == "on-demand" or quotas.preemptible is None:
        return quotas.standard, None
    return quotas.preemptible, quotas.standard if pool.provisioning in ("flex-start", "queued") else None


def _nodes(plan: StackPlan, pool: NodePoolPlan) -> int:
    """Nodes that the planned replicas take, at least the pool's minimum. Slices of one role share them evenly."""
    for pools, servers in by_role(plan):
        if pool in pools:
            return max(pool.min_nodes, min(pool.max_nodes, -(-busy_nodes(servers, pools) // len(pools))))
    return max(1, pool.min_nodes)


def _machines(plan: StackPlan, catalog: Catalog) -> Iterator[MachineNeed]:
    for pool in plan.accelerator_pools:
        attached = pool.guest_accelerator if catalog.machines[pool.machine_type].is_attachable else None
        for zone in pool.zones:
            yield MachineNeed(zone=zone, machine=pool.machine_type, accelerator=attached, path="accelerator.type")
    for zone in () if plan.cpu_pool.autopilot else plan.cpu_pool.zones:
        yield MachineNeed(zone=zone, machine=plan.cpu_pool.machine_type, accelerator=None, path="cpuPool.machineType")


def _permissions(plan: StackPlan) -> set[str]:
    by_part: dict[str, list[str]] = read_yaml(_PERMISSIONS)
    keys, node_account = plan.gateway.edge.api_keys, plan.cluster.node_account is None
    keda = any(chart.name == KEDA and not chart.existing for chart in plan.charts)
    parts = {
        "objects": True,
        "services": True,
        "network": plan.network.create,
        "proxy-subnet": plan.network.create_proxy_subnet and not plan.network.create,
        "cluster": plan.cluster.create,
        "node-account": node_account,
        "address": plan.gateway.create_address,
        "workload-policy": any(pool.workload_policy for pool in plan.accelerator_pools),
        "secret": plan.hugging_face.secret_manager is not None
        or (keys is not None and keys.secret_manager is not None),
        "dashboard": plan.monitoring.dashboard is not None,
        "alerts": bool(plan.monitoring.alerts),
        "throttle": plan.gateway.edge.throttle is not None,
        "grant": node_account or keda,
    }
    return {permission for part, needed in parts.items() if needed for permission in by_part[part]}


def _names(plan: StackPlan) -> Iterator[NameNeed]:
    network, cluster, gateway, region = plan.network, plan.cluster, plan.gateway, plan.region

    def need(kind: Kind, name: str, location: str, is_created: bool, new: str, existing: str = "") -> NameNeed:
        """`new` and `existing` are the settings that name an object of the stack's own, and one that exists."""
        path = new if is_created else existing
        return NameNeed(kind=kind, name=name, location=location, is_created=is_created, path=path)

    yield need("network", network.network, "", network.create, "network", "network.existing.network")
    yield need("subnetwork", network.subnet.name, region, network.create, "network", "network.existing.subnetwork")
    if gateway.exists:
        own, existing = network.create_proxy_subnet, "network.existing.proxySubnetwork"
        yield need("subnetwork", network.proxy_subnet, region, own, "network", existing)
    for proxies in network.other_proxies:
        yield need("subnetwork", proxies.name, proxies.region, True, "fleet.proxyCidrs")
    if gateway.fleet is None:
        yield need("address", gateway.address, region, gateway.create_address, "gateway", "gateway.existingAddress")
    yield need("cluster", cluster.name, cluster.location, cluster.create, "cluster", "cluster.existing.name")
