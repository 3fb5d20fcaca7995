"""Writes llm_d_gke/catalog/upstream.yaml from the sources of all releases."""

from __future__ import annotations

import datetime
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog.release import Release
from llm_d_gke.catalog.upstream import ChartSource, Package, Program, Upstream, load_upstream
from llm_d_gke.catalog.versions import version_numbers
from llm_d_gke.maintenance.engine_facts.environment import package_of
from llm_d_gke.maintenance.upstream.charts import charts_with_facts, name_of, read_chart
from llm_d_gke.maintenance.upstream.parts import (
    Folders,
    NotAvailableError,
    images,
    read_program,
    read_variables,
)

FILE = Path(__file__).resolve().parents[2] / "catalog" / "upstream.yaml"
_HEADER = """\
# What programs take and export, by image: flags, those that are on by default, what is deprecated, plugin types, labels
# by which they find objects, entry point, API versions of the configuration, API groups of objectives, roles of pods
# that decode, metrics. What a program does not have is left out. Charts, by name and version: how their kinds are
# installed, and whether their controller leaves replicas alone. And vLLM's environment variables with their types, each
# with the first and the last of the versions read that have it. Written by `make adopt
# ARGS=--write` from the Go modules and Python packages named here, not by hand.
"""


def renew(catalog: Catalog, folders: Folders, date: datetime.date) -> int:
    """Read every available source and write the file. Unavailable sources keep their earlier entry."""
    recorded, releases = load_upstream(), list(catalog.releases.values())
    tpu_versions = _versions(releases, "tpu")
    vllm = _package(
        _versions(releases, "gpu") | tpu_versions | set(recorded.vllm.versions),
        lambda version: read_variables(package_of(version), version, folders),
    )
    tpu = _package(
        tpu_versions | set(recorded.tpu_inference.versions),
        lambda version: read_variables("tpu-inference", version, folders),
    )
    programs, charts = _programs(releases, folders, recorded), _charts(releases, recorded)
    write(Upstream(date=date, programs=programs, charts=charts, vllm=vllm, tpu_inference=tpu))
    return 0


def read_release(release: Release, folders: Folders) -> Upstream:
    """The record with what the sources of one release say now: its programs and its charts."""
    recorded = load_upstream()
    parts = {"programs": _programs([release], folders, recorded), "charts": _charts([release], recorded)}
    return recorded.model_copy(update=parts)


def _programs(releases: Sequence[Release], folders: Folders, recorded: Upstream) -> dict[str, Program]:
    programs = dict(recorded.programs)
    for image in sorted({image for release in releases for image in images(release).values()}):
        try:
            programs[image] = read_program(image, folders)
        except NotAvailableError as error:
            print(f"kept as it was: {error}")
    return programs


def _charts(releases: Sequence[Release], recorded: Upstream) -> dict[str, ChartSource]:
    read = {name_of(chart): read_chart(chart) for release in releases for chart in charts_with_facts(release)}
    return {**recorded.charts, **{name: chart for name, chart in read.items() if chart is not None}}


def _versions(releases: Sequence[Release], kind: str) -> set[str]:
    images = (getattr(release.engine, kind) for release in releases)
    return {image.version for image in images if image is not None}


def write(upstream: Upstream, file: Path = FILE) -> None:
    lines = [_HEADER.rstrip(), f"date: {upstream.date}", "", "programs:"]
    for image, program in sorted(upstream.programs.items()):
        lines += [f'  "{image}":', f"    source: {program.source}", *_program(program)]
    lines += ["", "charts:"]
    for name, chart in sorted(upstream.charts.items()):
        facts = chart.model_dump(exclude_none=True, exclude_defaults=True)
        lines.append(f"  {name}: {{{', '.join(f'{key}: {_scalar(value)}' for key, value in facts.items())}}}")
    for name, package in (("vllm", upstream.vllm), ("tpu_inference", upstream.tpu_inference)):
        lines += ["", f"{name}:", *_list("  ", "versions", package.versions)]
        lines.append("  variables:")
        for key, seen in sorted(package.variables.items()):
            earlier = (f"{type_} until {last}" for last, type_ in seen.earlier)
            text = ", ".join((*earlier, f"{seen.type} {seen.first} {seen.last}"))
            lines.append(f'    {key}: "{text}"')
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _scalar(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _program(program: Program) -> list[str]:
    fields = (name for name in Program.model_fields if name != "source")
    return [line for name in fields if getattr(program, name) for line in _list("    ", name, getattr(program, name))]


def _list(indent: str, name: str, values: Iterable[str]) -> list[str]:
    text = f"{name}: [{', '.join(values)}]"
    return textwrap.wrap(text, 120, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False)


def _package(versions: set[str], read_types: Callable[[str], Mapping[str, str]]) -> Package:
    """Availability in several versions of a package, without versions whose wheel cannot be downloaded."""
    read: list[str] = []
    variables: dict[str, dict[str, Any]] = {}
    for version in sorted(versions, key=version_numbers):
        try:
            types = read_types(version)
        except NotAvailableError as error:
            print(f"left out: {error}")
            continue
        read.append(version)
        for name, type_ in types.items():
            seen = variables.setdefault(name, {"first": version})
            if seen.get("type", type_) != type_:
                seen["earlier"] = (*seen.get("earlier", ()), (seen["last"], seen["type"]))
            seen |= {"last": version, "type": type_}
    return Package.model_validate({"versions": read, "variables": variables})
