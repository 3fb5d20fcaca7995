"""Red Hat's set: Istio by its operator, of Red Hat's images, with the pull secret where each of them is pulled."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.resource_graph import Graph
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.objects import Object, of_kind, one
from tests.stacks import graph_of, plan_of

STACK = "kserve-istio-single-replica-gpu"
RED_HAT: dict[str, Any] = {
    "release": "rhaiis-3.2",
    "registry": {"server": "registry.redhat.io", "username": "me", "password": "a-password"},
    # As in Red Hat's own guides: the Gateway is opendatahub/inference-gateway.
    "namespace.name": "opendatahub",
}
RELEASE = "kubernetes:helm.sh/v3:Release"
ISTIO = "kubernetes:sailoperator.io/v1:Istio"
KINDS = PROJECT_ROOT / "llm_d_gke" / "rehearsal" / "control_plane" / "crds" / "sailoperator.io.yaml"


def graph(stack: str = STACK, **changes: Any) -> Graph:
    return graph_of(stack, RED_HAT | changes)


def test_the_operators_chart_takes_the_place_of_istios_own() -> None:
    releases = {release.name: release for release in graph().by_type(RELEASE)}
    assert {"istio-base", "istiod"} & releases.keys() == set()
    assert releases["sail-operator"]["repositoryOpts"] == {"repo": "https://istio-ecosystem.github.io/sail-operator"}


def test_istio_is_the_one_of_the_cluster_and_waited_for() -> None:
    istio = one(graph(), "Istio")
    assert (istio["apiVersion"], istio["metadata"]["name"]) == ("sailoperator.io/v1", "default")
    assert istio["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready"
    assert "namespace" not in istio["metadata"]


def test_istio_says_what_its_vendor_says() -> None:
    """opendatahub-io/rhaii-on-xks, charts/sail-operator/templates/istio-cr.yaml."""
    spec = one(graph(), "Istio")["spec"]
    assert spec["namespace"] == "istio-system"
    assert spec["values"]["pilot"]["env"] == {
        "PILOT_ENABLE_GATEWAY_API": "true",
        "PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER": "true",
        "PILOT_ENABLE_GATEWAY_API_STATUS": "true",
        "ENABLE_GATEWAY_API_INFERENCE_EXTENSION": "true",
    }


def test_istios_images_are_red_hats_by_digest() -> None:
    values = one(graph(), "Istio")["spec"]["values"]
    images = (values["pilot"]["image"], values["global"]["proxy"]["image"])
    assert [image for image in images if not image.startswith("registry.redhat.io/openshift-service-mesh/")] == []
    assert [image for image in images if len(image.partition("@sha256:")[2]) != 64] == []


@pytest.mark.parametrize("namespace", ["istio-system", "opendatahub"])
def test_the_pull_secret_is_wherever_istios_images_are_pulled(namespace: str) -> None:
    """Pods of a Gateway take it by name from the Gateway's own namespace."""
    recorded = graph()
    [name] = one(recorded, "Istio")["spec"]["values"]["global"]["imagePullSecrets"]
    [secret] = [
        resource for resource in of_kind(recorded, "Secret", name) if resource["metadata"]["namespace"] == namespace
    ]
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    # What is in it is recorded without what is secret.
    assert list(secret["data"]) == [".dockerconfigjson"]


def test_the_gateway_is_called_as_in_red_hats_guides() -> None:
    about = one(graph(), "Gateway")["metadata"]
    assert (about["namespace"], about["name"]) == ("opendatahub", "inference-gateway")


class TestOrder:
    def test_istio_comes_after_operator_namespace_and_secret(self) -> None:
        recorded = graph()
        istio = recorded.one(ISTIO, "istio")
        for type_, name in (
            (RELEASE, "sail-operator"),
            ("kubernetes:core/v1:Namespace", "istio-system"),
            ("kubernetes:core/v1:Secret", "istio-pull-secret"),
        ):
            assert recorded.depends(istio, recorded.one(type_, name)), name

    def test_gateway_and_kserve_come_after_istio(self) -> None:
        """KServe reads Istio's CRDs when it starts, and a Gateway without its controller is never deleted."""
        recorded = graph()
        istio = recorded.one(ISTIO, "istio")
        gateway = recorded.one("kubernetes:gateway.networking.k8s.io/v1:Gateway")
        assert recorded.depends(gateway, istio)
        assert recorded.depends(recorded.one(RELEASE, "kserve-llmisvc-resources"), istio)


def test_it_is_the_same_without_kserve() -> None:
    recorded = graph("gpu", **{"gateway.implementation": "istio"})
    assert [release.name for release in recorded.by_type(RELEASE)] == ["sail-operator"]
    assert one(recorded, "Istio")["spec"] == one(graph(), "Istio")["spec"]


def test_behind_googles_gateway_there_is_no_istio() -> None:
    plan = plan_of("kserve-single-replica-gpu", RED_HAT)
    assert [chart.name for chart in plan.charts if chart.istio is not None] == []
    assert "gateway.implementation" in {finding.path.removeprefix("llm-d:") for finding in plan.warnings}


def test_who_supports_it_and_where_is_said() -> None:
    [warning] = [warning for warning in plan_of(STACK, RED_HAT).warnings if warning.path == "llm-d:release"]
    assert "does not list GKE" in warning.rule


def test_the_operators_kind_has_every_field() -> None:
    """The API server silently drops fields that a kind does not know."""
    kind = read_yaml(KINDS)
    [version] = kind["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec = one(graph(), "Istio")["spec"]
    assert list(unknown(spec, schema)) == []
    # Else the line above could not fail.
    assert list(unknown({"values": {"gateways": {}}}, schema)) == ["gateways"]


def unknown(value: Object, schema: Object) -> list[str]:
    if schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema:
        return []
    fields = schema["properties"]
    below = [
        name
        for key, part in value.items()
        if key in fields and isinstance(part, dict)
        for name in unknown(part, fields[key])
    ]
    return [key for key in value if key not in fields] + below
