"""Objects that name each other agree: selectors, ports, names, times. Nothing checks this before a request fails."""

from __future__ import annotations

import pytest

from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.planning.serving.startup import NODE_SECONDS
from llm_d_gke.resource_graph import Graph, Recorded
from tests.objects import Object, container, of_kind, one, pods, selects
from tests.stacks import OTHER_SCORER, OTHER_VALUES, PAUSED, graph_of, plan_of

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
ROUTE_KIND = "HTTPRoute"


def server_of(graph: Graph) -> Object:
    [template] = [pod for name, pod in pods(graph).items() if name.endswith("-vllm")]
    return template


def picker_of(graph: Graph) -> Object:
    [template] = [pod for name, pod in pods(graph).items() if name.endswith("-epp")]
    return template


def ports_of(template: Object) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container(template)["ports"]}


def argument(template: Object, flag: str) -> str:
    [value] = [text.split("=", 1)[1] for text in container(template)["args"] if text.startswith(f"{flag}=")]
    return str(value)


class TestSelectors:
    def test_the_pool_selects_the_model_servers_and_nothing_else(self, either: Graph) -> None:
        selector = one(either, "InferencePool")["spec"]["selector"]["matchLabels"]
        assert selects(selector, server_of(either))
        assert not selects(selector, picker_of(either))

    def test_the_pickers_service_selects_the_picker_and_nothing_else(self, either: Graph) -> None:
        selector = one(either, "Service")["spec"]["selector"]
        assert selects(selector, picker_of(either))
        assert not selects(selector, server_of(either))

    def test_each_deployment_selects_its_own_pods_only(self, either: Graph) -> None:
        templates = pods(either)
        chosen = {
            body["metadata"]["name"]: [
                name for name, pod in templates.items() if selects(body["spec"]["selector"]["matchLabels"], pod)
            ]
            for body in of_kind(either, "Deployment")
        }
        assert chosen == {name: [name] for name in templates}

    def test_each_scrape_selects_the_pods_it_is_named_after(self, either: Graph) -> None:
        templates = pods(either)
        chosen = {
            body["metadata"]["name"]: [
                name for name, pod in templates.items() if selects(body["spec"]["selector"]["matchLabels"], pod)
            ]
            for body in of_kind(either, "PodMonitoring")
        }
        assert chosen == {name: [name] for name in templates}

    def test_the_direct_way_in_selects_the_model_servers(self) -> None:
        graph = graph_of("gpu", {"gateway.exposure": "internal", "gateway.directLoadBalancer": True})
        service = one(graph, "Service", "gemma-2b-it-direct")
        assert selects(service["spec"]["selector"], server_of(graph))
        assert service["spec"]["ports"][0]["targetPort"] == ports_of(server_of(graph))["http"]


class TestPorts:
    def test_the_pool_targets_the_port_the_engine_listens_on(self, either: Graph) -> None:
        args = container(server_of(either))["args"]
        listens = int(args[args.index("--port") + 1])
        assert ports_of(server_of(either)) == {"http": listens}
        assert one(either, "InferencePool")["spec"]["targetPorts"] == [{"number": listens}]

    def test_the_pool_asks_the_picker_where_it_answers(self, either: Graph) -> None:
        reference = one(either, "InferencePool")["spec"]["endpointPickerRef"]
        service = one(either, "Service", reference["name"])
        [port] = [port for port in service["spec"]["ports"] if port["port"] == reference["port"]["number"]]
        number = ports_of(picker_of(either))[port["targetPort"]]
        assert number == int(argument(picker_of(either), "--grpc-port"))
        assert port["appProtocol"] == "kubernetes.io/h2c"

    def test_the_pickers_ports_are_those_of_its_arguments(self, either: Graph) -> None:
        picker = picker_of(either)
        assert ports_of(picker) == {
            "grpc": int(argument(picker, "--grpc-port")),
            "grpc-health": int(argument(picker, "--grpc-health-port")),
            "metrics": int(argument(picker, "--metrics-port")),
        }

    def test_probes_ask_ports_that_are_open(self, either: Graph) -> None:
        for template in pods(either).values():
            probes = [container(template).get(f"{kind}Probe") for kind in ("startup", "liveness", "readiness")]
            probed_ports = {(probe.get("httpGet") or probe["grpc"])["port"] for probe in probes if probe}
            assert probed_ports <= set(ports_of(template).values())

    def test_scrapes_ask_ports_that_have_their_name(self, either: Graph) -> None:
        for body in of_kind(either, "PodMonitoring"):
            template = pods(either)[body["metadata"]["name"]]
            assert {endpoint["port"] for endpoint in body["spec"]["endpoints"]} <= set(ports_of(template))

    def test_the_load_balancer_checks_what_the_engine_answers(self, either: Graph) -> None:
        """Its own default is `/`, which vLLM answers with 404: no healthy upstream."""
        check = one(either, "HealthCheckPolicy")["spec"]["default"]["config"]["httpHealthCheck"]
        liveness = container(server_of(either))["livenessProbe"]["httpGet"]
        assert check == {
            "portSpecification": "USE_FIXED_PORT",
            "port": liveness["port"],
            "requestPath": liveness["path"],
        }


