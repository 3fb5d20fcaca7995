"""Steps whose pods run already are marked in the plan."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.operations.upgrades.running import finished_steps, is_complete
from llm_d_gke.planning.upgrades.planner import plan_upgrade
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from tests.stacks import graph_of, plan_of

RELEASES = catalog.load().releases
BEFORE, AFTER = "gaie-1.5", "llm-d-0.9"


def rolled_out(workload: dict[str, Any]) -> dict[str, Any]:
    replicas = workload["spec"]["replicas"]
    counts = dict.fromkeys(("updatedReplicas", "readyReplicas", "replicas"), replicas)
    return {
        **workload,
        "metadata": {**workload["metadata"], "generation": 3},
        "status": {**counts, "observedGeneration": 3},
    }


class Cluster:
    """The workloads that a release of a stack renders, as a cluster has them."""

    def __init__(self, stack: str, releases: Mapping[str, str]) -> None:
        self.workloads: dict[tuple[str, str], dict[str, Any]] = {}
        for kind, release in releases.items():
            for item in kubernetes_objects(graph_of(stack, {"release": release})):
                name = str(item["metadata"]["name"])
                if item["kind"] in ("Deployment", "LeaderWorkerSet") and name.endswith(kind):
                    self.workloads[str(item["kind"]), name] = rolled_out(copy.deepcopy(dict(item)))

    def serves(self, api_version: str, kind: str) -> bool:
        return any(served == kind for served, _ in self.workloads) and bool(api_version)

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        assert api_version
        assert namespace
        return self.workloads.get((kind, name))

    def list(self, *_: object, **__: object) -> list[dict[str, Any]]:
        raise AssertionError("only single objects are read")


def finished(stack: str, cluster: Cluster) -> frozenset[str]:
    old, new = (plan_of(stack, {"release": name}) for name in (BEFORE, AFTER))
    return finished_steps(plan_upgrade(old, new, RELEASES[BEFORE], RELEASES[AFTER]), new, cluster)


@pytest.mark.parametrize(
    ("picker", "servers", "expected"),
    [
        (BEFORE, BEFORE, set()),
        (AFTER, BEFORE, {"picker-gemma-2b-it"}),
        (AFTER, AFTER, {"picker-gemma-2b-it", "servers-gemma-2b-it"}),
    ],
)
def test_a_step_is_finished_when_its_new_pods_run(picker: str, servers: str, expected: set[str]) -> None:
    assert finished("gpu", Cluster("gpu", {"-epp": picker, "-vllm": servers})) == expected


def test_groups_are_judged_by_their_leader() -> None:
    stack = "mixture-of-experts-wide-gpu"
    cluster = Cluster(stack, {"-epp": BEFORE, "-vllm": AFTER})
    assert [kind for kind, _ in cluster.workloads] == ["Deployment", "LeaderWorkerSet"]
    assert finished(stack, cluster) == {"servers-deepseek-r1"}


def test_a_workload_that_is_missing_is_not_finished() -> None:
    assert finished("gpu", Cluster("gpu", {})) == frozenset()


@pytest.mark.parametrize(
    "change",
    [{"updatedReplicas": 0}, {"readyReplicas": 0}, {"replicas": 2}, {"observedGeneration": 2}],
)
def test_a_rollout_in_progress_is_not_finished(change: dict[str, int]) -> None:
    cluster = Cluster("gpu", {"-epp": AFTER, "-vllm": AFTER})
    workload = cluster.workloads["Deployment", "gemma-2b-it-vllm"]
    assert is_complete(workload)
    workload["status"] |= change
    assert not is_complete(workload)
    assert finished("gpu", cluster) == {"picker-gemma-2b-it"}
