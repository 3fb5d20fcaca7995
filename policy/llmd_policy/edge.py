"""The rule about what the internet reaches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .resources import Part, Resource, Violation, parts_of

_INTERNAL = "networking.gke.io/load-balancer-type"
_OLD_INTERNAL = "cloud.google.com/load-balancer-type"
_GATEWAY_LABEL = "gateway.networking.k8s.io/gateway-name"

# Filters of Envoy that authenticate clients. A program in Lua is one if it can answer 401 or 403.
_ASKING = (".api_key_auth.", ".jwt_authn.", ".ext_authz.", ".basic_auth.", ".oauth2.")
_REFUSAL = re.compile(r"\b40[13]\b")


def public_endpoints(resources: Sequence[Resource], parameters: Mapping[str, Any]) -> list[Violation]:
    """Gateways of external classes, and every other way from the internet, which leads past them."""
    violations = []
    for resource in resources:
        if resource.kind == "Gateway" and _is_external(resource):
            violations += _gateway(resource, resources, parameters)
        elif resource.kind == "Ingress" and "internal" not in _ingress_class(resource):
            violations.append(_violation(resource, "is a load balancer for the internet, past every Gateway"))
        elif resource.kind == "Service" and _spec(resource).get("externalIPs"):
            violations.append(_violation(resource, "answers on addresses of the internet, past every Gateway"))
        if any(_is_load_balancer(part, resource) for part in parts_of(resource)):
            violations.append(_violation(resource, "is a load balancer for the internet, past every Gateway"))
    return violations


def _ingress_class(ingress: Resource) -> str:
    stated = _spec(ingress).get("ingressClassName") or _annotations(ingress).get("kubernetes.io/ingress.class")
    return str(stated or "")


def _is_load_balancer(part: Part, resource: Resource) -> bool:
    """A Service, or the part of a chart's values that becomes one, without the annotation that keeps it inside."""
    annotations = _annotations(resource) if resource.kind == "Service" else part.fields.get("annotations")
    inside = isinstance(annotations, Mapping) and "Internal" in map(annotations.get, (_INTERNAL, _OLD_INTERNAL))
    return "LoadBalancer" in (part.fields.get("type"), part.fields.get("serviceType")) and not inside


def _gateway(gateway: Resource, resources: Sequence[Resource], parameters: Mapping[str, Any]) -> list[Violation]:
    violations = []
    if parameters["authentication"] and not _asks(gateway, resources):
        violations.append(_violation(gateway, "is reachable from the internet without authentication"))
    listeners = list(_listeners(gateway))
    encrypted = any(protocol in ("HTTPS", "TLS") for _, _, protocol in listeners)
    serving = [
        port
        for name, port, protocol in listeners
        if protocol not in ("HTTPS", "TLS") and not (encrypted and _only_redirects(gateway, name, port, resources))
    ]
    if parameters["tls"] and serving:
        violations.append(_violation(gateway, f"answers plain HTTP on port {serving[0]}"))
    return violations


def _listeners(gateway: Resource) -> Iterator[tuple[str | None, Any, str]]:
    """Name, port and protocol of each listener, or of each server of Istio's own kind."""
    for listener in _spec(gateway).get("listeners") or ():
        yield listener.get("name"), listener.get("port"), str(listener.get("protocol"))
    for server in _spec(gateway).get("servers") or ():
        port = server.get("port") or {}
        yield port.get("name"), port.get("number"), str(port.get("protocol"))


def _only_redirects(gateway: Resource, name: str | None, port: Any, resources: Sequence[Resource]) -> bool:
    """Whether every route of a listener redirects. A route that names no listener belongs to all of them."""
    routes = [
        route
        for route in resources
        if route.kind.endswith("Route")
        for parent in _spec(route).get("parentRefs") or ()
        if parent.get("name") == gateway.object_name
        and parent.get("sectionName") in (None, name)
        and parent.get("port") in (None, port)
    ]
    return bool(routes) and all(
        any(change.get("type") == "RequestRedirect" for change in rule.get("filters") or ())
        for route in routes
        for rule in _spec(route).get("rules") or ()
    )


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
        patches = _spec(filter_).get("configPatches") or ()
        if labels.get(_GATEWAY_LABEL) == name and any(map(_authenticates, map(str, patches))):
            return True
    admitting = [
        policy
        for policy in _of_kind(resources, "AuthorizationPolicy")
        if _spec(policy).get("action", "ALLOW") == "ALLOW" and _applies(policy, name)
    ]
    # One of them is enough to be admitted, so each has to ask.
    if admitting and all(map(_asks_each_caller, admitting)):
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


def _authenticates(patch: str) -> bool:
    return any(word in patch for word in _ASKING) or (".lua." in patch and _REFUSAL.search(patch) is not None)


def _applies(policy: Resource, gateway: str) -> bool:
    """A policy without targets applies to every workload of its namespace."""
    spec = _spec(policy)
    selected = ((spec.get("selector") or {}).get("matchLabels") or {}).get(_GATEWAY_LABEL)
    targets = [target.get("name") for target in spec.get("targetRefs") or ()]
    return gateway in (*targets, selected) or not (targets or spec.get("selector"))


def _asks_each_caller(policy: Resource) -> bool:
    rules = _spec(policy).get("rules") or ()
    return bool(rules) and all(
        rule.get("from") and all((way.get("source") or {}).get("requestPrincipals") for way in rule["from"])
        for rule in rules
    )


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