def api_route(graph: Graph) -> Object:
    return one(graph, ROUTE_KIND, "inference")


class TestRoute:
    def test_a_backend_has_no_port(self, either: Graph) -> None:
        """The API server takes one; GKE then looks for a Service of that name."""
        backends = [ref for rule in api_route(either)["spec"]["rules"] for ref in rule["backendRefs"]]
        pool = one(either, "InferencePool")["metadata"]["name"]
        assert backends == [
            {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": pool, "weight": 1}
        ]

    def test_a_rule_has_no_timeouts(self, either: Graph) -> None:
        """GKE refuses them: GCPBackendPolicy carries the timeout."""
        assert [set(rule) for rule in api_route(either)["spec"]["rules"]] == [{"matches", "backendRefs"}]

    def test_the_route_is_the_gateways(self, either: Graph) -> None:
        gateway, route = one(either, "Gateway"), api_route(either)
        assert route["spec"]["parentRefs"] == [{"name": gateway["metadata"]["name"]}]
        assert route["metadata"]["namespace"] == gateway["metadata"]["namespace"]

    def test_policies_target_the_pool_of_their_namespace(self, either: Graph) -> None:
        pool = one(either, "InferencePool")["metadata"]
        for kind in ("HealthCheckPolicy", "GCPBackendPolicy"):
            policy = one(either, kind)
            assert policy["spec"]["targetRef"] == {
                "group": "inference.networking.k8s.io",
                "kind": "InferencePool",
                "name": pool["name"],
            }
            assert policy["metadata"]["namespace"] == pool["namespace"]

    def test_the_gateway_takes_the_reserved_address(self, either: Graph) -> None:
        reserved = either.one("gcp:compute/address:Address")
        gateway = one(either, "Gateway")["spec"]
        assert gateway["addresses"] == [{"type": "NamedAddress", "value": reserved["name"]}]
        assert reserved["region"] == either.one("gcp:compute/subnetwork:Subnetwork", "proxies")["region"]

    @pytest.mark.parametrize(
        ("exposure", "kind", "class_name"),
        [("external", "EXTERNAL", "gke-l7-regional-external-managed"), ("internal", "INTERNAL", "gke-l7-rilb")],
    )
    def test_address_and_class_are_of_one_kind(self, exposure: str, kind: str, class_name: str) -> None:
        graph = graph_of("gpu", {"gateway.exposure": exposure} if exposure != "external" else {})
        assert graph.one("gcp:compute/address:Address")["addressType"] == kind
        assert one(graph, "Gateway")["spec"]["gatewayClassName"] == class_name

    @pytest.mark.parametrize(
        ("tls", "expected"),
        [
            (
                {"kind": "certificate-manager", "certificates": ["a", "b"]},
                {"mode": "Terminate", "options": {"networking.gke.io/cert-manager-certs": "a,b"}},
            ),
            (
                {"kind": "pre-shared", "certificates": ["a"]},
                {"mode": "Terminate", "options": {"networking.gke.io/pre-shared-certs": "a"}},
            ),
            (
                {"kind": "secret", "secret": "front"},
                {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": "front"}]},
            ),
        ],
        ids=lambda value: value.get("kind", ""),
    )
    def test_a_certificate_makes_it_https(self, tls: dict[str, object], expected: dict[str, object]) -> None:
        graph = graph_of("gpu", {"gateway": {"tls": tls, "hostname": "models.example.com"}})
        [listener] = one(graph, "Gateway")["spec"]["listeners"]
        assert (listener["port"], listener["protocol"], listener["tls"]) == (443, "HTTPS", expected)
        assert api_route(graph)["spec"]["hostnames"] == [listener["hostname"]] == ["models.example.com"]
        assert str(graph.outputs["endpoint"]).startswith("https://models.example.com")


class TestTimes:
    def test_a_deployment_outwaits_its_own_start(self, either: Graph) -> None:
        """Else `up` gives up on a model that is still compiling."""
        server = plan_of(either.stack).models[0].servers[0]
        deployment = either.one(DEPLOYMENT, server.name)
        probe = container(deployment["spec"]["template"])["startupProbe"]
        start_up = probe["initialDelaySeconds"] + probe["periodSeconds"] * probe["failureThreshold"]
        deadline = deployment["spec"]["progressDeadlineSeconds"]
        assert start_up >= server.start_up_seconds
        assert deadline >= server.start_up_seconds + NODE_SECONDS
        for operation in ("create", "update"):
            assert seconds(deployment, operation) > deadline

    def test_pods_outlive_the_load_balancers_draining(self, either: Graph) -> None:
        draining = one(either, "GCPBackendPolicy")["spec"]["default"]["connectionDraining"]["drainingTimeoutSec"]
        assert server_of(either)["spec"]["terminationGracePeriodSeconds"] > draining

    def test_the_timeout_is_the_stack_files(self) -> None:
        policy = one(graph_of("gpu", OTHER_VALUES), "GCPBackendPolicy")
        assert policy["spec"]["default"]["timeoutSec"] == 1234


def seconds(resource: Recorded, operation: str) -> int:
    return int(resource.options.custom_timeouts[operation].removesuffix("s"))


class TestPicker:
    def test_it_watches_its_own_pool(self, either: Graph) -> None:
        pool = one(either, "InferencePool")["metadata"]
        assert argument(picker_of(either), "--pool-name") == pool["name"]
        assert argument(picker_of(either), "--pool-namespace") == pool["namespace"]

    def test_it_reads_the_configuration_that_is_mounted(self, either: Graph) -> None:
        [config] = of_kind(either, "ConfigMap")
        [volume] = picker_of(either)["spec"]["volumes"]
        [mount] = container(picker_of(either))["volumeMounts"]
        [file] = config["data"]
        assert volume["configMap"]["name"] == config["metadata"]["name"]
        assert argument(picker_of(either), "--config-file") == f"{mount['mountPath']}/{file}"

    def test_its_configuration_names_each_plugin_once_and_uses_it(self, either: Graph) -> None:
        """An unknown name ends the picker."""
        [text] = one(either, "ConfigMap")["data"].values()
        config = parse_yaml(text)
        types = [plugin["type"] for plugin in config["plugins"]]
        [profile] = config["schedulingProfiles"]
        assert [plugin["pluginRef"] for plugin in profile["plugins"]] == types
        assert {plugin["pluginRef"]: plugin["weight"] for plugin in profile["plugins"]} == {
            "prefix-cache-scorer": 3,
            "kv-cache-utilization-scorer": 2,
            "queue-scorer": 2,
        }

    def test_its_bindings_bind_its_roles_to_its_account(self, either: Graph) -> None:
        account = picker_of(either)["spec"]["serviceAccountName"]
        for binding_kind, role_kind in (("RoleBinding", "Role"), ("ClusterRoleBinding", "ClusterRole")):
            [binding] = [b for b in of_kind(either, binding_kind) if b["subjects"][0]["name"] == account]
            assert binding["roleRef"]["kind"] == role_kind
            assert of_kind(either, role_kind, binding["roleRef"]["name"])

    def test_an_election_needs_leases(self) -> None:
        graph = graph_of("gpu", {"picker.replicas": 2})
        role = one(graph, "Role", "gemma-2b-it-epp")
        namespace = role["metadata"]["namespace"]
        rules = [rule for rule in role["rules"] if rule["resources"] == ["leases"]]
        assert {tuple(rule["verbs"]): rule.get("resourceNames") for rule in rules} == {
            ("create",): None,
            ("get", "update"): [f"epp-{namespace}-gemma-2b-it.llm-d.ai"],
        }
        assert "--ha-enable-leader-election" in container(picker_of(graph))["args"]
        assert container(picker_of(graph))["readinessProbe"]["grpc"]["service"] == "readiness"

    def test_a_changed_scorer_restarts_it(self, gpu: Graph) -> None:
        """It reads its configuration once, when it starts."""
        changed = graph_of("gpu", OTHER_SCORER)
        first, second = picker_of(gpu)["metadata"]["annotations"], picker_of(changed)["metadata"]["annotations"]
        assert first["checksum/config"] != second["checksum/config"]
        assert one(gpu, "ConfigMap")["data"] != one(changed, "ConfigMap")["data"]

    def test_nothing_else_restarts_it(self, gpu: Graph) -> None:
        assert picker_of(graph_of("gpu", OTHER_VALUES)) == picker_of(gpu)


class TestModelServer:
    def test_a_changed_token_restarts_it(self, gpu: Graph) -> None:
        """vLLM reads the file when it starts: a revoked token would be found out at the next crash."""
        key = "checksum/hugging-face-token"
        changed = server_of(graph_of("gpu", OTHER_VALUES))
        assert server_of(gpu)["metadata"]["annotations"][key] != changed["metadata"]["annotations"][key]

    def test_it_lands_on_the_nodes_of_its_pool(self, either: Graph) -> None:
        pool = plan_of(either.stack).accelerator_pools[0]
        [key] = [k for k in server_of(either)["spec"]["nodeSelector"] if k.endswith("-accelerator")]
        resource = "nvidia.com/gpu" if key == "cloud.google.com/gke-accelerator" else "google.com/tpu"
        limits = container(server_of(either))["resources"]["limits"]
        assert int(limits[resource]) == pool.accelerators_per_node
        assert [t["key"] for t in server_of(either)["spec"]["tolerations"]] == [resource]

    def test_a_tpu_pod_takes_every_chip_and_knows_how_they_lie(self, tpu: Graph) -> None:
        environment = {v["name"]: v.get("value") for v in container(server_of(tpu))["env"]}
        assert environment["TPU_CHIPS_PER_HOST_BOUNDS"] == "2,2,1"
        assert (
            environment["TPU_NUM_DEVICES"]
            == container(server_of(tpu))["resources"]["requests"]["google.com/tpu"]
            == "4"
        )
        assert server_of(tpu)["spec"]["nodeSelector"]["cloud.google.com/gke-tpu-topology"] == "2x2"

    def test_what_it_mounts_is_there(self, gpu: Graph) -> None:
        secrets = {body["metadata"]["name"] for body in of_kind(gpu, "Secret")}
        mounted = {v["secret"]["secretName"] for v in server_of(gpu)["spec"]["volumes"] if "secret" in v}
        assert mounted
        assert mounted <= secrets

    def test_the_secret_has_both_keys(self, gpu: Graph) -> None:
        """The Hub's library reads one, the charts of the model service the other."""
        [secret] = [b for b in of_kind(gpu, "Secret") if b["metadata"]["name"] == "huggingface-token"]
        assert set(secret["data"]) == {"token", "HF_TOKEN"}


class TestPaused:
    def test_models_and_accelerators_go_and_the_picker_stays(self) -> None:
        graph = graph_of("gpu", PAUSED)
        replicas = {body["metadata"]["name"]: body["spec"]["replicas"] for body in of_kind(graph, "Deployment")}
        assert replicas == {"gemma-2b-it-vllm": 0, "gemma-2b-it-epp": 1}
        [pool] = [p for p in graph.by_type("gcp:container/nodePool:NodePool") if p.name != "cpu"]
        assert pool["autoscaling"]["totalMinNodeCount"] == 0

    def test_the_way_in_stays(self, gpu: Graph) -> None:
        graph = graph_of("gpu", PAUSED)
        for kind in ("Gateway", "InferencePool"):
            assert one(graph, kind) == one(gpu, kind)
        for name in ("inference", "inference-pools"):
            assert one(graph, ROUTE_KIND, name) == one(gpu, ROUTE_KIND, name)
