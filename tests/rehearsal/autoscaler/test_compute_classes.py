"""The stand-in for GKE's node pools of a ComputeClass: choices in order, labels, taints, and what the class decides."""

from __future__ import annotations

from typing import Any

from llm_d_gke.catalog import load
from llm_d_gke.rehearsal.autoscaler.compute_classes import LABEL, class_pools
from llm_d_gke.rehearsal.autoscaler.node_pools import Pool
from llm_d_gke.rehearsal.autoscaler.scale_up import decide, refusal
from tests.objects import of_kind
from tests.rehearsal.autoscaler.test_nodes import CLUSTER, CPU
from tests.stacks import graph_of

STACK = "compute-class-gpu"
ON_TPU = {
    "accelerator.provisioning": "spot",
    "accelerator.computeClass": {"fallbacks": [{"provisioning": "on-demand"}]},
}


def pools_of(stack: str, changes: dict[str, Any] | None = None) -> list[Pool]:
    classes = of_kind(graph_of(stack, changes), "ComputeClass")
    return class_pools(classes, [CPU], load(), CLUSTER)


def server_pod() -> dict[str, Any]:
    [server] = [body for body in of_kind(graph_of(STACK), "Deployment") if "vllm" in body["metadata"]["name"]]
    template = server["spec"]["template"]
    return {
        **template,
        "metadata": {**template["metadata"], "name": "server", "creationTimestamp": "2026-11-28T00:00:00Z"},
    }


def test_each_choice_is_a_pool_with_the_label_and_the_taint_of_its_class() -> None:
    _, *created = pools_of(STACK)
    assert [pool.machine for pool in created] == ["g2-standard-4", "g2-standard-4", "g2-standard-12"]
    assert ["cloud.google.com/gke-spot" in pool.labels for pool in created] == [True, False, False]
    for pool in created:
        assert pool.labels[LABEL] == "compute-class-gpu-l4"
        assert {"key": LABEL, "value": "compute-class-gpu-l4", "effect": "NoSchedule"} in pool.taints
        assert (pool.minimum, pool.initial) == (0, 0)


def test_the_stack_s_servers_fit_on_every_choice_and_on_no_other_pool() -> None:
    cpu, *created = pools_of(STACK)
    pod = server_pod()
    assert [refusal(pod, pool) for pool in created] == [None] * 3
    assert refusal(pod, cpu) is not None


def test_the_first_choice_grows_and_the_next_one_when_it_cannot() -> None:
    every = pools_of(STACK)
    sizes = {pool.name: 0 for pool in every}
    [growth] = decide([server_pod()], every, sizes, {}).growths
    assert growth.pool == every[1]
    [growth] = decide([server_pod()], every, sizes | {every[1].name: every[1].maximum}, _full(every[1])).growths
    assert growth.pool == every[2]


def _full(pool: Pool) -> dict[str, Any]:
    """No room on any node of a pool."""
    return {pool.name: [{}] * pool.maximum}


def test_a_tpu_is_found_by_type_count_and_topology() -> None:
    _, *created = pools_of("tpu", ON_TPU)
    assert len({pool.machine for pool in created}) == 1
    assert created[0].machine.startswith("ct6e-standard-")


def test_a_class_without_pools_of_its_own_makes_none() -> None:
    classes = of_kind(graph_of(STACK), "ComputeClass")
    classes[0]["spec"]["nodePoolAutoCreation"]["enabled"] = False
    assert [pool.name for pool in class_pools(classes, [CPU], load(), CLUSTER)] == ["cpu"]
