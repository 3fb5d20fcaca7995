"""EndpointSlices for the Services of aggregated APIs, such as KEDA's metrics server.

The API server calls an aggregated API only where a slice of its Service has an address. Pods here have loopback
addresses, which no slice may hold, so Kubernetes' own controller leaves these slices empty.
"""

from __future__ import annotations

import logging

from llm_d_gke.kube import Kube, KubeError, Manifest
from llm_d_gke.kube.informer import Informer
from llm_d_gke.rehearsal.load_balancer.backends import ready_pods

log = logging.getLogger(__name__)

API, KIND = "apiregistration.k8s.io/v1", "APIService"
_SLICE = "discovery.k8s.io/v1"
_MANAGER = "rehearsal"
# An address of documentation (RFC 5737). Nothing connects to it: the tunnel leads to the Service's pods.
_ADDRESS = "192.0.2.1"


class AggregatedApis:
    """Keeps one slice for each Service of an aggregated API: with an address while one of its pods is ready."""

    def __init__(self, kube: Kube, apis: Informer, services: Informer, pods: Informer) -> None:
        self._kube = kube
        self._apis = apis
        self._services = services
        self._pods = pods
        self._written: dict[str, Manifest] = {}

    def reconcile(self) -> None:
        current: set[str] = set()
        for api in self._apis.all():
            reference = (api.get("spec") or {}).get("service")
            service = self._services.get(reference["namespace"], reference["name"]) if reference else None
            if service is None:
                continue
            uid = service["metadata"]["uid"]
            current.add(uid)
            selector = service["spec"].get("selector") or {}
            ready = ready_pods(self._pods.all(), service["metadata"]["namespace"], selector)
            manifest = endpoint_slice(service, ready=bool(ready))
            if self._written.get(uid) == manifest:
                continue
            try:
                self._kube.apply(manifest, force=True)
                self._written[uid] = manifest
            except KubeError as error:
                log.warning("slice of %s: %s", service["metadata"]["name"], error)
        for uid in self._written.keys() - current:
            # Deleted with its Service, which owns it.
            del self._written[uid]


def endpoint_slice(service: Manifest, *, ready: bool) -> Manifest:
    """The slice of a Service, with its ports by name."""
    metadata = service["metadata"]
    owner = {"apiVersion": "v1", "kind": "Service", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": _SLICE,
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{metadata['name']}-rehearsal",
            "namespace": metadata["namespace"],
            "labels": {
                "kubernetes.io/service-name": metadata["name"],
                # Kubernetes' own controller deletes slices that carry its name.
                "endpointslice.kubernetes.io/managed-by": _MANAGER,
            },
            "ownerReferences": [owner],
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [_ADDRESS], "conditions": {"ready": ready}}],
        "ports": [
            {"name": port.get("name") or "", "port": port["port"], "protocol": port.get("protocol") or "TCP"}
            for port in service["spec"]["ports"]
        ],
    }
