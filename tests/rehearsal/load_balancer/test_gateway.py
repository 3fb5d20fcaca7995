"""Routes in Gateway API's order, backends with their policies, and a configuration that the real Envoy accepts."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_d_gke.rehearsal.load_balancer.attachment import hostnames, listeners_of
from llm_d_gke.rehearsal.load_balancer.backends import Backends, GatewayObjects, UnresolvedError, health_check
from llm_d_gke.rehearsal.load_balancer.envoy import LINGER_SECONDS, Envoy, executable
from llm_d_gke.rehearsal.load_balancer.envoy_config import (
    Config,
    Extension,
    bootstrap,
    extension_filters,
    forward,
    gateway_listener,
    picker_override,
    route_configuration,
)
from llm_d_gke.rehearsal.load_balancer.health import HealthCheck, ask
from llm_d_gke.rehearsal.load_balancer.routes import Rule, Target, unsupported, virtual_hosts
from llm_d_gke.rehearsal.load_balancer.statuses import condition, dated
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Cloud
from tests.waiting import eventually


def rule(*matches: dict[str, Any], cluster: str, order: tuple[str, str, int] = ("t", "ns/r", 0), **more: Any) -> Rule:
    return Rule(more.pop("hostnames", ()), matches, more.pop("filters", ()), (Target(cluster, **more),), order)


def path(value: str, kind: str = "PathPrefix", **more: Any) -> dict[str, Any]:
    return {"path": {"type": kind, "value": value}, **more}


def header(name: str) -> dict[str, str]:
    return {"name": name, "value": "v"}


def clusters(rules: list[Rule], host: str = "*") -> list[str]:
    routes = next(virtual_host for virtual_host in virtual_hosts(rules) if virtual_host["name"] == host)["routes"]
    return [route["route"]["cluster"] if "route" in route else "nowhere" for route in routes]


def test_routes_stand_in_gateway_apis_order() -> None:
    rules = [
        rule(path("/"), cluster="root"),
        rule(path("/v1", headers=[header("a")]), cluster="one-header"),
        rule(path("/v1", headers=[header("a"), header("b")]), cluster="two-headers"),
        rule(path("/v1"), cluster="prefix"),
        rule(path("/v1/models"), cluster="longer"),
        rule(path("/v1", "Exact"), cluster="exact"),
    ]
    assert clusters(rules) == ["exact", "longer", "two-headers", "one-header", "prefix", "root", "nowhere"]


def test_of_equal_routes_the_older_wins_then_the_name_then_the_rule() -> None:
    rules = [
        rule(path("/"), cluster="young", order=("2", "a/a", 0)),
        rule(path("/"), cluster="second-rule", order=("1", "a/b", 1)),
        rule(path("/"), cluster="first-rule", order=("1", "a/b", 0)),
        rule(path("/"), cluster="first-name", order=("1", "a/a", 5)),
    ]
    assert clusters(rules) == ["first-name", "first-rule", "second-rule", "young", "nowhere"]


def test_a_hostname_gets_only_its_own_routes() -> None:
    rules = [rule(cluster="mine", hostnames=("a.example",)), rule(cluster="any")]
    assert clusters(rules, "a.example") == ["mine", "nowhere"]
    assert clusters(rules) == ["any", "nowhere"]


def test_nothing_routed_answers_as_google_does() -> None:
    (host,) = virtual_hosts([])
    assert host["routes"] == [
        {"match": {"prefix": "/"}, "direct_response": {"status": 404, "body": {"inline_string": "fault filter abort"}}}
    ]


def test_a_backend_that_refuses_answers_in_its_place() -> None:
    (host,) = virtual_hosts([Rule((), (), (), (Target(refused=500),))])
    assert host["routes"][0]["direct_response"] == {"status": 500, "body": {"inline_string": "fault filter abort"}}


def test_weights_divide_the_traffic() -> None:
    targets = (Target("a", 3), Target("b", 1), Target("c", 0))
    (host,) = virtual_hosts([Rule((), (), (), targets)])
    shares = host["routes"][0]["route"]["weighted_clusters"]["clusters"]
    assert [(share["name"], share["weight"]) for share in shares] == [("a", 3), ("b", 1)]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({"timeouts": {"request": "10s"}}, "GWCER104: Timeouts are not supported"),
        ({"filters": [{"type": "RequestMirror"}]}, "GWCER104: filter RequestMirror is not supported"),
        ({"matches": [path("/", "RegularExpression")]}, "GWCER104: RegularExpression path match is not supported"),
        ({"matches": [path("/v1")]}, None),
    ],
)
def test_what_gke_does_not_support_is_refused(content: dict[str, Any], word: str | None) -> None:
    assert unsupported(content) == word


GATEWAY = {
    "metadata": {"name": "g", "namespace": "llm"},
    "spec": {
        "listeners": [
            {"name": "open", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}},
            {"name": "own", "port": 81, "hostname": "*.example.com"},
        ]
    },
}


def http_route(namespace: str = "llm", names: list[str] | None = None) -> dict[str, Any]:
    return {"metadata": {"name": "r", "namespace": namespace}, "spec": {"hostnames": names or []}}


@pytest.mark.parametrize(
    ("route", "parent", "listeners", "reason"),
    [
        (http_route(), {}, ["open", "own"], "Accepted"),
        (http_route("other"), {}, ["open"], "Accepted"),
        (http_route("other"), {"sectionName": "own"}, [], "NotAllowedByListeners"),
        (http_route(), {"port": 99}, [], "NoMatchingParent"),
        (http_route(names=["x.org"]), {"port": 81}, [], "NoMatchingListenerHostname"),
    ],
)
def test_listeners_take_the_routes_they_allow(
    route: dict[str, Any], parent: dict[str, Any], listeners: list[str], reason: str
) -> None:
    attached, why, _ = listeners_of(route, parent, GATEWAY)
    assert ([listener["name"] for listener in attached], why) == (listeners, reason)


def test_a_routes_hostnames_are_narrowed_to_the_listeners() -> None:
    assert hostnames(http_route(names=["a.example.com", "b.org"]), {"hostname": "*.example.com"}) == ("a.example.com",)
    assert hostnames(http_route(), {"hostname": "h"}) == ("h",)


def pod(name: str, ip: str, *, ready: bool = True, args: list[str] | None = None) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "llm", "labels": {"app": name.split("-")[0]}},
        "spec": {"containers": [{"args": args or [], "ports": [{"name": "http", "containerPort": 8000}]}]},
        "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


POOL = {
    "metadata": {"name": "pool", "namespace": "llm"},
    "spec": {
        "selector": {"matchLabels": {"app": "vllm"}},
        "targetPorts": [{"number": 8000}],
        "endpointPickerRef": {"name": "epp", "port": {"number": 9002}, "failureMode": "FailOpen"},
    },
}
PICKER = {
    "metadata": {"name": "epp", "namespace": "llm"},
    "spec": {"selector": {"app": "epp"}, "ports": [{"port": 9002}]},
}
POLICY = {
    "metadata": {"name": "h", "namespace": "llm", "creationTimestamp": "1"},
    "spec": {
        "targetRef": {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "pool"},
        "default": {
            "timeoutSec": 300,
            "config": {
                "type": "HTTP",
                "httpHealthCheck": {"portSpecification": "USE_FIXED_PORT", "port": 8000, "requestPath": "/health"},
            },
        },
    },
}


SECRETS: dict[tuple[str, str, str], dict[str, Any]] = {}


def backends(
    *, enabled: bool = True, policies: bool = True, healthy: frozenset[str] = frozenset(), **objects: Any
) -> Backends:
    chosen = [POLICY] if policies else []
    objects = {
        "pods": [
            pod("vllm-1", "127.64.1.1"),
            pod("vllm-2", "127.64.1.2"),
            pod("vllm-3", "127.64.1.3", ready=False),
            pod("epp-1", "127.64.1.9"),
        ],
        "services": [PICKER],
        "pools": [POOL],
        "destination_rules": [],
    } | objects
    return Backends(
        GatewayObjects(health_policies=chosen, backend_policies=chosen, **objects),
        lambda name: Path("/e") / name,
        enabled,
        lambda check, endpoint: endpoint[0] in healthy if check.path == "/health" else check.kind == "TCP",
        lambda kind, namespace, name: SECRETS.get((kind, namespace, name)),
    )


def members(all_backends: Backends, cluster: str) -> list[str]:
    listed = all_backends.endpoints[cluster]["endpoints"][0]["lb_endpoints"]
    return [endpoint["endpoint"]["address"]["socket_address"]["address"] for endpoint in listed]


def test_a_pool_has_its_ready_and_healthy_pods_and_its_picker() -> None:
    all_backends = backends(healthy=frozenset({"127.64.1.1", "127.64.1.3"}))
    target = all_backends.pool("llm", "pool", 1)
    assert members(all_backends, target.cluster) == ["127.64.1.1"]
    assert all_backends.usable(target.cluster)
    assert members(all_backends, "callout/llm/epp/9002") == ["127.64.1.9"]
    assert target.timeout == 300
    assert target.picker == picker_override("callout/llm/epp/9002", "epp.llm.svc", True)


def test_without_policies_the_defaults_of_gke_hold() -> None:
    all_backends = backends(policies=False, healthy=frozenset({"127.64.1.1"}))
    target = all_backends.pool("llm", "pool", 1)
    assert target.timeout == 30
    assert members(all_backends, target.cluster) == []
    assert not all_backends.usable(target.cluster)
    assert health_check({}) == HealthCheck("HTTP", "/", None)


def test_a_health_check_asks_the_process_and_not_who_forwards_to_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        processes = {("127.64.1.1", 8000): server.getsockname()[1]}
        assert ask(HealthCheck("TCP"), ("127.64.1.1", 8000), processes) is None
        assert ask(HealthCheck("TCP", port=8001), ("127.64.1.1", 8000), processes) is not None
    assert ask(HealthCheck("TCP"), ("127.64.1.1", 8000), processes) is not None


def test_without_the_network_services_api_a_pool_aborts() -> None:
    assert backends(enabled=False).pool("llm", "pool", 1).refused == 500


def test_without_google_every_ready_pod_is_asked_whatever_a_health_check_says() -> None:
    """Istio's Envoys know pods by their readiness, need no API and no policy, and still need an open picker."""
    all_backends = replace(backends(enabled=False, policies=False), gke_managed=False)
    target = all_backends.pool("llm", "pool", 1)
    assert not target.refused
    assert members(all_backends, target.cluster) == ["127.64.1.1", "127.64.1.2"]
    assert members(all_backends, "callout/llm/epp/9002") == ["127.64.1.9"]


