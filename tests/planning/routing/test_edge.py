"""Authentication and limits of clients in the plan, for each implementation of the Gateway."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_d_gke.operations.diagnose.messages import recognize
from llm_d_gke.planning.planner import plan_raw
from llm_d_gke.planning.routing.api_keys import FAIRNESS_HEADERS, OBJECTIVE_HEADERS, key_filter
from llm_d_gke.planning.routing.edge import KEYS_ENTRY, plan_edge
from llm_d_gke.resource_graph import Graph, Secret
from tests.envoy import serving
from tests.stacks import ENCRYPTED, graph_of, plan_of, values_of
from tests.waiting import eventually

KEY = "0123456789abcdef0123456789abcdef"
SECOND_KEY = "fedcba9876543210fedcba9876543210"
TLS = {"kind": "secret", "secret": "edge"}
KEYS: dict[str, Any] = {
    "gateway": {"implementation": "istio", "tls": TLS, "auth": {"kind": "api-keys"}},
    "apiKeys": {"search.old": KEY, "search.new": SECOND_KEY},
    "acknowledge": None,
}
IAP: dict[str, Any] = {
    "gateway": {"tls": TLS, "auth": {"kind": "iap", "clientId": "one", "existingSecret": "oauth"}},
    "acknowledge": None,
}
JWT: dict[str, Any] = {
    "gateway": {
        "implementation": "istio",
        "tls": TLS,
        "auth": {
            "kind": "jwt",
            "issuer": "https://accounts.example.com",
            "jwksUri": "https://accounts.example.com/keys",
            "audiences": ["llm"],
        },
    },
    "acknowledge": None,
}
NAMING_HEADERS = (*FAIRNESS_HEADERS, *OBJECTIVE_HEADERS)
PICKER_HEADERS = (*NAMING_HEADERS, "x-gateway-destination-endpoint", "x-prefiller-host-port")
ENVOY_FILTER = "kubernetes:networking.istio.io/v1alpha3:EnvoyFilter"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
BACKEND_POLICY = "kubernetes:networking.gke.io/v1:GCPBackendPolicy"
ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"


def revealed(value: Any, *, secrets: bool = True) -> Any:
    """The value as plain data; secrets in clear or left out."""
    if isinstance(value, Secret):
        return revealed(value.value) if secrets else None
    if isinstance(value, dict):
        return {key: revealed(item, secrets=secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [revealed(item, secrets=secrets) for item in value]
    return value if isinstance(value, str | int | float | None) else str(type(value))


def spec_of(graph: Graph, kind: str, name: str | None = None) -> Any:
    return graph.one(kind, name)["spec"]


class TestOpen:
    def test_an_acknowledged_open_gateway_is_planned_and_says_why(self) -> None:
        [finding] = [finding for finding in plan_of("gpu").warnings if finding.id == "LLMD-GATEWAY-OPEN"]
        assert finding.acknowledged is not None
        assert "trials" in finding.acknowledged

    @pytest.mark.parametrize("changes", [{"gateway.exposure": "internal", "acknowledge": None}, KEYS, IAP])
    def test_a_closed_gateway_needs_no_acknowledgement(self, changes: dict[str, Any]) -> None:
        assert not [finding for finding in plan_of("gpu", changes).warnings if finding.id == "LLMD-GATEWAY-OPEN"]


class TestKeys:
    def test_keys_are_in_a_secret_and_nowhere_else(self) -> None:
        graph = graph_of("gpu", KEYS)
        text = f"search.new {SECOND_KEY}\nsearch.old {KEY}\n"
        written = base64.b64encode(text.encode()).decode()
        assert not [resource for resource in graph if KEY in json.dumps(revealed(resource.inputs))]
        holders = [resource for resource in graph if written in json.dumps(revealed(resource.inputs))]
        assert [(holder.type, holder.name) for holder in holders] == [("kubernetes:core/v1:Secret", "api-keys")]
        [holder] = holders
        assert written not in json.dumps(revealed(holder.inputs, secrets=False))
        assert revealed(holder.inputs)["data"] == {KEYS_ENTRY: written}

    def test_the_filter_stands_before_the_gateway(self) -> None:
        graph = graph_of("gpu", KEYS)
        assert graph.depends(graph.one(GATEWAY), graph.one(ENVOY_FILTER))
        assert graph.depends(graph.one(GATEWAY), graph.one("kubernetes:core/v1:Secret", "api-keys"))

    def test_the_gateways_pods_mount_the_secret(self) -> None:
        mount = json.loads(
            graph_of("gpu", KEYS).one("kubernetes:core/v1:ConfigMap", "gateway-parameters")["data"]["deployment"]
        )["spec"]["template"]["spec"]
        assert mount["volumes"] == [{"name": "api-keys", "secret": {"secretName": "inference-api-keys"}}]
        assert mount["containers"][0]["name"] == "istio-proxy"

    def test_a_secret_of_others_is_only_mounted(self) -> None:
        changes = KEYS | {"gateway.auth.existingSecret": "theirs", "apiKeys": None}
        edge = plan_of("gpu", changes).gateway.edge
        assert edge.api_keys is not None
        assert (edge.api_keys.secret, edge.api_keys.keys) == ("theirs", None)
        assert not [resource for resource in graph_of("gpu", changes) if resource.name == "api-keys"]

    @pytest.mark.parametrize(("per", "data"), [("address", {"deployment", "service"}), ("key", {"deployment"})])
    def test_clients_are_told_apart_by_their_own_address(self, per: str, data: set[str]) -> None:
        """Of a Service without it, GKE's load balancer shows the address of the node that a request arrived at."""
        graph = graph_of("gpu", KEYS | {"gateway.limits": {"requestsPerMinute": 60, "per": per}})
        parameters = graph.one("kubernetes:core/v1:ConfigMap", "gateway-parameters").inputs["data"]
        assert set(parameters) == data
        assert ("service" not in data) or json.loads(parameters["service"]) == {
            "spec": {"externalTrafficPolicy": "Local"}
        }

    def test_keys_of_secret_manager_are_mounted_for_the_gateways_pods_alone(self) -> None:
        changes = KEYS | {"gateway.auth.secretManagerSecret": "keys", "apiKeys": None}
        graph = graph_of("gpu", changes)
        provider = spec_of(graph, "kubernetes:secrets-store.csi.x-k8s.io/v1:SecretProviderClass")
        version = "projects/golden-project/secrets/keys/versions/latest"
        assert provider["parameters"]["secrets"] == f'- resourceName: "{version}"\n  path: "api-keys"\n'
        [volume] = plan_of("gpu", changes).gateway.pods["spec"]["template"]["spec"]["volumes"]
        assert volume["csi"]["volumeAttributes"] == {"secretProviderClass": "inference-api-keys"}
        member = graph.one("gcp:secretmanager/secretIamMember:SecretIamMember")
        assert (member["secretId"], member["role"]) == ("keys", "roles/secretmanager.secretAccessor")
        assert str(member["member"]).endswith("/inference-gateway-istio]")
        addon = graph.one("gcp:container/cluster:Cluster")["secretManagerConfig"]
        assert addon == {"enabled": True, "rotationConfig": {"enabled": True, "rotationInterval": "120s"}}
        assert not [resource for resource in graph if resource.name == "api-keys"]

    def test_keys_in_plain_text_are_refused_and_not_repeated(self) -> None:
        with pytest.raises(Exception, match="LLMD-SECRET-PLAIN") as refused:
            plan_raw("gpu", values_of("gpu", KEYS), ENCRYPTED - {"apiKeys"})
        assert KEY not in str(refused.value)

    def test_filters_run_in_the_order_of_the_plan(self) -> None:
        """Whose a request is comes before how many there were, and both before its body is read."""
        changes = KEYS | {"gateway.limits": {"requestsPerMinute": 60, "per": "key", "bodyBytes": 100_000}}
        names = [entry.name for entry in plan_of("gpu", changes).gateway.edge.filters]
        assert names == ["llm-d.api-keys", "llm-d.requests", "llm-d.body"]
        patches = spec_of(graph_of("gpu", changes), ENVOY_FILTER)["configPatches"]
        first = [patch["patch"]["value"]["name"] for patch in patches if patch["patch"]["operation"] == "INSERT_FIRST"]
        assert first == names[::-1]

    def test_slow_clients_are_limited_in_the_connection_manager(self) -> None:
        *_, limits = spec_of(graph_of("gpu", KEYS), ENVOY_FILTER)["configPatches"]
        assert (limits["applyTo"], limits["patch"]["operation"]) == ("NETWORK_FILTER", "MERGE")
        fields = limits["patch"]["value"]["typed_config"]
        assert (fields["request_headers_timeout"], fields["request_timeout"]) == ("10s", "60s")


