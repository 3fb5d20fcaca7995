"""The ports of this machine and the certificates of a Gateway's listeners.

A certificate comes from its Secret, or is self-signed in place of one that only Google has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

import trustme

from llm_d_gke.kube import Manifest
from llm_d_gke.rehearsal.errors import SimulationError
from llm_d_gke.rehearsal.host.files import write_if_changed
from llm_d_gke.rehearsal.host.ports import listening_port
from llm_d_gke.rehearsal.load_balancer.envoy_config import Config, server_tls
from llm_d_gke.rehearsal.node_agent.environment import Find, data_of
from llm_d_gke.rehearsal.paths import StackPaths, record_difference

MANAGED = ("networking.gke.io/cert-manager-certs", "networking.gke.io/pre-shared-certs")

_LIFETIME = timedelta(days=365)


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
    return server_tls(*_self_signed(listener.get("hostname") or "localhost"))


@cache
def _self_signed(host: str) -> tuple[str, str]:
    certificate = trustme.CA().issue_cert(host, not_after=datetime.now(UTC) + _LIFETIME)
    return certificate.cert_chain_pems[0].bytes().decode(), certificate.private_key_pem.bytes().decode()


class ListenerPorts:
    """Chooses a port for each address and port of a listener, once: Envoy listens there afterwards.

    An earlier daemon's choice is kept, because its Envoy may still listen.
    """

    def __init__(self, paths: StackPaths) -> None:
        self._paths = paths
        self._file = paths.envoy / "gateways.json"
        gateways = json.loads(self._file.read_text(encoding="utf-8")) if self._file.exists() else {}
        self._chosen: dict[tuple[str, int], int] = {
            (gateway["address"], int(requested)): port
            for gateway in gateways.values()
            for requested, port in gateway["ports"].items()
        }

    def port_of(self, address: str, requested: int) -> int:
        """The port for a listener. Records a difference where it is not the requested one."""
        if (address, requested) not in self._chosen:
            port, why = listening_port(address, requested)
            if why:
                record_difference(self._paths, why)
            self._chosen[address, requested] = port
        return self._chosen[address, requested]

    def save(self, gateways: Mapping[str, Manifest]) -> None:
        """Write address and ports of every Gateway."""
        write_if_changed(self._file, json.dumps(gateways, indent=1, sort_keys=True))
