"""Tokens (JWT) at the rehearsed Gateway: Istio's two filters, with local keys in place of the issuer's.

Istio fetches an issuer's key set and gives it to its Envoys. A rehearsal reaches no issuer. It makes a key of its own,
whose public half stands in for the key set, and signs tokens for its own commands.

Sources: istio.io/docs/reference/config/security/request_authentication and .../authorization-policy; istio/istio
at 0098d99, pilot/pkg/security/authz/model/generator.go (requestPrincipals); envoyproxy.io/docs, "JWT Authentication".
"""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from llm_d_gke.kube import Manifest
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.load_balancer.envoy_config import Config

log = logging.getLogger(__name__)

# Names that Istio gives to the filters, by which EnvoyFilters find them.
JWT_FILTER, RBAC_FILTER = "envoy.filters.http.jwt_authn", "envoy.filters.http.rbac"

_TYPES = "type.googleapis.com/envoy.extensions.filters.http"
_KEY_FILE = "signing-key.pem"
_PAYLOAD = "payload"
_KEY_BITS = 2048


def token_filters(
    gateway: Manifest, authentications: Sequence[Manifest], policies: Sequence[Manifest], keys: Path
) -> list[Config]:
    """The filter that verifies tokens, and the one that requires them; none for a Gateway without such objects.

    `keys` is the folder of the local signing key.
    """
    rules = [rule for item in _targeting(gateway, authentications) for rule in item["spec"].get("jwtRules") or []]
    admitted = [rule for item in _targeting(gateway, policies) for rule in item["spec"].get("rules") or []]
    filters = []
    if rules:
        filters.append({"name": JWT_FILTER, "typed_config": _verification(rules, key_set(keys))})
    if any(_targeting(gateway, policies)):
        filters.append({"name": RBAC_FILTER, "typed_config": _authorization_rules(admitted)})
    return filters


def _targeting(gateway: Manifest, items: Sequence[Manifest]) -> list[Manifest]:
    """Objects whose `targetRefs` name the Gateway."""
    metadata = gateway["metadata"]
    return [
        item
        for item in items
        if item["metadata"]["namespace"] == metadata["namespace"]
        and any(
            (target.get("kind"), target.get("name")) == ("Gateway", metadata["name"])
            for target in item["spec"].get("targetRefs") or []
        )
    ]


def _verification(rules: Sequence[Mapping[str, Any]], keys: str) -> Config:
    """A wrong token is refused, a missing one passes: that is for the next filter."""
    providers = {
        f"origins-{number}": {
            "issuer": rule["issuer"],
            "audiences": list(rule.get("audiences") or []),
            "local_jwks": {"inline_string": keys},
            "payload_in_metadata": _PAYLOAD,
            "claim_to_headers": [
                {"header_name": item["header"], "claim_name": item["claim"]}
                for item in rule.get("outputClaimToHeaders") or []
            ],
        }
        for number, rule in enumerate(rules)
    }
    requirements: list[Config] = [{"provider_name": name} for name in providers]
    return {
        "@type": f"{_TYPES}.jwt_authn.v3.JwtAuthentication",
        "providers": providers,
        "rules": [
            {
                "match": {"prefix": "/"},
                "requires": {"requires_any": {"requirements": [*requirements, {"allow_missing": {}}]}},
            }
        ],
    }


def _authorization_rules(rules: Sequence[Mapping[str, Any]]) -> Config:
    """Requests whose token has one of the rules' issuers and subjects, and no others."""
    principals = [
        _principal(principal)
        for rule in rules
        for source in rule.get("from") or []
        for principal in (source.get("source") or {}).get("requestPrincipals") or []
    ]
    policies = {"clients": {"permissions": [{"any": True}], "principals": principals}} if principals else {}
    return {"@type": f"{_TYPES}.rbac.v3.RBAC", "rules": {"action": "ALLOW", "policies": policies}}


def _principal(principal: str) -> Config:
    """`ISSUER/SUBJECT`, split at the last slash; `*` is any text that is not empty."""
    issuer, _, subject = principal.rpartition("/") if principal != "*" else ("*", "", "*")
    if "*" in issuer.removesuffix("*") or "*" in subject.removesuffix("*"):
        log.warning("AuthorizationPolicy: the request principal %s is not simulated", principal)
    return {"and_ids": {"ids": [_claim("iss", issuer), _claim("sub", subject)]}}


def _claim(name: str, expected: str) -> Config:
    match = {"safe_regex": {"regex": ".+"}} if expected == "*" else {"exact": expected}
    if expected != "*" and expected.endswith("*"):
        match = {"prefix": expected.removesuffix("*")}
    path = [{"key": _PAYLOAD}, {"key": name}]
    return {"metadata": {"filter": JWT_FILTER, "path": path, "value": {"string_match": match}}}


def key_set(folder: Path) -> str:
    """The public half of the local key as a JSON Web Key Set (RFC 7517)."""
    numbers = _key(folder).public_key().public_numbers()
    key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "rehearsal", "n": _number(numbers.n)}
    return json.dumps({"keys": [key | {"e": _number(numbers.e)}]})


def signed_token(folder: Path, claims: Mapping[str, Any], *, seconds: float = 3600.0) -> str:
    """A token with these claims that is valid from now on for `seconds`, signed with the local key (RS256)."""
    now = int(time.time())
    parts: list[Mapping[str, Any]] = [
        {"alg": "RS256", "typ": "JWT", "kid": "rehearsal"},
        {"iat": now, "exp": int(now + seconds), **claims},
    ]
    text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
    signature = _key(folder).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{_base64(signature)}"


def _key(folder: Path) -> rsa.RSAPrivateKey:
    file = folder / _KEY_FILE
    if not file.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        atomic_write(file, pem)
    read = serialization.load_pem_private_key(file.read_bytes(), password=None)
    assert isinstance(read, rsa.RSAPrivateKey)
    return read


def _number(value: int) -> str:
    return _base64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _base64(data: bytes) -> str:
    """Base64 for addresses, without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