class TestTokens:
    def test_a_token_is_verified_and_required(self) -> None:
        graph = graph_of("gpu", JWT)
        [rule] = spec_of(graph, "kubernetes:security.istio.io/v1:RequestAuthentication")["jwtRules"]
        assert (rule["issuer"], rule["audiences"]) == ("https://accounts.example.com", ["llm"])
        policy = spec_of(graph, "kubernetes:security.istio.io/v1:AuthorizationPolicy")
        assert policy["action"] == "ALLOW"
        assert policy["rules"] == [{"from": [{"source": {"requestPrincipals": ["https://accounts.example.com/*"]}}]}]
        gateway = graph.one(GATEWAY)
        for kind in ("RequestAuthentication", "AuthorizationPolicy"):
            assert graph.depends(gateway, graph.one(f"kubernetes:security.istio.io/v1:{kind}"))

    @pytest.mark.parametrize(("per", "place"), [("address", None), ("key", {"name": "envoy.filters.http.rbac"})])
    def test_clients_are_counted_where_their_token_is_verified(self, per: str, place: dict[str, str] | None) -> None:
        limits = {"gateway.limits": {"requestsPerMinute": 60, "per": per}}
        patches = spec_of(graph_of("gpu", JWT | limits), ENVOY_FILTER)["configPatches"]
        [patch] = [patch for patch in patches if patch["patch"]["value"]["name"] == "llm-d.requests"]
        assert patch["patch"]["operation"] == ("INSERT_AFTER" if place else "INSERT_FIRST")
        assert patch["match"]["listener"]["filterChain"]["filter"].get("subFilter") == place


