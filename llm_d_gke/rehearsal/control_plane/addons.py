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


def install(kube: Kube, features: Features, report: Callable[[str], None]) -> None:
    """Apply all objects and return once every kind is served. Idempotent. Raises KubeError."""
    gke_version = features.version
    kube = kube.managed_by(_MANAGER)
    # Every cluster has it since GKE 1.30.3 (about-custom-compute-classes).
    crds: Manifests = _read(_FOLDER / "cloud.google.com.yaml")
    crds += _read(_FOLDER / "autoscaling.gke.io.yaml")
    objects = _read(_FOLDER / "objects.yaml")
    classes: Manifests = []
    if features.gateway_api:
        crds += _definitions(module_dir(GATEWAY_API) / "config" / "crd" / "standard")
        crds += _read(_FOLDER / "networking.gke.io.yaml")
        classes = _read(_FOLDER / "gateway_classes.yaml")
        if brings_inference_pool(gke_version):
            inference = _definitions(module_dir(_INFERENCE) / "config" / "crd" / "bases")
            crds += [crd for crd in inference if crd["spec"]["group"] == "inference.networking.k8s.io"]
    if features.managed_prometheus:
        crds += _read(_FOLDER / "monitoring.googleapis.com.yaml")
        objects += _read(_FOLDER / "managed_prometheus.yaml")
    if reaches(gke_version, DRANET_SINCE):
        objects += _read(_FOLDER / "managed_dranet.yaml")
    if features.secret_manager:
        crds += _read(_FOLDER / "secrets-store.csi.x-k8s.io.yaml")
    report(f"installing what GKE {gke_version} installs: {len(crds)} kinds, {len(objects) + len(classes)} objects")
    with ThreadPoolExecutor(max_workers=4) as pool:  # the server takes half a second over the rules of a large kind
        done = pool.map(lambda crd: _apply(kube, crd), crds)
        for manifest in objects:
            _apply(kube, manifest)
        list(done)
    kube.wait_established(crd["metadata"]["name"] for crd in crds)
    for manifest in classes:
        _accept(kube, _apply(kube, manifest))


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


def _definitions(folder: Path) -> Manifests:
    """The CRDs of a module's folder, which may hold other objects too, without the descriptions of fields."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise KubeError(f"no CRD in {folder}: run `go clean -modcache` and try again, which fetches the module again")
    texts = [without_descriptions(file.read_text(encoding="utf-8")) for file in files]
    return [item for text in texts for item in _parse(text) if item["kind"] == "CustomResourceDefinition"]


def without_descriptions(text: str) -> str:
    """CRDs as YAML in the block style that controller-gen writes. A property of this name stays."""
    return _DESCRIPTION.sub("", text)


def _read(file: Path) -> Manifests:
    return _parse(file.read_text(encoding="utf-8"))


def _parse(text: str) -> Manifests:
    """All objects of a YAML text, with Lists expanded."""
    manifests: Manifests = []
    for manifest in filter(None, yaml.load_all(text, Loader=LOADER)):
        manifests += manifest["items"] if manifest["kind"] == "List" else [manifest]
    return manifests
