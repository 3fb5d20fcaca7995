"""Steps for kinds (CRDs) and controllers. Kinds come first, and no step deletes one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llm_d_gke.catalog.release import ChartRelease, ChartReleases, IstioCharts
from llm_d_gke.catalog.versions import version_numbers
from llm_d_gke.planning.plan.platform import ChartPlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.platform.helm_releases import ISTIO_BASE, KSERVE, KSERVE_CRDS, KSERVE_PRESETS, LEADER_WORKER_SET
from llm_d_gke.planning.upgrades import durations
from llm_d_gke.planning.upgrades.servers import lost_under_kserve, starts_pickers_first
from llm_d_gke.planning.upgrades.step import Loss, Part, Step

_RELEASE = "kubernetes:helm.sh/v3:Release"
# Charts of kinds only.
_KINDS = (KSERVE_CRDS, ISTIO_BASE)


def platform_steps(before: StackPlan, after: StackPlan, releases: ChartReleases) -> Iterator[Step]:
    """Kinds, then controllers in the order in which they need each other. `releases` are those of the new release."""
    yield from _own_kinds(before, after)
    old = {chart.name: chart for chart in before.charts}
    changed = [chart for chart in after.charts if _differs(old.get(chart.name), chart)]
    for chart in changed:
        if chart.name in _KINDS and not chart.existing:
            yield _kinds_step(old.get(chart.name), chart, release_of(chart.name, releases))
    for chart in changed:
        if chart.existing:
            yield _existing(old.get(chart.name), chart)
        elif chart.name not in _KINDS:
            previous = old.get(chart.name)
            if previous is not None and previous.version != chart.version:
                yield from _installed_once(previous, chart, releases)
            yield _controller(previous, chart, before)


def kinds_of(plan: StackPlan) -> set[str]:
    """The kinds that the program itself installs. Pulumi forgets one that is dropped, and leaves it in the cluster."""
    kinds = {
        "inferencepools.inference.networking.k8s.io": plan.crds.install,
        "inferencepools.inference.networking.x-k8s.io": plan.crds.legacy,
        "inferenceobjectives.inference.networking.x-k8s.io": plan.crds.objectives,
    }
    return {name for name, installed in kinds.items() if installed}


def release_of(name: str, releases: ChartReleases) -> ChartRelease | None:
    """The catalog's entry of a chart of the plan. None for one that has no kinds of its own to tell about."""
    if name == LEADER_WORKER_SET:
        return releases.leader_worker_set
    if name == KSERVE_CRDS:
        return releases.kserve_crds
    if name == ISTIO_BASE and isinstance(releases.istio, IstioCharts):
        return releases.istio.base
    return None


def is_older(chart: ChartPlan, other: ChartPlan) -> bool:
    return version_numbers(chart.version) < version_numbers(other.version)


def _differs(before: ChartPlan | None, after: ChartPlan) -> bool:
    if before is None:
        return True
    if after.existing:
        return before.version != after.version
    return (before.version, before.chart, before.values, before.existing, before.istio) != (
        after.version,
        after.chart,
        after.values,
        after.existing,
        after.istio,
    )


def _own_kinds(before: StackPlan, after: StackPlan) -> Iterator[Step]:
    """The InferencePool kinds that the program itself installs. Those that it drops stay in the cluster."""
    added = sorted(kinds_of(after) - kinds_of(before))
    if added:
        yield Step(
            name="kinds",
            title="kinds of the stack",
            changes=tuple(f"{name} installed" for name in added),
            method="created, or taken over where it exists",
            back="nothing to do: a kind without objects changes nothing",
            parts=(Part(type="llm-d:inference:InferenceCrds", name="inference-crds"),),
        )


def _chart_change(before: ChartPlan | None, after: ChartPlan) -> str:
    if before is None:
        return f"chart {after.version}, new"
    if before.version != after.version:
        return f"chart {before.version} -> {after.version}"
    return "values of the chart"


def _kinds_step(before: ChartPlan | None, after: ChartPlan, release: ChartRelease | None) -> Step:
    established = before is None or (release is not None and release.kinds == "upgraded")
    return Step(
        name=f"kinds-{after.name}",
        title=f"kinds of {after.name}",
        changes=(_chart_change(before, after),),
        method=(
            "Helm changes the kinds in place; objects stay"
            if established
            else f"Helm installs the chart; whether {after.version} has its kinds as templates, which Helm changes,"
            " is not established"
        ),
        back="the chart before; fields that only the newer kind has are dropped when objects are written",
        seconds=durations.of_change("controller"),
        parts=(Part(type=_RELEASE, name=after.name),),
    )


def _installed_once(before: ChartPlan, after: ChartPlan, releases: ChartReleases) -> Iterator[Step]:
    """Kinds in the folder crds/ of a chart: Helm installs them with the chart and never changes them.

    On the way back they stay: the newer kind serves the older controller, and an older one would drop fields.
    """
    release = release_of(after.name, releases)
    if release is None or release.kinds == "upgraded" or before.chart != after.chart:
        return
    if is_older(after, before):
        return
    once = release.kinds == "once"
    yield Step(
        name=f"kinds-{after.name}",
        title=f"kinds of {after.name}",
        changes=(f"those of chart {before.version} -> {after.version}",),
        method=(
            "by hand: Helm never changes kinds that a chart has in its folder crds/"
            if once
            else f"by hand: whether Helm changes the kinds of chart {after.version} is not established"
        ),
        back="nothing to do: the newer kind serves the older controller",
        by_hand=f"helm show crds {after.chart} --version {after.version}"
        " | kubectl apply --server-side --force-conflicts -f -",
    )


def _controller(before: ChartPlan | None, after: ChartPlan, old: StackPlan) -> Step:
    step = Step(
        name=f"controller-{after.name}",
        title=f"chart {after.name}",
        changes=(_chart_change(before, after),),
        method="Helm replaces the controller; a failed upgrade is rolled back by Helm",
        consequence="no request; changes of its objects wait meanwhile",
        back="the chart before, by the same step",
        seconds=durations.of_change("controller"),
        parts=(Part(type=_RELEASE, name=after.name),),
    )
    running = [server for model in old.models for server in model.servers if server.replicas]
    if after.name == LEADER_WORKER_SET and any(server.group is not None for server in running):
        return replace(
            step,
            loss=Loss.REQUESTS,
            consequence="possibly requests: whether the new controller restarts groups that run is not established",
        )
    services = [model for model in old.models if model.inference_service is not None]
    safe = all(starts_pickers_first(old, model) for model in services)
    if after.name in (KSERVE, KSERVE_PRESETS) and services and running and not safe:
        spare = all(server.max_surge for server in running)
        consequence = (
            lost_under_kserve(*services) if spare else "possibly requests: the pool has no spare node for the servers"
        )
        return replace(
            step,
            loss=Loss.REQUESTS,
            consequence=f"{consequence}; the new controller writes other pods for the services that exist",
        )
    return step


def _existing(before: ChartPlan | None, after: ChartPlan) -> Step:
    old = f"{before.version} -> " if before is not None and before.version != after.version else ""
    return Step(
        name=f"controller-{after.name}",
        title=f"chart {after.name}",
        changes=(f"chart {old}{after.version}, which this stack expects to exist",),
        method="by hand: the stack does not own this controller",
        consequence="as its owner's upgrade does",
        back="by its owner",
        by_hand=(
            f"helm upgrade {after.name} {after.chart} --version {after.version}"
            f"{f' --repo {after.repository}' if after.repository else ''} --namespace {after.namespace} --reuse-values"
        ),
    )