class TestGoogle:
    def test_every_backend_asks_for_a_google_account(self) -> None:
        graph = graph_of("multi-model-gpu", IAP)
        policies = graph.by_type(BACKEND_POLICY)
        assert len(policies) == 3
        for policy in policies:
            assert policy["spec"]["default"]["iap"] == {
                "enabled": True,
                "clientID": "one",
                "oauth2ClientSecret": {"name": "oauth"},
            }

    def test_a_limit_is_a_policy_of_cloud_armor_in_front_of_every_backend(self) -> None:
        graph = graph_of("multi-model-gpu", {"gateway.limits.requestsPerMinute": 60})
        armor_policy = graph.one("gcp:compute/regionSecurityPolicy:RegionSecurityPolicy")
        [throttle, rest] = armor_policy["rules"]
        assert throttle["rateLimitOptions"]["rateLimitThreshold"] == {"count": 60, "intervalSec": 60}
        assert rest["action"] == "allow"
        policies = graph.by_type(BACKEND_POLICY)
        assert len(policies) == 3
        for policy in policies:
            assert policy["spec"]["default"]["securityPolicy"] == armor_policy["name"]
            assert graph.depends(policy, armor_policy)

    def test_old_tls_is_refused_by_a_policy_of_the_gateway(self) -> None:
        graph = graph_of("gpu", {"gateway.tls": TLS, "gateway.tlsVersion": 1.3})
        ssl_policy = graph.one("gcp:compute/regionSslPolicy:RegionSslPolicy")
        assert (ssl_policy["minTlsVersion"], ssl_policy["profile"]) == ("TLS_1_3", "RESTRICTED")
        policy = spec_of(graph, "kubernetes:networking.gke.io/v1:GCPGatewayPolicy")
        assert policy["default"] == {"sslPolicy": ssl_policy["name"]}
        assert plan_of("gpu", {"gateway.tls": TLS}).gateway.edge.tls_policy.min_version == "TLS_1_2"  # type: ignore[union-attr]

    def test_nothing_is_added_without_a_setting(self) -> None:
        edge = plan_of("gpu").gateway.edge
        assert (edge.api_keys, edge.jwt, edge.filters, edge.throttle, edge.tls_policy) == (None, None, (), None, None)


