"""docs/releases.md: the versions of each release, and what upgrading to it changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from llm_d_gke import catalog
from llm_d_gke.catalog.images import ImageFacts, load_images
from llm_d_gke.catalog.pickers import Picker
from llm_d_gke.catalog.release import ChartRelease, IstioCharts, Release
from llm_d_gke.catalog.support import load_support
from llm_d_gke.catalog.upstream import load_upstream
from llm_d_gke.cli.markdown import row, table
from llm_d_gke.maintenance.upstream.charts import name_of
from llm_d_gke.operations.templates import render
from llm_d_gke.planning.routing.api_paths import API_PATHS, FURTHER
from llm_d_gke.stackfile import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "releases.md"


def page() -> str:
    """Every release with its parts as Markdown."""
    images = load_images()
    text = render(
        Path(__file__).with_name("releases.md.jinja"),
        releases=list(catalog.load().releases.values()),
        parts=_parts,
        image_facts=lambda release: images.find(release.engine.gpu.image) or ImageFacts(sources=()),
        minimum_driver=images.minimum_driver,
        sentence=_sentence,
        request_paths=_request_paths,
        pickers=_pickers(),
        row=row,
    )
    return text + "\n"


def _request_paths() -> Iterator[str]:
    """The table of paths and pickers."""
    pickers = [picker for picker, _ in _pickers().values()]
    rows = [
        (f"`{path}`", *(_opened(path, picker, state) for picker in pickers))
        for paths, state in (([path.value for path in API_PATHS], "open"), (FURTHER, "to be added"))
        for path in paths
    ]
    yield from table(("path", *(item.title for item in pickers)), rows)


def _opened(path: str, picker: Picker, state: str) -> str:
    return "ends it" if path in picker.fatal_paths else state if picker.takes(path) else "400"


def _pickers() -> dict[str, tuple[Picker, list[str]]]:
    """Each picker that a release runs, with the releases that run it, by title."""
    pickers: dict[str, tuple[Picker, list[str]]] = {}
    for release in catalog.load().releases.values():
        separate = release.disaggregation.picker if release.disaggregation is not None else None
        for part, where in ((release.picker, ""), (separate, ", pattern `disaggregated`")):
            if part is not None:
                picker = catalog.load().pickers[part.build]
                pickers.setdefault(picker.title, (picker, []))[1].append(f"`{release.name}`{where}")
    return pickers


def _sentence(entry: str) -> str:
    """With a capital, unless it begins with a name that has none: `picker.config`, `vLLM`."""
    first = entry.split()[0].rstrip(":,")
    return entry if "." in first or "[" in first or not first.islower() else entry[0].upper() + entry[1:]


def _parts(release: Release) -> Iterator[tuple[str, str, str]]:
    """Name, value and source of each part."""
    sources = release.sources
    engine, disaggregation = release.engine, release.disaggregation
    for name, image in (("engine on GPU", engine.gpu), ("engine on TPU", engine.tpu)):
        if image is not None:
            parser = f"vLLM {image.version}'s own parser" if image.version in load_upstream().vllm.versions else ""
            yield name, f"`{image.image}`", parser or sources.get("engine", "")
    for exception in engine.exceptions:
        where = " and ".join(exception.accelerators) + (", prefill and decode" if exception.disaggregated else "")
        yield f"engine on {where}", f"`{exception.image}`", exception.reason
    for name, key, part in (
        ("endpoint picker", "picker", release.picker),
        ("model router", "router", release.router),
        ("routing sidecar", "sidecar", None if disaggregation is None else disaggregation.sidecar),
    ):
        if part is None:
            yield name, "none: no pattern `disaggregated`", ""
        else:
            program = load_upstream().programs.get(part.image)
            yield (
                name,
                f"`{part.image}`",
                f"source of {program.source}" if program is not None else sources.get(key, ""),
            )
    charts = release.charts
    named = [
        ("LeaderWorkerSet", charts.leader_worker_set),
        ("cert-manager", charts.cert_manager),
        ("KServe", charts.kserve),
        ("KEDA", charts.keda),
        ("Istio", charts.istio.control_plane if isinstance(charts.istio, IstioCharts) else charts.istio.operator),
    ]
    for name, chart in named:
        read = load_upstream().charts.get(name_of(chart))
        compared = f"source of {read.source}" if read is not None else sources.get("charts", "")
        yield name, f"chart {chart.version}{_support(name, chart)}", compared


def _support(name: str, chart: ChartRelease) -> str:
    key = {"cert-manager": "cert_manager", "Istio": "istio"}.get(name)
    end = load_support().end_of(key, chart.version) if key is not None and "sail" not in chart.chart else None
    return f" (upstream's support ended {end.ended})" if end is not None else ""
