"""cert-manager: signs Certificates with the authority of the local control plane."""

from __future__ import annotations

import base64
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from llm_d_gke.kube import Kube, KubeError, Manifest, Manifests
from llm_d_gke.kube.conditions import is_true, timestamp
from llm_d_gke.kube.informer import Informer

log = logging.getLogger(__name__)

API = "cert-manager.io/v1"
WEBHOOKS = "admissionregistration.k8s.io/v1"
KINDS = (
    (API, "Certificate"),
    (API, "Issuer"),
    (API, "ClusterIssuer"),
    (WEBHOOKS, "MutatingWebhookConfiguration"),
    (WEBHOOKS, "ValidatingWebhookConfiguration"),
)
_CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
_INJECT = "cert-manager.io/inject-ca-from"
_MANAGER = "cert-manager"
# cert-manager writes this annotation on a Secret, and signs again when the names of the Certificate differ from it.
_NAMES = "cert-manager.io/alt-names"
_LIFETIME = timedelta(days=90)
# CRDs are megabytes: they are read after a change of certificates, and otherwise at this interval in seconds.
_DEFINITIONS_RESYNC_SECONDS = 30.0


class CertManager:
    """Writes the Secrets of Certificates, and injects the authority's certificate where an annotation requests it."""

    def __init__(self, pki: Path, kube: Kube, informers: dict[str, Informer]) -> None:
        self._pki = pki
        self._kube = kube.managed_by(_MANAGER)
        self._informers = informers
        self._signed: frozenset[str] = frozenset()
        self._definitions_read = 0.0

    def reconcile(self) -> None:
        certificates = self._informers["Certificate"].all()
        for issuer in (*self._informers["Issuer"].all(), *self._informers["ClusterIssuer"].all()):
            self._mark_ready(issuer)
        if not certificates:
            return
        for certificate in certificates:
            self._sign(certificate)
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
            for configuration in self._informers[kind].all():
                self._trust_webhooks(configuration)
        signed = frozenset(certificate["metadata"]["uid"] for certificate in certificates)
        if signed != self._signed or time.monotonic() - self._definitions_read > _DEFINITIONS_RESYNC_SECONDS:
            self._signed, self._definitions_read = signed, time.monotonic()
            for definition in self._kube.list(*_CRD):
                self._trust_conversion(definition)

    def _sign(self, certificate: Manifest) -> None:
        about, spec = certificate["metadata"], certificate["spec"]
        secret = self._kube.find("v1", "Secret", spec["secretName"], about["namespace"])
        names = _names(spec)
        if secret is not None and _is_current(secret, names):
            self._mark_ready(certificate)
            return
        key, chain = sign(self._pki, names, spec.get("commonName") or "")
        data = {"tls.key": key, "tls.crt": chain, "ca.crt": self._authority}
        self._kube.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/tls",
                "metadata": {
                    "name": spec["secretName"],
                    "namespace": about["namespace"],
                    "annotations": {"cert-manager.io/certificate-name": about["name"], _NAMES: ",".join(names)},
                },
                "data": {name: base64.b64encode(content).decode() for name, content in data.items()},
            },
            force=True,
        )
        log.info("certificate %s/%s signed", about["namespace"], about["name"])
        self._mark_ready(certificate)

    @property
    def _authority(self) -> bytes:
        return (self._pki / "ca.crt").read_bytes()

    @property
    def _bundle(self) -> str:
        return base64.b64encode(self._authority).decode()

    def _mark_ready(self, manifest: Manifest) -> None:
        if is_true(manifest, "Ready"):
            return
        about = manifest["metadata"]
        ready = {"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": timestamp()}
        status = {"conditions": [ready]}
        try:
            self._kube.patch_status(
                manifest["apiVersion"], manifest["kind"], about["name"], status, about.get("namespace")
            )
        except KubeError as error:
            log.debug("%s %s: %s", manifest["kind"], about["name"], error)

    def _trust_webhooks(self, configuration: Manifest) -> None:
        if not _wants_ca_bundle(configuration):
            return
        webhooks = configuration.get("webhooks") or []
        changes = [
            {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": self._bundle}
            for index, webhook in enumerate(webhooks)
            if webhook["clientConfig"].get("caBundle") != self._bundle
        ]
        if changes:
            self._patch(configuration, changes)

    def _trust_conversion(self, definition: Manifest) -> None:
        config = ((definition["spec"].get("conversion") or {}).get("webhook") or {}).get("clientConfig")
        if not _wants_ca_bundle(definition) or config is None or config.get("caBundle") == self._bundle:
            return
        path = "/spec/conversion/webhook/clientConfig/caBundle"
        self._patch(definition, [{"op": "add", "path": path, "value": self._bundle}])

    def _patch(self, manifest: Manifest, changes: Manifests) -> None:
        name = manifest["metadata"]["name"]
        try:
            self._kube.patch(manifest["apiVersion"], manifest["kind"], name, changes, content="json")
        except KubeError as error:
            log.warning("%s %s: %s", manifest["kind"], name, error)


def sign(pki: Path, names: list[str], common_name: str) -> tuple[bytes, bytes]:
    """Key and certificate, as PEM, for a server of these names and addresses."""
    authority = trustme.CA.from_pem((pki / "ca.crt").read_bytes(), (pki / "ca.key").read_bytes())
    expiry = datetime.now(UTC) + _LIFETIME
    certificate = authority.issue_cert(*names, common_name=common_name or None, not_after=expiry)
    return certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes()


def _names(spec: Manifest) -> list[str]:
    return [*(spec.get("dnsNames") or []), *(spec.get("ipAddresses") or [])] or [spec.get("commonName") or "localhost"]


def _is_current(secret: Manifest, names: list[str]) -> bool:
    annotations = secret["metadata"].get("annotations") or {}
    return bool((secret.get("data") or {}).get("tls.crt")) and annotations.get(_NAMES) == ",".join(names)


def _wants_ca_bundle(manifest: Manifest) -> bool:
    return _INJECT in (manifest["metadata"].get("annotations") or {})
