"""What an endpoint picker reads of a cluster's API, answered from memory: one pool, its pods, and no objectives."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlparse

from llm_d_gke.rehearsal.host.servers import HttpHandler, HttpServer

NAMESPACE, POOL = "trace", "pool"
_POOLS = "inference.networking.k8s.io"
_LABELS = {"app": "engine"}
_KINDS = {"pods": "Pod", "inferencepools": "InferencePool"}
_LATER = {"inferenceobjectives": "InferenceObjective", "inferencemodelrewrites": "InferenceModelRewrite"}
_ALL_KINDS = {**_KINDS, **_LATER}


class KubeApi(HttpServer):
    """Lists and watches of pods and pools at `address`. Everything else is an empty list.

    Pods can be added while it runs.
    """

    def __init__(self, ips: Sequence[str], port: int, objective_groups: Sequence[str]) -> None:
        self.pods = [_pod(f"engine-{number}", ip) for number, ip in enumerate(ips)]
        self.objects = {"pods": self.pods, "inferencepools": [_pool(port)]}
        self.versions = {_POOLS: "v1", **dict.fromkeys(objective_groups, "v1alpha2")}
        self.changed, self.ended = threading.Condition(), False
        super().__init__(("127.0.0.1", 0), _Api)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.start()

    def add(self, ip: str) -> None:
        """A replica that has become ready."""
        with self.changed:
            self.pods.append(_pod(f"engine-{len(self.pods)}", ip))
            self.changed.notify_all()

    def stop(self) -> None:
        with self.changed:
            self.ended = True
            self.changed.notify_all()
        super().stop()


class _Api(HttpHandler):
    server: KubeApi

    def do_GET(self) -> None:
        url = urlparse(self.path)
        parts = [part for part in url.path.split("/") if part]
        query = parse_qs(url.query)
        discovery = _discovery(parts, self.server.versions)
        resource = next((part for part in reversed(parts) if part in _ALL_KINDS), "")
        if discovery is not None:
            self._document(discovery)
        elif not resource:
            self.send_error(404)
        elif query.get("watch", ["false"])[0] in ("true", "1"):
            self._watch(resource, with_present="sendInitialEvents" in query)
        else:
            api = "v1" if parts[0] == "api" else "/".join(parts[1:3])
            items = self.server.objects.get(resource, [])
            metadata = {"resourceVersion": "1"}
            self._document(
                {"kind": f"{_ALL_KINDS[resource]}List", "apiVersion": api, "metadata": metadata, "items": items}
            )

    def _document(self, document: dict[str, Any]) -> None:
        self.reply(HTTPStatus.OK, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _watch(self, resource: str, *, with_present: bool) -> None:
        """Events until the server ends: the objects there are, if asked for, a bookmark, and pods that are added."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        present = list(self.server.objects.get(resource, [])) if with_present else []
        self._added(present)
        self._event({"type": "BOOKMARK", "object": _bookmark(resource, self.server.versions)})
        with self.server.changed:
            sent = len(present)
            while resource == "pods" and not self.server.ended:
                self._added(self.server.pods[sent:])
                sent = len(self.server.pods)
                self.server.changed.wait()
            self.server.changed.wait_for(lambda: self.server.ended)

    def _added(self, items: Sequence[dict[str, Any]]) -> None:
        for item in items:
            self._event({"type": "ADDED", "object": item})

    def _event(self, event: dict[str, Any]) -> None:
        line = json.dumps(event).encode() + b"\n"
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()


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
        "kind": _ALL_KINDS[resource],
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
