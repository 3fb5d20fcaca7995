"""Controllers that GKE does not bring: which charts a stack installs, with which values, in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from llm_d_gke.catalog.release import ChartRelease, IstioCharts
from llm_d_gke.catalog.support import load_support
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.gke_versions import gke_brings_inference_pool
from llm_d_gke.planning.plan.platform import ChartPlan, IstioPlan, PullSecretPlan
from llm_d_gke.planning.platform.istio import ISTIO_NAMESPACE, check_istio, istio_plan, istiod_values
from llm_d_gke.settings.platform import ControllerSettings

# Release names. They are logical names of resources as well.
LEADER_WORKER_SET = "lws"
CERT_MANAGER = "cert-manager"
KSERVE_CRDS = "kserve-llmisvc-crd"
KSERVE = "kserve-llmisvc-resources"
KSERVE_PRESETS = "kserve-runtime-configs"
ISTIO_BASE = "istio-base"
ISTIOD = "istiod"
SAIL = "sail-operator"
KEDA = "keda"

# Name and namespace of KEDA's operator, which reads metrics as its service account of the same name.
KEDA_NAMESPACE = "keda"
KEDA_OPERATOR = "keda-operator"

# A first pod may wait for a CPU node that the autoscaler has yet to add, and for its image.
_TIMEOUT_SECONDS = 600

# Controllers' images hold a static program, which runs as any user; this one is that of distroless images.
_USER: Mapping[str, Any] = {"runAsUser": 65532, "runAsGroup": 65532}
_RESTRICTED: Mapping[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **_USER}
# Tags are pinned, but a registry can move a tag: check at every start.
_ALWAYS: Mapping[str, Any] = {"pullPolicy": "Always"}

_CERT_MANAGER_KINDS = (
    "certificates.cert-manager.io",
    "certificaterequests.cert-manager.io",
    "clusterissuers.cert-manager.io",
    "issuers.cert-manager.io",
)
_ISTIO_KINDS = ("destinationrules.networking.istio.io", "gateways.networking.istio.io")


def plan_charts(
    ctx: PlanContext,
    *,
    gateway: tuple[str, str],
    groups: bool,
    kserve: bool,
    istio: bool,
    certificates: bool,
    pull_secret: PullSecretPlan | None,
    scales: bool = False,
) -> tuple[ChartPlan, ...]:
    """Charts in the order in which they are installed; none where GKE's own parts are enough.

    `gateway` is (namespace, name) of the Gateway that KServe attaches its routes to; `groups` whether a model server is
    a LeaderWorkerSet; `certificates` whether the stack asks for any; `scales` whether replicas follow the load. KServe
    looks for the kinds it can use only when it starts: what brings them comes first.
    """
    _check_existing_controllers(ctx)
    check_istio(ctx, kserve=kserve, istio=istio, pull_secret=pull_secret)
    charts = [
        *(_leader_worker_set(ctx) if groups or kserve else ()),
        *(_istio(ctx, pull_secret) if istio else ()),
        *(_cert_manager(ctx) if kserve or certificates else ()),
    ]
    charts += _kserve(ctx, gateway, [chart.name for chart in charts]) if kserve else ()
    charts += _keda(ctx) if scales else ()
    _check_support(ctx, charts)
    return tuple(charts)


def _leader_worker_set(ctx: PlanContext) -> list[ChartPlan]:
    release, settings = ctx.release.charts.leader_worker_set, ctx.settings.platform.leader_worker_set
    # Its own certificates: cert-manager would be a second controller for one webhook.
    values = {
        "enableCertManager": False,
        # The chart in the project's repository names the branch, published ones the version.
        "image": {"manager": {"tag": f"v{release.version.removeprefix('v')}", **_ALWAYS}},
        "podSecurityContext": _RESTRICTED,
        "resources": _resources("250m", "256Mi", "512Mi"),
    }
    kinds = ("leaderworkersets.leaderworkerset.x-k8s.io",)
    return [_chart(LEADER_WORKER_SET, release, settings, namespace="lws-system", values=values, crds=kinds)]


def _cert_manager(ctx: PlanContext) -> list[ChartPlan]:
    release, settings = ctx.release.charts.cert_manager, ctx.settings.platform.cert_manager
    pod = {"resources": _resources("50m", "128Mi", "256Mi"), "image": _ALWAYS, "securityContext": _RESTRICTED}
    values = {
        # Kept when the release is deleted: otherwise all certificates of the cluster would be deleted with the CRDs.
        "crds": {"enabled": True, "keep": True},
        # kube-system, its default, is Google's.
        "global": {"leaderElection": {"namespace": "cert-manager"}},
        **pod,
        "webhook": pod,
        "cainjector": pod,
        # A hook that ends when the webhook answers; Helm waits for it.
        "startupapicheck": {"enabled": True, **pod},
    }
    kinds = _CERT_MANAGER_KINDS
    return [_chart(CERT_MANAGER, release, settings, namespace="cert-manager", values=values, crds=kinds)]


def _keda(ctx: PlanContext) -> list[ChartPlan]:
    """KEDA, whose defaults keep Pod Security's `restricted`. Without a limit of CPU, like the other controllers."""
    release, settings = ctx.release.charts.keda, ctx.settings.platform.keda
    _check_external_metrics(ctx)
    small = _resources("100m", "128Mi", "1000Mi")
    # Its operator reads no Secret outside of its own namespace: triggers here use its own identity. The namespaces that
    # it watches stay open (`watchNamespace`), because further stacks of the cluster use the same KEDA.
    restricted = {"restrict": {"secret": True}}
    values = {
        "permissions": {"operator": restricted, "metricServer": restricted},
        # Beside Deployments, which are built in. The chart's default is every kind, which makes every object readable.
        "rbac": {"scaledRefKinds": [{"apiGroup": "leaderworkerset.x-k8s.io", "kind": "leaderworkersets"}]},
        "operator": {"name": KEDA_OPERATOR},
        # Kept when the release is deleted: with the kinds every ScaledObject of the cluster would be deleted.
        "crds": {"additionalAnnotations": {"helm.sh/resource-policy": "keep"}},
        # The user of its images, which the chart does not state.
        "podSecurityContext": dict.fromkeys(("operator", "metricServer", "webhooks"), _RESTRICTED),
        "resources": {"operator": small, "metricServer": small, "webhooks": _resources("50m", "64Mi", "256Mi")},
    }
    kinds = ("scaledobjects.keda.sh", "triggerauthentications.keda.sh")
    return [_chart(KEDA, release, settings, namespace=KEDA_NAMESPACE, values=values, crds=kinds)]


