"""The GKE cluster, its node service account, and the CRDs its version lacks."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from llm_d_gke.catalog.versions import reaches
from llm_d_gke.planning import names
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.gke_versions import (
    INFERENCE_GATEWAY_SINCE,
    NEWEST,
    NEWEST_SEEN,
    gke_brings_inference_pool,
    is_beyond_known,
    newer_version,
)
from llm_d_gke.planning.infrastructure.production import check_production
from llm_d_gke.planning.plan.infrastructure import ClusterPlan, ClusterSecurityPlan, MaintenancePlan
from llm_d_gke.planning.plan.platform import InferenceCrdsPlan
from llm_d_gke.planning.serving.backends import backend_of
from llm_d_gke.settings.cluster import WEEKDAYS, EncryptionSettings, MaintenanceWindow
from llm_d_gke.settings.edge import ApiKeysAuth
from llm_d_gke.settings.models import BucketSource
from llm_d_gke.wording import count

# The add-on's own default (google.container.v1, SecretManagerConfig.RotationConfig). It looks for newer versions of
# mounted secrets only where rotation is enabled.
_ROTATION_SECONDS = 120

# Least privilege for nodes: one role with logging, metrics and registry access, and Artifact Registry of the same
# project (cloud.google.com/kubernetes-engine/docs/how-to/hardening-your-cluster, "Use least privilege IAM service
# accounts").
NODE_ROLES = ("roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader")

# docs.cloud.google.com/kubernetes-engine/docs/how-to/setup-multicluster-inference-gateway, "Before you begin"; the last
# one is the API of the fleet feature.
FLEET_SERVICES = ("autoscaling.googleapis.com", "gkehub.googleapis.com", "multiclusteringress.googleapis.com")

# github.com/google/skills, gke-upgrades at 1af7775 (2026-08-21). Google's older pages ask for 48 hours in 32 days.
_MAINTENANCE_HOURS, _MAINTENANCE_DAYS = 48, 92

SERVICES = (
    # The API through which a project's IAM policy is changed.
    "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com",
    "container.googleapis.com",
    # Image streaming, which accelerator pools turn on (cloud.google.com/kubernetes-engine/docs/how-to/image-streaming).
    "containerfilesystem.googleapis.com",
    "iam.googleapis.com",
    # Without it a Gateway with a picker answers 'fault filter abort'.
    "networkservices.googleapis.com",
)


def plan_cluster(ctx: PlanContext) -> ClusterPlan:
    """Cluster settings with everything derived, and findings about them."""
    settings = ctx.settings.cluster
    _check(ctx)
    _check_features(ctx)
    check_production(ctx)
    name = settings.existing.name if settings.existing else names.join("llm-d", ctx.stack, length=names.CLUSTER_LENGTH)
    project, location = ctx.settings.project, ctx.settings.location
    control_plane = settings.control_plane
    window = settings.maintenance_window
    return ClusterPlan(
        create=settings.existing is None,
        autopilot=ctx.autopilot,
        name=name,
        location=location,
        identifier=f"projects/{project}/locations/{location}/clusters/{name}",
        release_channel=settings.release_channel.upper(),
        min_version=settings.version,
        private_nodes=settings.private_nodes,
        dns_endpoint=control_plane.access == "dns-endpoint",
        authorized_networks=tuple((str(net.cidr), net.name) for net in control_plane.authorized_networks),
        maintenance=MaintenancePlan(start=window.start, end=window.end, recurrence=window.recurrence)
        if window
        else None,
        deletion_protection=settings.deletion_protection,
        workload_pool=f"{project}.svc.id.goog",
        service_account=names.service_account_id(ctx.stack),
        service_account_roles=() if settings.node_account else NODE_ROLES,
        node_account=settings.node_account,
        secret_manager=_uses_secret_manager(ctx),
        secret_rotation_seconds=_ROTATION_SECONDS if _keys_in_secret_manager(ctx) else 0,
        # Autopilot has it always (cloud.google.com/stackdriver/docs/managed-prometheus/setup-managed).
        managed_prometheus=ctx.settings.monitoring.enabled or ctx.autopilot,
        multi_networking=ctx.machine.rdma and not ctx.autopilot,
        # --hpa-profile=performance of Google's page about multi-cluster Inference Gateways.
        fast_metrics=ctx.settings.fleet is not None,
        security=_security(ctx),
        labels=ctx.labels,
    )


def _security(ctx: PlanContext) -> ClusterSecurityPlan:
    settings = ctx.settings.cluster
    _check_keys(ctx)
    return ClusterSecurityPlan(
        secrets_key=settings.encryption.secrets_key,
        disk_key=settings.encryption.disk_key,
        binary_authorization=settings.binary_authorization,
        security_posture="BASIC" if settings.security_posture == "basic" else "DISABLED",
        intranode_visibility=settings.intranode_visibility,
        google_group=settings.google_group,
        google_cloud_addresses=settings.control_plane.google_cloud_addresses,
    )


def _check_keys(ctx: PlanContext) -> None:
    """GKE takes a key for Secrets from its own region only; a disk's key may also be in a place that contains it."""
    wide = ("global", ctx.region.split("-")[0])
    settings = ctx.settings.cluster.encryption
    for name, key, places in (
        ("secretsKey", settings.secrets_key, (ctx.region,)),
        ("diskKey", settings.disk_key, (ctx.region, *wide)),
    ):
        place = key.split("/")[3] if key is not None else ctx.region
        if place not in places:
            ctx.error("LLMD-KMS-LOCATION", "cluster.encryption", name, place=place)


