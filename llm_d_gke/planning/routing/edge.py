"""Authentication of clients, limits, and TLS policy of the Gateway, each by what its implementation has.

Sources: GoogleCloudPlatform/gke-gateway-api, apis/networking/v1 (GCPBackendPolicy, GCPGatewayPolicy); istio.io/docs,
"Authentication Policy" and "EnvoyFilter"; envoyproxy.io/docs, "Local rate limit", "Buffer".
"""

from __future__ import annotations

from typing import Any

from llm_d_gke.planning import names
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.plan.edge import (
    ApiKeysPlan,
    BackendAccessPlan,
    EdgePlan,
    HttpFilterPlan,
    JwtPlan,
    ThrottlePlan,
    TimeLimitsPlan,
    TlsPolicyPlan,
)
from llm_d_gke.planning.routing.api_keys import (
    CLIENT_HEADER,
    FAIRNESS_HEADERS,
    INTERNAL_HEADERS,
    OBJECTIVE_HEADERS,
    key_filter,
)
from llm_d_gke.planning.routing.edge_checks import check_edge
from llm_d_gke.planning.routing.token_limit import TOKENS_DIRECTORY, token_filter
from llm_d_gke.settings.edge import ApiKeysAuth, IapAuth, JwtAuth

GATEWAY_NAME = "inference-gateway"
KEYS_SECRET = "inference-api-keys"  # noqa: S105 - a Secret's name
KEYS_ENTRY = "api-keys"
KEYS_DIRECTORY = "/etc/llm-d/api-keys"

_FILTERS = "type.googleapis.com/envoy.extensions.filters.http"

# Istio's filter of AuthorizationPolicies, which follows the one of RequestAuthentications (istio/istio at 044be69,
# pilot/pkg/networking/core/listener_builder.go, buildHTTPConnectionManager).
_AUTHORIZATION = "envoy.filters.http.rbac"

# Clients that an Envoy counts for itself; the one that was seen longest ago is forgotten first.
_MAX_CLIENTS = 10_000

# Profiles of SSL policies, by the oldest version (cloud.google.com/load-balancing/docs/ssl-policies-concepts): 1.3 goes
# with RESTRICTED only.
_PROFILES = {"1.2": "MODERN", "1.3": "RESTRICTED"}


def plan_edge(ctx: PlanContext, encrypted: frozenset[str]) -> EdgePlan:
    """Checks of the Gateway before any route, with findings for features that its implementation lacks."""
    check_edge(ctx, encrypted)
    settings = ctx.settings.gateway
    gke, tls = settings.implementation == "gke", settings.tls.kind != "none"
    keys = _api_keys(ctx)
    return EdgePlan(
        api_keys=keys,
        jwt=_jwt(ctx),
        filters=() if gke else _filters(ctx, keys),
        tokens_directory=None if gke or settings.limits.tokens_per_minute is None else TOKENS_DIRECTORY,
        time_limits=None if gke or not _guards(ctx) else TimeLimitsPlan(headers_seconds=10, request_seconds=60),
        throttle=_throttle(ctx),
        tls_policy=TlsPolicyPlan(
            name=names.join("llm-d", ctx.stack, "tls"),
            min_version=f"TLS_{settings.tls_version.replace('.', '_')}",
            profile=_PROFILES[settings.tls_version],
        )
        if gke and tls
        else None,
        redirect=settings.redirect_http and tls,
        hsts_seconds=settings.hsts_seconds if tls else 0,
    )


def backend_access(ctx: PlanContext) -> BackendAccessPlan:
    """Access rules for each backend of the Gateway, including the list of models."""
    settings = ctx.settings.gateway
    if settings.implementation != "gke":
        return BackendAccessPlan()
    throttle = _throttle(ctx)
    auth = settings.auth if isinstance(settings.auth, IapAuth) else None
    return BackendAccessPlan(
        iap_client=auth.client_id if auth is not None else None,
        iap_secret=auth.existing_secret if auth is not None else None,
        security_policy=throttle.name if throttle is not None else settings.security_policy,
    )


def _guards(ctx: PlanContext) -> bool:
    """Whether the Gateway authenticates or limits clients."""
    gateway = ctx.settings.gateway
    return gateway.auth.kind != "none" or gateway.limits.any


