"""References among objects: none of a stack leads nowhere, and each planted one that does is found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from llm_d_gke.maintenance.scan.references import failures
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from tests.stacks import graph_of

Object = dict[str, Any]

STACKS = (
    "gpu",
    "multi-model-gpu",
    "mixture-of-experts-wide-gpu",
    "kserve-disaggregated-gpu",
    "kserve-istio-single-replica-tpu",
    "kserve-mixture-of-experts-wide-gpu",
)


def objects(stack: str) -> list[Object]:
    return copy.deepcopy([dict(body) for body in kubernetes_objects(graph_of(stack))])


def checks(stack: str, bodies: list[Object]) -> set[str]:
    return {failure.check for failure in failures(stack, bodies)}


def pod(body: Object) -> Object:
    return dict(body["spec"]["template"]["spec"])


# Kind and beginning of the name of an object of stack `gpu`, what is done to it, and the check that fails.
PLANTED: dict[str, tuple[str, str, Callable[[Object], object], str]] = {
    "pool for other pods": (
        "InferencePool",
        "",
        lambda body: body["spec"]["selector"]["matchLabels"].update({"llm-d.ai/model": "another"}),
        "selects-no-pod",
    ),
    "policy that lets other pods in": (
        "NetworkPolicy",
        "gemma-2b-it-vllm",
        lambda body: body["spec"]["ingress"][0].update(
            {"from": [{"podSelector": {"matchLabels": {"app": "another"}}}]}
        ),
        "selects-no-pod",
    ),
    "pool on a closed port": (
        "InferencePool",
        "",
        lambda body: body["spec"].update(targetPorts=[{"number": 8123}]),
        "port-of-no-pod",
    ),
    "policy for a closed port": (
        "NetworkPolicy",
        "gemma-2b-it-vllm",
        lambda body: body["spec"]["ingress"][0].update(ports=[{"port": 8123}]),
        "port-of-no-pod",
    ),
    "scrape of an unknown port": (
        "PodMonitoring",
        "",
        lambda body: body["spec"]["endpoints"][0].update(port="another"),
        "port-of-no-pod",
    ),
    "service on an unknown port": (
        "Service",
        "",
        lambda body: body["spec"]["ports"][0].update(targetPort="another"),
        "port-of-no-pod",
    ),
    "route to no pool": (
        "HTTPRoute",
        "",
        lambda body: body["spec"]["rules"][0]["backendRefs"][0].update(name="another"),
        "missing-object",
    ),
    "policy of no pool": (
        "GCPBackendPolicy",
        "",
        lambda body: body["spec"]["targetRef"].update(name="another"),
        "missing-object",
    ),
    "binding of no role": (
        "RoleBinding",
        "",
        lambda body: body["roleRef"].update(name="another"),
        "missing-object",
    ),
    "pool without its picker": (
        "InferencePool",
        "",
        lambda body: body["spec"]["endpointPickerRef"].update(name="another"),
        "missing-object",
    ),
    "pod without its account": (
        "Deployment",
        "gemma-2b-it-vllm",
        lambda body: pod(body) and body["spec"]["template"]["spec"].update(serviceAccountName="another"),
        "missing-object",
    ),
    "pod without its file": (
        "Deployment",
        "gemma-2b-it-epp",
        lambda body: pod(body)["volumes"].append({"name": "other", "configMap": {"name": "another"}}),
        "missing-object",
    ),
    "volume that nobody mounts": (
        "Deployment",
        "gemma-2b-it-vllm",
        lambda body: pod(body)["volumes"].append({"name": "other", "emptyDir": {}}),
        "unmounted-volume",
    ),
    "mount without a volume": (
        "Deployment",
        "gemma-2b-it-vllm",
        lambda body: pod(body)["volumes"].pop(),
        "mount-of-no-volume",
    ),
    "probe of a closed port": (
        "Deployment",
        "gemma-2b-it-vllm",
        lambda body: pod(body)["containers"][0]["livenessProbe"]["httpGet"].update(port=8123),
        "probe-of-no-port",
    ),
}


@pytest.mark.parametrize("stack", STACKS)
def test_no_reference_of_a_stack_leads_nowhere(stack: str) -> None:
    assert list(failures(stack, objects(stack))) == []


@pytest.mark.parametrize(("kind", "name", "plant", "check"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_one_is_found(kind: str, name: str, plant: Callable[[Object], object], check: str) -> None:
    bodies = objects("gpu")
    namespace = next(body["metadata"]["namespace"] for body in bodies if body["kind"] == "Gateway")
    plant(
        next(
            body
            for body in bodies
            if body["kind"] == kind
            and body["metadata"].get("namespace") == namespace
            and body["metadata"]["name"].startswith(name)
        )
    )
    assert checks("gpu", bodies) >= {check}
