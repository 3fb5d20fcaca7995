"""Checks for settings that would have no effect, and for names that cannot be taken."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.planning.allocatable import allocatable
from llm_d_gke.planning.context import STACK_LABEL, PlanContext
from llm_d_gke.planning.findings import Findings, path_of
from llm_d_gke.quantities import cpu_millis, memory_mib
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.base import Settings
from llm_d_gke.settings.cluster import ClusterSettings
from llm_d_gke.settings.edge import ApiKeysAuth, IapAuth
from llm_d_gke.settings.gateway import SecretTls
from llm_d_gke.settings.models import VolumeClaimSource

# Namespaces of Kubernetes and of GKE's own add-ons. Those of this program's charts are in `chart_namespaces`.
_SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "gmp-system", "gmp-public", "gke-managed-system")
_SYSTEM_PREFIXES = ("kube-", "gke-", "gmp-", "config-management-")
# Placeholders for the reader's project id in documentation, this project's included.
_PLACEHOLDERS = (
    "example-project",
    "gcp-project",
    "gcp-project-id",
    "google-cloud-project",
    "my-gcp-project",
    "my-project",
    "my-project-id",
    "project-id",
)
# Google sets labels of its own with it, and refuses those of others.
_RESERVED_LABELS = "goog"
# A whole number of CPUs from here on is read as thousandths whose unit was left out.
_LEAST_MILLIS = 100


def check_project_placeholder(settings: StackSettings, findings: Findings) -> None:
    if settings.project in _PLACEHOLDERS:
        findings.warning("LLMD-PROJECT-PLACEHOLDER", "project", value=settings.project)


def check_base(settings: StackSettings, findings: Findings) -> None:
    """Refuse a base that nothing has merged: reading a stack file does that, and leaves no `base` behind."""
    if settings.base:
        findings.error("LLMD-BASE-UNREAD", "base", value=settings.base)


def check_without_effect(ctx: PlanContext, *, has_router: bool) -> None:
    """Findings about settings of another pattern or of a created cluster or network, and about names."""
    settings = ctx.settings
    if not has_router and settings.router.model_fields_set:
        ctx.warning("LLMD-ROUTER-UNUSED", "router", value=_keys(settings.router, ()), pattern=settings.pattern)
    _check_namespace(ctx)
    _check_new_namespace(ctx)
    _check_existing(ctx)
    _check_addons(ctx, has_router=has_router)
    if STACK_LABEL in settings.labels:
        ctx.error("LLMD-LABEL-OWN", "labels", STACK_LABEL, label=ctx.labels[STACK_LABEL])
    for key in settings.labels:
        if key.startswith(_RESERVED_LABELS):
            ctx.error("LLMD-LABEL-RESERVED", "labels", key, prefix=_RESERVED_LABELS)
    ranges = settings.cluster.control_plane.authorized_networks
    for index, network in enumerate(ranges):
        if network.cidr.prefixlen == 0:
            path = f"cluster.controlPlane.authorizedNetworks[{index}]"
            ctx.warning("LLMD-AUTHORIZED-NETWORKS-ALL", path, value=network.cidr)


def _keys(group: Settings, without: tuple[str, ...]) -> str:
    """Keys of a group that a stack file sets, as written there."""
    fields = type(group).model_fields
    return ", ".join(
        fields[name].alias or name for name in fields if name in group.model_fields_set and name not in without
    )


def _check_namespace(ctx: PlanContext) -> None:
    name, existing = ctx.settings.namespace.name, ctx.settings.namespace.existing
    if name is not None and (name in _SYSTEM_NAMESPACES or name.startswith(_SYSTEM_PREFIXES)):
        ctx.error("LLMD-NAMESPACE-SYSTEM", "namespace.name", case="system")
    elif name == "default" and not existing:
        ctx.error("LLMD-NAMESPACE-SYSTEM", "namespace.name", case="own")
    if existing and ctx.settings.cluster.existing is None and name != "default":
        ctx.error("LLMD-NAMESPACE-MISSING", "namespace.existing")


def _check_new_namespace(ctx: PlanContext) -> None:
    """Objects of others, in a namespace that is not there before this stack."""
    if ctx.settings.namespace.existing:
        return
    refused = {finding.path for finding in ctx.findings}
    for path, kind, name, instead in _objects_of_others(ctx.settings):
        if path_of(*path) in refused:
            continue
        ctx.warning("LLMD-NAMESPACE-NEW", *path, value=name, namespace=ctx.namespace, kind=kind, instead=instead)


def _objects_of_others(settings: StackSettings) -> Iterator[tuple[tuple[str | int, ...], str, str, str]]:
    """Path, kind and name of each object in the stack's namespace that the stack does not make, and what to use."""
    auth, tls = settings.gateway.auth, settings.gateway.tls
    if settings.hugging_face.existing_secret is not None:
        instead = "or set huggingFace.token or secretManagerSecret, "
        yield ("huggingFace", "existingSecret"), "Secret", settings.hugging_face.existing_secret, instead
    if settings.registry.existing_secret is not None:
        instead = "or set registry.server, username and password, "
        yield ("registry", "existingSecret"), "Secret", settings.registry.existing_secret, instead
    if isinstance(auth, ApiKeysAuth | IapAuth) and auth.existing_secret is not None:
        instead = "or set apiKeys, or secretManagerSecret, " if isinstance(auth, ApiKeysAuth) else ""
        yield ("gateway", "auth", "existingSecret"), "Secret", auth.existing_secret, instead
    if isinstance(tls, SecretTls):
        yield ("gateway", "tls", "secret"), "Secret", tls.secret, "or use kind: cert-manager, "
    for index, model in enumerate(settings.models):
        if isinstance(model.source, VolumeClaimSource):
            instead = "or use kind: bucket, "
            yield ("models", index, "source", "claim"), "PersistentVolumeClaim", model.source.claim, instead


