"""docs/releases.md: the versions of each release, and what upgrading to it changes."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke import catalog
from llm_d_gke.catalog.images import ImageFacts, load_images
from llm_d_gke.catalog.release import ChartRelease, IstioCharts, Release
from llm_d_gke.catalog.support import load_support
from llm_d_gke.catalog.upstream import load_upstream
from llm_d_gke.cli.markdown import table
from llm_d_gke.maintenance.upstream.charts import name_of
from llm_d_gke.stackfile import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "releases.md"
_UNKNOWN = "not known"


def page() -> str:
    releases = catalog.load().releases
    lines = [
        "# Releases",
        "",
        "A release is a set of versions that belong together. `llm-d:release` names one. This page is written from the"
        " catalog by `python -m llm_d_gke.maintenance.reference releases`.",
        "",
        "`make adopt RELEASE=llm-d-0.10` compares a release with the sources of its parts, where the Go module proxy or"
        " PyPI have them. No release has run on GKE yet.",
        "",
        *_overview(list(releases.values())),
    ]
    for release in releases.values():
        lines += ["", *_release(release)]
    return "\n".join(lines) + "\n"


_OVERVIEW = ("release", "engine on GPU", "engine on TPU", "endpoint picker", "model router", "KServe")


def _overview(releases: list[Release]) -> Iterator[str]:
    rows = [
        (
            f"[{release.name}](#{_anchor(release)})",
            f"vLLM {release.engine.gpu.version}",
            f"vLLM {release.engine.tpu.version}" if release.engine.tpu is not None else "none",
            release.picker.version,
            release.router.version,
            release.charts.kserve.version,
            "not all" if release.unproven else "all",
        )
        for release in releases
    ]
    return table((*_OVERVIEW, "parts read at source"), rows)


def _release(release: Release) -> Iterator[str]:
    yield f"## {release.name}"
    yield ""
    when = f", released {release.released}" if release.released is not None else ""
    yield f"{release.title}{when}. Values as of {release.as_of}."
    if release.caveat is not None:
        yield ""
        yield f"{release.caveat}."
    for title, entries in (
        ("Changes", release.changes),
        ("What a stack has to change", release.migration),
        ("Not proven", release.unproven),
    ):
        if entries:
            yield ""
            yield f"### {title}: {release.name}"
            yield ""
            yield from (f"- {_sentence(entry)}." for entry in entries)
    yield ""
    yield f"### Parts: {release.name}"
    yield ""
    yield from table(("part", "version or image", "compared with"), _parts(release))
    yield ""
    yield from _image(release)


def _sentence(entry: str) -> str:
    """With a capital, unless it begins with a name that has none: `picker.config`, `vLLM`."""
    first = entry.split()[0].rstrip(":,")
    return entry if "." in first or "[" in first or not first.islower() else entry[0].upper() + entry[1:]


def _parts(release: Release) -> Iterator[tuple[str, str, str]]:
    """Name, value and source of each part."""
    sources = release.sources
    engine = release.engine
    yield "engine on GPU", f"`{engine.gpu.image}`", _arguments(engine.gpu.version) or sources.get("engine", "")
    if engine.tpu is not None:
        yield "engine on TPU", f"`{engine.tpu.image}`", _arguments(engine.tpu.version) or sources.get("engine", "")
    for exception in engine.exceptions:
        where = " and ".join(exception.accelerators) + (", prefill and decode" if exception.disaggregated else "")
        yield f"engine on {where}", f"`{exception.image}`", exception.reason
    yield "endpoint picker", f"`{release.picker.image}`", _program(release.picker.image) or sources.get("picker", "")
    yield "model router", f"`{release.router.image}`", _program(release.router.image) or sources.get("router", "")
    if release.disaggregation is not None:
        sidecar = release.disaggregation.sidecar
        yield "routing sidecar", f"`{sidecar.image}`", _program(sidecar.image) or sources.get("sidecar", "")
    else:
        yield "routing sidecar", "none: no pattern `disaggregated`", ""
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


def _program(image: str) -> str:
    program = load_upstream().programs.get(image)
    return f"source of {program.source}" if program is not None else ""


def _arguments(version: str) -> str:
    return f"vLLM {version}'s own parser" if version in load_upstream().vllm.versions else ""


def _image(release: Release) -> Iterator[str]:
    images = load_images()
    facts = images.find(release.engine.gpu.image) or ImageFacts(sources=())
    needed = images.minimum_driver(facts.cuda_major) if facts.cuda_major is not None else None
    driver = f"{needed} or newer" if needed is not None else _UNKNOWN
    yield (
        f"Its GPU image: CUDA {facts.cuda or _UNKNOWN}, driver {driver}, own library"
        f" path {_paths(facts.library_path)}, links at start {_answer(facts.links)}, entry point"
        f" {_code(facts.entry_point)}, user {facts.user or _UNKNOWN}, size"
        f" {f'{facts.size_gib:g} GiB' if facts.size_gib else _UNKNOWN}."
    )


def _paths(paths: tuple[str, ...] | None) -> str:
    return _UNKNOWN if paths is None else f"`{':'.join(paths)}`"


def _code(words: tuple[str, ...] | None) -> str:
    return _UNKNOWN if words is None else f"`{' '.join(words)}`"


def _answer(value: bool | None) -> str:
    return _UNKNOWN if value is None else "yes" if value else "no"


def _anchor(release: Release) -> str:
    return release.name.replace(".", "")