def test_a_picker_without_tls_is_called_without() -> None:
    plain = [pod("epp-1", "127.64.1.9", args=["--secure-serving=false"])]
    for pods, tls in ((plain, False), ([pod("epp-1", "127.64.1.9")], True)):
        all_backends = backends(pods=pods)
        all_backends.pool("llm", "pool", 1)
        assert ("transport_socket" in all_backends.clusters["callout/llm/epp/9002"]) is tls


def destination_rule(service: str, **tls: Any) -> dict[str, Any]:
    policy = {"tls": {"mode": "SIMPLE", **tls}}
    return {
        "metadata": {"name": service, "namespace": "llm"},
        "spec": {"host": f"{service}.llm.svc.cluster.local", "trafficPolicy": policy},
    }


# The name that Istio gives to the Service of a pool called "pool".
SERVICE_OF_POOL = "pool-ip-27cac550"


def test_istio_opens_tls_where_a_rule_says_so() -> None:
    """A pool whose rule was forgotten, or has another name, is spoken to in the clear; Google's know no such rule."""
    rules = [destination_rule("epp", insecureSkipVerify=True), destination_rule(SERVICE_OF_POOL)]
    for gke_managed, changes, secured in (
        (False, rules, {"callout/llm/epp/9002", "pool/llm/pool"}),
        (False, rules[:1], {"callout/llm/epp/9002"}),
        (False, [destination_rule("pool")], set()),
        (True, rules, {"callout/llm/epp/9002"}),
    ):
        all_backends = replace(backends(destination_rules=changes), gke_managed=gke_managed)
        all_backends.pool("llm", "pool", 1)
        assert {name for name, cluster in all_backends.clusters.items() if "transport_socket" in cluster} == secured


