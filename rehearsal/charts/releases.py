"""Installs, changes and removes the objects of a chart by Helm's rules."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Final

from rehearsal.errors import ChartError
from rehearsal.kube import Kube
from rehearsal.kube.types import Manifest, Manifests

MANAGER: Final = "helm"
_NAME: Final = "meta.helm.sh/release-name"
_NAMESPACE: Final = "meta.helm.sh/release-namespace"
_POLICY: Final = "helm.sh/resource-policy"
_CRD: Final = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
# Deleted together with their dependents, because Helm waits for their pods.
_OWNERS: Final = ("Deployment", "StatefulSet", "DaemonSet", "Job")


class ReleaseError(ChartError):
    """Helm refuses this. The text is close to Helm's."""


@dataclass(frozen=True)
class Release:
    """A release as stored in the cluster. `objects` are (apiVersion, kind, namespace, name)."""

    name: str
    namespace: str
    revision: int
    chart: str
    version: str
    app_version: str
    objects: tuple[tuple[str, str, str | None, str], ...]


def find(kube: Kube, namespace: str, name: str) -> Release | None:
    """The release of this name, None when there is none. Raises KubeError."""
    secret = kube.find("v1", "Secret", _secret_name(name), namespace)
    if secret is None:
        return None
    document = json.loads(base64.b64decode(secret["data"]["release"]))
    return Release(**{**document, "objects": tuple(tuple(identity) for identity in document["objects"])})


def save(kube: Kube, release: Release) -> None:
    """Save a release like Helm, in a Secret in its namespace."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": _secret_name(release.name),
            "namespace": release.namespace,
            "labels": {"owner": "helm", "name": release.name, "version": str(release.revision), "status": "deployed"},
        },
        "data": {"release": base64.b64encode(json.dumps(vars(release)).encode()).decode()},
    }
    kube.apply(secret, field_manager=MANAGER, force=True)


def install_kinds(kube: Kube, kinds: Manifests) -> None:
    """Create missing CRDs of a chart's folder `crds`. Helm never changes existing ones."""
    missing = [kind for kind in kinds if kube.find(*_CRD, kind["metadata"]["name"]) is None]
    for crd in missing:
        kube.create(crd, field_manager=MANAGER)
    kube.wait_established(crd["metadata"]["name"] for crd in missing)


def apply(kube: Kube, name: str, namespace: str, objects: Manifests) -> Manifests:
    """Apply all objects of a chart, labeled as the release's. Returns the stored objects.

    Raises ReleaseError before any write when an object belongs to another owner, KubeError when the server refuses.
    """
    for manifest in objects:
        _check_owner(kube, manifest, name, namespace)
    applied: Manifests = []
    fresh: set[str] = set()
    for manifest in objects:
        if manifest["kind"] == _CRD[1]:
            fresh.add(manifest["metadata"]["name"])
        elif fresh:
            kube.wait_established(fresh)
            fresh.clear()
        applied.append(_write(kube, _marked(kube, manifest, name, namespace)))
    kube.wait_established(fresh)
    return applied


def _write(kube: Kube, manifest: Manifest) -> Manifest:
    api_version, kind, _, name = identity(manifest)
    if kind != _CRD[1]:
        # Charts have unknown fields, which Helm does not reject.
        return kube.apply(manifest, field_manager=MANAGER, force=True, validation="Ignore")
    # Server-side apply of a CRD of KServe's size takes the API server half a minute.
    if kube.find(api_version, kind, name) is None:
        return kube.create(manifest, field_manager=MANAGER)
    return kube.patch(api_version, kind, name, manifest, field_manager=MANAGER)


def identity(manifest: Manifest) -> tuple[str, str, str | None, str]:
    about = manifest["metadata"]
    return manifest["apiVersion"], manifest["kind"], about.get("namespace"), about["name"]


def remove(kube: Kube, objects: tuple[tuple[str, str, str | None, str], ...]) -> Manifests:
    """Request the deletion of all objects in reverse order, except those that Helm keeps. Returns the deleted ones."""
    requested: Manifests = []
    for api_version, kind, namespace, name in reversed(objects):
        live = kube.find(api_version, kind, name, namespace)
        if live is None or (live["metadata"].get("annotations") or {}).get(_POLICY) == "keep":
            continue
        owner = kind in _OWNERS
        kube.delete(api_version, kind, name, namespace, propagation="Foreground" if owner else "Background")
        requested.append(live)
    return requested


def delete_record(kube: Kube, namespace: str, name: str) -> None:
    kube.delete("v1", "Secret", _secret_name(name), namespace)


def _secret_name(name: str) -> str:
    return f"sh.helm.release.v1.{name}"


def _check_owner(kube: Kube, manifest: Manifest, name: str, namespace: str) -> None:
    api_version, kind, own, called = identity(manifest)
    live = kube.find(api_version, kind, called, own or namespace)
    if live is None:
        return
    annotations = live["metadata"].get("annotations") or {}
    if (annotations.get(_NAME), annotations.get(_NAMESPACE)) != (name, namespace):
        raise ReleaseError(
            f'{kind} "{called}" in namespace "{own or ""}" exists and cannot be imported into the current release: '
            f"it was not made by release {namespace}/{name}"
        )


def _marked(kube: Kube, manifest: Manifest, name: str, namespace: str) -> Manifest:
    about = dict(manifest["metadata"])
    about["labels"] = {**(about.get("labels") or {}), "app.kubernetes.io/managed-by": "Helm"}
    about["annotations"] = {**(about.get("annotations") or {}), _NAME: name, _NAMESPACE: namespace}
    if kube.resource(manifest["apiVersion"], manifest["kind"]).namespaced:
        about.setdefault("namespace", namespace)
    else:
        about.pop("namespace", None)
    return {**manifest, "metadata": about}
