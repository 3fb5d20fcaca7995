"""A Gateway of Istio: class, address, and the resources in place of GKE's policies."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from tests.objects import of_kind, one
from tests.stacks import graph_of, plan_of

ISTIO = {"gateway.implementation": "istio"}
RELEASE = "kubernetes:helm.sh/v3:Release"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"


def graph(changes: dict[str, Any] | None = None, *, preview: bool = True) -> Graph:
    return graph_of("gpu", ISTIO | (changes or {}), preview=preview)


class TestGateway:
    def test_it_is_of_istios_class(self) -> None:
        assert one(graph(), "Gateway")["spec"]["gatewayClassName"] == "istio"
        assert plan_of("gpu", ISTIO | {"gateway.className": "istio-canary"}).gateway.class_name == "istio-canary"

    def test_it_has_the_reserved_address_by_number(self) -> None:
        """The Service of Istio's Envoys takes it as its own; a name means nothing there."""
        recorded = graph(preview=False)
        [address] = one(recorded, "Gateway")["spec"]["addresses"]
        assert address == {"type": "IPAddress", "value": recorded.outputs["gatewayAddress"]}

    @pytest.mark.parametrize(("exposure", "annotations"), [("external", None), ("internal", "Internal")])
    def test_an_internal_one_stays_in_the_vpc(self, exposure: str, annotations: str | None) -> None:
        spec = one(graph({"gateway.exposure": exposure}), "Gateway")["spec"]
        found_annotations = spec.get("infrastructure", {}).get("annotations", {})
        assert found_annotations.get("networking.gke.io/load-balancer-type") == annotations

    def test_its_pods_keep_to_the_strictest_level(self) -> None:
        """The stack's namespace may enforce it, and Istio gives them no seccomp profile."""
        recorded = graph()
        gateway = one(recorded, "Gateway")
        reference = gateway["spec"]["infrastructure"]["parametersRef"]
        assert (reference["group"], reference["kind"]) == ("", "ConfigMap")
        parameters = one(recorded, "ConfigMap", reference["name"])
        assert parameters["metadata"]["namespace"] == gateway["metadata"]["namespace"]
        merged = parse_yaml(parameters["data"]["deployment"])["spec"]["template"]["spec"]
        assert merged["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}

    def test_it_comes_after_its_controller_and_goes_before_it(self) -> None:
        """Without the controller the Service, and its load balancer, would never be deleted."""
        recorded = graph()
        charts = {chart.name for chart in recorded.by_type(RELEASE) if recorded.depends(recorded.one(GATEWAY), chart)}
        assert {"istio-base", "istiod"} <= charts

    def test_no_subnet_is_kept_for_googles_proxies(self) -> None:
        assert [r.name for r in graph().by_type("gcp:compute/subnetwork:Subnetwork") if r.name == "proxies"] == []


class TestPool:
    def test_gkes_policies_are_not_there(self) -> None:
        assert [b for b in kubernetes_objects(graph()) if b["apiVersion"] == "networking.gke.io/v1"] == []

    @pytest.mark.parametrize("stack", ["gpu", "kserve-istio-single-replica-gpu"])
    def test_the_picker_is_reached_by_tls_that_asks_nothing(self, stack: str) -> None:
        recorded = graph_of(stack, ISTIO)
        [rule] = of_kind(recorded, "DestinationRule")
        pool = plan_of(stack, ISTIO).models[0].pool
        namespace = rule["metadata"]["namespace"]
        assert rule["spec"] == {
            "host": f"{pool.picker_service}.{namespace}.svc.cluster.local",
            "trafficPolicy": {"tls": {"mode": "SIMPLE", "insecureSkipVerify": True}},
        }

    def test_the_route_carries_the_timeout(self) -> None:
        rules = one(graph({"gateway.timeoutSeconds": 600}), "HTTPRoute", "inference")["spec"]["rules"]
        assert [rule["timeouts"] for rule in rules] == [{"request": "600s"}]