def _keys_in_secret_manager(ctx: PlanContext) -> bool:
    auth = ctx.settings.gateway.auth
    return isinstance(auth, ApiKeysAuth) and auth.secret_manager_secret is not None


def _uses_secret_manager(ctx: PlanContext) -> bool:
    return ctx.settings.hugging_face.secret_manager_secret is not None or _keys_in_secret_manager(ctx)


def plan_services(ctx: PlanContext) -> tuple[str, ...]:
    """APIs the stack needs, in alphabetical order."""
    extra = []
    if _uses_secret_manager(ctx):
        extra.append("secretmanager.googleapis.com")
    if ctx.settings.gateway.tls.kind == "certificate-manager":
        extra.append("certificatemanager.googleapis.com")
    if ctx.settings.cluster.binary_authorization:
        extra.append("binaryauthorization.googleapis.com")
    if ctx.settings.cluster.encryption != EncryptionSettings():
        extra.append("cloudkms.googleapis.com")
    if ctx.settings.monitoring.enabled:
        extra.append("monitoring.googleapis.com")
    if ctx.settings.budget is not None and ctx.settings.budget.billing_account is not None:
        extra.append("billingbudgets.googleapis.com")
    if ctx.settings.fleet is not None:
        extra += FLEET_SERVICES
    return tuple(sorted((*SERVICES, *extra)))


def plan_crds(ctx: PlanContext) -> InferenceCrdsPlan:
    """The CRDs of the inference extension that GKE does not install."""
    needs_kserve = backend_of(ctx.settings).needs_kserve
    # KServe's chart has it too, and Helm does not adopt objects created by others.
    kserve = needs_kserve and not ctx.settings.platform.kserve.existing
    built_in = gke_brings_inference_pool(ctx.settings.cluster)
    return InferenceCrdsPlan(
        install=not built_in and not kserve,
        legacy=kserve and built_in and ctx.release.charts.legacy_inference_pool,
        # Every KServe brings it.
        objectives=not needs_kserve
        and (bool(ctx.settings.gateway.priorities) or ctx.release.picker.requires_objectives),
    )