def _throttle(ctx: PlanContext) -> ThrottlePlan | None:
    settings = ctx.settings.gateway
    if settings.implementation != "gke" or settings.limits.requests_per_minute is None:
        return None
    return ThrottlePlan(
        name=names.join("llm-d", ctx.stack, "clients"), requests_per_minute=settings.limits.requests_per_minute
    )


def _api_keys(ctx: PlanContext) -> ApiKeysPlan | None:
    auth = ctx.settings.gateway.auth
    if not isinstance(auth, ApiKeysAuth):
        return None
    return ApiKeysPlan(
        secret=auth.existing_secret or KEYS_SECRET,
        secret_manager=auth.secret_manager_secret,
        # Istio names the account of a Gateway's pods like their Deployment: after the Gateway and its class
        # (istio.io/docs/tasks/traffic-management/ingress/gateway-api, "Automated Deployment").
        service_account=f"{GATEWAY_NAME}-{ctx.settings.gateway.class_name or 'istio'}",
        entry=KEYS_ENTRY,
        keys=ctx.settings.api_keys if auth.keys_in_stack_file else None,
        path=f"{KEYS_DIRECTORY}/{KEYS_ENTRY}",
    )


def _jwt(ctx: PlanContext) -> JwtPlan | None:
    auth = ctx.settings.gateway.auth
    if not isinstance(auth, JwtAuth):
        return None
    return JwtPlan(
        issuer=auth.issuer,
        jwks_uri=auth.jwks_uri,
        audiences=auth.audiences,
        claims=dict.fromkeys((CLIENT_HEADER, *FAIRNESS_HEADERS), "sub"),
    )


def _filters(ctx: PlanContext, keys: ApiKeysPlan | None) -> tuple[HttpFilterPlan, ...]:
    limits = ctx.settings.gateway.limits
    filters = []
    if keys is not None:
        filters.append(HttpFilterPlan(name="llm-d.api-keys", config=_lua(key_filter(keys.path))))
    tokens = isinstance(ctx.settings.gateway.auth, JwtAuth)
    if tokens:
        # Headers by which a client would name itself to the picker, or choose a replica. Verified claims come later.
        removed = [CLIENT_HEADER, *FAIRNESS_HEADERS, *OBJECTIVE_HEADERS, *INTERNAL_HEADERS]
        mutations = {"request_mutations": [{"remove": name} for name in removed]}
        config = {"@type": f"{_FILTERS}.header_mutation.v3.HeaderMutation", "mutations": mutations}
        filters.append(HttpFilterPlan(name="llm-d.headers", config=config))
    # A token's owner is known behind Istio's checks of tokens only.
    place = _AUTHORIZATION if tokens and limits.per == "key" else None
    if limits.requests_per_minute is not None:
        config = _rate_limit(limits.requests_per_minute, limits.per)
        filters.append(HttpFilterPlan(name="llm-d.requests", config=config, after=place))
    if limits.tokens_per_minute is not None:
        config = _lua(token_filter(limits.tokens_per_minute))
        filters.append(HttpFilterPlan(name="llm-d.tokens", config=config, after=place))
    if limits.body_bytes is not None:
        buffer = {"@type": f"{_FILTERS}.buffer.v3.Buffer", "max_request_bytes": limits.body_bytes}
        filters.append(HttpFilterPlan(name="llm-d.body", config=buffer))
    return tuple(filters)


def _lua(program: str) -> dict[str, Any]:
    return {"@type": f"{_FILTERS}.lua.v3.Lua", "default_source_code": {"inline_string": program}}


def _rate_limit(per_minute: int, per: str) -> dict[str, Any]:
    """A bucket for each client, filled each minute. A request without a client takes from one that all others share."""
    bucket = {"max_tokens": per_minute, "tokens_per_fill": per_minute, "fill_interval": "60s"}
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    key, action = (
        ("client", {"request_headers": {"header_name": CLIENT_HEADER, "descriptor_key": "client"}})
        if per == "key"
        else ("remote_address", {"remote_address": {}})
    )
    return {
        "@type": f"{_FILTERS}.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "llm_d_requests",
        "token_bucket": bucket,
        "always_consume_default_token_bucket": False,
        "filter_enabled": always,
        "filter_enforced": always,
        "rate_limits": [{"actions": [action]}],
        # Without a value the entry matches every value, each with a separate bucket.
        "descriptors": [{"entries": [{"key": key}], "token_bucket": bucket}],
        "max_dynamic_descriptors": _MAX_CLIENTS,
    }
