"""Findings about authentication, limits and TLS of the Gateway."""

from __future__ import annotations

import shlex

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.findings import path_of
from llm_d_gke.settings.edge import ApiKeysAuth
from llm_d_gke.stackfile.reader import ENCRYPTED_VALUE
from llm_d_gke.wording import count

_MIN_KEY_LENGTH = 20

# Kinds of authentication that an implementation of the Gateway has.
_KINDS = {"gke": ("iap",), "istio": ("api-keys", "jwt")}


def check_edge(ctx: PlanContext, encrypted: frozenset[str]) -> None:
    """Everything that leaves the door open, or that the Gateway's implementation cannot do."""
    _check_open(ctx)
    _check_auth(ctx)
    _check_iap(ctx)
    _check_keys(ctx, encrypted)
    _check_limits(ctx)
    _check_tls(ctx)


def _check_open(ctx: PlanContext) -> None:
    settings = ctx.settings.gateway
    if settings.exposure == "external" and settings.auth.kind == "none":
        ctx.error("LLMD-GATEWAY-OPEN", "gateway.auth.kind")


def _check_auth(ctx: PlanContext) -> None:
    settings = ctx.settings.gateway
    kind = settings.auth.kind
    if kind == "none":
        return
    has = _KINDS[settings.implementation]
    if kind not in has:
        other = "istio" if settings.implementation == "gke" else "gke"
        ctx.error(
            "LLMD-AUTH-IMPLEMENTATION",
            "gateway.auth.kind",
            case="istio" if other == "istio" else "gke",
            has=" or ".join(has),
            other=ctx.facts["istio"] if other == "istio" else "implementation: gke",
        )
        return
    # Google's proxy requires HTTPS everywhere; a key in plain HTTP is readable on the way.
    if settings.tls.kind == "none" and (settings.exposure == "external" or kind == "iap"):
        ctx.error("LLMD-AUTH-PLAIN", "gateway.auth.kind", case="credentials" if kind != "iap" else "iap")


def _check_iap(ctx: PlanContext) -> None:
    settings = ctx.settings.gateway
    # Without a certificate it is refused anyway.
    tries = settings.exposure == "external" and settings.implementation == "gke" and settings.tls.kind != "none"
    if settings.auth.kind == "iap" and tries:
        ctx.warning("LLMD-AUTH-IAP-UNTRIED", "gateway.auth.kind")


def _check_keys(ctx: PlanContext, encrypted: frozenset[str]) -> None:
    auth, keys = ctx.settings.gateway.auth, ctx.settings.api_keys
    in_stack_file = isinstance(auth, ApiKeysAuth) and auth.keys_in_stack_file
    if in_stack_file and not keys:
        ctx.error("LLMD-API-KEYS-MISSING", "apiKeys", value="{}")
    if keys and not in_stack_file:
        ctx.error("LLMD-API-KEYS-UNUSED", "apiKeys", value=count(len(keys), "key"))
    if keys and "apiKeys" not in encrypted:
        first = shlex.quote(path_of("apiKeys", next(iter(keys))))
        ctx.error("LLMD-SECRET-PLAIN", "apiKeys", case="api-keys", value="(hidden)", key=first)
    for name, key in keys.items():
        text = key.get_secret_value()
        if text != ENCRYPTED_VALUE and (len(text) < _MIN_KEY_LENGTH or not text.isascii() or len(text.split()) != 1):
            ctx.error("LLMD-API-KEY-WEAK", "apiKeys", name, value="(hidden)", least=_MIN_KEY_LENGTH)


def _check_limits(ctx: PlanContext) -> None:
    settings, limits = ctx.settings.gateway, ctx.settings.gateway.limits
    path = ("gateway", "limits")
    gke = settings.implementation == "gke"
    if limits.body_bytes is not None and gke:
        ctx.error("LLMD-LIMITS-IMPLEMENTATION", *path, "bodyBytes", case="body")
    if limits.tokens_per_minute is not None and (gke or limits.per != "key"):
        ctx.error(
            "LLMD-LIMITS-IMPLEMENTATION",
            *path,
            "tokensPerMinute",
            rule="Google's load balancers and Cloud Armor count requests, not the tokens of answers"
            if gke
            else "tokens are counted for the owner of a key or token, not for an address",
            fix=f"use {ctx.facts['istio']}; or requestsPerMinute, with models[].maxModelLen as the bound of one request"
            if gke
            else "set per: key, with gateway.auth: {kind: api-keys}",
        )
    if limits.per == "key" and settings.auth.kind not in ("api-keys", "jwt"):
        ctx.error("LLMD-LIMITS-IMPLEMENTATION", *path, "per", case="clients")
    if limits.requests_per_minute is not None and gke and settings.exposure == "internal":
        ctx.error("LLMD-LIMITS-IMPLEMENTATION", *path, "requestsPerMinute", case="internal")
    if settings.security_policy is not None and not gke:
        ctx.error("LLMD-LIMITS-IMPLEMENTATION", "gateway.securityPolicy", case="cloud-armor")
    if settings.security_policy is not None and gke and limits.requests_per_minute is not None:
        ctx.error("LLMD-LIMITS-TWICE", *path, "requestsPerMinute", security_policy=settings.security_policy)


def _check_tls(ctx: PlanContext) -> None:
    settings = ctx.settings.gateway
    wants = [
        name
        for name, setting in (
            ("redirectHttp", settings.redirect_http),
            ("hstsSeconds", settings.hsts_seconds > 0),
        )
        if setting
    ]
    if settings.tls.kind == "none":
        for name in wants:
            ctx.error(
                "LLMD-TLS-WITHOUT",
                "gateway",
                name,
                value="true" if name == "redirectHttp" else settings.hsts_seconds,
                name=name,
            )
        if "tls_version" in settings.model_fields_set and settings.implementation == "gke":
            ctx.warning("LLMD-TLS-VERSION-UNUSED", "gateway.tlsVersion")
    if settings.implementation == "istio" and settings.tls_version != "1.2":
        ctx.error("LLMD-TLS-VERSION-ISTIO", "gateway.tlsVersion")
