"""Plans an upgrade: from two plans of one stack and the catalog's entries of both releases to ordered steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llm_d_gke.catalog.release import Release
from llm_d_gke.planning.findings import Finding, Severity
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.platform.helm_releases import KSERVE, KSERVE_CRDS, KSERVE_PRESETS
from llm_d_gke.planning.surge_capacity import check_surge_capacity, deployed_servers_of
from llm_d_gke.planning.upgrades.infrastructure import infrastructure_steps, minor_of
from llm_d_gke.planning.upgrades.open_pickers import with_open_pickers
from llm_d_gke.planning.upgrades.platform import is_older, kinds_of, platform_steps, release_of
from llm_d_gke.planning.upgrades.routing import routing_steps
from llm_d_gke.planning.upgrades.servers import server_steps
from llm_d_gke.planning.upgrades.step import Loss, Span, Step, UpgradePlan

# What the earlier steps have not changed yet, and what no step is about: routes, monitoring, permissions.
REST = "rest"
FREE_PRESETS = "free-presets"


def plan_upgrade(before: StackPlan, after: StackPlan, old: Release, new: Release) -> UpgradePlan:
    """The steps in the order in which they are safe: cluster, kinds, controllers, pickers, router, servers, the rest.

    A new picker and a new controller work with old servers, and the other way around is not tested. `old`
    and `new` are the releases of `before` and `after`; they may be one, where only settings differ.
    """
    steps = (
        *infrastructure_steps(before, after),
        *platform_steps(before, after, new.charts),
        *(_way_back(step, before, old) for step in routing_steps(before, after)),
        *(_way_back(step, before, old) for step in server_steps(before, after)),
    )
    steps = (*with_open_pickers(before, steps, old.name), *_freed_presets(before, after, old, new))
    previous = {(warning.id, warning.path, warning.value) for warning in before.warnings}
    return UpgradePlan(
        stack=after.stack,
        before=old.name,
        after=new.name,
        steps=(*steps, _final_step(before, after)) if before != after else (),
        findings=tuple(_findings(before, after, new)),
        warnings=tuple(
            warning for warning in after.warnings if (warning.id, warning.path, warning.value) not in previous
        ),
    )


def images_deleted(plan: StackPlan, release: Release) -> bool:
    """Whether upstream deleted images of the release that the stack's pickers and servers run."""
    support = release.disaggregation
    disaggregated = any(len(model.servers) > 1 for model in plan.models)
    return disaggregated and support is not None and support.withdrawn is not None


def _way_back(step: Step, before: StackPlan, old: Release) -> Step:
    """The step; without a way back where its old pods cannot be started again."""
    if not step.name.startswith(("picker-", "servers-")) or not images_deleted(before, old):
        return step
    return replace(
        step,
        back=f"not possible: upstream deleted images of {old.name}, unless a registry of yours still has them",
    )


def _freed_presets(before: StackPlan, after: StackPlan, old: Release, new: Release) -> Iterator[Step]:
    """A step on the way back to a KServe that does not take off the newer one's finalizer, once no newer one runs."""
    charts = {chart.name: chart for chart in after.charts}
    leaves_it = new.charts.kserve_finalizes_presets is False
    if KSERVE not in charts or not leaves_it or old.charts.kserve_finalizes_presets is False:
        return
    own = [before.namespace.name] if before.presets else []
    of_chart = [] if charts[KSERVE_PRESETS].existing else [charts[KSERVE_PRESETS].namespace]
    if not own + of_chart:
        return
    yield Step(
        name=FREE_PRESETS,
        title="presets of KServe can be deleted",
        changes=("the finalizer that only the newer KServe takes off is removed from the presets",),
        method="the objects change, and no pod; with the finalizer a destroy would wait for them without an end",
        back="nothing to do: the newer KServe puts it back",
        seconds=Span(best=0, worst=5, verified=False),
        frees=tuple(dict.fromkeys(own + of_chart)),
    )


def _final_step(before: StackPlan, after: StackPlan) -> Step:
    """An update of the whole stack: it also deletes what is no longer part of it."""
    names = {model.served_name for model in after.models}
    removed = [model.served_name for model in before.models if model.served_name not in names]
    charts = {chart.name for chart in after.charts}
    dropped = [
        _removed_chart_text(chart.name) for chart in before.charts if chart.name not in charts and not chart.existing
    ]
    unmanaged = sorted(kinds_of(before) - kinds_of(after))
    changes = [
        *(f"model {name} removed" for name in removed),
        *dropped,
        *(f"{kind} stays, no longer managed by the stack" for kind in unmanaged),
    ]
    return Step(
        name=REST,
        title="everything else",
        changes=(*changes, "routes, monitoring and permissions, where they differ"),
        method="one update of the whole stack, which changes what is left and deletes what is no longer part of it",
        loss=Loss.OUTAGE if removed else Loss.NOTHING,
        consequence=f"requests to {', '.join(removed)}" if removed else "nothing",
        back="an update with the settings before",
    )


def _removed_chart_text(chart: str) -> str:
    kinds = ", and with it its kinds: refused unless acknowledged (LLMD-PREFLIGHT-DELETES)"
    return f"chart {chart} removed{kinds if chart == KSERVE_CRDS else ''}"


def _deployment(plan: StackPlan) -> str:
    return "kserve" if any(model.inference_service is not None for model in plan.models) else "direct"


def _findings(before: StackPlan, after: StackPlan, new: Release) -> Iterator[Finding]:
    """Changes that a rollback cannot undo, and what it loses."""
    yield from check_surge_capacity(deployed_servers_of(before, _deployment(before)), after, _deployment(after))
    was, now = minor_of(before.cluster.min_version), minor_of(after.cluster.min_version)
    if was is not None and now is not None and now < was:
        yield Finding(
            id="LLMD-PREFLIGHT-CLUSTER-BACK",
            path="llm-d:cluster.version",
            value=str(after.cluster.min_version),
            rule=f"the stack asks for at least {before.cluster.min_version}, and a completed upgrade of a control"
            " plane to a newer minor version stays",
            fix=f"leave {before.cluster.min_version}; an older cluster is a new stack",
        )
    names = {chart.name: chart for chart in before.charts}
    for chart in after.charts:
        previous = names.get(chart.name)
        if previous is None or chart.existing or not chart.crds or previous.chart != chart.chart:
            continue
        release = release_of(chart.name, new.charts)
        if is_older(chart, previous) and (release is None or release.kinds == "upgraded"):
            yield Finding(
                id="LLMD-PREFLIGHT-KINDS-BACK",
                path="llm-d:release",
                value=new.name,
                rule=f"{chart.name} goes back from {previous.version} to {chart.version}: objects stay, and lose fields"
                " that only the newer kind has as soon as somebody writes them",
                fix="keep a copy of the objects of its kinds before: "
                + ", ".join(f"kubectl get {kind} -A -o yaml" for kind in chart.crds),
                severity=Severity.WARNING,
            )
