"""TLS from a Gateway to pods as Istio uses it: only where a DestinationRule of a Service sets it.

Source: istio/istio 1.29.2, pilot/pkg/config/kube/gateway/inferencepool_collection.go, networking/core/cluster_tls.go
and credentials/kube/secrets.go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from llm_d_gke.kube import Manifest
from llm_d_gke.rehearsal.errors import SimulationError
from llm_d_gke.rehearsal.load_balancer.envoy_config import Config, client_tls
from llm_d_gke.rehearsal.node_agent.environment import data_of

# kind, namespace, name
Find = Callable[[str, str, str], Manifest | None]

_LONGEST = 63


def service_of(pool: str) -> str:
    """The headless Service that Istio creates for a pool. Its DestinationRules use this name."""
    mark = "-ip-" + hashlib.sha256(pool.encode()).hexdigest()[:8]
    return (pool if len(pool) + len(mark) <= _LONGEST else pool[: _LONGEST - len(mark)]) + mark


def socket(rules: Iterable[Manifest], namespace: str, service: str, *, http2: bool, find: Find) -> Config | None:
    """Envoy's transport socket to a Service's pods, None for plain text. Raises UntrustedError."""
    host = f"{service}.{namespace}.svc.cluster.local"
    rule = next((rule for rule in rules if rule["spec"].get("host") == host), None)
    policy = ((rule or {}).get("spec") or {}).get("trafficPolicy") or {}
    tls = policy.get("tls") or {}
    if tls.get("mode") not in ("SIMPLE", "MUTUAL"):
        return None
    credential = tls.get("credentialName")
    if tls.get("insecureSkipVerify") or credential is None:
        return client_tls(http2=http2, sni=tls.get("sni"))
    return client_tls(
        http2=http2,
        sni=tls.get("sni"),
        authority=_authority(namespace, credential, find),
        names=tls.get("subjectAltNames") or (),
    )


class UntrustedError(SimulationError):
    """The certificate authority of a rule does not exist: Istio's Envoy waits for it, and answers 503 until then."""


def _authority(namespace: str, name: str, find: Find) -> str:
    secret = find("Secret", namespace, name)
    data = data_of(secret) if secret is not None else {}
    text = (data.get("cacert") or data.get("ca.crt") or b"").decode()
    if not text:
        raise UntrustedError(f'Secret "{namespace}/{name}" has no ca.crt')
    return text
