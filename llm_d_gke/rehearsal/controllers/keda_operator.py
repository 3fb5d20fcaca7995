"""KEDA's operator: creates the Secret with the certificates of KEDA's programs."""

from __future__ import annotations

import base64
import logging

import trustme

from llm_d_gke.rehearsal.kube import Kube, KubeError
from llm_d_gke.rehearsal.kube.informer import Informer

log = logging.getLogger(__name__)

# The chart's other Deployments mount it, and only the operator creates it (KEDA 2.20, pkg/certificates).
SECRET = "kedaorg-certs"  # noqa: S105 - a name
_OPERATOR = "keda-operator"


class KedaOperator:
    """Creates the certificates in each namespace in which an operator's pod runs. Replicas are left as they are."""

    def __init__(self, kube: Kube, pods: Informer) -> None:
        self._kube = kube
        self._pods = pods
        self._created: set[str] = set()

    def reconcile(self) -> None:
        namespaces = {
            pod["metadata"]["namespace"]
            for pod in self._pods.all()
            if (pod["metadata"].get("labels") or {}).get("app.kubernetes.io/name") == _OPERATOR
        }
        self._created &= namespaces
        for namespace in sorted(namespaces - self._created):
            try:
                if self._kube.find("v1", "Secret", SECRET, namespace) is None:
                    self._kube.create(_certificates(namespace))
                self._created.add(namespace)
            except KubeError as error:
                log.warning("certificates of KEDA in %s: %s", namespace, error)


def _certificates(namespace: str) -> dict[str, object]:
    authority = trustme.CA()
    leaf = authority.issue_cert(*(f"{name}.{namespace}.svc" for name in (_OPERATOR, f"{_OPERATOR}-metrics-apiserver")))
    files = {
        "ca.crt": authority.cert_pem.bytes(),
        "ca.key": authority.private_key_pem.bytes(),
        "tls.crt": b"".join(blob.bytes() for blob in leaf.cert_chain_pems),
        "tls.key": leaf.private_key_pem.bytes(),
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace},
        "data": {name: base64.b64encode(content).decode() for name, content in files.items()},
    }
