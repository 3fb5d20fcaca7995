"""HTTPS between Gateway and model servers: all connections to an engine use the same scheme."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.planning.serving.backend_tls import istio_pool_service_name
from llm_d_gke.resource_graph import Graph
from tests.objects import Object, container, of_kind, one, pods
from tests.planning.refusals.backend_tls import ON
from tests.stacks import graph_of, plan_of

CERTIFICATE = "kubernetes:cert-manager.io/v1:Certificate"
RELEASE = "kubernetes:helm.sh/v3:Release"
DIRECT: dict[str, Any] = {"gateway.exposure": "internal", "gateway.directLoadBalancer": True, "release": "gaie-1.5"}
WAYS = {
    "direct": ("gpu", ON | DIRECT),
    "direct, TPU": ("tpu", ON | DIRECT),
    "KServe": ("kserve-istio-single-replica-gpu", ON | DIRECT),
    "replicas of ranks": ("mixture-of-experts-gpu", ON | DIRECT),
}


@pytest.fixture(params=WAYS, scope="module")
def graph(request: pytest.FixtureRequest) -> Graph:
    stack, changes = WAYS[request.param]
    return graph_of(stack, changes)


def servers_of(graph: Graph) -> list[Object]:
    """Pod specs of the model servers, in any workload."""
    specs = [pod["spec"] for name, pod in pods(graph).items() if name.endswith("-vllm")]
    specs += [body["spec"]["template"] for body in of_kind(graph, "LLMInferenceService")]
    return specs


def engine_of(spec: Object) -> Object:
    [engine] = spec["containers"]
    return dict(engine)


def picker_arguments(graph: Graph) -> list[str]:
    picker_args = [container(pod)["args"] for name, pod in pods(graph).items() if name.endswith("-epp")]
    for body in of_kind(graph, "LLMInferenceService"):
        picker_args += [engine_of(body["spec"]["router"]["scheduler"]["template"])["args"]]
    [arguments] = picker_args
    return list(arguments)


class TestOneSwitch:
    def test_the_engine_shows_the_certificate_of_its_volume(self, graph: Graph) -> None:
        [spec] = servers_of(graph)
        engine, secret = engine_of(spec), one(graph, "Certificate")["spec"]["secretName"]
        [volume] = [volume for volume in spec["volumes"] if (volume.get("secret") or {}).get("secretName") == secret]
        [mount] = [volume_mount for volume_mount in engine["volumeMounts"] if volume_mount["name"] == volume["name"]]
        arguments = dict(zip(engine["args"], engine["args"][1:], strict=False))
        files = {arguments["--ssl-certfile"], arguments["--ssl-keyfile"]}
        assert files == {f"{mount['mountPath']}/tls.crt", f"{mount['mountPath']}/tls.key"}
        assert "--enable-ssl-refresh" in engine["args"]

    def test_every_probe_asks_in_https(self, graph: Graph) -> None:
        [spec] = servers_of(graph)
        probes = [engine_of(spec)[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
        assert {probe["scheme"] for probe in probes} == {"HTTPS"}

    def test_the_picker_asks_for_metrics_in_https(self, graph: Graph) -> None:
        assert "--model-server-metrics-scheme=https" in picker_arguments(graph)

    def test_the_collectors_do_too(self, graph: Graph) -> None:
        pickers = {model.picker.name for model in plan_of("gpu", ON).models}
        scrapes = [
            monitoring
            for monitoring in of_kind(graph, "PodMonitoring")
            if not monitoring["spec"]["endpoints"][0].get("authorization")
        ]
        assert scrapes
        for scrape in scrapes:
            assert scrape["metadata"]["name"] not in pickers
            for endpoint in scrape["spec"]["endpoints"]:
                assert (endpoint["scheme"], endpoint["tls"]) == ("https", {"insecureSkipVerify": True})

    def test_the_way_past_the_gateway_says_so(self, graph: Graph) -> None:
        services = [service for service in of_kind(graph, "Service") if service["spec"].get("type") == "LoadBalancer"]
        assert {port["appProtocol"] for service in services for port in service["spec"]["ports"]} == {"https"}

    def test_istio_opens_tls_to_the_pool_and_to_its_picker(self, graph: Graph) -> None:
        rules = {
            rule["spec"]["host"]: rule["spec"]["trafficPolicy"]["tls"] for rule in of_kind(graph, "DestinationRule")
        }
        assert len(rules) == 2
        assert list(rules.values()) == [{"mode": "SIMPLE", "insecureSkipVerify": True}] * 2
        [host] = [host for host in rules if "-ip-" in host]
        assert host in one(graph, "Certificate")["spec"]["dnsNames"]

    def test_pods_come_after_what_they_show(self, graph: Graph) -> None:
        """A certificate needs its controller, and a pod without its Secret waits."""
        [manager] = [chart for chart in graph.by_type(RELEASE) if chart.name == "cert-manager"]
        certificate = graph.one(CERTIFICATE)
        assert graph.depends(certificate, manager)
        kinds = ("apps/v1:Deployment", "leaderworkerset.x-k8s.io/v1:LeaderWorkerSet")
        servers = [r for kind in kinds for r in graph.by_type(f"kubernetes:{kind}") if r.name.endswith("-vllm")]
        servers += graph.by_type("kubernetes:serving.kserve.io/v1alpha2:LLMInferenceService")
        servers += graph.by_type("kubernetes:serving.kserve.io/v1alpha1:LLMInferenceService")
        assert servers
        assert all(graph.depends(server, certificate) for server in servers)


class TestPicker:
    def test_one_without_the_flag_has_it_in_its_configuration(self) -> None:
        """llm-d-router v0.10.0 took the flag away: with it the picker would not start."""
        picker = plan_of("gpu", ON | {"release": "llm-d-0.9"}).models[0].picker
        assert not any("model-server-metrics" in text for text in picker.pod.args)
        [source] = [plugin for plugin in picker.config["plugins"] if plugin["type"] == "metrics-data-source"]
        assert source["parameters"] == {"scheme": "https"}

    @pytest.mark.parametrize("release", ["llm-d-0.4", "llm-d-0.6", "gaie-1.5"])
    def test_one_with_the_flag_has_it_there_alone(self, release: str) -> None:
        picker = plan_of("gpu", ON | {"release": release}).models[0].picker
        assert "--model-server-metrics-scheme=https" in picker.pod.args
        assert "metrics-data-source" not in {plugin["type"] for plugin in picker.config["plugins"]}


@pytest.mark.parametrize(
    ("pool", "service"),
    [
        ("infpool-gen", "infpool-gen-ip-6580eb2c"),
        (
            "very-long-inference-pool-name-that-should-be-truncated-properly",
            "very-long-inference-pool-name-that-should-be-trunca-ip-6d24df6a",
        ),
    ],
)
def test_the_pools_service_has_istios_name(pool: str, service: str) -> None:
    """Names from istio/istio 1.29.2, pilot/pkg/config/kube/gateway/testdata and inferencepool_test.go."""
    assert istio_pool_service_name(pool) == service


@pytest.mark.parametrize("stack", ["gpu", "kserve-istio-single-replica-gpu"])
def test_an_issuers_authority_is_what_the_gateway_goes_by(stack: str) -> None:
    """Istio reads it from the Secret by its name; the certificate is for the name that is checked."""
    issuer = {"kind": "cert-manager", "issuer": {"name": "ca"}}
    recorded = graph_of(stack, ON | {"gateway.backendTls": issuer})
    certificate = one(recorded, "Certificate")["spec"]
    [host] = certificate["dnsNames"]
    [rule] = [
        rule_object["spec"]
        for rule_object in of_kind(recorded, "DestinationRule")
        if rule_object["spec"]["host"] == host
    ]
    assert rule["trafficPolicy"]["tls"] == {
        "mode": "SIMPLE",
        "credentialName": certificate["secretName"],
        "sni": host,
        "subjectAltNames": [host],
    }
    assert of_kind(recorded, "Issuer") == []


def test_two_certificates_share_the_issuer_that_is_made() -> None:
    listener = {"gateway.tls": {"kind": "cert-manager"}, "gateway.hostname": "models.example.com"}
    recorded = graph_of("gpu", ON | listener)
    issuer = one(recorded, "Issuer")["metadata"]["name"]
    issuers = [certificate["spec"]["issuerRef"]["name"] for certificate in of_kind(recorded, "Certificate")]
    assert issuers == [issuer, issuer]
    issuer_resource = recorded.one("kubernetes:cert-manager.io/v1:Issuer")
    assert all(recorded.depends(certificate, issuer_resource) for certificate in recorded.by_type(CERTIFICATE))


def test_without_the_switch_nothing_speaks_of_it() -> None:
    recorded = graph_of("gpu", {"gateway.implementation": "istio"})
    assert "ssl" not in str(servers_of(recorded))
    assert of_kind(recorded, "Certificate") == []
    assert [
        rule_object["spec"]["host"]
        for rule_object in of_kind(recorded, "DestinationRule")
        if "-ip-" in rule_object["spec"]["host"]
    ] == []
