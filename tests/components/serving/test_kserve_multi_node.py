"""Replicas of several pods with KServe: the size of the group, and the members of the pool."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from pydantic import ValidationError

from llm_d_gke.components.custom_resources.llm_inference_service import Parallelism
from llm_d_gke.resource_graph import Graph
from tests.components.serving.test_leader_worker_set import STAGES
from tests.components.test_pod_security import broken
from tests.objects import Object, container, of_kind, one, selects
from tests.stacks import graph_of, plan_of

WIDE, SLICE = "kserve-mixture-of-experts-wide-gpu", "mixture-of-experts-tpu"
KSERVE = {"deployment": "kserve"}
STACKS: dict[str, tuple[str, dict[str, Any]]] = {
    "ranks": (WIDE, {}),
    "stages": (WIDE, STAGES),
    "slice": (SLICE, KSERVE),
}
DIRECT = {WIDE: WIDE.removeprefix("kserve-")}
# What KServe itself puts on pods: on the workers of a service without a leader's template as on a leader.
IN_POOL = {
    "app.kubernetes.io/name": "deepseek-r1",
    "app.kubernetes.io/part-of": "llminferenceservice",
    "kserve.io/component": "workload",
}


def graph(name: str) -> Graph:
    stack, changes = STACKS[name]
    return graph_of(stack, changes)


def spec(name: str) -> Object:
    return dict(one(graph(name), "LLMInferenceService")["spec"])


def templates(name: str) -> list[Object]:
    """Of the leader, if it has a separate one, and of the workers."""
    return [{"metadata": {"labels": spec(name)["labels"]}, "spec": spec_} for spec_ in _spec_of(spec(name))]


def _spec_of(body: Object) -> list[Object]:
    return [body[key] for key in ("template", "worker") if key in body]


@pytest.mark.parametrize(
    ("name", "parallelism", "preset"),
    [
        ("ranks", {"data": 16, "dataLocal": 8}, "kserve-config-llm-worker-data-parallel"),
        ("stages", {"pipeline": 2}, "kserve-config-llm-worker-pipeline-parallel"),
        ("slice", {"pipeline": 4}, "kserve-config-llm-worker-pipeline-parallel"),
    ],
)
def test_groups_are_as_large_as_planned_and_under_a_preset_that_adds_nothing(
    name: str, parallelism: dict[str, int], preset: str
) -> None:
    stack, changes = STACKS[name]
    size = parallelism.get("pipeline") or parallelism["data"] // parallelism["dataLocal"]
    group = plan_of(stack, changes).models[0].servers[0].group
    assert group is not None
    assert group.size == size
    assert spec(name)["parallelism"] == parallelism
    workload = one(graph(name), "LLMInferenceServiceConfig")
    assert (workload["metadata"]["name"], workload["spec"]) == (preset, {})
    # KServe searches the service's namespace before that of its chart.
    assert workload["metadata"]["namespace"] == one(graph(name), "LLMInferenceService")["metadata"]["namespace"]


@pytest.mark.parametrize("name", STACKS)
def test_the_preset_comes_before_the_service(name: str) -> None:
    recorded = graph(name)
    services = recorded.one("kubernetes:serving.kserve.io/v1alpha2:LLMInferenceService")
    presets = recorded.one("kubernetes:serving.kserve.io/v1alpha2:LLMInferenceServiceConfig")
    assert recorded.depends(services, presets)


def test_a_service_of_single_pods_keeps_kserve_s_presets() -> None:
    assert of_kind(graph_of("kserve-single-replica-gpu"), "LLMInferenceServiceConfig") == []


class TestRanks:
    """Sixteen ranks, eight on each of two hosts, every one with its port."""

    def test_every_pod_is_in_the_pool(self) -> None:
        """KServe adds workers to the pool if the leader has no separate template."""
        assert set(spec("ranks")) & {"template", "worker"} == {"worker"}
        pool = spec("ranks")["router"]["scheduler"]["pool"]["spec"]
        assert pool["selector"]["matchLabels"] == IN_POOL
        assert [port["number"] for port in pool["targetPorts"]] == list(range(8000, 8008))

    def test_ranks_run_as_without_kserve(self) -> None:
        """Except for the names of the container, which KServe sets, and of the claims."""
        direct = container(
            one(graph_of(DIRECT[WIDE]), "LeaderWorkerSet")["spec"]["leaderWorkerTemplate"]["workerTemplate"]
        )
        ctx = container(templates("ranks")[0])
        for field in ("command", "args", "image", "ports", "startupProbe", "livenessProbe", "readinessProbe"):
            assert ctx[field] == direct[field]
        arguments = dict(itertools.pairwise(ctx["args"]))
        assert (arguments["--data-parallel-size"], arguments["--data-parallel-size-local"]) == ("16", "8")

    def test_a_pod_claims_the_network_cards_of_its_node(self) -> None:
        [claim] = templates("ranks")[0]["spec"]["resourceClaims"]
        one(graph("ranks"), "ResourceClaimTemplate", claim["resourceClaimTemplateName"])
        assert container(templates("ranks")[0])["resources"]["claims"] == [{"name": claim["name"]}]

    def test_ranks_reach_one_another(self) -> None:
        policy = one(graph("ranks"), "NetworkPolicy", "deepseek-r1-kserve-mn")["spec"]
        own = {"podSelector": policy["podSelector"]}
        assert selects(policy["podSelector"]["matchLabels"], templates("ranks")[0])
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            assert any(own in rule.get(peers, []) and "ports" not in rule for rule in policy[direction])

    def test_without_rdma_nothing_is_added(self) -> None:
        """The preset of KServe's chart adds SYS_RAWIO and NET_RAW, which such a namespace refuses."""
        machines = {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-8g", "nodes": {"max": 2}}
        changed = graph_of(WIDE, {"location": "us-central1-a", "accelerator": machines})
        body = one(changed, "LLMInferenceService")["spec"]
        assert broken({"metadata": {"labels": body["labels"]}, "spec": body["worker"]}) == set()
        assert of_kind(changed, "LLMInferenceServiceConfig")[0]["spec"] == {}


def test_ranks_on_one_host_are_an_ordinary_pod_with_a_port_for_each() -> None:
    changes = KSERVE | {
        "models[0].image": "vllm/vllm-openai:v0.26.0",
        "models[0].tensorParallel": 2,
        "models[0].dataParallel": 4,
    }
    recorded = graph_of("mixture-of-experts-gpu", changes)
    body = one(recorded, "LLMInferenceService")["spec"]
    assert set(body) & {"template", "worker", "parallelism"} == {"template"}
    assert of_kind(recorded, "LLMInferenceServiceConfig") == []
    ports = [port["number"] for port in body["router"]["scheduler"]["pool"]["spec"]["targetPorts"]]
    named = [port["containerPort"] for port in container({"spec": body["template"]})["ports"]]
    assert ports == [8000, 8001, 8002, 8003] == named[:4]


class TestOneEngine:
    """The leader serves for all."""

    @pytest.mark.parametrize("name", ["stages", "slice"])
    def test_only_the_leader_is_asked(self, name: str) -> None:
        leader, worker = templates(name)
        probes = {"startupProbe", "livenessProbe", "readinessProbe"}
        assert probes <= set(container(leader))
        assert not probes & set(container(worker))
        assert "ports" not in container(worker)

    @pytest.mark.parametrize("name", ["stages", "slice"])
    def test_all_have_one_account(self, name: str) -> None:
        """KServe gives all pods of a group the leader's."""
        accounts = {template["spec"]["serviceAccountName"] for template in templates(name)}
        assert {body["metadata"]["name"] for body in of_kind(graph(name), "ServiceAccount")} >= accounts
        assert len(accounts) == 1

    def test_a_slice_is_a_group_s_own(self) -> None:
        """KServe hands annotations of this prefix on to the LeaderWorkerSet."""
        annotations = one(graph("slice"), "LLMInferenceService")["metadata"]["annotations"]
        assert annotations["leaderworkerset.sigs.k8s.io/exclusive-topology"] == "cloud.google.com/gke-nodepool"

    def test_hosts_know_one_another(self) -> None:
        leader, worker = (container(template)["args"] for template in templates("stages"))
        assert " ".join(leader).endswith(
            "--nnodes 2 --node-rank $(LWS_WORKER_INDEX) --master-addr $(LWS_LEADER_ADDRESS)"
        )
        assert worker == [*leader, "--headless"]


@pytest.mark.parametrize("name", STACKS)
def test_verdict_and_cost_are_those_of_direct(name: str) -> None:
    stack, changes = STACKS[name]
    direct, ctx = plan_of(DIRECT.get(stack, stack), {**changes, "deployment": "direct"}), plan_of(stack, changes)
    assert ctx.models[0].servers[0].memory == direct.models[0].servers[0].memory
    assert ctx.cost == direct.cost


@pytest.mark.parametrize(
    "wrong", [{}, {"data": 16}, {"dataLocal": 8}, {"pipeline": 2, "data": 16, "dataLocal": 8}, {"pipeline": 1}]
)
def test_parallelism_that_kserve_would_refuse_is_not_written(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Parallelism.model_validate(wrong)
