"""The Gateway's certificate by cert-manager: signed for its names, in the Secret of its listener, before it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from llm_d_gke.planning.platform.certificates import covers
from llm_d_gke.resource_graph import Graph
from tests.charts import EXISTING_CLUSTER
from tests.objects import of_kind, one
from tests.stacks import graph_of, plan_of

HOST = "models.example.com"
WITH_CERT_MANAGER: dict[str, Any] = {"gateway.tls": {"kind": "cert-manager"}, "gateway.hostname": HOST}
ISTIO = {"gateway.implementation": "istio"}
WAYS = {
    "direct": ("gpu", {}),
    "direct, Istio": ("gpu", ISTIO),
    "KServe": ("kserve-single-replica-gpu", {}),
    "KServe, Istio": ("kserve-istio-single-replica-gpu", {}),
}
RELEASE = "kubernetes:helm.sh/v3:Release"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
CERTIFICATE = "kubernetes:cert-manager.io/v1:Certificate"
ISSUER = "kubernetes:cert-manager.io/v1:Issuer"


@pytest.fixture(params=WAYS, scope="module")
def graph(request: pytest.FixtureRequest) -> Graph:
    stack, changes = WAYS[request.param]
    return graph_of(stack, WITH_CERT_MANAGER | changes)


class TestEveryWay:
    def test_the_listener_shows_what_the_certificate_fills(self, graph: Graph) -> None:
        certificate = one(graph, "Certificate")
        [listener] = one(graph, "Gateway")["spec"]["listeners"]
        assert (listener["port"], listener["protocol"], listener["hostname"]) == (443, "HTTPS", HOST)
        secret = {"kind": "Secret", "name": certificate["spec"]["secretName"]}
        assert listener["tls"] == {"mode": "Terminate", "certificateRefs": [secret]}
        # A listener can only read Secrets of its namespace.
        assert certificate["metadata"]["namespace"] == one(graph, "Gateway")["metadata"]["namespace"]

    def test_it_is_for_the_name_of_the_endpoint(self, graph: Graph) -> None:
        assert one(graph, "Certificate")["spec"]["dnsNames"] == [HOST]
        assert graph.outputs["endpoint"] == f"https://{HOST}"

    def test_each_comes_after_what_it_needs(self, graph: Graph) -> None:
        """A Gateway before its Secret has no listener, and a Certificate before its controller no kind."""
        [manager] = [chart for chart in graph.by_type(RELEASE) if chart.name == "cert-manager"]
        order = [manager, graph.one(ISSUER), graph.one(CERTIFICATE), graph.one(GATEWAY)]
        for before, after in itertools.pairwise(order):
            assert graph.depends(after, before)

    def test_it_is_waited_for(self, graph: Graph) -> None:
        for kind in ("Issuer", "Certificate"):
            assert one(graph, kind)["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready"


class TestIssuer:
    def test_by_default_it_signs_itself(self) -> None:
        recorded = graph_of("gpu", WITH_CERT_MANAGER)
        issuer, certificate = one(recorded, "Issuer"), one(recorded, "Certificate")
        assert issuer["spec"] == {"selfSigned": {}}
        reference = {"group": "cert-manager.io", "kind": "Issuer", "name": issuer["metadata"]["name"]}
        assert certificate["spec"]["issuerRef"] == reference
        # Its subject is its issuer too, which must not be empty.
        assert certificate["spec"]["subject"]["organizations"]

    @pytest.mark.parametrize("kind", ["ClusterIssuer", "Issuer"])
    def test_one_that_exists_is_only_named(self, kind: str) -> None:
        changes = {**WITH_CERT_MANAGER, **EXISTING_CLUSTER, "platform.certManager.existing": True}
        changes["gateway.tls"] = {"kind": "cert-manager", "issuer": {"name": "ca", "kind": kind}}
        recorded = graph_of("gpu", changes)
        assert of_kind(recorded, "Issuer") == of_kind(recorded, "ClusterIssuer") == []
        spec = one(recorded, "Certificate")["spec"]
        assert spec["issuerRef"] == {"group": "cert-manager.io", "kind": kind, "name": "ca"}
        assert "subject" not in spec
        assert recorded.by_type(RELEASE) == []
        assert [finding for finding in plan_of("gpu", changes).warnings if "tls" in finding.path] == []


def test_other_certificates_need_no_cert_manager() -> None:
    plan = plan_of("gpu", {"gateway.tls": {"kind": "secret", "secret": "front"}})
    assert [chart.name for chart in plan.charts] == []
    assert plan.gateway.tls is not None
    assert plan.gateway.tls.certificate is None


def test_more_names_than_the_gateways() -> None:
    names = ["*.example.com", "llm.example.org"]
    changes = {**WITH_CERT_MANAGER, "gateway.tls": {"kind": "cert-manager", "dnsNames": names}}
    assert one(graph_of("gpu", changes), "Certificate")["spec"]["dnsNames"] == names


@pytest.mark.parametrize(
    ("name", "host", "covered"),
    [
        ("llm.example.com", "llm.example.com", True),
        ("*.example.com", "llm.example.com", True),
        ("*.example.com", "a.llm.example.com", False),
        ("*.example.com", "example.com", False),
        ("example.com", "llm.example.com", False),
    ],
)
def test_a_wildcard_is_one_label(name: str, host: str, covered: bool) -> None:
    assert covers(name, host) is covered