def test_an_authority_that_is_not_there_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Istio's Envoy trusts no server before it has the authority."""
    rule = destination_rule(SERVICE_OF_POOL, credentialName="signed", subjectAltNames=["a.b"])
    for data, pods_to_ask in (({}, []), ({"ca.crt": "Q0E="}, ["127.64.1.1", "127.64.1.2"])):
        monkeypatch.setitem(SECRETS, ("Secret", "llm", "signed"), {"kind": "Secret", "data": data})
        all_backends = replace(backends(destination_rules=[rule]), gke_managed=False)
        all_backends.pool("llm", "pool", 1)
        assert members(all_backends, "pool/llm/pool") == pods_to_ask
    context = all_backends.clusters["pool/llm/pool"]["transport_socket"]["typed_config"]["common_tls_context"]
    assert context["validation_context"]["trusted_ca"] == {"inline_string": "CA"}
    [name] = context["validation_context"]["match_typed_subject_alt_names"]
    assert name["matcher"] == {"exact": "a.b"}


@pytest.mark.parametrize(
    ("name", "objects", "message"),
    [
        ("none", {}, 'InferencePool "llm/none" not found'),
        ("pool", {"services": []}, 'Service "llm/epp" not found'),
    ],
)
def test_what_does_not_exist_is_named(name: str, objects: dict[str, Any], message: str) -> None:
    with pytest.raises(UnresolvedError) as caught:
        backends(**objects).pool("llm", name, 1)
    assert str(caught.value) == message


