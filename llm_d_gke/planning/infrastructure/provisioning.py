"""Ways to get accelerator nodes, and where Google sells them."""

from __future__ import annotations

from llm_d_gke.catalog.schema import region_of
from llm_d_gke.catalog.versions import reaches
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.gke_versions import TPU_FLEX_START_SINCE, newer_version
from llm_d_gke.planning.parallelism.layout import parallelism_of
from llm_d_gke.planning.parallelism.rdma import uses_rdma
from llm_d_gke.planning.zones import nearest_zones

# Keys and positions of a setting.
_Path = tuple[str | int, ...]

_PAGE = "cloud.google.com/kubernetes-engine/docs/concepts/dws"


def check_provisioning(ctx: PlanContext) -> None:
    """Findings about provisioning, reservation and zones of the accelerator nodes."""
    settings = ctx.settings.accelerator
    if settings.reservation is not None and settings.provisioning != "on-demand":
        ctx.error("LLMD-RESERVATION-PROVISIONING", "accelerator.reservation", provisioning=settings.provisioning)
    if settings.provisioning in ("flex-start", "queued") and settings.nodes.min > 0:
        ctx.error("LLMD-PROVISIONING-MIN", "accelerator.nodes.min", provisioning=settings.provisioning)
    if not ctx.machine.on_demand_ok and settings.provisioning == "on-demand" and settings.reservation is None:
        ctx.warning("LLMD-PROVISIONING-ON-DEMAND", "accelerator.provisioning", case="pool")
    _check_zones(ctx)
    # A compute class refuses queued nodes as such.
    if settings.provisioning == "queued" and settings.compute_class is None:
        _check_queued(ctx)
    for path in _flex_start_paths(ctx):
        _check_flex_start(ctx, path)


def _flex_start_paths(ctx: PlanContext) -> list[_Path]:
    """The settings that ask for flex-start nodes."""
    settings = ctx.settings.accelerator
    fallbacks = settings.compute_class.fallbacks if settings.compute_class is not None else ()
    return [
        *([("accelerator", "provisioning")] if settings.provisioning == "flex-start" else []),
        *(
            ("accelerator", "computeClass", "fallbacks", number, "provisioning")
            for number, fallback in enumerate(fallbacks)
            if fallback.provisioning == "flex-start"
        ),
    ]


def _check_zones(ctx: PlanContext) -> None:
    settings, zones = ctx.settings.accelerator, ctx.zones
    if len(zones) < 2:
        return
    if ctx.hosts > 1:
        ctx.error("LLMD-SLICE-ZONES", "accelerator.zones", value=", ".join(zones), zone=zones[0])
    elif any(uses_rdma(ctx, parallelism_of(ctx, model)) for model in ctx.settings.models):
        ctx.error(
            "LLMD-RDMA-ZONES",
            *(("accelerator", "zones") if settings.zones else ("location",)),
            value=", ".join(zones),
            zone=zones[0],
        )
    elif settings.reservation is not None:
        ctx.warning("LLMD-RESERVATION-ZONES", "accelerator.zones", value=", ".join(zones), zone=zones[0])


def _check_queued(ctx: PlanContext) -> None:
    if not ctx.accelerator.queued:
        others = [entry.title for entry in ctx.catalog.accelerators.values() if entry.kind == "tpu" and entry.queued]
        ctx.error("LLMD-QUEUED-TPU", "accelerator.provisioning", queued=" and ".join(others))
        return
    ctx.error("LLMD-QUEUED-REQUEST", "accelerator.provisioning")


def _flex_start_place(ctx: PlanContext) -> str:
    """The setting for the nearest zone that is sold as flex-start, in a regional cluster below accelerator.zones."""
    location = ctx.settings.location
    zone = nearest_zones(location, ctx.accelerator.flex_start_zones)[0]
    if location != region_of(location):
        return f"location: {zone}"
    region = f"location: {region_of(zone)} with " if region_of(zone) != location else ""
    return f"{region}accelerator.zones: [{zone}]"


def _check_flex_start(ctx: PlanContext, path: _Path) -> None:
    accelerator = ctx.accelerator
    if not accelerator.flex_start:
        ctx.error("LLMD-FLEX-START-MACHINE", *path, value="flex-start")
        return
    sold = accelerator.flex_start_zones
    elsewhere = [zone for zone in ctx.zones if zone not in sold]
    if sold and elsewhere:
        ctx.warning(
            "LLMD-FLEX-START-ZONE",
            *path,
            value=", ".join(elsewhere),
            page=_PAGE,
            sold=", ".join(sold),
            place=_flex_start_place(ctx),
        )
    if accelerator.kind != "tpu":
        return
    cluster = ctx.settings.cluster
    version = cluster.gke_version
    if version is not None and not reaches(version, TPU_FLEX_START_SINCE):
        ctx.error(
            "LLMD-FLEX-START-VERSION",
            *cluster.version_path,
            since=TPU_FLEX_START_SINCE,
            fix=newer_version(cluster, TPU_FLEX_START_SINCE),
        )
