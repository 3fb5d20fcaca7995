"""The sources of charts by OCI reference, and the parts that cannot run here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rehearsal.toolchain.build import module_dir
from rehearsal.toolchain.targets import pinned


@dataclass(frozen=True)
class Source:
    """A chart (a folder) or only the CRDs of a chart (a file) in a Go module.

    `own` is a file of this project with further CRDs of the chart. `pins` is the toolchain's folder whose go.mod pins
    the module. `running` tells whether its programs run here. If not, its webhooks and hooks are left out, and
    `instead` describes what happens.
    """

    module: str
    pins: str
    path: str
    running: bool = True
    instead: str = ""
    own: Path | None = None

    @property
    def version(self) -> str:
        return pinned(self.pins, self.module)

    @property
    def location(self) -> Path:
        return module_dir(self.module, self.pins) / self.path


_KSERVE: Final = "github.com/kserve/kserve"

_ISTIO: Final = Source(
    "istio.io/api",
    "definitions",
    "kubernetes/customresourcedefinitions.gen.yaml",
    running=False,
    instead="Istio's CRDs are installed without a controller",
)

# By the last part of the chart's reference.
_SOURCES: Final = {
    "lws": Source("sigs.k8s.io/lws", "cluster", "charts/lws"),
    "kserve-llmisvc-crd": Source(_KSERVE, "charts", "charts/kserve-llmisvc-crd"),
    "kserve-llmisvc-resources": Source(_KSERVE, "charts", "charts/kserve-llmisvc-resources"),
    "kserve-runtime-configs": Source(_KSERVE, "charts", "charts/kserve-runtime-configs"),
    "cert-manager": Source(
        "github.com/cert-manager/cert-manager",
        "definitions",
        "deploy/charts/cert-manager",
        running=False,
        instead="the local authority signs certificates, and its webhook does not run",
    ),
    "base": _ISTIO,
    "sail-operator": replace(
        _ISTIO,
        instead="an Istio is marked ready as soon as its pull secrets exist",
        own=Path(__file__).resolve().parents[1] / "control_plane" / "crds" / "sailoperator.io.yaml",
    ),
}


def find(chart: str) -> Source | None:
    """The source of `oci://registry/path/name`, or of `name`; None for a chart that no Go module carries."""
    return _SOURCES.get(chart.rstrip("/").rsplit("/", 1)[-1])


def differences(chart: str, version: str) -> list[str]:
    """The differences of a chart of this version from the published one, one sentence for each."""
    source = find(chart)
    if source is None:
        return [f"the chart {chart} {version} is not installed: no Go module has it"]
    sentences = []
    if source.own is not None:
        sentences.append(
            f"of the chart {chart} {version} only the CRDs are installed: its own from this project, the others from "
            f"the Go module {source.module} {source.version}"
        )
    elif source.version.removeprefix("v") != version.removeprefix("v"):
        sentences.append(f"the chart {chart} is installed in version {source.version} instead of {version}")
    else:
        sentences.append(f"the chart {chart} {version} comes from the Go module {source.module} {source.version}")
    if source.instead:
        sentences.append(f"the programs of the chart {chart} do not run: {source.instead}")
    return sentences
