"""Translates HTTPRoutes into Envoy routes, in the Gateway API's order of precedence.

Matches and filters are those that the stack's own routes and KServe's can have (components/custom_resources).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from llm_d_gke.kube import Manifest
from llm_d_gke.rehearsal.load_balancer.envoy_config import PICKER_FILTER, Config

# The answer of Google's load balancers to a request without a route or with a route without a backend.
ABORT = "fault filter abort"

# GKE's default time for a whole answer in seconds, without a GCPBackendPolicy.
DEFAULT_TIMEOUT = 30


@dataclass(frozen=True)
class Target:
    """The target of a backendRef: a cluster, or an HTTP status that is answered instead."""

    cluster: str = ""
    weight: int = 1
    timeout: int = DEFAULT_TIMEOUT
    picker: Mapping[str, Any] | None = None
    refused: int = 0


@dataclass(frozen=True)
class Rule:
    """One rule of one HTTPRoute with resolved backends. `order` is (creation time, namespace/name, index)."""

    hostnames: tuple[str, ...]
    matches: tuple[Manifest, ...]
    filters: tuple[Manifest, ...]
    targets: tuple[Target, ...]
    order: tuple[str, str, int] = ("", "", 0)


def virtual_hosts(rules: Iterable[Rule]) -> list[Config]:
    """Virtual hosts with their routes, most specific first. The last route of each answers what nothing matches."""
    # Routes with the keys that they are sorted by.
    by_host: dict[str, list[tuple[tuple[Any, ...], Config]]] = {}
    for rule in rules:
        for hostname in rule.hostnames or ("*",):
            entries = by_host.setdefault(hostname, [])
            for match in rule.matches or ({"path": {"type": "PathPrefix", "value": "/"}},):
                entries.append(((*precedence(match), *rule.order), _route(rule, match)))
    by_host.setdefault("*", [])
    nowhere: Config = {"match": {"prefix": "/"}, "direct_response": _answer(404)}
    return [
        {
            "name": hostname,
            "domains": [hostname] if "*" in hostname else [hostname, f"{hostname}:*"],
            "routes": [*(route for _, route in sorted(entries, key=lambda entry: entry[0])), nowhere],
        }
        for hostname, entries in sorted(by_host.items())
    ]


def precedence(match: Manifest) -> tuple[int, int, int]:
    """A sort key: exact path, longest prefix, most headers come first."""
    path = match.get("path") or {}
    exact = path.get("type") == "Exact"
    return (0 if exact else 1, -len(path.get("value") or "/"), -len(match.get("headers") or []))


def unsupported(rule: Manifest) -> str | None:
    """The part of a rule that GKE's regional Gateways refuse, in the words of the Gateway controller, or None."""
    if rule.get("timeouts"):
        return "GWCER104: Timeouts are not supported"
    for match in rule.get("matches") or []:
        if (match.get("path") or {}).get("type") == "RegularExpression":
            return "GWCER104: RegularExpression path match is not supported"
    supported = ("RequestHeaderModifier", "ResponseHeaderModifier", "URLRewrite", "RequestRedirect")
    for filter_ in rule.get("filters") or []:
        if filter_["type"] not in supported:
            return f"GWCER104: filter {filter_['type']} is not supported"
    return None


def _route(rule: Rule, match: Manifest) -> Config:
    route: Config = {"match": _match(match)}
    prefix = (match.get("path") or {}).get("value") or "/"
    if any(filter_["type"] == "RequestRedirect" for filter_ in rule.filters):
        # The same address in HTTPS.
        route["redirect"] = {"response_code": "MOVED_PERMANENTLY", "scheme_redirect": "https"}
        return route
    usable = [target for target in rule.targets if target.cluster and target.weight > 0]
    refused = next((target.refused for target in rule.targets if target.refused), 0)
    if not usable:
        route["direct_response"] = _answer(refused or 500)
        return route
    action: Config = {"timeout": f"{max(target.timeout for target in usable)}s"}
    if len(usable) == 1:
        action["cluster"] = usable[0].cluster
        route |= _picker_settings(usable[0])
    else:
        weighted = [{"name": item.cluster, "weight": item.weight, **_picker_settings(item)} for item in usable]
        action["weighted_clusters"] = {"clusters": weighted}
    _modify(route, action, rule.filters, prefix)
    route["route"] = action
    return route


def _picker_settings(target: Target) -> Config:
    return {} if target.picker is None else {"typed_per_filter_config": {PICKER_FILTER: dict(target.picker)}}


def _match(match: Manifest) -> Config:
    path = match.get("path") or {}
    value = path.get("value") or "/"
    content: Config
    if path.get("type") == "Exact":
        content = {"path": value}
    elif value == "/":
        content = {"prefix": "/"}
    else:
        content = {"path_separated_prefix": value.rstrip("/")}
    if match.get("headers"):
        content["headers"] = [
            {"name": header["name"], "string_match": {"exact": header["value"]}} for header in match["headers"]
        ]
    return content


def _modify(route: Config, action: Config, filters: Iterable[Manifest], prefix: str) -> None:
    for filter_ in filters:
        if filter_["type"] == "ResponseHeaderModifier":
            route.setdefault("response_headers_to_add", []).extend(
                {
                    "header": {"key": header["name"], "value": header["value"]},
                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                }
                for header in filter_["responseHeaderModifier"]["set"]
            )
        elif filter_["type"] == "URLRewrite":
            action.update(_new_prefix(prefix, filter_["urlRewrite"]["path"]["replacePrefixMatch"]))


def _new_prefix(prefix: str, new: str) -> Config:
    old = prefix.rstrip("/")
    if new.rstrip("/"):
        return {"prefix_rewrite": new.rstrip("/")} if old else {"prefix_rewrite": new}
    # `/v2` to `/`: a plain prefix rewrite would turn /v2/models into //models.
    return {"regex_rewrite": {"pattern": {"regex": f"^{re.escape(old)}/*"}, "substitution": "/"}}


def _answer(status: int) -> Config:
    return {"status": status, "body": {"inline_string": ABORT}}
