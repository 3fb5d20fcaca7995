"""Two stacks in one rehearsed cluster: one has it or brings it first, the other names it as existing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stacks import EXISTING_NETWORK, existing_cluster, plan_of

from .project import Project
from .traffic import Request, Steady, ask_in_turn

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

FIRST, SECOND = "gpu", "team"
MODELS = {FIRST: "google/gemma-2b-it", SECOND: "Qwen/Qwen2.5-3B-Instruct"}
PROXIES = {"network.existing": {**EXISTING_NETWORK, "proxySubnetwork": "proxies"}, "network.proxyCidr": "10.9.0.0/23"}
TPU_BESIDE: dict[str, Any] = {
    "location": "us-central1-a",
    "namespace": {"name": "team-llm"},
    "accelerator": {"type": "tpu-v5e", "nodes": {"min": 0, "max": 2}},
    "models[0].tensorParallel": 1,
}


def in_the_cluster_of_first() -> dict[str, Any]:
    plan = plan_of(FIRST)
    subnet = plan.network.subnet
    network = {
        "network": plan.network.network,
        "subnetwork": subnet.name,
        "podRange": subnet.pod_range,
        "serviceRange": subnet.service_range,
        "proxySubnetwork": plan.network.proxy_subnet,
        "nat": True,
    }
    return TPU_BESIDE | {
        "cluster.existing": {"name": plan.cluster.name, "version": "1.35.2-gke.1842000"},
        "network.existing": network,
        "network.proxyCidr": plan.network.proxy_cidr,
    }


def pods_that_answer(project: Project, stack: str) -> set[str]:
    samples = ask_in_turn([Request(project.endpoint(stack), MODELS[stack], "is the number.")] * 5)
    assert all(sample.answered for sample in samples)
    return {sample.pod for sample in samples}


def test_a_second_stack_comes_and_goes_beside_the_one_that_has_the_cluster(fresh: Project) -> None:
    fresh.write_stack(SECOND, in_the_cluster_of_first(), base="tpu")
    fresh.run("up", FIRST)
    servers = fresh.ready(FIRST)
    with Steady(Request(fresh.endpoint(FIRST), MODELS[FIRST], "is the number.")) as load:
        assert f"{MODELS[SECOND]} answered in" in fresh.run("up", SECOND)
        assert fresh.endpoint(FIRST) != fresh.endpoint(SECOND)
        assert pods_that_answer(fresh, SECOND) == fresh.ready(SECOND) - servers
        assert pods_that_answer(fresh, FIRST) == servers
        for stack in (FIRST, SECOND):
            assert {"gateway", "routes", "replicas", "chat", "objects"} <= fresh.verified(stack)
        assert f"has the cluster of {SECOND}" in fresh.run("down", FIRST, code=1)
        assert "its cluster stays" in fresh.run("down", SECOND)
    assert load.unanswered == []
    assert fresh.leftovers(SECOND) == []
    assert fresh.ready(FIRST) == servers == pods_that_answer(fresh, FIRST)
    fresh.run("down", FIRST)
    assert fresh.leftovers(FIRST) == []


def test_a_brought_cluster_stays_until_its_last_stack_goes(fresh: Project) -> None:
    fresh.write_stack(FIRST, existing_cluster() | PROXIES)
    fresh.write_stack(SECOND, TPU_BESIDE | existing_cluster() | PROXIES, base="tpu")
    for stack in (FIRST, SECOND):
        assert f"{MODELS[stack]} answered in" in fresh.run("up", stack)
    assert "its cluster stays" in fresh.run("down", FIRST)
    assert pods_that_answer(fresh, SECOND) == fresh.ready(SECOND)
    fresh.run("down", SECOND)
    assert fresh.leftovers(SECOND) == fresh.leftovers(FIRST) == []
