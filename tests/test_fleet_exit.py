"""A cluster that leaves its fleet before its end: which pools, and until when it waits."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest

from llm_d_gke.fleet_exit import exported_pools, holds_gateway, leave_fleet, refusal, unprotect
from llm_d_gke.google_types import EXPORT_ANNOTATION, FLEET_FEATURE, FLEET_GUARD, MEMBERSHIP, NETWORK
from llm_d_gke.kube import Kube, NotFound
from tests.stacks import FLEET_CONFIG, FLEET_MEMBER, graph_of

POOL = "kubernetes:inference.networking.k8s.io/v1:InferencePool"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
WORKLOADS = ("kubernetes:apps/v1:Deployment", "kubernetes:networking.k8s.io/v1:NetworkPolicy")
SPEC = {"selector": {"matchLabels": {"app": "chat"}}, "targetPorts": [{"number": 8000}]}
POD = {"metadata": {"name": "chat-0"}, "spec": {"containers": [{}]}, "status": {"podIP": "10.0.0.9"}}


def pool(**annotations: str) -> dict[str, Any]:
    return {"type": POOL, "inputs": {"metadata": {"namespace": "llm-d", "name": "chat", "annotations": annotations}}}


@pytest.mark.parametrize(
    ("resources", "pools"),
    [
        ([pool(**{EXPORT_ANNOTATION: "True"})], [("llm-d", "chat")]),
        # It left already, by `fleet.exported: false`.
        ([pool()], []),
        # The config cluster's Gateway ends with it.
        ([pool(**{EXPORT_ANNOTATION: "True"}), {"type": GATEWAY, "inputs": {}}], []),
        ([], []),
    ],
)
def test_only_a_member_that_still_exports_has_to_leave(
    resources: list[dict[str, Any]], pools: list[tuple[str, str]]
) -> None:
    assert exported_pools({"resources": resources}) == pools


class Cluster:
    """The part of the API that is used: one pool with one pod."""

    def __init__(self, *, exists: bool = True) -> None:
        self.exists, self.patched = exists, list[Mapping[str, Any]]()

    def patch(self, _version: str, _kind: str, _name: str, body: Mapping[str, Any], _namespace: str) -> dict[str, Any]:
        if not self.exists:
            raise NotFound(404, {})
        self.patched.append(body)
        return {"spec": SPEC}

    def list(self, _version: str, _kind: str, _namespace: str, *, labels: str) -> list[dict[str, Any]]:
        assert labels == "app=chat"
        return [POD, POD | {"status": {}}]


class Server:
    """A model server that has a request before each of the first `busy` looks at its metrics."""

    def __init__(self, busy: int) -> None:
        self.looks = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.looks += 1
                served = min(server.looks, busy)
                text = f'vllm:request_prompt_tokens_count{{model="chat"}} {served}\nvllm:num_requests_running 0\n'
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Keep the tests' output free of requests."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def address(self, pod: Mapping[str, Any], port: int) -> str:
        assert (pod, port) == (POD, 8000)
        return f"127.0.0.1:{self.http.server_port}"


@pytest.fixture
def busy_server() -> Iterator[Server]:
    server = Server(busy=3)
    yield server
    server.http.shutdown()


def test_it_waits_until_requests_stop(busy_server: Server) -> None:
    cluster, lines = Cluster(), list[str]()
    leave_fleet(cast(Kube, cluster), [("llm-d", "chat")], busy_server.address, lines.append, quiet=0.5, patience=30.0)
    assert cluster.patched == [{"metadata": {"annotations": {EXPORT_ANNOTATION: None}}}]
    assert busy_server.looks > 3
    assert len(lines) == 1


def test_requests_that_do_not_stop_end_the_wait_with_a_word(busy_server: Server) -> None:
    lines: list[str] = []
    pools = [("llm-d", "chat")]
    leave_fleet(cast(Kube, Cluster()), pools, busy_server.address, lines.append, quiet=60.0, patience=1.0)
    assert lines[-1] == "requests still come 1 s later: they will be lost"


def test_a_pool_that_is_not_there_any_more_is_no_obstacle() -> None:
    def address(_pod: object, _port: int) -> str:
        raise AssertionError("no pod is looked at")

    leave_fleet(cast(Kube, Cluster(exists=False)), [("llm-d", "chat")], address, print, quiet=0.0, patience=1.0)


class State:
    """A stack's state, of which the last replacement is kept."""

    def __init__(self, *resources: dict[str, Any]) -> None:
        self.state: dict[str, Any] = {"version": 3, "deployment": {"resources": list(resources)}}
        self.restored: Mapping[str, Any] | None = None

    def export(self) -> dict[str, Any]:
        return copy.deepcopy(self.state)

    def restore(self, state: Mapping[str, Any]) -> None:
        self.restored = state

    def refresh(self, urns: Sequence[str]) -> None:
        raise AssertionError(urns)


def test_only_the_guard_loses_its_protection() -> None:
    guard = {"type": "kubernetes:core/v1:ConfigMap", "inputs": {"metadata": {"name": FLEET_GUARD}}}
    others = [{"type": NETWORK, "protect": True}, pool() | {"protect": True}, {"type": "pulumi:pulumi:Stack"}]
    protected = State(*others, guard | {"protect": True})
    unprotect(protected)
    assert protected.restored is not None
    assert protected.restored["deployment"]["resources"] == [*others, guard | {"protect": False}]
    unprotected = State(*others, guard)
    unprotect(unprotected)
    assert unprotected.restored is None


def test_a_plain_destroy_keeps_what_serves_while_a_member_exports_its_pool() -> None:
    graph = graph_of("gpu", FLEET_MEMBER)
    guard = graph.one("kubernetes:core/v1:ConfigMap", FLEET_GUARD)
    assert guard.options.protect
    serving = [resource for resource in graph if resource.type in (POOL, MEMBERSHIP, *WORKLOADS)]
    assert len(serving) >= 5
    for resource in serving:
        assert graph.depends(guard, resource), resource.urn
    out = graph_of("gpu", FLEET_MEMBER | {"fleet.exported": False})
    assert not out.one("kubernetes:core/v1:ConfigMap", FLEET_GUARD).options.protect
    config = graph_of("gpu", FLEET_CONFIG)
    assert FLEET_GUARD not in {resource.name for resource in config}


def test_the_cluster_with_the_gateway_is_known_by_its_feature() -> None:
    assert holds_gateway({"resources": [{"type": FLEET_FEATURE}]})
    assert not holds_gateway({"resources": [pool()]})
    text = refusal("west", ["east", "north"], "make down")
    for part in ("west holds", "(east, north)", "make down STACK=east", "ARGS=--despite-members"):
        assert part in text
