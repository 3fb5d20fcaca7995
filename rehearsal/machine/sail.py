"""What the Sail operator would answer to an Istio: that its control plane is there."""

from __future__ import annotations

import logging

from rehearsal.kube import Kube, KubeError, Manifest, Manifests
from rehearsal.machine.mirror import Mirror
from rehearsal.machine.status import now

log = logging.getLogger(__name__)

API, KIND = "sailoperator.io/v1", "Istio"
_MANAGER = "sail-operator"


class Sail:
    """Says of every Istio that it is ready: what it stands for is the rehearsal's own Envoy, which is."""

    def __init__(self, kube: Kube, mirror: Mirror) -> None:
        self._kube = kube
        self._mirror = mirror

    def step(self) -> None:
        for istio in self._mirror.all():
            generation = istio["metadata"]["generation"]
            if (istio.get("status") or {}).get("observedGeneration") != generation:
                self._be_ready(istio, generation)

    def _be_ready(self, istio: Manifest, generation: int) -> None:
        conditions: Manifests = [
            {"type": kind, "status": "True", "reason": "Healthy", "lastTransitionTime": now()}
            for kind in ("Reconciled", "Ready")
        ]
        status = {"observedGeneration": generation, "state": "Healthy", "conditions": conditions}
        name = istio["metadata"]["name"]
        try:
            self._kube.patch_status(API, KIND, name, status, field_manager=_MANAGER)
        except KubeError as error:
            log.warning("Istio %s: %s", name, error)
