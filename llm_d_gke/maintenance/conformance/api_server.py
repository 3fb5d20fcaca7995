"""A real API server that validates objects, started in a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from llm_d_gke.kube.client import Kube
from llm_d_gke.kube.types import ApiError, Conflict, KubeError, UnknownKind
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.control_plane.addons import Features
from llm_d_gke.rehearsal.control_plane.control_plane import ControlPlane
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.toolchain.build import Report
from llm_d_gke.waiting import wait_until

# What GKE installs into a cluster of this version is there as well: the Gateway API, InferencePool, PodMonitoring.
GKE_VERSION: Final = "1.34.1-gke.1829001"
# Two of KServe's kinds, whose schemas have several megabytes, on a busy machine.
_DELETED_SECONDS: Final = 120.0
_DEFINITIONS: Final = "apiextensions.k8s.io/v1"


# The recorded graph's placeholder for an address that Google assigns, and an address from the documentation range.
_UNKNOWN: Final = "[unknown]"
_ADDRESS: Final = "192.0.2.1"


@dataclass(frozen=True)
class Judged:
    """Accepted objects with the server's defaults, and its messages about all objects, each once."""

    accepted: tuple[Mapping[str, Any], ...]
    lines: tuple[str, ...]


class ApiServer:
    """Validates objects without storing them: structural schemas, CEL rules and Kubernetes' own validation."""

    def __init__(self, kube: Kube, warnings: list[str], kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._kube = kube
        self._warnings = warnings
        self._defined: set[str] = set()

    @property
    def version(self) -> str:
        return self._kube.server_version()

    def define(self, crds: Sequence[Mapping[str, Any]]) -> None:
        """Serve these CRDs, replacing those of the same names."""
        for crd in crds:
            name = crd["metadata"]["name"]
            if name in self._defined:
                self._kube.delete(_DEFINITIONS, "CustomResourceDefinition", name)
        self._wait_deleted(self._defined & {crd["metadata"]["name"] for crd in crds})
        for crd in crds:
            # The controller converts between versions, and does not run here. Objects are judged as they are written.
            spec = {key: value for key, value in crd["spec"].items() if key != "conversion"}
            own = {key: crd["metadata"][key] for key in ("name", "annotations") if key in crd["metadata"]}
            own.get("annotations", {}).pop("cert-manager.io/inject-ca-from", None)
            self._kube.apply({**crd, "metadata": own, "spec": spec}, force=True)
            self._defined.add(own["name"])
        self._kube.wait_established(crd["metadata"]["name"] for crd in crds)

    def withdraw(self) -> None:
        """Stop serving all kinds that `define` added."""
        for name in self._defined:
            self._kube.delete(_DEFINITIONS, "CustomResourceDefinition", name)
        self._wait_deleted(set(self._defined))

    def store(self, manifests: Sequence[Mapping[str, Any]]) -> None:
        """Create these objects, or change them."""
        for manifest in manifests:
            self._kube.apply(dict(manifest), force=True)

    def judge(self, manifests: Sequence[Mapping[str, Any]]) -> Judged:
        """Submit objects as a dry run in namespace `default`. The server stores none of them."""
        messages: dict[str, None] = {}
        accepted: list[Mapping[str, Any]] = []
        for manifest in manifests:
            metadata = {key: value for key, value in manifest["metadata"].items() if key != "namespace"}
            self._warnings.clear()
            try:
                accepted.append(self._kube.create(_with_address({**manifest, "metadata": metadata}), dry_run=True))
            except UnknownKind:
                messages[f"{manifest['kind']} is not served in {manifest['apiVersion']}"] = None
            except Conflict:
                continue  # it already exists, such as namespace `default`
            except ApiError as error:
                messages[f"{manifest['kind']}: {' '.join(str(error).split())[:400]}"] = None
            # The server warns of versions and fields that are deprecated.
            messages |= dict.fromkeys(f"{manifest['kind']}: {text}" for text in self._warnings)
        return Judged(tuple(accepted), tuple(messages))

    def _wait_deleted(self, names: set[str]) -> None:
        def deleted() -> bool:
            return all(self._kube.find(_DEFINITIONS, "CustomResourceDefinition", name) is None for name in names)

        def late() -> KubeError:
            return KubeError(f"still there after {_DELETED_SECONDS:.0f} s: {', '.join(sorted(names))}")

        wait_until(deleted, timeout=_DELETED_SECONDS, on_timeout=late)
        self._defined -= names


def _with_address(value: Any) -> Any:
    """Replace the placeholder for addresses that only a deployment knows."""
    if isinstance(value, Mapping):
        return {key: _with_address(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_address(inner) for inner in value]
    return _ADDRESS if value == _UNKNOWN else value


@contextmanager
def api_server(report: Report) -> Iterator[ApiServer]:
    """Run an API server in a temporary folder for the duration of the block."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        plane = ControlPlane(StackPaths("conformance", Path(folder)))
        warnings: list[str] = []
        try:
            plane.start(Features(GKE_VERSION, secret_manager=True), report)
            with client(plane.paths, on_warning=warnings.append) as kube:
                yield ApiServer(kube, warnings, plane.paths.kubeconfig)
        finally:
            plane.stop()
