"""What the sources of charts say about their kinds, and KServe's about replicas and presets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from llm_d_gke.catalog.release import ChartRelease, Release
from llm_d_gke.catalog.upstream import ChartSource
from llm_d_gke.rehearsal.charts.sources import find
from llm_d_gke.rehearsal.toolchain.build import module_dir

_CONTROLLER = "pkg/controller/v1alpha2/llmisvc/workload_single_node.go"
_PRESETS = "pkg/controller/v1alpha2/llmisvc/llmisvcconfig_controller.go"


def charts_with_facts(release: Release) -> Iterator[ChartRelease]:
    """The charts about which a release states more than a version."""
    yield from (release.charts.leader_worker_set, release.charts.kserve_crds, release.charts.kserve)


def name_of(chart: ChartRelease) -> str:
    """Name and version of a chart, as upstream.yaml has them."""
    return f"{chart.chart.rpartition('/')[2]} {chart.version}"


def read_chart(chart: ChartRelease) -> ChartSource | None:
    """Read a chart in the Go module of its version; None where no module of that version is pinned here."""
    source = find(chart.chart, chart.version)
    if source is None or source.version.removeprefix("v") != chart.version.removeprefix("v"):
        return None
    root = module_dir(source.module, source.pins)
    templates = [file.read_text(encoding="utf-8") for file in (root / source.path / "templates").rglob("*.yaml")]
    kinds = [text for text in templates if re.search(r"^kind: CustomResourceDefinition", text, re.MULTILINE)]
    installed_once = any((root / source.path).glob("crds/*.yaml"))
    return ChartSource(
        source=f"{source.module}@{source.version}",
        kinds="upgraded" if kinds else "once" if installed_once else None,
        deletes_kinds=any("helm.sh/resource-policy: keep" not in text for text in kinds),
        keeps_scale=_keeps_scale(root),
        finalizes_presets=_finalizes_presets(root),
    )


def _keeps_scale(root: Path) -> bool | None:
    """Whether KServe's controller keeps the replicas of a Deployment whose service states none."""
    file = root / _CONTROLLER
    return "PreserveDeploymentReplicas()" in file.read_text(encoding="utf-8") if file.exists() else None


def _finalizes_presets(root: Path) -> bool | None:
    """Whether KServe's controller puts a finalizer on its presets."""
    file = root / _PRESETS
    if not (root / _CONTROLLER).exists():
        return None
    return file.exists() and "AddFinalizer(" in file.read_text(encoding="utf-8")


def differing_facts(release: Release, chart: ChartRelease, source: ChartSource | None) -> Iterator[str]:
    """Facts that a release states about a chart and its source does not confirm. Without a source, none is known."""
    stated: dict[str, object] = {"kinds": chart.kinds, "deletes_kinds": chart.deletes_kinds}
    if chart is release.charts.kserve:
        stated = {
            "keeps_scale": release.charts.kserve_keeps_scale,
            "finalizes_presets": release.charts.kserve_finalizes_presets,
        }
    for name, value in stated.items():
        if source is None and value:
            yield f"{name} is {value} for {name_of(chart)}, which was not read"
        elif source is not None and value != getattr(source, name):
            yield f"{name} is {value}, and {getattr(source, name)} in the source of {name_of(chart)}"
