"""Ways to get accelerator nodes, and where Google sells them."""

from __future__ import annotations

from llm_d_gke.catalog.versions import reaches
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.gke_versions import TPU_FLEX_START_SINCE, newer_version

# Keys and positions of a setting.
_Path = tuple[str | int, ...]

_PAGE = "cloud.google.com/kubernetes-engine/docs/concepts/dws"


def check_provisioning(ctx: PlanContext) -> None:
    """Findings about provisioning, reservation and zones of the accelerator nodes."""
    settings, findings = ctx.settings.accelerator, ctx.findings
    if settings.reservation is not None and settings.provisioning != "on-demand":
        findings.error(
            "LLMD-RESERVATION-PROVISIONING",
            "accelerator",
            "reservation",
            value=settings.reservation,
            rule=f"{settings.provisioning} capacity cannot come from a reservation",
            fix="remove reservation, or use provisioning: on-demand",
        )
    if settings.provisioning in ("flex-start", "queued") and settings.nodes.min > 0:
        findings.error(
            "LLMD-PROVISIONING-MIN",
            "accelerator",
            "nodes",
            "min",
            value=settings.nodes.min,
            rule=f"{settings.provisioning} nodes are created when pods wait for them, so the pool cannot keep any",
            fix="use 0",
        )
    if not ctx.machine.on_demand_ok and settings.provisioning == "on-demand" and settings.reservation is None:
        findings.warning(
            "LLMD-PROVISIONING-ON-DEMAND",
            "accelerator",
            "provisioning",
            value=settings.provisioning,
            rule=f"{ctx.machine.name} is sold as spot, flex-start or reservation only, according to the catalog",
            fix="use provisioning: spot or flex-start, or name a reservation",
        )
    _check_zones(ctx)
    if settings.provisioning == "queued":
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
        ctx.findings.error(
            "LLMD-SLICE-ZONES",
            "accelerator",
            "zones",
            value=", ".join(zones),
            rule=f"the {ctx.hosts} hosts of a {ctx.topology} slice are placed compactly, which GKE does in pools of one"
            " zone",
            fix=f"use one zone: accelerator.zones: [{zones[0]}]",
        )
    elif settings.reservation is not None:
        ctx.findings.warning(
            "LLMD-RESERVATION-ZONES",
            "accelerator",
            "zones",
            value=", ".join(zones),
            rule="a reservation is of one zone: in the others GKE cannot create nodes from it",
            fix=f"keep the reservation's zone, for example accelerator.zones: [{zones[0]}]",
        )


def _check_queued(ctx: PlanContext) -> None:
    if ctx.accelerator.kind == "tpu":
        ctx.findings.error(
            "LLMD-QUEUED-TPU",
            "accelerator",
            "provisioning",
            value="queued",
            rule="GKE has no queued provisioning of TPUs: 'Flex start node pools don't support TPUs with queued"
            " provisioning'",
            fix="use provisioning: spot or on-demand",
        )
        return
    ctx.findings.error(
        "LLMD-QUEUED-REQUEST",
        "accelerator",
        "provisioning",
        value="queued",
        rule="a queued pool gets nodes for ProvisioningRequests only, and the stack's servers make none: they would"
        " wait without end",
        fix="use provisioning: flex-start, which gives nodes to pods that wait; with Kueue, which makes the requests,"
        " acknowledge LLMD-QUEUED-REQUEST",
    )


def _check_flex_start(ctx: PlanContext, path: _Path) -> None:
    accelerator, findings = ctx.accelerator, ctx.findings
    if not accelerator.flex_start:
        findings.error(
            "LLMD-FLEX-START-MACHINE",
            *path,
            value="flex-start",
            rule=f"{accelerator.title} is not sold as flex-start",
            fix="use provisioning: spot, or name a reservation",
        )
        return
    sold = accelerator.flex_start_zones
    elsewhere = [zone for zone in ctx.zones if zone not in sold]
    if sold and elsewhere:
        findings.warning(
            "LLMD-FLEX-START-ZONE",
            *path,
            value=", ".join(elsewhere),
            rule=f"{_PAGE} lists flex-start of {accelerator.title} in {', '.join(sold)} only: elsewhere pods may wait"
            " without end",
            fix=f"use location: {sold[0]}, or provisioning: spot",
        )
    if accelerator.kind != "tpu":
        return
    if ctx.hosts > 1:
        findings.warning(
            "LLMD-FLEX-START-HOSTS",
            *path,
            value=f"{ctx.topology}, {ctx.hosts} hosts",
            rule=f"{_PAGE} describes flex-start for TPU slices of one host",
            fix="use a topology of one host, or provisioning: spot",
        )
    cluster = ctx.settings.cluster
    version = cluster.existing.version if cluster.existing else cluster.version
    if version is not None and not reaches(version, TPU_FLEX_START_SINCE):
        findings.error(
            "LLMD-FLEX-START-VERSION",
            *(("cluster", "existing", "version") if cluster.existing else ("cluster", "version")),
            value=version,
            rule=f"flex-start of TPUs needs GKE {TPU_FLEX_START_SINCE} or newer",
            fix=newer_version(cluster, TPU_FLEX_START_SINCE),
        )
