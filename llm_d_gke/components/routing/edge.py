"""Checks of the Gateway before any route: keys, tokens, limits, TLS policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from llm_d_gke.components.custom_resources.base import Named, PolicyTarget, custom_resource
from llm_d_gke.components.custom_resources.gateway_api import GROUP as GATEWAY_GROUP
from llm_d_gke.components.custom_resources.gke_policies import (
    BackendDefault,
    Draining,
    GatewayDefault,
    GcpBackendPolicySpec,
    GcpGatewayPolicySpec,
    IdentityAwareProxy,
)
from llm_d_gke.components.custom_resources.istio import (
    AuthorizationPolicySpec,
    AuthorizationRule,
    ClaimHeader,
    EnvoyFilterSpec,
    From,
    JwtRule,
    RequestAuthenticationSpec,
    Source,
    WorkloadSelector,
)
from llm_d_gke.components.custom_resources.secret_provider import secret_file
from llm_d_gke.components.instance import instance_of, named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.options import after, child
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.components.secret_data import secret_data
from llm_d_gke.planning.plan.edge import (
    ApiKeysPlan,
    BackendAccessPlan,
    JwtPlan,
    ThrottlePlan,
    TimeLimitsPlan,
    TlsPolicyPlan,
)
from llm_d_gke.planning.plan.routing import GatewayPlan
from llm_d_gke.planning.routing.network_policies import GATEWAY_LABEL


def create_gateway_guards(
    parent: pulumi.Resource, plan: GatewayPlan, scope: ClusterScope, depends_on: Sequence[pulumi.Resource]
) -> list[pulumi.Resource]:
    """Create the checks before the Gateway, and delete them after it, so that no request passes without them."""
    edge, options = plan.edge, child(parent, depends_on=depends_on)
    resources: list[pulumi.Resource] = []
    if edge.api_keys is not None and edge.api_keys.keys is not None:
        resources.append(_keys(edge.api_keys, scope.namespace, options))
    if edge.api_keys is not None and edge.api_keys.secret_manager is not None:
        resources += _managed_keys(edge.api_keys, edge.api_keys.secret_manager, scope, options)
    if edge.filters or edge.time_limits is not None:
        resources.append(_filters(plan, scope.namespace, options))
    if edge.jwt is not None:
        resources += _tokens(plan, edge.jwt, scope.namespace, options)
    if edge.throttle is not None:
        resources.append(_throttle(edge.throttle, plan.region, options))
    if edge.tls_policy is not None:
        resources.append(_tls_policy(plan, edge.tls_policy, scope.namespace, options))
    return resources


def backend_default(access: BackendAccessPlan, timeout_seconds: int, draining_seconds: int) -> BackendDefault:
    """How Google's load balancer serves and guards one backend."""
    iap = None
    if access.iap_client is not None and access.iap_secret is not None:
        iap = IdentityAwareProxy(client_id=access.iap_client, oauth2_client_secret=Named(name=access.iap_secret))
    return BackendDefault(
        timeout_sec=timeout_seconds,
        connection_draining=Draining(draining_timeout_sec=draining_seconds),
        security_policy=access.security_policy,
        iap=iap,
    )


