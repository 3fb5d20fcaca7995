"""The sources of charts by name, and their parts that a rehearsal does not run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from llm_d_gke import catalog
from llm_d_gke.catalog.release import ChartRelease, ChartReleases, IstioCharts
from llm_d_gke.rehearsal.toolchain.build import module_dir
from llm_d_gke.rehearsal.toolchain.targets import pinned


@dataclass(frozen=True)
class Source:
    """A chart (a folder), or only the CRDs of a chart (a file), in a Go module.

    `pins` is the toolchain's folder whose go.mod pins the module. `own` is a file of this project with further CRDs of
    the chart. `left_out` are patterns of files of the chart that need programs that do not run here. `stand_in` names
    the replacement of the chart's programs, empty where they run.
    """

    module: str
    pins: str
    path: str
    own: Path | None = None
    left_out: tuple[str, ...] = ()
    stand_in: str = ""

    @property
    def version(self) -> str:
        return pinned(self.pins, self.module)

    @property
    def location(self) -> Path:
        return module_dir(self.module, self.pins) / self.path


_KSERVE: Final = "github.com/kserve/kserve"
_LWS: Final = "sigs.k8s.io/lws"

_ISTIO: Final = Source(
    "istio.io/api",
    "definitions",
    "kubernetes/customresourcedefinitions.gen.yaml",
    stand_in="Istio's CRDs are installed, and the local Envoy serves its Gateways",
)

# By the last part of the chart's reference.
_SOURCES: Final = {
    "lws": Source(_LWS, "cluster", "charts/lws"),
    "kserve-llmisvc-crd": Source(_KSERVE, "kserve", "charts/kserve-llmisvc-crd"),
    "kserve-llmisvc-resources": Source(_KSERVE, "kserve", "charts/kserve-llmisvc-resources"),
    "kserve-runtime-configs": Source(_KSERVE, "kserve", "charts/kserve-runtime-configs"),
    "cert-manager": Source(
        "github.com/cert-manager/cert-manager",
        "definitions",
        "deploy/charts/cert-manager",
        # A webhook without its program would refuse every certificate, and a hook without one would never end.
        left_out=("templates/webhook-*-webhook.yaml", "templates/startupapicheck-*.yaml"),
        stand_in="the local authority signs certificates, and its webhook does not run",
    ),
    "keda": Source("github.com/kedacore/charts", "definitions", "keda"),
    "base": _ISTIO,
    # Its chart would bring only istiod.
    "istiod": replace(_ISTIO, path="", stand_in="the chart is empty, and the local Envoy serves Istio's Gateways"),
    "sail-operator": replace(
        _ISTIO,
        stand_in="an Istio is marked ready as soon as its pull secrets exist",
        own=Path(__file__).resolve().parents[1] / "control_plane" / "crds" / "sailoperator.io.yaml",
    ),
}


# Pins of the versions that other releases name, by Go module: the folders of their controllers.
_OTHER_PINS: Final = {_KSERVE: ("charts", "versions/llmisvc-v0.17.0")}


def find(chart: str, version: str | None = None) -> Source | None:
    """The source of `oci://registry/path/name`, or of `name`, in a version, or else in that of the default release.

    None for a chart that no Go module carries.
    """
    source = _SOURCES.get(chart.rstrip("/").rsplit("/", 1)[-1])
    if source is None or version is None:
        return source
    others = (replace(source, pins=pins) for pins in _OTHER_PINS.get(source.module, ()))
    return next((release for release in (source, *others) if _same(release.version, version)), source)


def _same(version: str, other: str) -> bool:
    return _without_go_suffix(version) == _without_go_suffix(other)


def _without_go_suffix(version: str) -> str:
    """Without what Go modules add to a version."""
    return version.removeprefix("v").removesuffix("+incompatible")


def published() -> list[ChartRelease]:
    """Every chart of the catalog's releases, with its address and version."""
    releases: list[ChartRelease] = []
    for release in catalog.load().releases.values():
        releases += _charts(release.charts)
    return releases


def _charts(charts: ChartReleases) -> list[ChartRelease]:
    istio = charts.istio
    istio_charts = [istio.base, istio.control_plane] if isinstance(istio, IstioCharts) else [istio.operator]
    own = [charts.leader_worker_set, charts.cert_manager, charts.kserve_crds, charts.kserve, charts.kserve_presets]
    own.append(charts.keda)
    return [*own, *istio_charts]


def differences(chart: str, version: str) -> list[str]:
    """The differences of a chart of this version from the published one, one sentence for each."""
    source = find(chart, version)
    if source is None:
        return []
    sentences = []
    if source.own is not None:
        sentences.append(
            f"of the chart {chart} {version} only the CRDs are installed: its own from this project, the others from "
            f"the Go module {source.module} {source.version}"
        )
    elif not _same(source.version, version):
        sentences.append(f"the chart {chart} is installed in version {source.version} instead of {version}")
    else:
        sentences.append(f"the chart {chart} {version} comes from the Go module {source.module} {source.version}")
    if source.stand_in:
        sentences.append(f"the programs of the chart {chart} do not run: {source.stand_in}")
    return sentences
