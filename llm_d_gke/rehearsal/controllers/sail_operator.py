"""The Sail operator: writes the status of Istio objects."""

from __future__ import annotations

import logging

from llm_d_gke.kube import Kube, KubeError, Manifest, Manifests
from llm_d_gke.kube.conditions import timestamp
from llm_d_gke.kube.informer import Informer

log = logging.getLogger(__name__)

API, KIND = "sailoperator.io/v1", "Istio"
_MANAGER = "sail-operator"


class SailOperator:
    """Marks every Istio as ready, because the local Envoy serves its Gateways.

    An Istio whose pull secret does not exist in its namespace is not ready: its images could not be pulled.
    """

    def __init__(self, kube: Kube, informer: Informer) -> None:
        self._kube = kube.managed_by(_MANAGER)
        self._informer = informer

    def reconcile(self) -> None:
        for istio in self._informer.all():
            before = istio.get("status") or {}
            is_current = before.get("observedGeneration") == istio["metadata"]["generation"]
            if is_current and before.get("state") == "Healthy":
                continue
            missing = self._missing(istio["spec"])
            state = "IstiodNotReady" if missing else "Healthy"
            if not is_current or before.get("state") != state:
                self._answer(istio, state, missing)

    def _missing(self, spec: Manifest) -> list[str]:
        secrets = ((spec.get("values") or {}).get("global") or {}).get("imagePullSecrets") or []
        return [name for name in secrets if self._kube.find("v1", "Secret", name, spec["namespace"]) is None]

    def _answer(self, istio: Manifest, state: str, missing: list[str]) -> None:
        message = f"istiod cannot pull its image: no Secret {', '.join(missing)} in its namespace" if missing else ""
        conditions: Manifests = [
            {"type": "Reconciled", "status": "True", "lastTransitionTime": timestamp()},
            {
                "type": "Ready",
                "status": str(not missing),
                "reason": state,
                "message": message,
                "lastTransitionTime": timestamp(),
            },
        ]
        about = istio["metadata"]
        status = {"observedGeneration": about["generation"], "state": state, "conditions": conditions}
        try:
            self._kube.patch_status(API, KIND, about["name"], status)
        except KubeError as error:
            log.warning("Istio %s: %s", about["name"], error)