def _istio(ctx: PlanContext, pull_secret: PullSecretPlan | None) -> list[ChartPlan]:
    settings, release = ctx.settings.platform.istio, ctx.release.charts.istio
    if isinstance(release, IstioCharts):
        return [
            _chart(ISTIO_BASE, release.base, settings, namespace=ISTIO_NAMESPACE, values={}, crds=_ISTIO_KINDS),
            _chart(
                ISTIOD,
                release.control_plane,
                settings,
                namespace=ISTIO_NAMESPACE,
                values=istiod_values(),
                after=(ISTIO_BASE,),
            ),
        ]
    return [
        _chart(
            SAIL,
            release.operator,
            settings,
            namespace="sail-operator",
            values={},
            crds=_ISTIO_KINDS,
            # Its pod names no seccomp profile, and a value cannot give it one.
            pod_security="baseline",
            istio=None if settings.existing else istio_plan(release, pull_secret),
        )
    ]


def _kserve(ctx: PlanContext, gateway: tuple[str, str], charts_before: list[str]) -> list[ChartPlan]:
    settings, releases = ctx.settings.platform, ctx.release.charts
    return [
        _chart(
            KSERVE_CRDS,
            releases.kserve_crds,
            settings.kserve,
            namespace="kserve",
            values={},
            crds=("llminferenceservices.serving.kserve.io",),
            # The chart's CRDs are deleted with it. In an existing cluster they remain, with the objects of other users.
            retain=ctx.settings.cluster.existing is not None,
        ),
        _chart(
            KSERVE,
            releases.kserve,
            settings.kserve,
            namespace="kserve",
            values=_kserve_values(gateway, inference_pool=not gke_brings_inference_pool(ctx.settings.cluster)),
            after=(*charts_before, KSERVE_CRDS),
        ),
        _chart(
            KSERVE_PRESETS,
            releases.kserve_presets,
            settings.kserve,
            namespace="kserve",
            # KServe's webhook judges every preset: where this one is installed, the webhook answers.
            values={"kserve": {"llmisvcConfigs": {"enabled": True}, "servingruntime": {"enabled": False}}},
            after=(KSERVE,),
        ),
    ]


