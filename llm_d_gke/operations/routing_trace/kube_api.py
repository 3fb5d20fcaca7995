"""What an endpoint picker reads of a cluster's API, answered from memory: one pool, its pods, and no objectives."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlparse

from llm_d_gke.operations.routing_trace.server import Handler, Server

NAMESPACE, POOL = "trace", "pool"
_POOLS = "inference.networking.k8s.io"
_LABELS = {"app": "engine"}
_KINDS = {"pods": "Pod", "inferencepools": "InferencePool"}
_LATER = {"inferenceobjectives": "InferenceObjective", "inferencemodelrewrites": "InferenceModelRewrite"}


class KubeApi:
    """Lists and watches of pods and pools at `address`. Everything else is an empty list.

    Pods can be added while it runs.
    """

    def __init__(self, ips: Sequence[str], port: int, objective_groups: Sequence[str]) -> None:
        pods = [_pod(f"engine-{number}", ip) for number, ip in enumerate(ips)]
        objects = {"pods": pods, "inferencepools": [_pool(port)]}
        versions = {_POOLS: "v1", **dict.fromkeys(objective_groups, "v1alpha2")}
        changed = threading.Condition()
        self._pods, self._changed, self._ended = pods, changed, False
        cluster = self

        class Api(Handler):
            def do_GET(self) -> None:
                url = urlparse(self.path)
                parts = [part for part in url.path.split("/") if part]
                query = parse_qs(url.query)
                discovery = _discovery(parts, versions)
                if discovery is not None:
                    self._document(discovery)
                    return
                resource = next((part for part in reversed(parts) if part in {**_KINDS, **_LATER}), "")
                if not resource:
                    self.send_error(404)
                    return
                items = objects.get(resource, [])
                if query.get("watch", ["false"])[0] in ("true", "1"):
                    self._watch(items if "sendInitialEvents" in query else [], resource)
                    return
                api = "v1" if parts[0] == "api" else "/".join(parts[1:3])
                kind = f"{({**_KINDS, **_LATER})[resource]}List"
                self._document({"kind": kind, "apiVersion": api, "metadata": {"resourceVersion": "1"}, "items": items})

            def _document(self, document: dict[str, Any]) -> None:
                self.answer(json.dumps(document).encode(), "application/json")

            def _watch(self, items: Sequence[dict[str, Any]], resource: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                items = list(items)
                self._added(items)
                self._event({"type": "BOOKMARK", "object": _bookmark(resource, versions)})
                with changed:
                    sent = len(items)
                    while resource == "pods" and not cluster._ended:
                        self._added(pods[sent:])
                        sent = len(pods)
                        changed.wait()
                    changed.wait_for(lambda: cluster._ended)

            def _added(self, items: Sequence[dict[str, Any]]) -> None:
                for item in items:
                    self._event({"type": "ADDED", "object": item})

            def _event(self, event: dict[str, Any]) -> None:
                line = json.dumps(event).encode() + b"\n"
                self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
                self.wfile.flush()

        self._server = Server(("127.0.0.1", 0), Api)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, ip: str) -> None:
        """A replica that has become ready."""
        with self._changed:
            self._pods.append(_pod(f"engine-{len(self._pods)}", ip))
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._server.close()


def _discovery(parts: Sequence[str], versions: dict[str, str]) -> dict[str, Any] | None:
    """The API's description of itself, or None for a path of objects."""
    groups = [_group(name, version) for name, version in versions.items()]
    match list(parts):
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["api", "v1"]:
            return _resources("v1", {"pods": "Pod"})
        case ["apis"]:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        case ["apis", name] if name in versions:
            return {"apiVersion": "v1", "kind": "APIGroup", **_group(name, versions[name])}
        case ["apis", name, version] if versions.get(name) == version:
            return _resources(f"{name}/{version}", {"inferencepools": "InferencePool"} if name == _POOLS else _LATER)
        case _:
            return None


def _group(name: str, version: str) -> dict[str, Any]:
    written = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [written], "preferredVersion": written}


def _resources(version: str, kinds: dict[str, str]) -> dict[str, Any]:
    verbs = ["get", "list", "watch"]
    resources = [
        {"name": name, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": verbs}
        for name, kind in kinds.items()
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


def _bookmark(resource: str, versions: dict[str, str]) -> dict[str, Any]:
    """The event after which a client knows that it has seen everything."""
    group = next((name for name in versions if name != _POOLS), _POOLS)
    api = {"pods": "v1", "inferencepools": f"{_POOLS}/v1"}.get(resource, f"{group}/v1alpha2")
    return {
        "kind": {**_KINDS, **_LATER}[resource],
        "apiVersion": api,
        "metadata": {"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}},
    }


def _pod(name: str, ip: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": name, "resourceVersion": "1", "labels": _LABELS},
        "spec": {"containers": [{"name": "engine", "image": "engine"}]},
        "status": {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _pool(port: int) -> dict[str, Any]:
    return {
        "apiVersion": f"{_POOLS}/v1",
        "kind": "InferencePool",
        "metadata": {"name": POOL, "namespace": NAMESPACE, "uid": POOL, "resourceVersion": "1", "generation": 1},
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "targetPorts": [{"number": port}],
            "endpointPickerRef": {"name": "picker", "port": {"number": 9002}},
        },
    }