class TestHttp:
    CHANGES: dict[str, Any] = {"gateway.tls": TLS, "gateway.redirectHttp": True, "gateway.hstsSeconds": 3600}

    def test_port_80_only_redirects(self) -> None:
        graph = graph_of("gpu", self.CHANGES)
        listeners = {listener["name"]: listener["port"] for listener in spec_of(graph, GATEWAY)["listeners"]}
        assert listeners == {"https": 443, "http": 80}
        redirect = spec_of(graph, ROUTE, "redirect")
        assert redirect["parentRefs"] == [{"name": "inference-gateway", "sectionName": "http"}]
        [rule] = redirect["rules"]
        assert "backendRefs" not in rule
        assert rule["filters"][0]["requestRedirect"] == {"scheme": "https", "statusCode": 301}
        served = spec_of(graph, ROUTE, "inference")
        assert served["parentRefs"] == [{"name": "inference-gateway", "sectionName": "https"}]

    @pytest.mark.parametrize("auth", [KEYS, JWT], ids=["api-keys", "jwt"])
    @pytest.mark.parametrize("stack", ["gpu", "disaggregated-gpu", "kserve-istio-single-replica-gpu"])
    def test_port_80_is_no_way_around_keys_and_tokens(self, auth: dict[str, Any], stack: str) -> None:
        """No route with a backend is at its listener, and what checks clients is at all listeners of the Gateway."""
        gateway = {**auth["gateway"], "redirectHttp": True}
        graph = graph_of(stack, {**auth, "gateway": gateway})
        routes = [resource.inputs["spec"] for resource in graph.by_type(ROUTE)]
        for spec in routes:
            open_to = {parent.get("sectionName") for parent in spec["parentRefs"]}
            has_backends = any("backendRefs" in rule for rule in spec["rules"])
            assert open_to == ({"https"} if has_backends else {"http"})
        assert len(routes) > 1
        for patch in spec_of(graph, ENVOY_FILTER)["configPatches"]:
            assert patch["match"].keys() == {"context", "listener"}
            assert patch["match"]["listener"].keys() == {"filterChain"}
        if auth is JWT:
            for kind in ("RequestAuthentication", "AuthorizationPolicy"):
                spec = spec_of(graph, f"kubernetes:security.istio.io/v1:{kind}")
                assert [target.keys() for target in spec["targetRefs"]] == [{"group", "kind", "name"}]
            [rule] = spec_of(graph, "kubernetes:security.istio.io/v1:AuthorizationPolicy")["rules"]
            assert rule.keys() == {"from"}

    def test_browsers_are_told_to_stay_with_https(self) -> None:
        [rule] = spec_of(graph_of("gpu", self.CHANGES), ROUTE, "inference")["rules"]
        [change] = rule["filters"]
        assert change["responseHeaderModifier"]["set"] == [
            {"name": "Strict-Transport-Security", "value": "max-age=3600"}
        ]

    def test_the_policies_of_istios_envoys_open_both_ports(self) -> None:
        changes = self.CHANGES | {"gateway.implementation": "istio"}
        [policy] = [
            network_policy
            for network_policy in plan_of("gpu", changes).network_policies
            if network_policy.name == "inference-gateway"
        ]
        assert {port for access in policy.ingress for _, port in access.ports} == {443, 80}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / KEYS_ENTRY
    file.write_text(f"search.old {KEY}\n")
    return file


