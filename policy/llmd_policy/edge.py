"""The rule about what the internet reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .resources import Resource, Violation

_INTERNAL = "networking.gke.io/load-balancer-type"
_OLD_INTERNAL = "cloud.google.com/load-balancer-type"
_GATEWAY_LABEL = "gateway.networking.k8s.io/gateway-name"

# Filters of Envoy that authenticate clients.
_ASKING = (".lua.", ".api_key_auth.", ".jwt_authn.", ".ext_authz.", ".basic_auth.", ".oauth2.")


def public_endpoints(resources: Sequence[Resource], parameters: Mapping[str, Any]) -> list[Violation]:
    """Gateways of external classes, and Services of type LoadBalancer without the annotation that keeps them inside."""
    violations = []
    for resource in resources:
        if resource.kind == "Gateway" and _is_external(resource):
            violations += _gateway(resource, resources, parameters)
        elif resource.kind == "Service" and _spec(resource).get("type") == "LoadBalancer":
            annotations = _annotations(resource)
            if "Internal" not in (annotations.get(_INTERNAL), annotations.get(_OLD_INTERNAL)):
                violations.append(_violation(resource, "is a load balancer for the internet, past every Gateway"))
    return violations


def _gateway(gateway: Resource, resources: Sequence[Resource], parameters: Mapping[str, Any]) -> list[Violation]:
    violations = []
    if parameters["authentication"] and not _asks(gateway, resources):
        violations.append(_violation(gateway, "is reachable from the internet without authentication"))
    listeners = _spec(gateway).get("listeners") or []
    encrypted = [listener for listener in listeners if listener.get("protocol") in ("HTTPS", "TLS")]
    plain = [listener for listener in listeners if listener not in encrypted]
    redirected = {
        parent.get("sectionName")
        for route in _of_kind(resources, "HTTPRoute")
        if all(
            any(change.get("type") == "RequestRedirect" for change in rule.get("filters") or ())
            for rule in _spec(route).get("rules") or ()
        )
        for parent in _spec(route).get("parentRefs") or ()
    }
    serving = [listener for listener in plain if not (encrypted and listener.get("name") in redirected)]
    if parameters["tls"] and serving:
        violations.append(_violation(gateway, f"answers plain HTTP on port {serving[0].get('port')}"))
    return violations


def _is_external(gateway: Resource) -> bool:
    name = str(_spec(gateway).get("gatewayClassName"))
    if name.startswith("gke-"):
        return "rilb" not in name and "internal" not in name
    infrastructure = (_spec(gateway).get("infrastructure") or {}).get("annotations") or {}
    return infrastructure.get(_INTERNAL) != "Internal"


def _asks(gateway: Resource, resources: Sequence[Resource]) -> bool:
    """Istio: a filter that authenticates, or a policy that admits verified callers only. GKE: IAP on every backend."""
    name = gateway.object_name
    for filter_ in _of_kind(resources, "EnvoyFilter"):
        labels = (_spec(filter_).get("workloadSelector") or {}).get("labels") or {}
        text = str(_spec(filter_).get("configPatches"))
        if labels.get(_GATEWAY_LABEL) == name and any(word in text for word in _ASKING):
            return True
    for policy in _of_kind(resources, "AuthorizationPolicy"):
        targets = [target.get("name") for target in _spec(policy).get("targetRefs") or ()]
        if name in targets and "requestPrincipals" in str(_spec(policy).get("rules")):
            return True
    policies = _of_kind(resources, "GCPBackendPolicy")
    asking = {
        (_spec(policy).get("targetRef") or {}).get("name")
        for policy in policies
        if ((_spec(policy).get("default") or {}).get("iap") or {}).get("enabled")
    }
    backends = {
        backend.get("name")
        for route in _of_kind(resources, "HTTPRoute")
        for rule in _spec(route).get("rules") or ()
        for backend in rule.get("backendRefs") or ()
    }
    return bool(backends) and backends <= asking


def _of_kind(resources: Sequence[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource.kind == kind]


def _spec(resource: Resource) -> Mapping[str, Any]:
    spec = resource.properties.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _annotations(resource: Resource) -> Mapping[str, Any]:
    metadata = resource.properties.get("metadata") or {}
    return metadata.get("annotations") or {}


def _violation(resource: Resource, text: str) -> Violation:
    return Violation(
        resource=resource.object_name, message=f"{resource.kind} {resource.object_name} {text}", urn=resource.urn
    )