def _without_effect_in_existing(cluster: ClusterSettings) -> str:
    """Keys that would shape a new cluster.

    `mode` says what it is, controlPlane.access how it is reached, diskKey and nodeAccount are for its pools.
    """
    keys = _keys(cluster, ("existing", "mode", "private_nodes", "encryption", "node_account", "control_plane"))
    ranges = _keys(cluster.control_plane, ("access",))
    secrets = ["encryption.secretsKey"] if cluster.encryption.secrets_key is not None else []
    inner = [f"controlPlane.{key}" for key in ranges.split(", ") if key]
    return ", ".join([*([keys] if keys else []), *inner, *secrets])


def _check_existing(ctx: PlanContext) -> None:
    """Beside `existing`, the shape of what the stack would have created has no effect."""
    network, cluster = ctx.settings.network, ctx.settings.cluster
    if network.existing is not None and (keys := _keys(network, ("existing", "proxy_cidr"))):
        ctx.warning("LLMD-EXISTING-IGNORED", "network", case="network", value=keys, network=network.existing.network)
    if cluster.existing is not None and (keys := _without_effect_in_existing(cluster)):
        ctx.warning("LLMD-EXISTING-IGNORED", "cluster", case="cluster", value=keys, cluster=cluster.existing.name)
    region = network.existing.linked_region if network.existing is not None else None
    if region is not None and region != ctx.region:
        ctx.error("LLMD-NETWORK-REGION", "network.existing.subnetwork", value=region)


def _check_addons(ctx: PlanContext, *, has_router: bool) -> None:
    """Pods of pickers and routers have to fit on a node of the CPU pool."""
    pool = ctx.settings.cpu_pool
    machine = ctx.catalog.machines.get(pool.machine_type)
    if machine is None:
        return
    room = allocatable(machine, pool.disk_gib)
    requests = {"picker": (ctx.settings.picker.cpu, ctx.settings.picker.memory)}
    if has_router:
        requests["router"] = (ctx.settings.router.cpu, ctx.settings.router.memory)
    for group, (cpu, memory) in requests.items():
        for key, text, requested, available in (
            ("cpu", cpu, cpu_millis(cpu), room.cpu_millis),
            ("memory", memory, memory_mib(memory), room.memory_mib),
        ):
            if requested > available:
                unit = "thousandths of a CPU" if key == "cpu" else "MiB"
                in_millis = key == "cpu" and text.isdigit() and _LEAST_MILLIS <= int(text) <= available
                ctx.error(
                    "LLMD-ADDON-ROOM",
                    group,
                    key,
                    case="millicores" if in_millis else "other",
                    machine_type=pool.machine_type,
                    available=available,
                    unit=unit,
                    group=group,
                )
