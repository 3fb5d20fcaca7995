"""Estimates when a new stack answers for the first time, from dated figures of each step."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.catalog import download_gib
from llm_d_gke.catalog.timeline import Span, Timeline, load_timeline
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.plan.timeline import TimelinePlan, TimelineStep


def plan_timeline(ctx: PlanContext) -> TimelinePlan | None:
    """The steps that this stack takes, and the chain that decides. None for a stack that starts no replica."""
    models = ctx.settings.models
    if ctx.settings.paused or not any(model.replicas or model.autoscaling or model.prefill for model in models):
        return None
    figures = load_timeline()
    skipped = _skipped(ctx)
    spans = {name: span for name, span in _spans(ctx, figures) if name not in skipped}
    waits = {name: tuple(_predecessors(figures, name, skipped)) for name in spans}
    ends: dict[str, float] = {}
    begins: dict[str, float] = {}
    for name, (_, worst) in spans.items():
        begins[name] = max((ends[before] for before in waits[name]), default=0.0)
        ends[name] = begins[name] + worst
    best: dict[str, float] = {}
    for name, (quick, _) in spans.items():
        best[name] = max((best[before] for before in waits[name]), default=0.0) + quick
    last = max(ends, key=lambda name: ends[name])
    critical = set(_critical_path(last, waits, ends))
    kind = ctx.accelerator.kind
    steps = []
    for name, (quick, worst) in spans.items():
        step = figures.steps[name]
        source = figures.sources[step.source_by_kind.get(kind, step.source)]
        steps.append(
            TimelineStep(
                name=name,
                title=step.title,
                best=round(quick),
                worst=round(worst),
                starts_at=round(begins[name]),
                after=waits[name],
                critical=name in critical,
                source=source.cited,
                verified=source.verified,
                has_figures=_has_figures(ctx, name),
            )
        )
    return TimelinePlan(steps=tuple(steps), best=round(best[last]), worst=round(ends[last]))


def _skipped(ctx: PlanContext) -> frozenset[str]:
    """Steps that this stack skips, because it uses existing resources."""
    settings = ctx.settings
    network = {"network"} if settings.network.existing is not None else set()
    cluster = {"cluster"} if settings.cluster.existing is not None else set()
    pools = {"pools"} if ctx.autopilot else set()
    return frozenset(network | cluster | pools)


def _has_figures(ctx: PlanContext, name: str) -> bool:
    """Whether figures of a step hold for this stack: those of clusters and nodes were taken on Standard clusters."""
    if ctx.autopilot and name in ("cluster", "node"):
        return False
    return name != "weights" or _weights_known(ctx)


def _spans(ctx: PlanContext, figures: Timeline) -> Iterator[tuple[str, Span]]:
    """Seconds at best and at worst by step."""
    for name, step in figures.steps.items():
        if name == "weights":
            yield name, _download(ctx, figures)
        elif not _has_figures(ctx, name):
            yield name, (0.0, 0.0)
        else:
            yield name, step.by_kind.get(ctx.accelerator.kind) or step.seconds or (0.0, 0.0)


def _download(ctx: PlanContext, figures: Timeline) -> Span:
    """Seconds for the largest model that comes from the Hub; the others download at the same time on other nodes."""
    sizes = [
        download_gib(model)
        for settings in ctx.settings.models
        if settings.source.kind == "hugging-face" and (model := ctx.catalog.find_model(settings.id)) is not None
    ]
    mib = max(sizes, default=0.0) * 1024
    quick, slow = figures.download_mib_per_second.values
    return mib / quick, mib / slow


def _weights_known(ctx: PlanContext) -> bool:
    """Whether all weights come from the Hub and are of known size: only its downloads have figures."""
    return all(
        settings.source.kind == "hugging-face" and ctx.catalog.find_model(settings.id) is not None
        for settings in ctx.settings.models
    )


def _predecessors(figures: Timeline, name: str, skipped: frozenset[str]) -> Iterator[str]:
    """Steps to wait for; in place of a skipped one those that it would have waited for."""
    for before in figures.steps[name].after:
        if before in skipped:
            yield from _predecessors(figures, before, skipped)
        else:
            yield before


def _critical_path(last: str, waits: dict[str, tuple[str, ...]], ends: dict[str, float]) -> Iterator[str]:
    """The critical path, from its last step back."""
    yield last
    if waits[last]:
        yield from _critical_path(max(waits[last], key=lambda name: ends[name]), waits, ends)
