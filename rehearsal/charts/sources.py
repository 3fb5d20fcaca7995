"""Where the chart behind an OCI reference is had from, and what of it cannot run here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rehearsal.toolchain.build import module_dir
from rehearsal.toolchain.targets import pinned


@dataclass(frozen=True)
class Source:
    """A chart (a folder), or the kinds alone that a chart would install (a file), in a Go module.

    `own` is a file of the rehearsal's with more kinds of the chart, which no module carries.
    `pins` is the toolchain's folder whose go.mod pins the module. `running` tells whether its programs run here: of
    one that does not, `instead` says what happens, and its webhooks and hooks are left out, for nobody would answer.
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
    instead="Istio's kinds are there, and nobody acts on them",
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
        instead="certificates are signed by the rehearsal's own authority, and its webhook judges nothing",
    ),
    "base": _ISTIO,
    "sail-operator": replace(
        _ISTIO,
        instead="an Istio is called ready as soon as its pull secrets are there",
        own=Path(__file__).resolve().parents[1] / "control_plane" / "crds" / "sailoperator.io.yaml",
    ),
}


def find(chart: str) -> Source | None:
    """The source of `oci://registry/path/name`, or of `name`; None for a chart that no Go module carries."""
    return _SOURCES.get(chart.rstrip("/").rsplit("/", 1)[-1])


def differences(chart: str, version: str) -> list[str]:
    """What the rehearsal does otherwise with a chart of this version, one sentence each."""
    source = find(chart)
    if source is None:
        return [f"of the chart {chart} {version} nothing is installed: no Go module carries it"]
    sentences = []
    if source.own is not None:
        sentences.append(
            f"of the chart {chart} {version} the kinds alone are there: its own as the rehearsal restates them, the "
            f"others from the Go module {source.module} {source.version}"
        )
    elif source.version.removeprefix("v") != version.removeprefix("v"):
        sentences.append(f"the chart {chart} is asked for in {version} and rehearsed in {source.version}")
    else:
        sentences.append(f"the chart {chart} {version} comes from the Go module {source.module} {source.version}")
    if source.instead:
        sentences.append(f"the programs of the chart {chart} do not run here: {source.instead}")
    return sentences