def _check(ctx: PlanContext) -> None:
    settings = ctx.settings.cluster
    version, path = settings.gke_version, settings.version_path
    if version is not None and not reaches(version, INFERENCE_GATEWAY_SINCE):
        ctx.error(
            "LLMD-GKE-VERSION", *path, value=version, since=INFERENCE_GATEWAY_SINCE, fix=newer_version(settings, "1.34")
        )
    if version is not None and is_beyond_known(version):
        ctx.warning(
            "LLMD-GKE-VERSION-NEW",
            *path,
            case="existing" if settings.existing is not None else "new",
            value=version,
            newest=NEWEST,
            seen=NEWEST_SEEN,
        )
    minimum = ctx.accelerator.minimum_gke_version
    if version is not None and minimum is not None and not reaches(version, minimum):
        ctx.error(
            "LLMD-GKE-VERSION-ACCELERATOR", *path, value=version, minimum=minimum, fix=newer_version(settings, minimum)
        )
    before = ctx.machine.gke_before
    if version is not None and before is not None and reaches(version, before):
        ctx.warning(
            "LLMD-GKE-VERSION-MACHINE",
            *path,
            case="existing" if settings.existing is not None else "new",
            value=version,
            machine=ctx.machine.name,
            before=before,
        )
    control_plane = settings.control_plane
    # The lists of an existing cluster are its owner's.
    lists_ranges = bool(control_plane.authorized_networks) or settings.existing is not None
    if control_plane.access == "authorized-networks" and not lists_ranges:
        ctx.error("LLMD-AUTHORIZED-NETWORKS-EMPTY", "cluster.controlPlane.authorizedNetworks", value="[]")
    if control_plane.access == "dns-endpoint":
        unused = {
            "authorizedNetworks": count(len(control_plane.authorized_networks), "range")
            if control_plane.authorized_networks
            else None,
            "googleCloudAddresses": "true" if control_plane.google_cloud_addresses else None,
        }
        for key, value in unused.items():
            if value is not None:
                ctx.error("LLMD-AUTHORIZED-NETWORKS-UNUSED", f"cluster.controlPlane.{key}", value=value)
    if settings.maintenance_window is not None:
        _check_maintenance(ctx, settings.maintenance_window)


def _check_features(ctx: PlanContext) -> None:
    """Warnings about features that an existing cluster may lack. The stack does not change such a cluster."""
    existing = ctx.settings.cluster.existing
    features = []
    if any(isinstance(model.source, BucketSource) for model in ctx.settings.models) and not ctx.autopilot:
        features.append("its Cloud Storage FUSE CSI driver mounts buckets")
    if _uses_secret_manager(ctx):
        features.append("its Secret Manager add-on mounts secrets")
    if ctx.machine.rdma:
        features.append(f"its Dataplane V2 gives pods the network cards of {ctx.machine.name}")
    if existing is not None and features:
        ctx.warning("LLMD-EXISTING-FEATURES", "cluster.existing", value=existing.name, features="; ".join(features))


def _check_maintenance(ctx: PlanContext, window: MaintenanceWindow) -> None:
    fewest = _fewest_windows(window, _MAINTENANCE_DAYS)
    if fewest is not None and fewest * window.hours < _MAINTENANCE_HOURS:
        ctx.error(
            "LLMD-MAINTENANCE-HOURS",
            "cluster.maintenanceWindow",
            value=f"{window.hours:g} h, {window.recurrence}",
            maintenance_days=_MAINTENANCE_DAYS,
            fewest=fewest,
            node_hours=fewest * window.hours,
            maintenance_hours=_MAINTENANCE_HOURS,
        )


def _fewest_windows(window: MaintenanceWindow, days: int) -> int | None:
    """Windows in the `days` consecutive days that have the fewest of them; None for rules that are not counted here."""
    parts = window.parts
    interval = parts.get("INTERVAL", "1")
    if parts.keys() <= {"FREQ", "BYMONTHDAY", "INTERVAL"} and parts["FREQ"] in ("MONTHLY", "YEARLY"):
        days_of_month = parts.get("BYMONTHDAY", "1").split(",") if (parts["FREQ"], interval) == ("MONTHLY", "1") else ()
        year = [datetime.date(2026, 1, 1) + datetime.timedelta(days=day) for day in range(365 + days)]
        return _fewest([str(day.day) in days_of_month for day in year], days)
    if not parts.keys() <= {"FREQ", "BYDAY", "INTERVAL", "WKST"} or not interval.isdigit() or int(interval) < 1:
        return None
    daily, every = parts["FREQ"] == "DAILY", int(interval)
    if parts["FREQ"] not in ("DAILY", "WEEKLY") or (daily and window.days and every > 1):
        return None
    # One cycle of the rule, and as many days more as are looked at from its last day.
    if daily and not window.days:
        return _fewest([day % every == 0 for day in range(every + days)], days)
    weekdays = {WEEKDAYS.index(day) for day in window.days} or {0}
    return _fewest([day // 7 % every == 0 and day % 7 in weekdays for day in range(7 * every + days)], days)


def _fewest(has_window: Sequence[bool], days: int) -> int:
    """The fewest windows in `days` consecutive days."""
    return min(sum(has_window[first : first + days]) for first in range(len(has_window) - days))
