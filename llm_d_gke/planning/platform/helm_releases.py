"""Controllers that GKE does not bring: which charts a stack installs, with which values, in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic.alias_generators import to_camel

from llm_d_gke.catalog.charts import load_charts
from llm_d_gke.catalog.release import ChartRelease, IstioCharts
from llm_d_gke.catalog.support import load_support
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.gke_versions import gke_brings_inference_pool
from llm_d_gke.planning.image_names import put
from llm_d_gke.planning.plan.platform import ChartPlan, PullSecretPlan
from llm_d_gke.planning.platform.istio import check_istio, istio_plan
from llm_d_gke.settings.platform import ControllerSettings, PlatformSettings

# Names of Helm releases, by which llm_d_gke/catalog/charts.yaml describes the charts.
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


@dataclass(frozen=True, kw_only=True)
class ChartNeeds:
    """What a stack needs that GKE does not bring.

    `groups`: a model server is a LeaderWorkerSet. `certificates`: the stack asks for some. `scales`: replicas follow
    the load.
    """

    groups: bool = False
    kserve: bool = False
    istio: bool = False
    certificates: bool = False
    scales: bool = False


def plan_charts(
    ctx: PlanContext, needs: ChartNeeds, *, gateway: tuple[str, str], pull_secret: PullSecretPlan | None
) -> tuple[ChartPlan, ...]:
    """Charts in the order in which they are installed; none where GKE's own parts are enough.

    `gateway` is (namespace, name) of the Gateway that KServe attaches its routes to. KServe looks for the kinds it can
    use only when it starts: what brings them comes first.
    """
    _check_existing_controllers(ctx)
    check_istio(ctx, kserve=needs.kserve, istio=needs.istio, pull_secret=pull_secret)
    releases = ctx.release.charts
    charts: list[ChartPlan] = []
    if needs.groups or needs.kserve:
        charts.append(_leader_worker_set(ctx, releases.leader_worker_set))
    if needs.istio:
        charts += _istio(ctx, pull_secret)
    if needs.kserve or needs.certificates:
        charts.append(_chart(ctx, CERT_MANAGER, releases.cert_manager))
    if needs.kserve:
        charts += _kserve(ctx, gateway, tuple(chart.name for chart in charts))
    if needs.scales:
        _check_external_metrics(ctx)
        charts.append(_chart(ctx, KEDA, releases.keda))
    _check_support(ctx, charts)
    return tuple(charts)


def _leader_worker_set(ctx: PlanContext, release: ChartRelease) -> ChartPlan:
    """The chart in the project's repository names the branch, published ones the version."""
    tag = f"v{release.version.removeprefix('v')}"
    return _chart(ctx, LEADER_WORKER_SET, release, {("image", "manager", "tag"): tag})


def _istio(ctx: PlanContext, pull_secret: PullSecretPlan | None) -> list[ChartPlan]:
    release = ctx.release.charts.istio
    if isinstance(release, IstioCharts):
        return [_chart(ctx, ISTIO_BASE, release.base), _chart(ctx, ISTIOD, release.control_plane)]
    operator = _chart(ctx, SAIL, release.operator)
    return [operator if operator.existing else replace(operator, istio=istio_plan(release, pull_secret))]


def _kserve(ctx: PlanContext, gateway: tuple[str, str], charts_before: tuple[str, ...]) -> list[ChartPlan]:
    releases = ctx.release.charts
    own = {
        ("kserve", "llmisvc", "createGIECRDs"): not gke_brings_inference_pool(ctx.settings.cluster),
        ("kserve", "controller", "gateway", "ingressGateway", "kserveGateway"): "/".join(gateway),
    }
    kinds = _chart(ctx, KSERVE_CRDS, releases.kserve_crds)
    controller = _chart(ctx, KSERVE, releases.kserve, own)
    return [
        # The chart's CRDs are deleted with it. In an existing cluster they remain, with the objects of other users.
        replace(kinds, retain=ctx.settings.cluster.existing is not None),
        replace(controller, after=(*charts_before, *controller.after)),
        _chart(ctx, KSERVE_PRESETS, releases.kserve_presets),
    ]


def _chart(
    ctx: PlanContext, name: str, release: ChartRelease, own: Mapping[tuple[str, ...], object] | None = None
) -> ChartPlan:
    """A chart as the catalog describes it. `own` are values of this stack, by their paths."""
    facts = load_charts()[name]
    values = dict(facts.values)
    for path, value in (own or {}).items():
        put(values, path, value)
    controller: ControllerSettings = getattr(ctx.settings.platform, facts.controller)
    return ChartPlan(
        name=name,
        chart=release.chart,
        repository=release.repository,
        version=release.version,
        namespace=facts.namespace,
        values=values,
        crds=facts.kinds,
        existing=controller.existing,
        after=facts.after,
        retain=False,
        timeout_seconds=_TIMEOUT_SECONDS,
        pod_security=facts.pod_security,
        istio=None,
    )


def _check_support(ctx: PlanContext, charts: Sequence[ChartPlan]) -> None:
    """One warning for each installed chart whose support had ended when the catalog was read."""
    support = load_support()
    for chart in charts:
        name = {CERT_MANAGER: "cert_manager", ISTIOD: "istio"}.get(chart.name)
        end = support.end_of(name, chart.version) if name is not None and not chart.existing else None
        if end is None or end.ended > ctx.release.as_of:
            continue
        ctx.warning(
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
    ctx.warning("LLMD-KEDA-EXTERNAL-METRICS", "platform.keda.existing", cluster=cluster.name)


def _check_existing_controllers(ctx: PlanContext) -> None:
    if ctx.settings.cluster.existing is not None:
        return
    for name in PlatformSettings.model_fields:
        if getattr(ctx.settings.platform, name).existing:
            ctx.error("LLMD-PLATFORM-EXISTING", "platform", to_camel(name), "existing")