def guard_service(
    name: str, access: BackendAccessPlan, timeout_seconds: int, namespace: str, opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """The policy of a Service behind the Gateway, if the Gateway authenticates or limits clients."""
    if access == BackendAccessPlan():
        return []
    spec = GcpBackendPolicySpec(
        target_ref=PolicyTarget(group="", kind="Service", name=name),
        default=backend_default(access, timeout_seconds, 0),
    )
    return [custom_resource(f"{name}-backend", spec, metadata=metadata(name, namespace), opts=opts)]


def _keys(plan: ApiKeysPlan, namespace: str, opts: pulumi.ResourceOptions) -> kubernetes.core.v1.Secret:
    instance = instance_of(opts)
    lines = [
        pulumi.Output.concat(client, " ", instance.secret(key), "\n")
        for client, key in sorted((plan.keys or {}).items())
    ]
    return kubernetes.core.v1.Secret(
        named("api-keys", opts),
        metadata=metadata(plan.secret, namespace),
        type="Opaque",
        data=secret_data({plan.entry: pulumi.Output.concat(*lines)}),
        opts=opts,
    )


def _managed_keys(
    plan: ApiKeysPlan, secret: str, scope: ClusterScope, opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """The latest version of a secret of Secret Manager as a file, for the account of the Gateway's pods alone."""
    return [
        custom_resource(
            "api-keys-provider",
            secret_file(scope.project, secret, plan.entry),
            metadata=metadata(plan.secret, scope.namespace),
            opts=opts,
        ),
        gcp.secretmanager.SecretIamMember(
            named("gateway-api-keys", opts),
            project=scope.project,
            secret_id=secret,
            role="roles/secretmanager.secretAccessor",
            member=f"serviceAccount:{scope.workload_pool}[{scope.namespace}/{plan.service_account}]",
            opts=opts,
        ),
    ]


def _filters(plan: GatewayPlan, namespace: str, opts: pulumi.ResourceOptions) -> pulumi.Resource:
    """Each is put in front of the ones before it, or right behind a filter of Istio: so the last one comes first."""
    patches = [
        {
            "applyTo": "HTTP_FILTER",
            "match": _manager_match(http_filter.after),
            "patch": {
                "operation": "INSERT_FIRST" if http_filter.after is None else "INSERT_AFTER",
                "value": {"name": http_filter.name, "typed_config": dict(http_filter.config)},
            },
        }
        for http_filter in reversed(plan.edge.filters)
    ]
    if plan.edge.time_limits is not None:
        patches.append(
            {"applyTo": "NETWORK_FILTER", "match": _manager_match(), "patch": _time_limits(plan.edge.time_limits)}
        )
    spec = EnvoyFilterSpec(
        workload_selector=WorkloadSelector(labels={GATEWAY_LABEL: plan.name}), config_patches=patches
    )
    return custom_resource("gateway-filters", spec, metadata=metadata(f"{plan.name}-clients", namespace), opts=opts)


def _manager_match(after: str | None = None) -> dict[str, Any]:
    """Every HTTP connection manager of a Gateway, and in it the filter `after`."""
    manager: dict[str, Any] = {"name": "envoy.filters.network.http_connection_manager"}
    if after is not None:
        manager["subFilter"] = {"name": after}
    return {"context": "GATEWAY", "listener": {"filterChain": {"filter": manager}}}


def _time_limits(limits: TimeLimitsPlan) -> dict[str, Any]:
    """A change of Envoy's HTTP connection manager, which has no limits of its own."""
    manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    return {
        "operation": "MERGE",
        "value": {
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": f"type.googleapis.com/{manager}",
                "request_headers_timeout": f"{limits.headers_seconds}s",
                "request_timeout": f"{limits.request_seconds}s",
            },
        },
    }


def _tokens(plan: GatewayPlan, jwt: JwtPlan, namespace: str, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    targets = [PolicyTarget(group=GATEWAY_GROUP, kind="Gateway", name=plan.name)]
    rule = JwtRule(
        issuer=jwt.issuer,
        jwks_uri=jwt.jwks_uri,
        audiences=list(jwt.audiences),
        output_claim_to_headers=[ClaimHeader(header=header, claim=claim) for header, claim in jwt.claims.items()],
    )
    verified = AuthorizationRule(from_=[From(source=Source(request_principals=[f"{jwt.issuer}/*"]))])
    name = f"{plan.name}-clients"
    return [
        custom_resource(
            "gateway-tokens",
            RequestAuthenticationSpec(target_refs=targets, jwt_rules=[rule]),
            metadata=metadata(name, namespace),
            opts=opts,
        ),
        custom_resource(
            "gateway-token-required",
            AuthorizationPolicySpec(target_refs=targets, rules=[verified]),
            metadata=metadata(name, namespace),
            opts=opts,
        ),
    ]


def _throttle(plan: ThrottlePlan, region: str, opts: pulumi.ResourceOptions) -> gcp.compute.RegionSecurityPolicy:
    compute = gcp.compute
    every = compute.RegionSecurityPolicyRuleMatchArgs(
        versioned_expr="SRC_IPS_V1", config=compute.RegionSecurityPolicyRuleMatchConfigArgs(src_ip_ranges=["*"])
    )
    limit = compute.RegionSecurityPolicyRuleRateLimitOptionsArgs(
        conform_action="allow",
        exceed_action="deny(429)",
        enforce_on_key="IP",
        rate_limit_threshold=compute.RegionSecurityPolicyRuleRateLimitOptionsRateLimitThresholdArgs(
            count=plan.requests_per_minute, interval_sec=60
        ),
    )
    return compute.RegionSecurityPolicy(
        named("clients", opts),
        name=plan.name,
        region=region,
        type="CLOUD_ARMOR",
        description="Requests of one address in a minute",
        rules=[
            compute.RegionSecurityPolicyRuleArgs(
                action="throttle", priority=1000, match=every, rate_limit_options=limit
            ),
            compute.RegionSecurityPolicyRuleArgs(action="allow", priority=2147483647, match=every),
        ],
        opts=opts,
    )


def _tls_policy(
    plan: GatewayPlan, policy: TlsPolicyPlan, namespace: str, opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    ssl_policy = gcp.compute.RegionSslPolicy(
        named("tls", opts),
        name=policy.name,
        region=plan.region,
        min_tls_version=policy.min_version,
        profile=policy.profile,
        opts=opts,
    )
    spec = GcpGatewayPolicySpec(
        target_ref=PolicyTarget(group=GATEWAY_GROUP, kind="Gateway", name=plan.name),
        default=GatewayDefault(ssl_policy=policy.name),
    )
    return custom_resource(
        "gateway-tls",
        spec,
        metadata=metadata(plan.name, namespace),
        opts=after(opts, ssl_policy),
    )
