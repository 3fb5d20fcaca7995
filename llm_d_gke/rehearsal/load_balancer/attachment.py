"""Attaches HTTPRoutes to the listeners of a Gateway, by the rules of the Gateway API."""

from __future__ import annotations

from llm_d_gke.kube import Manifest, Manifests

GATEWAY_GROUP = "gateway.networking.k8s.io"


def refers(route: Manifest, parent: Manifest, gateway: Manifest) -> bool:
    namespace = parent.get("namespace") or route["metadata"]["namespace"]
    return bool(
        parent.get("kind", "Gateway") == "Gateway"
        and parent.get("group", GATEWAY_GROUP) == GATEWAY_GROUP
        and parent["name"] == gateway["metadata"]["name"]
        and namespace == gateway["metadata"]["namespace"]
    )


def listeners_of(route: Manifest, parent: Manifest, gateway: Manifest) -> tuple[Manifests, str, str]:
    """Returns (listeners that accept the route, reason, message). The reason is the Gateway API's."""
    candidates = [
        listener
        for listener in gateway["spec"]["listeners"]
        if parent.get("sectionName") in (None, listener["name"]) and parent.get("port") in (None, listener["port"])
    ]
    if not candidates:
        return [], "NoMatchingParent", "no listener of the Gateway has this section name and port"
    allowing = [listener for listener in candidates if _allowed(route, listener, gateway)]
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
    common = [narrower for name in own if (narrower := _narrower_hostname(name, host)) is not None]
    return tuple(common) or None


def _allowed(route: Manifest, listener: Manifest, gateway: Manifest) -> bool:
    allowed = listener.get("allowedRoutes") or {}
    kinds = allowed.get("kinds") or []
    if kinds and not any(kind["kind"] == "HTTPRoute" for kind in kinds):
        return False
    if (allowed.get("namespaces") or {}).get("from", "Same") == "All":
        return True
    return bool(route["metadata"]["namespace"] == gateway["metadata"]["namespace"])


def _narrower_hostname(first: str, second: str) -> str | None:
    """The narrower of two hostnames, either of which may begin with `*.`."""
    if first == second:
        return first
    if second.startswith("*.") and first.endswith(second[1:]):
        return first
    if first.startswith("*.") and second.endswith(first[1:]):
        return second
    return None