def test_envoy_accepts_the_configuration(tmp_path: Path) -> None:
    """The real binary validates every listener and cluster; a field it does not know is an error."""
    all_backends = backends(healthy=frozenset({"127.64.1.1"}))
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    modify = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [header("x")]}}
    rules = [
        Rule((), (path("/"),), (), (all_backends.pool("llm", "pool", 1),)),
        rule(
            path("/a/b", headers=[header("h")]),
            path("/c", "Exact"),
            cluster="x",
            filters=(rewrite, modify),
        ),
        Rule(("h.example",), (), (), (Target("a", 1), all_backends.pool("llm", "pool", 2))),
    ]
    extension = Extension(
        name="bbr",
        cluster="callout/llm/bbr/9004",
        authority="bbr",
        timeout=1.0,
        fail_open=False,
        events=frozenset({"RequestHeaders", "RequestBody", "RequestTrailers"}),
        body_mode="FULL_DUPLEX_STREAMED",
    )
    files = {"routes": route_configuration("g", virtual_hosts(rules))}
    files |= {f"slot-{number}": content for number, content in enumerate(extension_filters("g", [extension]))}
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    paths = [str(tmp_path / name) for name in files]
    listener = gateway_listener("g", ("127.0.0.1", 0), paths, str(tmp_path / "log"))
    pod_listener, pod_cluster = forward("pod", ("127.0.0.1", 0), ("127.0.0.1", 9))
    config = bootstrap(("127.0.0.1", 0), "unused", "unused")
    del config["dynamic_resources"]
    others = [
        {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name}}
        for name in ("no-callout", "callout/llm/bbr/9004")
    ]
    config["static_resources"] = {
        "listeners": [listener, pod_listener],
        "clusters": [*all_backends.clusters.values(), pod_cluster, *others],
    }
    for cluster in all_backends.clusters.values():
        source = cluster["eds_cluster_config"]["eds_config"]["path_config_source"]
        source["path"] = str(tmp_path / "endpoints.json")
    (tmp_path / "endpoints.json").write_text("{}")
    file = tmp_path / "envoy.json"
    file.write_text(json.dumps(config))
    checked = subprocess.run(
        [executable(), "--mode", "validate", "--disable-hot-restart", "--log-level", "error", "-c", file],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture
def envoy(tmp_path: Path) -> Iterator[Envoy]:
    """The real proxy, as yet without a listener."""
    running = Envoy(StackPaths("stack", tmp_path))
    yield running
    running.stop()


def free_port() -> int:
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def test_an_open_connection_follows_routes_and_extensions(envoy: Envoy, tmp_path: Path) -> None:
    """Google's load balancers configure each request. A changed listener of Envoy is for new connections only."""
    port, admin = free_port(), ("127.0.0.1", free_port())
    unreachable = Extension("bbr", "callout/llm/bbr/9004", "bbr", 1.0, False, frozenset({"RequestHeaders"}), "STREAMED")

    def write(status: int, extensions: list[Extension]) -> None:
        filters = enumerate(extension_filters("g", extensions))
        slots = {envoy.listener_file("g", f"extension-{number}"): content for number, content in filters}
        routes = envoy.listener_file("g", "routes")
        hosts = virtual_hosts([Rule((), (path("/"),), (), (Target(refused=status),))])
        files: dict[Path, Config] = slots | {routes: route_configuration("g", hosts)}
        names = [str(file) for file in (routes, *slots)]
        log = str(tmp_path / "log")
        envoy.write([gateway_listener("g", ("127.0.0.1", port), names, log)], [], {}, files)
        envoy.reconcile(admin)

    write(501, [])
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        connections: set[int] = set()

        def answers(status: int) -> bool:
            try:
                answer = client.get("/")
            except httpx.ConnectError:  # it is starting
                return False
            connections.add(id(answer.extensions["network_stream"]))
            return answer.status_code == status

        eventually(lambda: answers(501), "the first routes answer")
        write(502, [])
        eventually(lambda: answers(502), "the second routes answer")
        write(502, [unreachable])
        eventually(lambda: answers(500), "the extension is called, and nobody is there")
        write(503, [])
        eventually(lambda: answers(503), "the extension is gone")
    assert len(connections) == 1


def test_conditions_keep_their_time_while_they_hold() -> None:
    before = [condition("Programmed", True, "Programmed") | {"lastTransitionTime": "2026-01-01T00:00:00Z"}]
    same = dated([condition("Programmed", True, "Programmed")], before, 2)[0]
    other = dated([condition("Programmed", False, "Invalid", "why")], before, 2)[0]
    assert (same["lastTransitionTime"], same["observedGeneration"]) == ("2026-01-01T00:00:00Z", 2)
    assert other["lastTransitionTime"] != "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"role": "BACKUP"}, False),
        ({"region": "europe-west4"}, False),
        ({"purpose": "PRIVATE"}, False),
        ({"network": "projects/p/global/networks/other"}, False),
    ],
)
def test_a_proxy_subnet_counts_in_the_clusters_region_and_network(change: dict[str, str], expected: bool) -> None:
    subnet = {
        "purpose": "REGIONAL_MANAGED_PROXY",
        "role": "ACTIVE",
        "region": "us-central1",
        "network": "llm-d",
    } | change
    cloud = Cloud(
        64,
        {
            "gcp:container/cluster:Cluster": {
                "c": {"location": "us-central1-a", "network": "projects/p/global/networks/llm-d"}
            },
            "gcp:compute/subnetwork:Subnetwork": {"s": subnet},
        },
    )
    assert cloud.has_proxy_subnet("REGIONAL_MANAGED_PROXY", "us-central1") is expected


def test_a_cluster_stays_for_the_requests_it_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Envoy resets every request of a cluster that is taken away, also those of the configuration before."""
    moment = 100.0
    monkeypatch.setattr("llm_d_gke.rehearsal.load_balancer.envoy.time.monotonic", lambda: moment)
    envoy = Envoy(StackPaths("stack", tmp_path))

    def clusters() -> list[str]:
        read = json.loads((StackPaths("stack", tmp_path).envoy / "clusters.json").read_text())
        return [resource["name"] for resource in read["resources"]]

    a, b = ({"name": name} for name in ("pool/a", "pool/b"))
    envoy.write([], [a, b], {"pool/a": {"cluster_name": "pool/a"}, "pool/b": {"cluster_name": "pool/b"}})
    envoy.write([], [a], {"pool/a": {"cluster_name": "pool/a"}})
    assert clusters() == ["pool/a", "pool/b"]
    assert envoy.assignments("pool/b").exists()
    moment += LINGER_SECONDS + 1
    envoy.write([], [a], {"pool/a": {"cluster_name": "pool/a"}})
    assert clusters() == ["pool/a"]
    assert not envoy.assignments("pool/b").exists()
