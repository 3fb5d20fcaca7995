"""Several clusters behind one multi-cluster Gateway: this cluster's part, and the rules.

Parts, classes and versions: docs.cloud.google.com/kubernetes-engine/docs/how-to/setup-multicluster-inference-gateway
(read 2026-11-28).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from llm_d_gke.catalog.schema import region_of
from llm_d_gke.catalog.versions import reaches
from llm_d_gke.planning import names
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.gke_versions import POD_METRICS_SINCE, newer_version
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.planning.plan.routing import FleetPlan
from llm_d_gke.planning.serving.backends import backend_of
from llm_d_gke.planning.suggest import nearest_place
from llm_d_gke.settings.fleet import FleetSettings

FLEET_CLASS = "gke-l7-cross-regional-internal-managed-mc"
FLEET_SINCE = "1.34.1-gke.1127000"


def plan_fleet(ctx: PlanContext) -> FleetPlan | None:
    """This cluster's part in a fleet, None outside of one."""
    fleet, cluster = ctx.settings.fleet, ctx.settings.cluster
    if fleet is None:
        return None
    name = cluster.existing.name if cluster.existing else names.join("llm-d", ctx.stack, length=names.CLUSTER_LENGTH)
    version = cluster.gke_version
    return FleetPlan(
        config=fleet.role == "config",
        exported=fleet.exported,
        # Without a version the release channel gives a newer one.
        metrics_by_pod=version is None or reaches(version, POD_METRICS_SINCE),
        membership=name,
        regions=tuple(fleet.proxy_cidrs),
        max_utilization_percent=fleet.max_utilization_percent,
        proxy_cidrs=tuple(str(cidr) for cidr in fleet.proxy_cidrs.values()),
    )


def check_fleet(ctx: PlanContext) -> None:
    """Findings about what a fleet's Gateway does not have here, and about networks that do not reach each other."""
    fleet = ctx.settings.fleet
    if fleet is None:
        return
    for path, value in _not_planned(ctx):
        ctx.error("LLMD-FLEET-FEATURE", *path, value=value)
    _check_version(ctx)
    _check_proxy_ranges(ctx, fleet)
    _check_shared_parts(ctx, fleet)


def _check_version(ctx: PlanContext) -> None:
    cluster = ctx.settings.cluster
    version = cluster.gke_version
    if version is not None and not reaches(version, FLEET_SINCE):
        ctx.error(
            "LLMD-FLEET-VERSION", *cluster.version_path, since=FLEET_SINCE, fix=newer_version(cluster, FLEET_SINCE)
        )


def _check_proxy_ranges(ctx: PlanContext, fleet: FleetSettings) -> None:
    """Each cluster's region has a range of proxies, the same in every stack file, and no two share addresses."""
    network = ctx.settings.network
    expected = fleet.proxy_cidrs.get(ctx.region)
    if expected is None:
        ctx.error(
            "LLMD-FLEET-REGION", "fleet.proxyCidrs", value=", ".join(fleet.proxy_cidrs), proxy_cidr=network.proxy_cidr
        )
    elif expected != network.proxy_cidr:
        ctx.error("LLMD-FLEET-RANGE", "network.proxyCidr", case="other", expected=expected)
    regions = {region_of(zone) for accelerator in ctx.catalog.accelerators.values() for zone in accelerator.zones}
    for region in fleet.proxy_cidrs:
        if region not in regions:
            fix = _region_meant(region, regions)
            ctx.warning("LLMD-FLEET-PLACE", "fleet.proxyCidrs", region, value=region, fix=fix)
    ranges = list(fleet.proxy_cidrs.items())
    for number, (region, cidr) in enumerate(ranges):
        for other, earlier in ranges[:number]:
            if cidr.overlaps(earlier):
                ctx.error("LLMD-FLEET-RANGE", "fleet.proxyCidrs", region, case="overlap", earlier=earlier, other=other)


def _region_meant(region: str, regions: Collection[str]) -> str:
    """The region of a zone, of a short form such as eu-west4, or the one that is written alike."""
    place = region_of(region) if region_of(region) in regions else nearest_place(region, sorted(regions), 0.85)
    return f"did you mean {place}?" if place else "use a name of gcloud compute regions list"


def _check_shared_parts(ctx: PlanContext, fleet: FleetSettings) -> None:
    """The namespace's name and the network, which all clusters of a fleet have in common."""
    settings = ctx.settings
    if settings.cluster.existing is not None and settings.namespace.name is None:
        ctx.error("LLMD-FLEET-NAMESPACE", "namespace.name")
    if fleet.role == "member" and settings.network.existing is None:
        ctx.error("LLMD-FLEET-NETWORK", "network.existing")


def _not_planned(ctx: PlanContext) -> Iterator[tuple[tuple[str, ...], object]]:
    """Settings that do not go with a fleet, by path, with their values."""
    settings, gateway = ctx.settings, ctx.settings.gateway
    pattern = pattern_of(settings)
    # A fleet exports one InferencePool, whose servers answer by themselves.
    if pattern.routes_by_model or pattern.transfers_kv_cache:
        yield ("pattern",), settings.pattern
    elif len(settings.models) > 1:
        yield ("models",), f"{len(settings.models)} models"
    if backend_of(settings).needs_kserve:
        yield ("deployment",), settings.deployment
    if gateway.implementation != "gke":
        yield ("gateway", "implementation"), gateway.implementation
    if gateway.exposure == "external":
        yield ("gateway", "exposure"), gateway.exposure
    if gateway.tls.kind != "none":
        yield ("gateway", "tls", "kind"), gateway.tls.kind
    if gateway.auth.kind != "none":
        yield ("gateway", "auth", "kind"), gateway.auth.kind
    if gateway.direct_load_balancer:
        yield ("gateway", "directLoadBalancer"), "true"
    for key, value in (
        ("existingAddress", gateway.existing_address),
        ("securityPolicy", gateway.security_policy),
        ("limits", gateway.limits.requests_per_minute or gateway.limits.tokens_per_minute),
    ):
        if value is not None:
            yield ("gateway", key), value
