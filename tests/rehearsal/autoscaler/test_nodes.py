"""Nodes carry GKE's labels, taints and room, and the autoscaler adds the machines that waiting pods need."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.rehearsal.autoscaler.node_pools import Pool, UnknownMachineError, node, node_name, pools
from llm_d_gke.rehearsal.autoscaler.scale_up import decide, node_capacity, refusal, unschedulable

CLUSTER = {"name": "llm-d", "location": "us-central1-a"}


def record(name: str, machine: str, **more: Any) -> dict[str, Any]:
    config = {"machineType": machine, **more.pop("nodeConfig", {})}
    scaling = {"minNodeCount": 0.0, "maxNodeCount": 2.0}
    return {
        "name": name,
        "cluster": "c/llm-d",
        "location": "us-central1-a",
        "autoscaling": scaling,
        "nodeConfig": config,
    } | more


T4 = {
    "guestAccelerators": [
        {"type": "nvidia-tesla-t4", "count": 1.0, "gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"}}
    ]
}
CPU = record("cpu", "e2-standard-4", initialNodeCount=1.0)
GPU = record("gpu", "n1-standard-4", nodeConfig=T4)
TPU = record("tpu", "ct6e-standard-4t", placementPolicy={"tpuTopology": "2x2"})


def pools_of(*records: dict[str, Any]) -> dict[str, Pool]:
    return {pool.name: pool for pool in pools(records, load(), CLUSTER)}


def waiting(name: str = "p", **spec: Any) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"containers": [{"resources": {"requests": spec.pop("requests", {})}}], **spec},
        "status": {"conditions": [condition]},
    }


TOLERATES = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
ON_GPU: dict[str, Any] = {"requests": {"nvidia.com/gpu": "1"}, "tolerations": TOLERATES}


def test_a_gpu_node_looks_as_on_gke() -> None:
    pool = pools_of(CPU, GPU)["gpu"]
    item = node(pool, 0, "demo", "127.64.0.10", "v1.34.1")
    labels = item["metadata"]["labels"]
    assert labels["cloud.google.com/gke-nodepool"] == "gpu"
    assert labels["cloud.google.com/gke-accelerator"] == "nvidia-tesla-t4"
    assert labels["cloud.google.com/gke-gpu-driver-version"] == "latest"
    assert labels["topology.kubernetes.io/zone"] == "us-central1-a"
    assert labels["topology.kubernetes.io/region"] == "us-central1"
    assert labels["kubernetes.io/hostname"] == item["metadata"]["name"]
    assert item["spec"]["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]
    assert item["status"]["allocatable"]["nvidia.com/gpu"] == "1"
    assert item["status"]["allocatable"]["cpu"] == "3920m"
    assert item["status"]["capacity"]["cpu"] == "4"


def test_gpu_nodes_are_not_tainted_when_nothing_else_could_take_the_rest() -> None:
    assert pools_of(GPU)["gpu"].taints == ()


def test_a_tpu_node_says_its_topology_and_is_always_tainted() -> None:
    pool = pools_of(TPU)["tpu"]
    assert pool.labels["cloud.google.com/gke-tpu-accelerator"] == "tpu-v6e-slice"
    assert pool.labels["cloud.google.com/gke-tpu-topology"] == "2x2"
    assert pool.labels["cloud.google.com/gke-accelerator-count"] == "4"
    assert pool.taints == ({"key": "google.com/tpu", "value": "present", "effect": "NoSchedule"},)
    assert (pool.machines_per_step, pool.allocatable["google.com/tpu"]) == (1, "4")


def test_the_hosts_of_a_multi_host_slice_come_together() -> None:
    assert (
        pools_of(record("slice", "ct6e-standard-4t", placementPolicy={"tpuTopology": "4x4"}))["slice"].machines_per_step
        == 4
    )


def test_spot_nodes_are_labeled_but_not_tainted() -> None:
    pool = pools_of(record("cpu", "e2-standard-4", nodeConfig={"spot": True}))["cpu"]
    assert pool.labels["cloud.google.com/gke-spot"] == "true"
    assert pool.taints == ()


def test_own_labels_and_taints_are_added() -> None:
    config = {"labels": {"team": "a"}, "taints": [{"key": "k", "value": "v", "effect": "NO_EXECUTE"}]}
    pool = pools_of(record("cpu", "e2-standard-4", nodeConfig=config))["cpu"]
    assert pool.labels["team"] == "a"
    assert pool.taints == ({"key": "k", "value": "v", "effect": "NoExecute"},)


def test_an_unknown_machine_type_is_named() -> None:
    with pytest.raises(UnknownMachineError, match="q9-huge"):
        pools_of(record("cpu", "q9-huge"))


def test_names_fit_a_host_name_and_differ() -> None:
    pool = pools_of(record("a-very-long-name-for-a-node-pool-xxxxxxx", "e2-standard-4"))[
        "a-very-long-name-for-a-node-pool-xxxxxxx"
    ]
    names = {node_name(pool, index) for index in range(20)}
    assert len(names) == 20
    assert max(len(name) for name in names) <= 63


def test_sizes_stay_within_the_limits() -> None:
    pool = pools_of(record("cpu", "e2-standard-4", autoscaling={"minNodeCount": 1.0, "maxNodeCount": 3.0}))["cpu"]
    assert [pool.clamp(size) for size in (0, 2, 9)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (ON_GPU, None),
        ({"requests": {"nvidia.com/gpu": "1"}}, "node(s) had untolerated taint {nvidia.com/gpu: present}"),
        (
            ON_GPU | {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"}},
            "node(s) didn't match Pod's node affinity/selector",
        ),
        (ON_GPU | {"requests": {"nvidia.com/gpu": "2", "memory": "99Gi"}}, "Insufficient memory, nvidia.com/gpu"),
    ],
)
def test_a_pool_says_why_it_cannot_hold_a_pod(spec: dict[str, Any], reason: str | None) -> None:
    assert refusal(waiting(**dict(spec)), pools_of(CPU, GPU)["gpu"]) == reason


@pytest.mark.parametrize(
    ("operator", "values", "fits"),
    [("In", ["gpu", "x"], True), ("NotIn", ["gpu"], False), ("Exists", [], True), ("DoesNotExist", [], False)],
)
def test_required_node_affinity_is_heeded(operator: str, values: list[str], fits: bool) -> None:
    expression = {"key": "cloud.google.com/gke-nodepool", "operator": operator, "values": values}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    assert (refusal(waiting(affinity=affinity, **dict(ON_GPU)), pools_of(CPU, GPU)["gpu"]) is None) is fits


def test_one_machine_per_need_up_to_the_maximum() -> None:
    every = pools_of(CPU, GPU)
    pods = [waiting(f"p{number}", **dict(ON_GPU)) for number in range(3)]
    decision = decide(pods, list(every.values()), {"cpu": 1, "gpu": 0}, {"cpu": [node_capacity(every["cpu"])]})
    assert [(growth.pool.name, growth.size, growth.target) for growth in decision.growths] == [("gpu", 0, 2)]
    assert [(pod["metadata"]["name"], why) for pod, why in decision.hopeless] == [
        (
            "p2",
            "pod didn't trigger scale-up: cpu: Insufficient nvidia.com/gpu; gpu: max node group size reached (2)",
        )
    ]


def test_a_pod_whose_machine_is_coming_or_has_just_come_asks_for_no_other() -> None:
    every = pools_of(GPU)
    pods = [waiting(**dict(ON_GPU))]
    assert decide(pods, list(every.values()), {"gpu": 1}, {}).growths == ()
    assert decide(pods, list(every.values()), {"gpu": 1}, {"gpu": [node_capacity(every["gpu"])]}).growths == ()


def test_a_full_machine_does_not_count() -> None:
    every = pools_of(GPU)
    full = node_capacity(every["gpu"]) | {"nvidia.com/gpu": Decimal(0)}
    decision = decide([waiting(**dict(ON_GPU))], list(every.values()), {"gpu": 1}, {"gpu": [full]})
    assert [growth.target for growth in decision.growths] == [2]


def test_small_pods_share_a_machine_and_leave_accelerators_alone() -> None:
    every = pools_of(CPU, record("gpu", "n1-standard-4", nodeConfig=T4))
    pods = [waiting(f"p{number}", requests={"cpu": "1"}, tolerations=TOLERATES) for number in range(3)]
    decision = decide(pods, list(every.values()), {"cpu": 0, "gpu": 0}, {})
    assert [(growth.pool.name, growth.target) for growth in decision.growths] == [("cpu", 1)]


def test_only_pods_the_scheduler_gave_up_on_count() -> None:
    bound = waiting("bound", nodeName="n")
    leaving = waiting("leaving")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:01Z"
    fresh = waiting("fresh") | {"status": {}}
    assert [pod["metadata"]["name"] for pod in unschedulable([bound, leaving, fresh, waiting("stuck")])] == ["stuck"]


def test_no_two_nodes_of_a_pool_have_one_name() -> None:
    pool = pools_of(CPU, GPU)["gpu"]
    assert len({node_name(pool, index) for index in range(2000)}) == 2000
