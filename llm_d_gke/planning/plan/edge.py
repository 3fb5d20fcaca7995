"""Plan of the Gateway's edge: authentication, limits, TLS policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr


@dataclass(frozen=True, kw_only=True)
class ApiKeysPlan:
    """Keys of clients in the entry of a Secret, which the Gateway's Envoys read as the file `path`.

    `keys` is None where others fill the Secret. With `secret_manager`, the name of a secret of Secret Manager, `secret`
    is the SecretProviderClass that mounts it for `service_account`, the account of the Gateway's pods.
    """

    secret: str
    secret_manager: str | None = None
    service_account: str = ""
    entry: str
    keys: Mapping[str, SecretStr] | None
    path: str


@dataclass(frozen=True, kw_only=True)
class JwtPlan:
    issuer: str
    jwks_uri: str
    audiences: tuple[str, ...]
    # Headers that a verified claim fills, by header.
    claims: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class HttpFilterPlan:
    """A filter of Istio's Envoys in front of all routes: `config` is its typed configuration, with its `@type`.

    It comes before Istio's own filters, or directly behind the one that `after` names.
    """

    name: str
    config: Mapping[str, Any]
    after: str | None = None


@dataclass(frozen=True, kw_only=True)
class TimeLimitsPlan:
    """Seconds in which a client has to have sent the headers of a request, and all of it. Envoy answers 408."""

    headers_seconds: int
    request_seconds: int


@dataclass(frozen=True, kw_only=True)
class BackendAccessPlan:
    """Access rules of Google's load balancer for a backend. `security_policy` names a regional Cloud Armor policy."""

    iap_client: str | None = None
    iap_secret: str | None = None
    security_policy: str | None = None


@dataclass(frozen=True, kw_only=True)
class ThrottlePlan:
    """A Cloud Armor policy that the stack creates: a maximum of requests per minute and client address."""

    name: str
    requests_per_minute: int


@dataclass(frozen=True, kw_only=True)
class TlsPolicyPlan:
    """A policy of Google's load balancers for TLS from clients."""

    name: str
    min_version: str
    profile: str


@dataclass(frozen=True, kw_only=True)
class EdgePlan:
    """Everything of one Gateway. `filters` are in the order in which a request passes them.

    `tokens_directory` is the folder of Istio's Envoys in which one of them counts tokens, None without such a limit.
    """

    api_keys: ApiKeysPlan | None = None
    jwt: JwtPlan | None = None
    filters: tuple[HttpFilterPlan, ...] = ()
    tokens_directory: str | None = None
    time_limits: TimeLimitsPlan | None = None
    throttle: ThrottlePlan | None = None
    tls_policy: TlsPolicyPlan | None = None
    redirect: bool = False
    hsts_seconds: int = 0
