"""Attaches HTTPRoutes to the listeners of a Gateway, by the rules of the Gateway API."""

from __future__ import annotations

from collections.abc import Callable

from llm_d_gke.rehearsal.kube import Manifest, Manifests

GATEWAY_GROUP = "gateway.networking.k8s.io"

# namespace -> its labels
Labels = Callable[[str], dict[str, str]]


def refers(route: Manifest, parent: Manifest, gateway: Manifest) -> bool:
    namespace = parent.get("namespace") or route["metadata"]["namespace"]
    return bool(
        parent.get("kind", "Gateway") == "Gateway"
        and parent.get("group", GATEWAY_GROUP) == GATEWAY_GROUP
        and parent["name"] == gateway["metadata"]["name"]
        and namespace == gateway["metadata"]["namespace"]
    )


def listeners_of(route: Manifest, parent: Manifest, gateway: Manifest, labels: Labels) -> tuple[Manifests, str, str]:
    """Returns (listeners that accept the route, reason, message). The reason is the Gateway API's."""
    candidates = [
        listener
        for listener in gateway["spec"]["listeners"]
        if parent.get("sectionName") in (None, listener["name"]) and parent.get("port") in (None, listener["port"])
    ]
    if not candidates:
        return [], "NoMatchingParent", "no listener of the Gateway has this section name and port"
    allowing = [listener for listener in candidates if _allowed(route, listener, gateway, labels)]
    if not allowing:
        return [], "NotAllowedByListeners", "the Gateway's listeners do not allow routes of this namespace or kind"
    fitting = [listener for listener in allowing if hostnames(route, listener) is not None]
    if not fitting:
        return (
            [],
            "NoMatchingListenerHostname",
            "no hostname of the route matches a hostname of the Gateway's listeners",
        )
    return fitting, "Accepted", ""


def hostnames(route: Manifest, listener: Manifest) -> tuple[str, ...] | None:
    """Hostnames under which the listener serves the route (empty: all). None when they have none in common."""
    own: list[str] = route["spec"].get("hostnames") or []
    host = listener.get("hostname")
    if not host:
        return tuple(own)
    if not own:
        return (host,)
    common = [narrower for name in own if (narrower := _common(name, host)) is not None]
    return tuple(common) or None


def permitted(route: Manifest, backend: Manifest, grants: Manifests) -> bool:
    """Whether a route may refer to a backend: always in its own namespace, elsewhere with a ReferenceGrant."""
    home = route["metadata"]["namespace"]
    namespace = backend.get("namespace") or home
    if namespace == home:
        return True
    for grant in grants:
        if grant["metadata"]["namespace"] != namespace:
            continue
        source = any(
            source_ref["group"] == GATEWAY_GROUP
            and source_ref["kind"] == "HTTPRoute"
            and source_ref["namespace"] == home
            for source_ref in grant["spec"]["from"]
        )
        target = any(
            (target_ref.get("group") or "") == (backend.get("group") or "")
            and target_ref["kind"] == backend.get("kind", "Service")
            and target_ref.get("name") in (None, backend["name"])
            for target_ref in grant["spec"]["to"]
        )
        if source and target:
            return True
    return False


def _allowed(route: Manifest, listener: Manifest, gateway: Manifest, labels: Labels) -> bool:
    allowed = listener.get("allowedRoutes") or {}
    kinds = allowed.get("kinds") or []
    if kinds and not any(kind["kind"] == "HTTPRoute" for kind in kinds):
        return False
    namespaces = allowed.get("namespaces") or {}
    match namespaces.get("from", "Same"):
        case "All":
            return True
        case "Selector":
            match_labels = (namespaces.get("selector") or {}).get("matchLabels") or {}
            own = labels(route["metadata"]["namespace"])
            return all(own.get(key) == value for key, value in match_labels.items())
        case "Same":
            return bool(route["metadata"]["namespace"] == gateway["metadata"]["namespace"])
    return False


def _common(first: str, second: str) -> str | None:
    """The narrower of two hostnames, either of which may begin with `*.`."""
    if first == second:
        return first
    if second.startswith("*.") and first.endswith(second[1:]):
        return first
    if first.startswith("*.") and second.endswith(first[1:]):
        return second
    return None
