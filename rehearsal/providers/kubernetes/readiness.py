# ruff: noqa: ARG001, N818 - every test takes the connection
"""Readiness of the kinds that Pulumi's provider waits for.

After pulumi-kubernetes provider/pkg/await, 2026-07, with three liberties: no 10 s for endpoints to settle; a Deployment
whose progress deadline has passed fails at once and not at the timeout; a CRD is ready when it is served.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from rehearsal.errors import ProviderError
from rehearsal.kube import Kube
from rehearsal.kube.conditions import is_true
from rehearsal.kube.types import Manifest
from rehearsal.providers.kubernetes.objects import metadata
from rehearsal.providers.kubernetes.waiting import Verdict, condition, conditions

Readiness: TypeAlias = Callable[[Kube, Manifest], Verdict]


class Hopeless(ProviderError):
    """The object cannot become ready."""


def of(manifest: Mapping[str, Any]) -> Readiness | None:
    """The test for the manifest's kind, None for a kind that is ready once it exists."""
    group = str(manifest["apiVersion"]).rpartition("/")[0]
    return _BUILT_IN.get((group, str(manifest["kind"])))


def _status(manifest: Manifest) -> Manifest:
    return manifest.get("status") or {}


def _unseen(manifest: Manifest) -> Verdict:
    seen = int(_status(manifest).get("observedGeneration") or 0)
    return "its controller has not seen the last change" if seen < int(metadata(manifest)["generation"]) else None


def _wanted_replicas(manifest: Manifest) -> int:
    return int(manifest["spec"].get("replicas", 1))


def deployment(kube: Kube, manifest: Manifest) -> Verdict:
    unseen = _unseen(manifest)
    if unseen:
        return unseen
    for found in conditions(manifest):
        if found.get("type") == "Progressing" and found.get("reason") == "ProgressDeadlineExceeded":
            raise Hopeless(f"[ProgressDeadlineExceeded] {found.get('message')}")
    status, wanted = _status(manifest), _wanted_replicas(manifest)
    updated, available = int(status.get("updatedReplicas") or 0), int(status.get("availableReplicas") or 0)
    if updated < wanted:
        return f"{updated} of {wanted} pods have been updated"
    if available < wanted:
        return f"{available} of {wanted} pods are available"
    return condition("Available")(manifest)


def stateful_set(kube: Kube, manifest: Manifest) -> Verdict:
    unseen = _unseen(manifest)
    if unseen:
        return unseen
    status, wanted = _status(manifest), _wanted_replicas(manifest)
    ready = int(status.get("readyReplicas") or 0)
    if ready < wanted:
        return f"{ready} of {wanted} pods are ready"
    on_delete = (manifest["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"
    if not on_delete and status.get("currentRevision") != status.get("updateRevision"):
        return f"{int(status.get('updatedReplicas') or 0)} of {wanted} pods have been updated"
    return None


def daemon_set(kube: Kube, manifest: Manifest) -> Verdict:
    unseen = _unseen(manifest)
    if unseen:
        return unseen
    status = _status(manifest)
    wanted, ready = int(status.get("desiredNumberScheduled") or 0), int(status.get("numberReady") or 0)
    updated = int(status.get("updatedNumberScheduled") or 0)
    return None if min(ready, updated) >= wanted else f"{min(ready, updated)} of {wanted} pods are ready"


def job(kube: Kube, manifest: Manifest) -> Verdict:
    for found in conditions(manifest):
        if found.get("status") == "True" and found.get("type") == "Failed":
            raise Hopeless(f"[{found.get('reason')}] {found.get('message')}")
    if manifest["spec"].get("suspend"):
        return None
    status = _status(manifest)
    counts = ", ".join(f"{int(status[key])} {key}" for key in ("active", "succeeded", "failed") if status.get(key))
    return None if condition("Complete")(manifest) is None else f"its pods: {counts or 'none yet'}"


def pod(kube: Kube, manifest: Manifest) -> Verdict:
    phase = _status(manifest).get("phase")
    if phase == "Failed":
        raise Hopeless(f"the pod failed: {_status(manifest).get('message') or 'no message'}")
    return None if phase == "Succeeded" else condition("Ready")(manifest)


def _load_balancer(manifest: Manifest) -> Verdict:
    if (_status(manifest).get("loadBalancer") or {}).get("ingress"):
        return None
    return "no IP address was allocated so far"


def service(kube: Kube, manifest: Manifest) -> Verdict:
    spec = manifest["spec"]
    kind = spec.get("type", "ClusterIP")
    unaddressed = _load_balancer(manifest) if kind == "LoadBalancer" else None
    if unaddressed or kind == "ExternalName" or spec.get("clusterIP") == "None" or not spec.get("selector"):
        return unaddressed
    # The real provider looks at the endpoints of the Service. Pods with loopback addresses never appear there, so this
    # looks at the pods.
    labels = ",".join(f"{key}={value}" for key, value in spec["selector"].items())
    pods = kube.list("v1", "Pod", metadata(manifest)["namespace"], labels=labels)
    endpoints = [pod for pod in pods if _status(pod).get("podIP") and "deletionTimestamp" not in pod["metadata"]]
    pending = [pod for pod in endpoints if not is_true(pod, "Ready")]
    return f"{len(pending)} of {len(endpoints)} endpoints are not ready" if pending else None


def ingress(kube: Kube, manifest: Manifest) -> Verdict:
    return _load_balancer(manifest)


def volume_claim(kube: Kube, manifest: Manifest) -> Verdict:
    phase = _status(manifest).get("phase", "Pending")
    if phase == "Bound":
        return None
    name = manifest["spec"].get("storageClassName")
    storage = kube.find("storage.k8s.io/v1", "StorageClass", name) if name else None
    if storage is not None and storage.get("volumeBindingMode") == "WaitForFirstConsumer" and phase == "Pending":
        return None
    return f"the claim is {phase}, not Bound yet"


def volume(kube: Kube, manifest: Manifest) -> Verdict:
    phase = _status(manifest).get("phase", "Pending")
    return None if phase in ("Available", "Bound") else f"the volume is {phase}"


def definition(kube: Kube, manifest: Manifest) -> Verdict:
    for found in conditions(manifest):
        if found.get("type") == "NamesAccepted" and found.get("status") == "False":
            raise Hopeless(f"the names of the kind are taken: {found.get('message')}")
    return condition("Established")(manifest)


_BUILT_IN: Final[Mapping[tuple[str, str], Readiness]] = {
    ("apps", "Deployment"): deployment,
    ("apps", "StatefulSet"): stateful_set,
    ("apps", "DaemonSet"): daemon_set,
    ("batch", "Job"): job,
    ("", "Pod"): pod,
    ("", "Service"): service,
    ("", "PersistentVolumeClaim"): volume_claim,
    ("", "PersistentVolume"): volume,
    ("networking.k8s.io", "Ingress"): ingress,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definition,
}
