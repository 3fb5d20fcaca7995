"""Where a plan's images and charts come from: digests of the release's lock, and mirrors of their registries.

Rules about images know them by their upstream names. Names change last, in the finished plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from llm_d_gke.catalog.charts import load_charts
from llm_d_gke.catalog.locks import load_lock
from llm_d_gke.nested import value_at
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.image_names import OCI, has_mirror, locked, mirrored, put, registry_of
from llm_d_gke.planning.plan.platform import ChartPlan, IstioPlan
from llm_d_gke.planning.plan.pods import ContainerPlan, VolumePlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.platform.helm_releases import KEDA
from llm_d_gke.planning.suggest import nearest

Part = TypeVar("Part")


def with_image_sources(ctx: PlanContext, plan: StackPlan) -> StackPlan:
    """The plan with the names by which its images and charts are pulled."""
    mirrors = ctx.settings.registry.mirrors
    lock = load_lock(ctx.settings.release)
    digests = lock.images if lock is not None else {}
    if mirrors:
        _check_mirrors(ctx, plan, mirrors)
        _check_charts_secret(ctx, plan, mirrors)
    return _renamed(plan, mirrors, digests) if mirrors or digests else plan


def references(plan: StackPlan) -> Sequence[str]:
    """Every image and `oci://` chart of a plan, each once, sorted."""
    names: set[str] = set()
    _collect(plan, names)
    return sorted(names)


def _check_mirrors(ctx: PlanContext, plan: StackPlan, mirrors: Mapping[str, str]) -> None:
    names = references(plan)
    missing = sorted({registry_of(name) for name in names if not has_mirror(name, mirrors)} - _hosts(mirrors))
    if missing:
        ctx.warning(
            "LLMD-MIRROR-MISSING",
            "registry.mirrors",
            value=", ".join(sorted(mirrors)),
            missing=", ".join(missing),
            first=missing[0],
        )
    used = {registry_of(name) for name in names}
    for host in sorted(mirrors.keys() - used - {"*"}):
        close = nearest(host, used - mirrors.keys())
        ctx.warning(
            "LLMD-MIRROR-UNUSED",
            "registry.mirrors",
            host,
            case="similar" if close else "unlike",
            host=host,
            used=", ".join(sorted(used)),
            close=close,
        )


def _check_charts_secret(ctx: PlanContext, plan: StackPlan, mirrors: Mapping[str, str]) -> None:
    """Controllers run in namespaces of their own, without the stack's pull secret."""
    secret = plan.pull_secret
    if secret is None:
        return
    account = registry_of(f"{secret.server}/image") if secret.server else None
    without: dict[str, str] = {}
    for chart in plan.charts:
        for image in () if chart.existing else _images(chart).values():
            source = mirrored(image, mirrors)
            host = registry_of(source)
            # The stack lets its nodes read the Artifact Registry of its own project.
            # A domain in its id is a folder (cloud.google.com/artifact-registry/docs/docker/names).
            own = f"{host}/{ctx.settings.project.replace(':', '/')}/"
            is_own = host.endswith(".pkg.dev") and source.startswith(own)
            if has_mirror(image, mirrors) and account in (None, host) and not is_own:
                without[chart.name] = host
    if without:
        ctx.warning(
            "LLMD-MIRROR-CONTROLLERS",
            "registry.mirrors",
            value=", ".join(sorted(mirrors)),
            without=", ".join(without),
            hosts=", ".join(sorted(set(without.values()))),
        )


def _hosts(mirrors: Mapping[str, str]) -> set[str]:
    return {registry_of(f"{mirror}/image") for mirror in mirrors.values()}


def _collect(value: Any, names: set[str]) -> None:
    if isinstance(value, ContainerPlan):
        names.add(value.image)
    elif isinstance(value, VolumePlan):
        if value.kind == "image":
            names.add(str(value.source["reference"]))
        return
    elif isinstance(value, ChartPlan):
        if not value.existing:
            names.update((value.chart,) if value.chart.startswith(OCI) else ())
            images = _images(value)
            names.update(_image(value.values, path) or image for path, image in images.items())
            names.update(_istio_images(value.istio))
        return
    if is_dataclass(value):
        for field in fields(value):
            _collect(getattr(value, field.name), names)
    elif isinstance(value, tuple):
        for item in value:
            _collect(item, names)


_ISTIO_IMAGES = (("pilot", "image"), ("global", "proxy", "image"))


def _images(plan: ChartPlan) -> Mapping[tuple[str, ...], str]:
    return load_charts()[plan.name].images_of(plan.version)


def _istio_images(plan: IstioPlan | None) -> Sequence[str]:
    return [] if plan is None else [image for path in _ISTIO_IMAGES if (image := _image(plan.values, path)) is not None]


def _image(values: Mapping[str, Any], path: tuple[str, ...]) -> str | None:
    image = value_at(values, *path)
    return image if isinstance(image, str) else None


def _renamed(value: Part, mirrors: Mapping[str, str], digests: Mapping[str, str]) -> Part:
    """A copy of a plan, or of a part of it, in which every image has its final name."""
    if isinstance(value, ChartPlan):
        return _chart(value, mirrors)  # type: ignore[return-value]
    if isinstance(value, VolumePlan):
        if value.kind != "image":
            return value
        reference = mirrored(locked(str(value.source["reference"]), digests), mirrors)
        return replace(value, source={**value.source, "reference": reference})
    if isinstance(value, tuple):
        return tuple(_renamed(item, mirrors, digests) for item in value)  # type: ignore[return-value]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changes = {field.name: _renamed(getattr(value, field.name), mirrors, digests) for field in fields(value)}
    if isinstance(value, ContainerPlan):
        changes["image"] = mirrored(locked(value.image, digests), mirrors)
    different = {name: item for name, item in changes.items() if item is not getattr(value, name)}
    return replace(value, **different) if different else value


def _chart(plan: ChartPlan, mirrors: Mapping[str, str]) -> ChartPlan:
    """Charts are pulled by version: Helm compares it with the one in the chart."""
    if plan.existing or not mirrors:
        return plan
    values = dict(plan.values)
    for path, image in _images(plan).items():
        if has_mirror(image, mirrors):
            put(values, path, mirrored(image, mirrors))
            if plan.name == KEDA:
                # Its chart writes the registry, a value of its own, in front of the repository.
                put(values, (*path[:-1], "registry"), "")
    istio = plan.istio
    if istio is not None:
        own = dict(istio.values)
        for path in _ISTIO_IMAGES:
            named = _image(own, path)
            if named is not None:
                put(own, path, mirrored(named, mirrors))
        istio = replace(istio, values=own)
    chart = mirrored(plan.chart, mirrors) if plan.chart.startswith(OCI) else plan.chart
    return replace(plan, chart=chart, values=values, istio=istio)
