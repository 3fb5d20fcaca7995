"""Autopilot clusters: no node pools, pods that select their nodes, and costs and times of which nothing is known."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.planning import RefusedError
from llm_d_gke.rehearsal.autoscaler.autopilot import autopilot_records
from llm_d_gke.rehearsal.autoscaler.compute_classes import class_pools
from llm_d_gke.rehearsal.autoscaler.scale_up import decide, refusal
from tests.objects import of_kind
from tests.stacks import existing_cluster, graph_of, plan_of

STACK = "autopilot-gpu"
CLASS = {"accelerator": {"type": "nvidia-l4", "computeClass": {"fallbacks": [{"machineType": "g2-standard-8"}]}}}
CLUSTER = {"name": "auto", "location": "us-central1", "enableAutopilot": True}


def pods_of(stack: str, changes: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [
        {
            **body["spec"]["template"],
            "metadata": {"name": body["metadata"]["name"], "creationTimestamp": "2026-11-28T00:00:00Z"},
        }
        for body in of_kind(graph_of(stack, changes), "Deployment")
    ]


def selector_of(changes: dict[str, Any] | None = None, stack: str = STACK) -> dict[str, str]:
    [server] = [pod for pod in pods_of(stack, changes) if "vllm" in pod["metadata"]["name"]]
    return dict(server["spec"]["nodeSelector"])


class TestCluster:
    def test_has_no_argument_that_the_provider_refuses_with_autopilot(self) -> None:
        [cluster] = graph_of(STACK).by_type("gcp:container/cluster:Cluster")
        assert cluster.inputs["enableAutopilot"] is True
        refused = {
            "nodePools",
            "removeDefaultNodePool",
            "enableShieldedNodes",
            "enableIntranodeVisibility",
            "networkPolicy",
            "defaultMaxPodsPerNode",
        }
        assert refused & set(cluster.inputs) == set()
        assert set(cluster.inputs["clusterAutoscaling"]) == {"autoProvisioningDefaults"}
        assert cluster.inputs["addonsConfig"] == {"httpLoadBalancing": {"disabled": False}}

    def test_there_are_no_node_pools(self) -> None:
        assert graph_of(STACK).by_type("gcp:container/nodePool:NodePool") == []

    def test_pods_come_after_the_cluster(self) -> None:
        graph = graph_of(STACK)
        [cluster] = graph.by_type("gcp:container/cluster:Cluster")
        [server] = [r for r in graph.by_type("kubernetes:apps/v1:Deployment") if "vllm" in r.name]
        assert graph.depends(server, cluster)

    def test_prometheus_is_managed_whatever_the_stack_monitors(self) -> None:
        [cluster] = graph_of(STACK, {"monitoring": {"enabled": False}}).by_type("gcp:container/cluster:Cluster")
        assert cluster.inputs["monitoringConfig"]["managedPrometheus"] == {"enabled": True}

    def test_an_existing_one_gets_no_pools_either(self) -> None:
        changes = {**existing_cluster(), "cluster.mode": "autopilot", "location": "us-central1"}
        graph = graph_of(STACK, changes)
        assert graph.by_type("gcp:container/nodePool:NodePool") == []


class TestPods:
    def test_servers_select_type_number_driver_spot_and_zone(self) -> None:
        assert selector_of() == {
            "cloud.google.com/gke-accelerator": "nvidia-l4",
            "cloud.google.com/gke-accelerator-count": "1",
            "cloud.google.com/gke-gpu-driver-version": "latest",
            "cloud.google.com/gke-spot": "true",
            "topology.kubernetes.io/zone": "us-central1-a",
        }

    def test_a_tpu_is_selected_by_type_and_topology(self) -> None:
        region = plan_of("tpu").region
        selector = selector_of({"cluster.mode": "autopilot", "location": region}, "tpu")
        assert set(selector) == {"cloud.google.com/gke-tpu-accelerator", "cloud.google.com/gke-tpu-topology"}

    def test_a_compute_class_replaces_the_selectors(self) -> None:
        assert selector_of(CLASS) == {"cloud.google.com/compute-class": "autopilot-gpu-l4"}
        [created] = of_kind(graph_of(STACK, CLASS), "ComputeClass")
        assert [choice["machineType"] for choice in created["spec"]["priorities"]] == ["g2-standard-4", "g2-standard-8"]
        assert created["spec"]["nodePoolConfig"]["nodeLabels"] == {}

    def test_no_other_pod_selects_nodes(self) -> None:
        others = [pod for pod in pods_of(STACK) if "vllm" not in pod["metadata"]["name"]]
        assert others
        assert [pod["spec"].get("nodeSelector") or {} for pod in others] == [{}] * len(others)

    def test_pods_that_keep_apart_have_the_least_cpu_of_autopilot(self) -> None:
        requests = {
            pod["metadata"]["name"]: pod["spec"]["containers"][0]["resources"]["requests"]["cpu"]
            for pod in pods_of("multi-model-gpu", {"cluster.mode": "autopilot", "location": "us-central1"})
            if "podAntiAffinity" in (pod["spec"].get("affinity") or {}) and "vllm" not in pod["metadata"]["name"]
        }
        assert requests == {"model-router": "500m"}

    @pytest.mark.parametrize(("cpu", "requested"), [("1", "1"), ("750m", "750m"), ("250m", "500m")])
    def test_more_cpu_stays(self, cpu: str, requested: str) -> None:
        changes = {"cluster.mode": "autopilot", "location": "us-central1", "router.cpu": cpu}
        router = plan_of("multi-model-gpu", changes).router
        assert router is not None
        assert router.pod.requests["cpu"] == requested

    def test_no_pod_is_what_autopilot_refuses(self) -> None:
        for pod in pods_of(STACK):
            spec = pod["spec"]
            assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))
            assert not any("hostPath" in volume for volume in spec.get("volumes") or [])
            for container in [*spec["containers"], *(spec.get("initContainers") or [])]:
                security = container["securityContext"]
                assert not security.get("privileged")
                assert not (security.get("capabilities") or {}).get("add")
                assert not any("hostPort" in port for port in container.get("ports") or [])


class TestEstimates:
    def test_unknown_prices_are_named(self) -> None:
        running = plan_of(STACK).cost.total("running")
        assert {"Autopilot premium", "pods without accelerators"} <= set(running.unknown)

    def test_prices_of_the_stack_take_their_place(self) -> None:
        items = {"autopilot-premium": 0.03, "autopilot-pods": 0.1}
        cost = plan_of(STACK, {"prices": {"date": "2026-11-28", "items": items}}).cost
        by_name = {line.name: line.running for line in cost.lines}
        assert (by_name["Autopilot premium"], by_name["pods without accelerators"]) == (0.03, 0.1)
        assert not {"Autopilot premium", "pods without accelerators"} & set(cost.total("running").unknown)

    def test_times_of_standard_clusters_are_no_figures_of_autopilot(self) -> None:
        timeline = plan_of(STACK).timeline
        assert timeline is not None
        assert {step.name for step in timeline.steps if not step.has_figures} == {"cluster", "node"}
        assert {step.worst for step in timeline.steps if not step.has_figures} == {0}
        assert "pools" not in {step.name for step in timeline.steps}


class TestRehearsedNodes:
    def test_every_pod_of_the_stack_gets_a_node(self) -> None:
        pods = pods_of(STACK)
        pools = class_pools([], autopilot_records(pods, load(), CLUSTER), load(), CLUSTER)
        assert [pool.machine for pool in pools] == ["e2-standard-8", "g2-standard-4"]
        decision = decide(pods, pools, dict.fromkeys((pool.name for pool in pools), 0), {})
        assert decision.hopeless == ()
        assert {growth.pool.machine for growth in decision.growths} == {"e2-standard-8", "g2-standard-4"}

    def test_a_server_runs_on_no_general_node(self) -> None:
        [server] = [pod for pod in pods_of(STACK) if "vllm" in pod["metadata"]["name"]]
        general, accelerated = class_pools([], autopilot_records([server], load(), CLUSTER), load(), CLUSTER)
        assert refusal(server, general) is not None
        assert refusal(server, accelerated) is None

    def test_a_number_that_no_machine_has_gets_no_node(self) -> None:
        [server] = [pod for pod in pods_of(STACK) if "vllm" in pod["metadata"]["name"]]
        server["spec"] = {
            **server["spec"],
            "nodeSelector": {**server["spec"]["nodeSelector"], "cloud.google.com/gke-accelerator-count": "3"},
        }
        assert len(autopilot_records([server], load(), CLUSTER)) == 1


@pytest.mark.parametrize(
    ("source", "warned"),
    [
        ({"kind": "bucket", "bucket": "weights", "path": "m"}, True),
        ({"kind": "volume-claim", "claim": "weights", "path": "m"}, False),
    ],
)
def test_a_volume_keeps_the_weights_off_a_node_s_disk_and_a_bucket_does_not(
    source: dict[str, str], *, warned: bool
) -> None:
    """A bucket's files pass through a cache on the disk."""
    model = {"id": "Qwen/Qwen3-8B", "maxModelLen": 4096, "source": source}
    plan = plan_of(STACK, {"models": [model], "accelerator": {"type": "nvidia-l4"}})
    assert ("LLMD-AUTOPILOT-STORAGE" in {finding.id for finding in plan.warnings}) is warned


def test_a_pattern_over_several_hosts_is_refused() -> None:
    with pytest.raises(RefusedError, match="LLMD-AUTOPILOT-HOSTS"):
        plan_of("mixture-of-experts-wide-gpu", {"cluster.mode": "autopilot", "location": "us-central1"})