def _chart(
    name: str,
    release: ChartRelease,
    settings: ControllerSettings,
    *,
    namespace: str,
    values: Mapping[str, Any],
    crds: tuple[str, ...] = (),
    after: tuple[str, ...] = (),
    retain: bool = False,
    pod_security: Literal["restricted", "baseline"] = "restricted",
    istio: IstioPlan | None = None,
) -> ChartPlan:
    return ChartPlan(
        name=name,
        chart=release.chart,
        repository=release.repository,
        version=release.version,
        namespace=namespace,
        values=values,
        crds=crds,
        existing=settings.existing,
        after=after,
        retain=retain,
        timeout_seconds=_TIMEOUT_SECONDS,
        pod_security=pod_security,
        istio=istio,
    )


def _kserve_values(gateway: tuple[str, str], *, inference_pool: bool) -> Mapping[str, Any]:
    return {
        "kserve": {
            "llmisvc": {
                "createGIECRDs": inference_pool,
                "controller": {
                    "imagePullPolicy": "Always",
                    "containerSecurityContext": _USER,
                    # From 0.20 on the webhook refuses to delete presets, so that no switch back to `direct` could
                    # uninstall their release (kserve v0.20.0, cmd/llmisvc/main.go). Earlier versions ignore it.
                    "env": [{"name": "PREVENT_WELL_KNOWN_CONFIG_DELETION", "value": "false"}],
                    # The chart limits CPU to a tenth of one, and a value cannot take that away.
                    "resources": {
                        "requests": {"cpu": "100m", "memory": "300Mi", "ephemeral-storage": "64Mi"},
                        "limits": {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "256Mi"},
                    },
                },
            },
            "controller": {
                "gateway": {
                    "ingressGateway": {
                        "enableGatewayApi": True,
                        "createGateway": False,
                        "kserveGateway": "/".join(gateway),
                    },
                    "disableIstioVirtualHost": True,
                }
            },
        }
    }


def _resources(cpu: str, memory: str, most: str) -> Mapping[str, Any]:
    """A limit of CPU far above the request: a throttled webhook times out."""
    return {
        "requests": {"cpu": cpu, "memory": memory, "ephemeral-storage": "64Mi"},
        "limits": {"cpu": "2", "memory": most, "ephemeral-storage": "256Mi"},
    }


def _check_support(ctx: PlanContext, charts: Sequence[ChartPlan]) -> None:
    """One warning for each installed chart whose support had ended when the catalog was read."""
    support = load_support()
    for chart in charts:
        name = {CERT_MANAGER: "cert_manager", ISTIOD: "istio"}.get(chart.name)
        end = support.end_of(name, chart.version) if name is not None and not chart.existing else None
        if end is None or end.ended > ctx.release.as_of:
            continue
        ctx.findings.warning(
            "LLMD-CHART-SUPPORT",
            "platform",
            "istio" if chart.name == ISTIOD else "certManager",
            value=chart.version,
            ended=end.ended,
            citation=support.sources[end.source].citation,
        )


def _check_external_metrics(ctx: PlanContext) -> None:
    """A cluster has one server of external metrics, and KEDA's chart registers its own."""
    cluster = ctx.settings.cluster.existing
    if cluster is None or ctx.settings.platform.keda.existing:
        return
    ctx.findings.warning("LLMD-KEDA-EXTERNAL-METRICS", "platform.keda.existing", value="false", cluster=cluster.name)


def _check_existing_controllers(ctx: PlanContext) -> None:
    if ctx.settings.cluster.existing is not None:
        return
    platform = ctx.settings.platform
    for key, controller in (
        ("leaderWorkerSet", platform.leader_worker_set),
        ("certManager", platform.cert_manager),
        ("kserve", platform.kserve),
        ("istio", platform.istio),
        ("keda", platform.keda),
    ):
        if controller.existing:
            ctx.findings.error("LLMD-PLATFORM-EXISTING", "platform", key, "existing", value="true")
