"""Pods end after their requests: they serve until their removal is known everywhere, then finish running requests."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.resource_graph import Graph
from tests.objects import container, of_kind, one, pods
from tests.stacks import graph_of

STACKS = ("multi-model-gpu", "prefix-cache-tpu")
ENGINE = "prefix-cache-gpu"


def notice(pod: dict[str, Any]) -> int:
    """Seconds between deletion and SIGTERM."""
    seconds: int = container(pod).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    return seconds


def engine(graph: Graph) -> dict[str, Any]:
    return next(pod for name, pod in pods(graph).items() if name.endswith("-vllm"))


@pytest.mark.parametrize("stack", STACKS)
def test_every_pod_serves_on_until_the_load_balancer_knows(stack: str) -> None:
    graph = graph_of(stack)
    assert len(pods(graph)) >= 2
    for name, pod in pods(graph).items():
        assert 10 <= notice(pod) < pod["spec"]["terminationGracePeriodSeconds"], name


@pytest.mark.parametrize("stack", STACKS)
def test_an_old_pod_goes_only_when_the_load_balancer_has_found_the_new_one(stack: str) -> None:
    """It has to hear of the address and to see its health check pass: a pod is ready long before."""
    graph = graph_of(stack)
    deployments = of_kind(graph, "Deployment")
    assert len(deployments) >= 2
    interval = max(
        policy["spec"]["default"]["config"].get("checkIntervalSec", policy["spec"]["default"].get("checkIntervalSec"))
        for policy in of_kind(graph, "HealthCheckPolicy")
    )
    for deployment in deployments:
        spec = deployment["spec"]
        assert 2 * interval < spec["minReadySeconds"] < spec.get("progressDeadlineSeconds", 600)


@pytest.mark.parametrize(
    ("release", "drain", "least_notice"), [("llm-d-0.9", 60, 15), ("gaie-1.5", 60, 15), ("llm-d-0.4", None, 60)]
)
def test_an_engine_ends_after_its_requests(release: str, drain: int | None, least_notice: int) -> None:
    """vLLM cancels its requests at SIGTERM unless it supports and gets the drain flag. The notice covers the others."""
    graph = graph_of(ENGINE, {"release": release})
    pod = engine(graph)
    args = container(pod)["args"]
    drained = int(args[args.index("--shutdown-timeout") + 1]) if "--shutdown-timeout" in args else None
    assert drained == drain
    assert notice(pod) >= least_notice
    assert pod["spec"]["terminationGracePeriodSeconds"] > notice(pod) + (drained or 0)
    policy = one(graph, "GCPBackendPolicy")["spec"]["default"]
    # The load balancer gives up before the pod does.
    assert policy["connectionDraining"]["drainingTimeoutSec"] < pod["spec"]["terminationGracePeriodSeconds"]


class TestSeveralPickers:
    """One leads and is ready; the others become so when it ends."""

    graph = staticmethod(lambda: graph_of(ENGINE, {"picker.replicas": 2}))

    def test_the_leader_hands_over_without_notice(self) -> None:
        picker = next(pod for name, pod in pods(self.graph()).items() if name.endswith("-epp"))
        assert notice(picker) == 0
        every = of_kind(self.graph(), "Deployment")
        deployment = next(deployment for deployment in every if deployment["metadata"]["name"].endswith("-epp"))
        assert "minReadySeconds" not in deployment["spec"]

    def test_an_update_waits_for_one_leader_and_not_for_all_to_be_ready(self) -> None:
        """A new picker becomes ready only after the old leader has ended, so a careful rollout would wait forever."""
        deployment = next(
            deployment
            for deployment in of_kind(self.graph(), "Deployment")
            if deployment["metadata"]["name"].endswith("-epp")
        )
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 2
        assert "readyReplicas}=1" in deployment["metadata"]["annotations"]["pulumi.com/waitFor"]

    def test_a_single_one_is_replaced_before_it_goes(self) -> None:
        deployments = of_kind(graph_of(ENGINE), "Deployment")
        deployment = next(deployment for deployment in deployments if deployment["metadata"]["name"].endswith("-epp"))
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert "annotations" not in deployment["metadata"]
