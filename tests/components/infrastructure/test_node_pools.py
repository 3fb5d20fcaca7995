"""Node pools carry what their provisioning needs and no more: Google refuses a field too many."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.resource_graph import Graph, Recorded
from tests.stacks import KUEUE, OPEN, existing_cluster, graph_of

NODE_POOL = "gcp:container/nodePool:NodePool"


def accelerators(graph: Graph) -> Recorded:
    [pool] = [pool for pool in graph.by_type(NODE_POOL) if pool.name != "cpu"]
    return pool


def test_gpu_nodes_name_their_driver(gpu: Graph) -> None:
    """GKE's default drifts, and a changed driver replaces the pool. The image's CUDA 13 needs 580."""
    assert accelerators(gpu)["nodeConfig"]["guestAccelerators"] == [
        {"type": "nvidia-tesla-t4", "count": 1, "gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"}}
    ]


def test_tpu_nodes_bring_their_chips(tpu: Graph) -> None:
    """One host needs no placement: the API refuses a topology on it."""
    pool = accelerators(tpu)
    assert pool["nodeConfig"]["machineType"] == "ct6e-standard-4t"
    assert "guestAccelerators" not in pool["nodeConfig"]
    assert "placementPolicy" not in pool.inputs


def test_accelerator_nodes_stream_their_images(either: Graph) -> None:
    config = accelerators(either)["nodeConfig"]
    assert config["gcfsConfig"] == config["gvnic"] == {"enabled": True}


def test_cpu_nodes_have_nothing_of_accelerators(either: Graph) -> None:
    config = either.one(NODE_POOL, "cpu")["nodeConfig"]
    assert not {"guestAccelerators", "gcfsConfig", "gvnic", "spot", "flexStart", "reservationAffinity"} & set(config)


def test_every_pool_keeps_the_rules_of_hardening(either: Graph) -> None:
    for pool in either.by_type(NODE_POOL):
        config = pool["nodeConfig"]
        assert config["shieldedInstanceConfig"] == {"enableSecureBoot": True, "enableIntegrityMonitoring": True}
        assert config["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
        assert config["metadata"] == {"disable-legacy-endpoints": "true"}


def test_bounds_are_those_of_the_stack_file(gpu: Graph) -> None:
    pool = accelerators(gpu)
    assert pool["autoscaling"] == {"totalMinNodeCount": 0, "totalMaxNodeCount": 3, "locationPolicy": "ANY"}
    assert pool["initialNodeCount"] == 0
    assert "nodeCount" not in pool.inputs
    assert pool.options.ignore_changes == ("initialNodeCount",)


def test_a_pool_of_one_size_is_not_autoscaled() -> None:
    pool = accelerators(graph_of("gpu", {"accelerator.nodes": {"min": 2, "max": 2}}))
    assert pool["nodeCount"] == 2
    assert not {"autoscaling", "initialNodeCount"} & set(pool.inputs)


@pytest.mark.parametrize(
    ("changes", "config", "repair"),
    [
        ({}, {}, True),
        (
            {"provisioning": "spot"},
            {"spot": True, "reservationAffinity": {"consumeReservationType": "NO_RESERVATION"}},
            True,
        ),
        (
            {"provisioning": "flex-start"},
            {"flexStart": True, "reservationAffinity": {"consumeReservationType": "NO_RESERVATION"}},
            False,
        ),
        ({"provisioning": "queued"}, {"reservationAffinity": {"consumeReservationType": "NO_RESERVATION"}}, True),
        (
            {"reservation": "mine"},
            {
                "reservationAffinity": {
                    "consumeReservationType": "SPECIFIC_RESERVATION",
                    "key": "compute.googleapis.com/reservation-name",
                    "values": ["mine"],
                }
            },
            True,
        ),
    ],
    ids=["on-demand", "spot", "flex-start", "queued", "reservation"],
)
def test_provisioning_sets_its_own_fields_only(changes: dict[str, Any], config: dict[str, Any], repair: bool) -> None:
    queued = {"acknowledge": [OPEN, KUEUE]} if changes.get("provisioning") == "queued" else {}
    graph = graph_of("gpu", {f"accelerator.{key}": value for key, value in changes.items()} | queued)
    pool = accelerators(graph)
    fields = ("spot", "flexStart", "reservationAffinity")
    assert {key: pool["nodeConfig"][key] for key in fields if key in pool["nodeConfig"]} == config
    assert pool["management"] == {"autoRepair": repair, "autoUpgrade": True}
    assert pool.inputs.get("queuedProvisioning") == (
        {"enabled": True} if changes.get("provisioning") == "queued" else None
    )


def test_rdma_machines_get_their_network() -> None:
    changes = {"location": "us-central1-b", "accelerator": {"type": "nvidia-h200-141gb", "provisioning": "spot"}}
    graph = graph_of("gpu", changes)
    assert accelerators(graph)["networkConfig"] == {"acceleratorNetworkProfile": "auto", "enablePrivateNodes": True}
    assert graph.one("gcp:container/cluster:Cluster")["enableMultiNetworking"] is True


def test_slices_of_several_tpu7x_hosts_are_placed_by_a_workload_policy() -> None:
    """Each slice of a topology names the same policy; older generations are placed by GKE."""
    slices = {"location": "us-central1-c", "models[0].id": "google/gemma-4-31B-it", "models[0].maxModelLen": 8192}
    tpu7x = {"type": "tpu-v7x", "machineType": "tpu7x-standard-4t", "topology": "2x2x2", "nodes": {"min": 0, "max": 4}}
    graph = graph_of("gpu", {**slices, "accelerator": tpu7x})
    policy = graph.one("gcp:compute/resourcePolicy:ResourcePolicy")
    assert policy["region"] == "us-central1"
    assert policy["workloadPolicy"] == {"type": "HIGH_THROUGHPUT", "acceleratorTopology": "2x2x2"}
    assert policy.options.delete_before_replace is True
    pools = [pool for pool in graph.by_type(NODE_POOL) if pool.name != "cpu"]
    assert len(pools) == 2
    for pool in pools:
        assert pool["placementPolicy"] == {"type": "", "policyName": policy["name"], "tpuTopology": "2x2x2"}


def test_a_replaced_pool_goes_before_the_new_one_comes(either: Graph) -> None:
    """GKE refuses a second pool of one name, and there is seldom quota for the accelerators of both."""
    pools = either.by_type(NODE_POOL)
    assert {pool.options.delete_before_replace for pool in pools} == {True}
    moved = graph_of("gpu", {"cluster.nodeAccount": "own-nodes@golden-project.iam.gserviceaccount.com"})
    before, after = (graph.one(NODE_POOL, "cpu") for graph in (graph_of("gpu"), moved))
    assert before["name"] == after["name"]
    assert before["nodeConfig"]["serviceAccount"] != after["nodeConfig"]["serviceAccount"]


def test_pools_are_as_private_as_the_cluster() -> None:
    """Turning private nodes off takes NAT away: a pool that stayed private would have no way out."""
    for private in (True, False):
        graph = graph_of("gpu", {"cluster.privateNodes": private})
        pools = graph.by_type("gcp:container/nodePool:NodePool")
        assert [pool["networkConfig"]["enablePrivateNodes"] for pool in pools] == [private, private]
    resources = graph_of("gpu", existing_cluster())
    assert not [pool for pool in resources.by_type("gcp:container/nodePool:NodePool") if "networkConfig" in pool.inputs]


A4X = {
    "location": "us-central1-a",
    "accelerator": {"type": "nvidia-gb200", "reservation": "mine", "nodes": {"min": 0, "max": 4}},
}


def test_machines_of_one_nvlink_domain_are_placed_by_its_policy() -> None:
    """As GoogleCloudPlatform/cluster-toolkit creates pools of A4X: without the policy their nodes share no domain."""
    graph = graph_of("gpu", A4X)
    policy = graph.one("gcp:compute/resourcePolicy:ResourcePolicy")
    assert policy["workloadPolicy"] == {"type": "HIGH_THROUGHPUT", "acceleratorTopology": "1x72"}
    assert accelerators(graph)["placementPolicy"] == {"type": "", "policyName": policy["name"]}


def test_a_reserved_pool_is_upgraded_without_a_spare_node(gpu: Graph) -> None:
    assert accelerators(graph_of("gpu", A4X))["upgradeSettings"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert "upgradeSettings" not in accelerators(gpu).inputs


def test_queued_tpus_are_flex_start_nodes() -> None:
    pool = accelerators(graph_of("tpu", {"accelerator.provisioning": "queued", "acknowledge": [OPEN, KUEUE]}))
    assert pool["queuedProvisioning"] == {"enabled": True}
    assert pool["nodeConfig"]["flexStart"] is True
    assert pool["management"]["autoRepair"] is False


@pytest.mark.parametrize(
    ("zones", "nodes", "initial"),
    [
        (("a", "b"), {"min": 1, "max": 3}, 1),
        (("a", "b", "c"), {"min": 4, "max": 4}, 2),
        (("a",), {"min": 1, "max": 3}, 1),
    ],
)
def test_limits_are_those_of_all_zones_together(zones: tuple[str, ...], nodes: dict[str, int], initial: int) -> None:
    """GKE takes a fixed or first number of nodes for each zone."""
    place = {"type": "nvidia-l4", "zones": [f"us-central1-{zone}" for zone in zones], "nodes": nodes}
    pool = accelerators(graph_of("gpu", {"location": "us-central1", "accelerator": place}))
    assert "nodeCount" not in pool.inputs
    assert pool["initialNodeCount"] == initial
    assert (pool["autoscaling"]["totalMinNodeCount"], pool["autoscaling"]["totalMaxNodeCount"]) == (
        nodes["min"],
        nodes["max"],
    )


def test_a_regional_cluster_begins_with_one_cpu_node_in_each_zone() -> None:
    nodes = {"location": "us-central1", "accelerator": {"type": "nvidia-l4"}, "cpuPool.nodes": {"min": 3, "max": 3}}
    cpu = graph_of("gpu", nodes).one(NODE_POOL, "cpu")
    assert cpu["initialNodeCount"] == 1
    assert cpu["autoscaling"]["totalMinNodeCount"] == cpu["autoscaling"]["totalMaxNodeCount"] == 3