@pytest.fixture(scope="module")
def client(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    changes = KEYS | {"gateway.limits": {"requestsPerMinute": 200, "per": "key", "bodyBytes": 100_000}}
    filters = plan_of("gpu", changes).gateway.edge.filters
    text = json.dumps([{"name": entry.name, "typed_config": dict(entry.config)} for entry in filters])
    mounted = plan_edge.__globals__["KEYS_DIRECTORY"] + "/" + KEYS_ENTRY
    assert mounted in text
    seen = ("x-llm-d-client", "authorization", *PICKER_HEADERS)
    with serving(json.loads(text.replace(mounted, str(keys))), tmp_path_factory.mktemp("envoy"), seen) as client:
        yield client


class TestEnvoy:
    """The filters of the plan in the real proxy, in front of a route that tells which headers arrived."""

    def test_no_key_is_401_and_a_wrong_one_403(self, client: httpx.Client) -> None:
        for path in ("/v1/chat/completions", "/v1/models", "/health", "/metrics"):
            anonymous = client.post(path, json={})
            assert (anonymous.status_code, anonymous.headers["www-authenticate"]) == (401, "Bearer")
            wrong = client.post(path, json={}, headers={"authorization": "Bearer wrong"})
            assert wrong.status_code == 403
            assert wrong.json()["error"]["code"] == "invalid_api_key"
            for answer in (anonymous, wrong):
                cause = recognize("endpoint", answer.text, "the endpoint")
                assert cause is not None
                assert cause.id == "key-refused"

    @pytest.mark.parametrize("value", ["", "Bearer", "Basic abc", f"Bearer {KEY} {KEY}", KEY, f"Token {KEY}"])
    def test_what_is_no_bearer_token_is_no_key(self, client: httpx.Client, value: str) -> None:
        assert client.get("/v1/models", headers={"authorization": value}).status_code == 401

    @pytest.mark.parametrize("value", [KEY[:-1], KEY + "0", KEY.upper(), "search.old", "search"])
    def test_what_is_nearly_a_key_is_none(self, client: httpx.Client, value: str) -> None:
        assert client.get("/v1/models", headers={"x-api-key": value}).status_code == 403

    @pytest.mark.parametrize("headers", [{"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}])
    def test_a_right_key_names_its_client_and_stays_at_the_door(
        self, client: httpx.Client, headers: dict[str, str]
    ) -> None:
        claimed = dict.fromkeys(("x-llm-d-client", *PICKER_HEADERS), "admin")
        answer = client.get("/v1/models", headers=headers | claimed)
        assert answer.status_code == 200
        assert {answer.headers[f"seen-{name}"] for name in ("x-llm-d-client", *NAMING_HEADERS)} == {"search"}
        assert {answer.headers.get(f"seen-{name}", "-") for name in set(PICKER_HEADERS) - set(NAMING_HEADERS)} == {"-"}
        assert "seen-authorization" not in answer.headers or answer.headers["seen-authorization"] in ("", "-")

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            *((method, "/v1/chat/completions?x=/v1/models", 405) for method in ("GET", "PUT", "DELETE", "OPTIONS")),
            ("POST", "/v1/chat/completions", 400),
            ("POST", "/llm-d/gemma/v1/embeddings", 400),
            ("GET", "/llm-d/gemma/v1/embeddings", 405),
            ("HEAD", "/v1/models", 200),
            ("POST", "/v1/models", 405),
            ("PUT", "/v1/rerank", 200),
        ],
    )
    def test_paths_of_the_api_have_their_methods_only(
        self, client: httpx.Client, method: str, path: str, status: int
    ) -> None:
        answer = client.request(method, path, headers={"x-api-key": KEY})
        assert answer.status_code == status
        if status == 405:
            assert answer.headers["allow"] == ("GET, HEAD" if path == "/v1/models" else "POST")

    def test_a_request_without_a_body_is_refused_and_one_of_unknown_length_is_not(self, client: httpx.Client) -> None:
        url, headers = "/v1/completions", {"x-api-key": KEY}
        empty = client.post(url, content=b"", headers=headers)
        assert (empty.status_code, empty.json()["error"]["code"]) == (400, "empty_body")
        assert client.post(url, content=b"{}", headers=headers).status_code == 200
        assert client.post(url, content=iter([b"{}"]), headers=headers).status_code == 200
        with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as raw:
            raw.sendall(f"POST {url} HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n\r\n".encode())
            assert raw.recv(12) == b"HTTP/1.1 400"

    def test_a_long_body_is_413(self, client: httpx.Client) -> None:
        headers = {"x-api-key": KEY}
        assert client.post("/v1/completions", content=b"x" * 99_000, headers=headers).status_code == 200
        assert client.post("/v1/completions", content=b"x" * 101_000, headers=headers).status_code == 413

    def test_keys_are_added_and_taken_away_without_a_restart(self, client: httpx.Client, keys: Path) -> None:
        def statuses() -> tuple[int, int]:
            first, second = (
                client.get("/v1/models", headers={"x-api-key": key}).status_code for key in (KEY, SECOND_KEY)
            )
            return first, second

        for text, expected in (
            (f"search.old {KEY}\nsearch.new {SECOND_KEY}\n", (200, 200)),
            (f"search.new {SECOND_KEY}\n", (403, 200)),
            (f"search.old {KEY}\n", (200, 403)),
        ):
            keys.write_text(text)
            # Each look counts against the clients' limit.
            eventually(lambda: statuses() == expected, f"the keys answer {expected}", every=0.5)  # noqa: B023

    def test_without_the_file_nobody_comes_in(self, client: httpx.Client, keys: Path) -> None:
        def listing() -> int:
            return client.get("/v1/models", headers={"x-api-key": KEY}).status_code

        text = keys.read_text()
        keys.unlink()
        eventually(lambda: listing() == 403, "no key is taken", every=0.5)
        keys.write_text(text)
        eventually(lambda: listing() == 200, "the key is taken again", every=0.5)

    def test_one_client_over_its_limit_gets_429(self, client: httpx.Client) -> None:
        """The last test of this proxy: it spends the minute's requests."""
        codes = {client.get("/v1/models", headers={"x-api-key": KEY}).status_code for _ in range(260)}
        assert codes == {200, 429}


def test_the_program_of_the_filter_names_its_file() -> None:
    assert 'local FILE = "/etc/keys"' in key_filter("/etc/keys")
