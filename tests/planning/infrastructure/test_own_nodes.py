"""Two stacks in one cluster: the pods of each run on its own nodes only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llm_d_gke.planning import StackPlan, plan_raw
from llm_d_gke.planning.context import STACK_NODES
from llm_d_gke.planning.plan.pods import PodPlan
from tests.stacks import ENCRYPTED, values_of


def planned(stack: str, example: str) -> StackPlan:
    cluster: dict[str, Any] = {
        "cluster.existing": {"name": "shared", "version": "1.35.2-gke.1842000"},
        "network.proxyCidr": "10.129.0.0/23",
        "network.existing": {
            "network": "n",
            "subnetwork": "s",
            "podRange": "p",
            "serviceRange": "q",
            "nat": True,
            "proxySubnetwork": "proxy",
        },
    }
    return plan_raw(stack, values_of(example, cluster), ENCRYPTED)


def pods_of(plan: StackPlan) -> Iterator[PodPlan]:
    for model in plan.models:
        yield model.picker.pod
        for server in model.servers:
            yield server.pod
            if server.group is not None and server.group.workers is not None:
                yield server.group.workers
    if plan.router is not None:
        yield plan.router.pod
    if plan.models_endpoint is not None:
        yield plan.models_endpoint.pod


@pytest.mark.parametrize("example", ["multi-model-gpu", "disaggregated-gpu", "kserve-prefix-cache-tpu"])
def test_pods_select_the_nodes_of_their_stack(example: str) -> None:
    first, other = planned("one", example), planned("other", example)
    for plan in (first, other):
        pools = [plan.cpu_pool, *plan.accelerator_pools]
        assert {pool.node_labels[STACK_NODES] for pool in pools} == {plan.stack}
        assert {pod.node_selector[STACK_NODES] for pod in pods_of(plan)} == {plan.stack}
    assert {pool.name for pool in first.accelerator_pools} & {pool.name for pool in other.accelerator_pools} == set()
