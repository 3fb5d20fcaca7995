"""The objects that GKE installs into a new cluster: CRDs, Gateway classes, storage classes, managed Prometheus."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from llm_d_gke.catalog.reading import LOADER
from llm_d_gke.catalog.versions import reaches
from llm_d_gke.kube import Kube, KubeError, Manifest, Manifests
from llm_d_gke.kube.conditions import is_true, timestamp
from llm_d_gke.planning.gke_versions import DRANET_SINCE, brings_inference_pool
from llm_d_gke.rehearsal.toolchain.build import module_dir

_FOLDER: Final = Path(__file__).resolve().parent / "crds"
GATEWAY_API: Final = "sigs.k8s.io/gateway-api"
_INFERENCE: Final = "sigs.k8s.io/gateway-api-inference-extension"
_DEFINITION: Final = "CustomResourceDefinition"
_IS_DEFINITION: Final = f"kind: {_DEFINITION}\n"
# The field manager of GKE's add-ons. A stack that applies the same objects gets a conflict, as it does on GKE.
_MANAGER: Final = "addon-manager"
# A field's description with its further lines, which are two thirds of these CRDs and decide nothing. The API server
# reads and writes all of them several times for each kind.
_DESCRIPTION: Final = re.compile(r"^( *)description: .*\n(?:(?:\1 +.*)?\n)*", re.MULTILINE)


@dataclass(frozen=True)
class Features:
    """The settings of a cluster that decide what GKE installs into it.

    `version` is GKE's (`1.34.1-gke.1829001`); `gateway_api`: the cluster's Gateway API channel is `standard` (the HTTP
    load balancing add-on with it); `managed_prometheus`: managed collection is on; `service_range` is a CIDR block for
    Services; `secret_manager`: the Secret Manager add-on is on.
    """

    version: str
    gateway_api: bool = True
    managed_prometheus: bool = True
    service_range: str = "10.96.0.0/16"
    secret_manager: bool = False


def files(features: Features) -> list[Path]:
    """The YAML files of everything that GKE installs."""
    # Every cluster has the first two since GKE 1.30.3 (about-custom-compute-classes).
    names = ["cloud.google.com", "autoscaling.gke.io", "objects"]
    of_modules: list[Path] = []
    if features.gateway_api:
        of_modules += _definitions(GATEWAY_API, "standard/gateway.networking.k8s.io")
        names += ["networking.gke.io", "gateway_classes"]
        if brings_inference_pool(features.version):
            of_modules += _definitions(_INFERENCE, "bases/inference.networking.k8s.io")
    if features.managed_prometheus:
        names += ["monitoring.googleapis.com", "managed_prometheus"]
    if reaches(features.version, DRANET_SINCE):
        names.append("managed_dranet")
    if features.secret_manager:
        names.append("secrets-store.csi.x-k8s.io")
    return [*of_modules, *(_FOLDER / f"{name}.yaml" for name in names)]


def install(kube: Kube, features: Features, report: Callable[[str], None]) -> None:
    """Apply all objects and return once every kind is served. Idempotent. Raises KubeError."""
    kube = kube.managed_by(_MANAGER)
    manifests = [manifest for file in files(features) for manifest in _parse(file)]
    kinds = (_DEFINITION, "GatewayClass")
    crds, classes = ([manifest for manifest in manifests if manifest["kind"] == kind] for kind in kinds)
    objects = [manifest for manifest in manifests if manifest["kind"] not in kinds]
    report(f"installing what GKE {features.version} installs: {len(crds)} kinds, {len(objects) + len(classes)} objects")
    with ThreadPoolExecutor(max_workers=4) as pool:  # the server takes half a second over the rules of a large kind
        done = pool.map(lambda crd: _apply(kube, crd), crds)
        for manifest in objects:
            _apply(kube, manifest)
        list(done)
    kube.wait_established(crd["metadata"]["name"] for crd in crds)
    for manifest in classes:
        _accept(kube, _apply(kube, manifest))


def wait_served(kube: Kube) -> None:
    """Return once every kind of the cluster is served. Raises KubeError."""
    definitions = kube.list("apiextensions.k8s.io/v1", _DEFINITION)
    kube.wait_established(definition["metadata"]["name"] for definition in definitions)


def _apply(kube: Kube, manifest: Manifest) -> Manifest:
    try:
        return kube.apply(manifest, force=True)
    except KubeError as error:
        raise KubeError(f"{manifest['kind']} {manifest['metadata']['name']}: {error}") from error


def _accept(kube: Kube, gateway_class: Manifest) -> None:
    if is_true(gateway_class, "Accepted"):
        return
    accepted = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "observedGeneration": gateway_class["metadata"]["generation"],
        "lastTransitionTime": timestamp(),
    }
    name = gateway_class["metadata"]["name"]
    kube.patch_status(gateway_class["apiVersion"], "GatewayClass", name, {"conditions": [accepted]})


def _definitions(module: str, group: str) -> list[Path]:
    """The files of one group's CRDs in a module, which may hold its other objects too."""
    folder = module_dir(module) / "config" / "crd"
    crds = [file for file in sorted(folder.glob(f"{group}_*.yaml")) if _IS_DEFINITION in file.read_text("utf-8")]
    if not crds:
        raise KubeError(f"no CRD in {folder}: run `go clean -modcache` and try again, which fetches the module again")
    return crds


def without_descriptions(text: str) -> str:
    """CRDs as YAML in the block style that controller-gen writes; any other text as it is.

    A property of this name stays.
    """
    return _DESCRIPTION.sub("", text) if _IS_DEFINITION in text else text


def _parse(file: Path) -> Manifests:
    """All objects of a YAML file, with Lists expanded, and CRDs without the descriptions of fields."""
    text = file.read_text(encoding="utf-8")
    manifests: Manifests = []
    for manifest in filter(None, yaml.load_all(without_descriptions(text), LOADER)):
        manifests += manifest["items"] if manifest["kind"] == "List" else [manifest]
    return manifests
