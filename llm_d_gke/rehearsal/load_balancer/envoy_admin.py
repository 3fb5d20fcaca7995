"""The administration interface of a stack's Envoy."""

from __future__ import annotations

import json
from typing import Any

import httpx

from llm_d_gke.rehearsal.load_balancer.envoy_config import Config, Endpoint
from llm_d_gke.rehearsal.paths import StackPaths

_TIMEOUT_SECONDS = 10.0


def get(admin: Endpoint, path: str, **query: str) -> Any:
    """What a page of the interface answers, in JSON. Raises httpx.HTTPError where Envoy does not answer."""
    url = f"http://{admin[0]}:{admin[1]}{path}"
    return httpx.get(url, params={**query, "format": "json"}, timeout=_TIMEOUT_SECONDS, trust_env=False).json()


def admin_of(paths: StackPaths) -> Endpoint:
    """The address of the interface, from the file that Envoy was started with."""
    bootstrap = json.loads((paths.envoy / "bootstrap.json").read_text(encoding="utf-8"))
    address = bootstrap["admin"]["address"]["socket_address"]
    return address["address"], address["port_value"]


def endpoints(admin: Endpoint) -> dict[str, set[Endpoint]]:
    """The endpoints of each cluster that Envoy has read."""
    clusters: list[Config] = get(admin, "/clusters").get("cluster_statuses", [])
    return {cluster["name"]: _hosts(cluster) for cluster in clusters}


def proxied(paths: StackPaths) -> set[str]:
    """IP addresses to which Envoy sends requests."""
    return {address for hosts in endpoints(admin_of(paths)).values() for address, _ in hosts}


def _hosts(cluster: Config) -> set[Endpoint]:
    addresses = [host["address"]["socket_address"] for host in cluster.get("host_statuses") or []]
    return {(address["address"], address["port_value"]) for address in addresses}
