"""Several models behind one address: the objects that carry a model's name agree, and come in the right order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.components.custom_resources.gke_extensions import RoutingCallout, ServiceRef
from llm_d_gke.components.custom_resources.gke_policies import CheckConfig, GrpcCheck, HttpCheck
from llm_d_gke.planning.routing.api_paths import API_PATHS
from llm_d_gke.planning.routing.gateway import BASE_MODEL_HEADER
from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from tests.objects import Object, container, of_kind, one, pods, selects
from tests.stacks import graph_of

STACKS = ("multi-model-gpu", "multi-model-tpu")
ALIASED = {
    "models[0].aliases": ["quick"],
    "models[1].servedName": "phi",
    "models[1].adapters": [{"name": "phi-sql", "source": "somebody/phi-sql-lora", "rank": 32}],
}
ROUTER, INDEX = "model-router", "model-index"


@pytest.fixture(scope="module", params=STACKS)
def graph(request: pytest.FixtureRequest) -> Graph:
    """Each example with another name, an alias and an adapter."""
    return graph_of(request.param, ALIASED)


def rules(graph: Graph) -> list[Object]:
    return list(one(graph, "HTTPRoute", "inference")["spec"]["rules"])


def by_model(graph: Graph) -> dict[str, str]:
    """Pool by the value of the header that leads to it."""
    services = {}
    for rule in rules(graph)[:-1]:
        [backend] = rule["backendRefs"]
        assert [match["path"] for match in rule["matches"]] == [
            {"type": "Exact", "value": path.value} for path in API_PATHS
        ]
        [header] = {json.dumps(match["headers"]): match["headers"][0] for match in rule["matches"]}.values()
        assert (header["name"], header["type"]) == (BASE_MODEL_HEADER, "Exact")
        services[header["value"]] = backend["name"]
    return services


def served_names(template: Object) -> list[str]:
    """The names that an engine's arguments give it, its adapters' among them."""
    args: list[str] = container(template)["args"]
    start = args.index("--served-model-name") + 1
    names = args[start : next(i for i in range(start, len(args)) if args[i].startswith("--"))]
    if "--lora-modules" in args:
        start = args.index("--lora-modules") + 1
        rest = args[start:]
        end = next((i for i, word in enumerate(rest) if word.startswith("--")), len(rest))
        names += [parse_yaml(text)["name"] for text in rest[:end]]
    return names


class TestRoutes:
    def test_each_model_has_its_own_pool_picker_and_selector(self, graph: Graph) -> None:
        pools = of_kind(graph, "InferencePool")
        assert [pool["metadata"]["name"] for pool in pools] == sorted(by_model(graph).values())
        assert len({pool["spec"]["endpointPickerRef"]["name"] for pool in pools}) == len(pools) == 2
        for pool in pools:
            chosen = [n for n, pod in pods(graph).items() if selects(pool["spec"]["selector"]["matchLabels"], pod)]
            assert chosen == [f"{pool['metadata']['name']}-vllm"]

    def test_the_header_leads_to_servers_that_know_the_name(self, graph: Graph) -> None:
        """A name the servers do not know would be their 404, for every request."""
        for name, pool in by_model(graph).items():
            assert served_names(pods(graph)[f"{pool}-vllm"])[0] == name

    def test_what_is_for_no_model_goes_to_the_index(self, graph: Graph) -> None:
        [match], [backend] = rules(graph)[-1]["matches"], rules(graph)[-1]["backendRefs"]
        assert match == {"path": {"type": "PathPrefix", "value": "/"}}
        [port] = one(graph, "Service", INDEX)["spec"]["ports"]
        assert backend == {"kind": "Service", "name": INDEX, "port": port["port"]}

    def test_no_rule_has_a_timeout_and_no_pool_a_port(self, graph: Graph) -> None:
        assert all("timeouts" not in rule for rule in rules(graph))
        assert all("port" not in rule["backendRefs"][0] for rule in rules(graph)[:-1])


class TestNames:
    def mappings(self, graph: Graph) -> dict[str, list[str]]:
        """Other names by base model, as the router reads them."""
        marked = [
            body
            for body in of_kind(graph, "ConfigMap")
            if (body["metadata"].get("labels") or {}).get("inference.llm-d.ai/ipp-managed") == "true"
        ]
        return {body["data"]["baseModel"]: parse_yaml(body["data"]["adapters"]) for body in marked}

    def test_the_router_knows_what_the_route_matches(self, graph: Graph) -> None:
        assert self.mappings(graph).keys() == by_model(graph).keys()

    def test_every_name_of_an_engine_leads_to_it(self, graph: Graph) -> None:
        expected_names = {base: [base, *others] for base, others in self.mappings(graph).items()}
        assert expected_names == {
            base: served_names(pods(graph)[f"{pool}-vllm"]) for base, pool in by_model(graph).items()
        }

    def test_the_index_lists_every_name(self, graph: Graph) -> None:
        args = container(pods(graph)[INDEX])["args"]
        text = args[args.index("--config-yaml") + 1]
        names = {name for base, others in self.mappings(graph).items() for name in (base, *others)}
        assert names == {"phi", "phi-sql", "quick"} | (by_model(graph).keys() - {"phi"})
        assert all(f'\\"id\\": \\"{name}\\"' in text for name in names)


class TestCallout:
    def callout(self, graph: Graph) -> dict[str, Any]:
        [chain] = one(graph, "GCPRoutingExtension")["spec"]["extensionChains"]
        [extension] = chain["extensions"]
        return dict(extension)

    def test_it_is_on_the_gateway(self, graph: Graph) -> None:
        [target] = one(graph, "GCPRoutingExtension")["spec"]["targetRefs"]
        gateway = one(graph, "Gateway")["metadata"]["name"]
        assert target == {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway}

    def test_it_asks_for_exactly_what_gke_allows(self, graph: Graph) -> None:
        """Any event of the response, and GKE refuses the extension."""
        callout = self.callout(graph)
        assert callout["supportedEvents"] == ["RequestHeaders", "RequestBody", "RequestTrailers"]
        assert (callout["requestBodySendMode"], callout["failOpen"]) == ("FullDuplexStreamed", False)

    def test_it_reaches_the_router(self, graph: Graph) -> None:
        reference, router = self.callout(graph)["backendRef"], pods(graph)[ROUTER]
        service = one(graph, "Service", reference["name"])
        [port] = service["spec"]["ports"]
        assert (reference["group"], reference["kind"], reference["port"]) == ("", "Service", port["port"])
        # TLS, as the router serves it: h2c would be plain text.
        assert port["appProtocol"] == "HTTP2"
        assert selects(service["spec"]["selector"], router)
        ports = {port["name"]: port["containerPort"] for port in container(router)["ports"]}
        assert port["port"] == ports[port["targetPort"]]

    def test_the_load_balancer_asks_both_for_their_health(self, graph: Graph) -> None:
        for name, kind, block in ((ROUTER, "GRPC", "grpcHealthCheck"), (INDEX, "HTTP", "httpHealthCheck")):
            spec = one(graph, "HealthCheckPolicy", name)["spec"]
            assert spec["targetRef"] == {"group": "", "kind": "Service", "name": name}
            check, pod = spec["default"]["config"], container(pods(graph)[name])
            health_port = (
                pod["livenessProbe"]["grpc"]["port"] if kind == "GRPC" else pod["readinessProbe"]["httpGet"]["port"]
            )
            assert (check["type"], check[block]["port"]) == (kind, health_port)
            assert check[block]["portSpecification"] == "USE_FIXED_PORT"


class TestOrder:
    def test_the_route_waits_for_whoever_names_the_model(self, graph: Graph) -> None:
        """In the opposite order all requests would be for no model until the router is ready."""
        route = graph.one("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute", "inference")
        [extension] = [r for r in graph if r.type.endswith(":GCPRoutingExtension")]
        router, index = (graph.one("kubernetes:apps/v1:Deployment", name) for name in (ROUTER, INDEX))
        gateway = graph.one("kubernetes:gateway.networking.k8s.io/v1:Gateway")
        mappings = [r for r in graph.by_type("kubernetes:core/v1:ConfigMap") if r.name.endswith("-names")]
        assert len(mappings) == 2
        assert [resource.name for resource in (extension, index, *mappings) if not graph.depends(route, resource)] == []
        assert [
            resource.name for resource in (gateway, router, *mappings) if not graph.depends(extension, resource)
        ] == []

    def test_a_stack_of_one_model_has_none_of_it(self, either: Graph) -> None:
        assert not of_kind(either, "GCPRoutingExtension")
        assert not {ROUTER, INDEX} & pods(either).keys()


class TestRouterPod:
    def test_it_reads_the_names_of_its_own_namespace_only(self, graph: Graph) -> None:
        [rule] = one(graph, "Role", ROUTER)["rules"]
        assert rule == {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
        assert {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}} in container(
            pods(graph)[ROUTER]
        )["env"]

    def test_it_is_ready_when_it_can_be_asked(self, graph: Graph) -> None:
        """Its health service answers earlier: a callout attached by that word refuses every request for a second."""
        pod = container(pods(graph)[ROUTER])
        ports = {port["name"]: port["containerPort"] for port in pod["ports"]}
        assert pod["readinessProbe"]["tcpSocket"] == {"port": ports["grpc"]}

    def test_only_the_router_gets_a_token(self, graph: Graph) -> None:
        tokens = {name: pods(graph)[name]["spec"]["automountServiceAccountToken"] for name in (ROUTER, INDEX)}
        assert tokens == {ROUTER: True, INDEX: False}

    def test_its_metrics_are_scraped(self, graph: Graph) -> None:
        [endpoint] = one(graph, "PodMonitoring", ROUTER)["spec"]["endpoints"]
        assert endpoint["authorization"]["credentials"]["secret"]["name"] == "picker-metrics-reader"
        assert one(graph, "ClusterRole", f"llm-d-inference-scheduling-{ROUTER}-metrics-auth")

    def test_both_keep_pod_security_restricted(self, graph: Graph) -> None:
        for name in (ROUTER, INDEX):
            template = pods(graph)[name]
            assert template["spec"]["securityContext"]["runAsNonRoot"] is True
            assert container(template)["securityContext"] == {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


class TestKinds:
    def test_a_full_duplex_callout_needs_body_and_trailers(self) -> None:
        with pytest.raises(ValidationError, match="RequestTrailers"):
            RoutingCallout(
                name="a",
                authority="a",
                backend_ref=ServiceRef(name="a", port=1),
                timeout="1s",
                supported_events=["RequestHeaders", "RequestBody"],
                request_body_send_mode="FullDuplexStreamed",
                fail_open=False,
            )

    def test_a_check_has_the_block_of_its_type(self) -> None:
        with pytest.raises(ValidationError, match="its own block"):
            CheckConfig(type="GRPC", http_health_check=HttpCheck(port=1, request_path="/"))
        with pytest.raises(ValidationError, match="its own block"):
            CheckConfig(http_health_check=HttpCheck(port=1, request_path="/"), grpc_health_check=GrpcCheck(port=1))


def test_more_models_than_a_route_has_rules_get_more_routes() -> None:
    models = [{"id": "microsoft/phi-2", "servedName": f"phi-{number}"} for number in range(20)]
    graph = graph_of("multi-model-gpu", {"models": models, "accelerator.nodes.max": 20})
    routes = {
        route["metadata"]["name"]: route["spec"]["rules"]
        for route in graph.by_type("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute")
    }
    counts = {"inference": 16, "inference-2": 5, "inference-pools": 16, "inference-pools-2": 4}
    assert {name: len(rules) for name, rules in routes.items()} == counts
    rules = [*routes["inference"], *routes["inference-2"]]
    values = {header["value"] for rule in rules for match in rule["matches"] for header in match.get("headers", [])}
    assert values == {model["servedName"] for model in models}


class TestSplit:
    """One name for two versions of a model: requests follow the weights, and every engine serves the name."""

    MODELS = ("google/gemma-2b-it", "microsoft/Phi-3-mini-4k-instruct")
    SPLIT = {"splits": [{"name": "chat", "weights": {MODELS[0]: 9, MODELS[1]: 1}}]}

    def split(self) -> Graph:
        return graph_of("multi-model-gpu", self.SPLIT)

    def test_the_name_is_divided_by_weight(self) -> None:
        [rule] = [
            rule for rule in rules(self.split()) if rule["matches"][0].get("headers", [{}])[0].get("value") == "chat"
        ]
        shares = {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}
        assert shares == {"gemma-2b-it": 9, "phi-3-mini-4k-instruct": 1}
        assert all(backend["kind"] == "InferencePool" for backend in rule["backendRefs"])

    def test_every_side_answers_to_it_and_to_its_own_name(self) -> None:
        graph = self.split()
        for name, key in zip(self.MODELS, ("gemma-2b-it", "phi-3-mini-4k-instruct"), strict=True):
            assert served_names(pods(graph)[f"{key}-vllm"]) == [name, "chat"]

    def test_the_router_passes_it_on_and_the_index_lists_it(self) -> None:
        graph = self.split()
        assert "chat" in TestNames().mappings(graph)
        assert '\\"id\\": \\"chat\\"' in " ".join(container(pods(graph)[INDEX])["args"])

    def test_the_route_comes_after_every_side(self) -> None:
        """A weight of a pool that is not there would be refusals."""
        graph = self.split()
        route = graph.one("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute", "inference")
        pools = graph.by_type("kubernetes:inference.networking.k8s.io/v1:InferencePool")
        assert len(pools) == 2
        assert all(graph.depends(route, pool) for pool in pools)

    def test_another_weight_changes_the_route_only(self) -> None:
        """Engines would otherwise restart with every step of a rollout."""
        shifted = {"splits": [{"name": "chat", "weights": {self.MODELS[0]: 0, self.MODELS[1]: 1}}]}
        before, after = (
            {(b["kind"], b["metadata"]["name"]): b for b in kubernetes_objects(graph_of("multi-model-gpu", c))}
            for c in (self.SPLIT, shifted)
        )
        assert [key for key in before if before[key] != after[key]] == [("HTTPRoute", "inference")]
