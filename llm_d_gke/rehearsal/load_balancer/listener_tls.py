"""The certificate of an HTTPS listener: from its Secret, or self-signed in place of one that only Google has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import trustme

from llm_d_gke.rehearsal.errors import SimulationError
from llm_d_gke.rehearsal.kube import Manifest
from llm_d_gke.rehearsal.load_balancer.envoy_config import Config, server_tls
from llm_d_gke.rehearsal.node_agent.environment import Find, data_of

MANAGED = ("networking.gke.io/cert-manager-certs", "networking.gke.io/pre-shared-certs")

_LIFETIME = timedelta(days=365)

_certificates: dict[str, tuple[str, str]] = {}


class NoCertificateError(SimulationError):
    """The certificate of a listener is not available. The text is the message for ResolvedRefs."""


def terminates(listener: Manifest) -> bool:
    return listener.get("protocol") in ("HTTPS", "TLS")


def managed(listener: Manifest) -> str | None:
    """The name of a certificate that only Google has, None when the listener uses none."""
    options = (listener.get("tls") or {}).get("options") or {}
    return next((f"{key}: {options[key]}" for key in MANAGED if options.get(key)), None)


def socket(listener: Manifest, namespace: str, find: Find) -> Config | None:
    """Envoy's transport socket, None for plain HTTP. Raises NoCertificateError."""
    if not terminates(listener):
        return None
    references = (listener.get("tls") or {}).get("certificateRefs") or []
    if references:
        home = references[0].get("namespace") or namespace
        secret = find("Secret", home, references[0]["name"])
        if secret is None:
            raise NoCertificateError(f'Secret "{home}/{references[0]["name"]}" not found')
        data = data_of(secret)
        if not data.get("tls.crt") or not data.get("tls.key"):
            raise NoCertificateError(f'Secret "{home}/{references[0]["name"]}" has no tls.crt and tls.key')
        return server_tls(data["tls.crt"].decode(), data["tls.key"].decode())
    if managed(listener) is None:
        raise NoCertificateError("an HTTPS listener needs certificateRefs or a certificate in tls.options")
    name = listener.get("hostname") or "localhost"
    if name not in _certificates:
        _certificates[name] = _self_signed(name)
    return server_tls(*_certificates[name])


def _self_signed(host: str) -> tuple[str, str]:
    certificate = trustme.CA().issue_cert(host, not_after=datetime.now(UTC) + _LIFETIME)
    return certificate.cert_chain_pems[0].bytes().decode(), certificate.private_key_pem.bytes().decode()
