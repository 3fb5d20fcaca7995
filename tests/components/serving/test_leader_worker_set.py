"""Replicas of several pods and pods of several servers: selectors, probes, claims and dependencies."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from llm_d_gke.resource_graph import Graph
from tests.objects import Object, container, of_kind, one, selects
from tests.stacks import graph_of, plan_of

WIDE, SLICE, ONE_HOST = "mixture-of-experts-wide-gpu", "mixture-of-experts-tpu", "mixture-of-experts-gpu"
# A dense model over two hosts, in two stages.
STAGES: dict[str, Any] = {
    "pattern": "single-replica",
    "models[0]": {"id": "meta-llama/Llama-3.1-405B-Instruct", "maxModelLen": 8192, "pipelineParallel": 2},
}
RANKS = list(range(8000, 8008))
INDEX = "leaderworkerset.sigs.k8s.io/worker-index"


def group(graph: Graph) -> Object:
    return one(graph, "LeaderWorkerSet")


def templates(graph: Graph) -> list[Object]:
    """Of the leader, if it has a separate one, and of the workers."""
    template = group(graph)["spec"]["leaderWorkerTemplate"]
    return [template[key] for key in ("leaderTemplate", "workerTemplate") if key in template]


class TestExpertsOverTwoHosts:
    """Sixteen ranks, eight on each of two hosts, every one with its port."""

    @property
    def graph(self) -> Graph:
        return graph_of(WIDE)

    def test_both_hosts_run_the_same_pod(self) -> None:
        template = group(self.graph)["spec"]["leaderWorkerTemplate"]
        assert template["size"] == 2
        assert "leaderTemplate" not in template
        assert template["restartPolicy"] == "RecreateGroupOnPodRestart"

    def test_every_rank_of_every_pod_is_an_endpoint(self) -> None:
        pool = one(self.graph, "InferencePool")["spec"]
        [template] = templates(self.graph)
        assert selects(pool["selector"]["matchLabels"], template)
        assert INDEX not in pool["selector"]["matchLabels"]
        assert [port["number"] for port in pool["targetPorts"]] == RANKS
        assert [port["containerPort"] for port in container(template)["ports"]][:8] == RANKS

    def test_the_supervisor_is_asked_for_all_ranks(self) -> None:
        [template] = templates(self.graph)
        vllm = container(template)
        probed_ports = {vllm[probe]["httpGet"]["port"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
        policy = one(self.graph, "HealthCheckPolicy", "deepseek-r1")
        assert probed_ports == {policy["spec"]["default"]["config"]["httpHealthCheck"]["port"]} == {8208}
        assert probed_ports <= {port["containerPort"] for port in vllm["ports"]} - set(RANKS)

    def test_each_host_knows_its_first_rank(self) -> None:
        vllm = container(templates(self.graph)[0])
        assert vllm["command"][2].endswith('"$@" --data-parallel-start-rank $((LWS_WORKER_INDEX * 8))')
        words = vllm["args"]
        arguments = dict(itertools.pairwise(words))
        assert arguments["--data-parallel-size"] == "16"
        assert arguments["--data-parallel-size-local"] == "8"
        assert arguments["--data-parallel-address"] == "$(LWS_LEADER_ADDRESS)"
        assert arguments["--all2all-backend"] == "deepep_low_latency"
        assert {"--enable-expert-parallel", "--data-parallel-multi-port-external-lb"} <= set(words)

    def test_metrics_come_from_every_rank(self) -> None:
        endpoints = one(self.graph, "PodMonitoring", "deepseek-r1-vllm")["spec"]["endpoints"]
        names = [port["name"] for port in container(templates(self.graph)[0])["ports"]]
        assert [endpoint["port"] for endpoint in endpoints] == names[:8]

    def test_a_pod_claims_the_network_cards_of_its_node(self) -> None:
        [template] = templates(self.graph)
        [claim] = template["spec"]["resourceClaims"]
        claim_template = one(self.graph, "ResourceClaimTemplate", claim["resourceClaimTemplateName"])
        [request] = claim_template["spec"]["spec"]["devices"]["requests"]
        assert request["exactly"] == {"deviceClassName": "mrdma.google.com", "allocationMode": "All"}
        assert container(template)["resources"]["claims"] == [{"name": claim["name"]}]
        pool = plan_of(WIDE).accelerator_pools[0]
        assert pool.accelerator_network_profile == "auto"
        assert pool.node_labels["cloud.google.com/gke-networking-dra-driver"] == "true"

    def test_the_namespace_admits_what_rdma_takes_and_the_pod_says_why(self) -> None:
        [template] = templates(self.graph)
        assert (
            one(self.graph, "Namespace", "llm-d-inference-scheduling")["metadata"]["labels"][
                "pod-security.kubernetes.io/enforce"
            ]
            == "privileged"
        )
        security = container(template)["securityContext"]
        assert security["privileged"] is True
        assert security["capabilities"] == {"drop": ["ALL"], "add": ["IPC_LOCK"]}
        assert template["metadata"]["annotations"]["llm-d.ai/security-exception"].startswith("privileged: DeepEP")

    def test_hosts_of_a_group_are_near_one_another(self) -> None:
        terms = templates(self.graph)[0]["spec"]["affinity"]["podAffinity"][
            "preferredDuringSchedulingIgnoredDuringExecution"
        ]
        assert [term["podAffinityTerm"]["topologyKey"] for term in terms] == [
            "cloud.google.com/gce-topology-block",
            "cloud.google.com/gce-topology-subblock",
        ]
        assert {key for term in terms for key in term["podAffinityTerm"]["matchLabelKeys"]} == {
            "leaderworkerset.sigs.k8s.io/group-key"
        }


def test_without_deepep_a_capability_is_enough() -> None:
    graph = graph_of(WIDE, {"models[0].allToAll": "allgather_reducescatter"})
    [template] = templates(graph)
    security = container(template)["securityContext"]
    assert "privileged" not in security
    assert security["capabilities"] == {"drop": ["ALL"], "add": ["IPC_LOCK"]}
    assert template["metadata"]["annotations"]["llm-d.ai/security-exception"].startswith("capabilities: ")


def test_hosts_without_rdma_keep_every_rule_of_pod_security() -> None:
    """DeepSeek-R1 on two hosts of H100s: no cards to claim, no exception, vLLM's own exchange of tokens."""
    machines = {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-8g", "nodes": {"max": 2}}
    graph = graph_of(WIDE, {"location": "us-central1-a", "accelerator": machines})
    [template] = templates(graph)
    labels = one(graph, "Namespace", "llm-d-inference-scheduling")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert container(template)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert template["spec"]["securityContext"]["runAsNonRoot"] is True
    assert "resourceClaims" not in template["spec"]
    assert "--all2all-backend" not in container(template)["args"]
    assert of_kind(graph, "ResourceClaimTemplate") == []


def test_only_the_leader_of_a_slice_is_selected() -> None:
    graph = graph_of(SLICE)
    selectors = [
        one(graph, "InferencePool")["spec"]["selector"]["matchLabels"],
        one(graph, "PodMonitoring", "deepseek-v2-lite-chat-vllm")["spec"]["selector"]["matchLabels"],
    ]
    leader = templates(graph)[0]
    for selector in selectors:
        # The controller gives each pod its number.
        assert selector[INDEX] == "0"
        assert selects({name: value for name, value in selector.items() if name != INDEX}, leader)


class TestASliceOfFourHosts:
    """One rank over a TPU slice: the leader serves, the others compute for it."""

    @property
    def graph(self) -> Graph:
        return graph_of(SLICE)

    def test_only_the_leader_is_asked(self) -> None:
        leader, worker = templates(self.graph)
        assert group(self.graph)["spec"]["leaderWorkerTemplate"]["size"] == 4
        probes = {"startupProbe", "livenessProbe", "readinessProbe"}
        assert probes <= set(container(leader))
        assert not probes & set(container(worker))
        assert "ports" not in container(worker)

    def test_every_host_takes_all_its_chips(self) -> None:
        for template in templates(self.graph):
            assert container(template)["resources"]["limits"]["google.com/tpu"] == "4"
            assert template["spec"]["nodeSelector"]["cloud.google.com/gke-tpu-topology"] == "4x4"
            # The controller of the group sets the address variable unless it is set already.
            assert not {"TPU_WORKER_HOSTNAMES", "TPU_WORKER_ID"} & {env["name"] for env in container(template)["env"]}

    def test_a_group_has_a_slice_of_its_own(self) -> None:
        annotations = group(self.graph)["metadata"]["annotations"]
        assert annotations["leaderworkerset.sigs.k8s.io/exclusive-topology"] == "cloud.google.com/gke-nodepool"

    def test_the_leader_gathers_the_hosts_and_the_others_join_it(self) -> None:
        leader, worker = (container(template)["command"][2] for template in templates(self.graph))
        assert "multi-node-serving.sh leader --ray_cluster_size=$LWS_GROUP_SIZE && exec vllm serve" in leader
        assert worker.endswith("multi-node-serving.sh worker --ray_address=$LWS_LEADER_ADDRESS")

    def test_two_replicas_have_two_slices(self) -> None:
        plan = plan_of(SLICE, {"models[0].replicas": 2, "accelerator.nodes": {"min": 4, "max": 8}})
        sizes = [(pool.name, pool.min_nodes, pool.max_nodes) for pool in plan.accelerator_pools]
        assert sizes == [(f"{SLICE}-acc-tpu-v6e", 4, 4), (f"{SLICE}-acc-tpu-v6e-2", 0, 4)]
        assert len({pool.placement_topology for pool in plan.accelerator_pools}) == 1


def test_stages_on_two_hosts_know_one_another() -> None:
    leader, worker = (container(template)["args"] for template in templates(graph_of(WIDE, STAGES)))
    joined = " ".join(leader)
    assert "--tensor-parallel-size 8 --pipeline-parallel-size 2" in joined
    assert joined.endswith("--nnodes 2 --node-rank $(LWS_WORKER_INDEX) --master-addr $(LWS_LEADER_ADDRESS)")
    assert worker == [*leader, "--headless"]


def test_experts_on_one_host_are_an_ordinary_deployment() -> None:
    graph = graph_of(ONE_HOST)
    assert of_kind(graph, "LeaderWorkerSet") == []
    assert {"--tensor-parallel-size", "--enable-expert-parallel"} <= set(
        container(one(graph, "Deployment", "mixtral-8x7b-instruct-v0-1-vllm")["spec"]["template"])["args"]
    )
    assert not [node for node in graph.resources if node.type.endswith(":Release")]


@pytest.mark.parametrize("stack", [WIDE, SLICE])
class TestAnyGroup:
    def test_up_waits_until_every_group_is_ready(self, stack: str) -> None:
        assert group(graph_of(stack))["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Available"

    def test_a_paused_stack_waits_for_no_group(self, stack: str) -> None:
        paused = group(graph_of(stack, {"paused": True}))
        assert paused["spec"]["replicas"] == 0
        assert "pulumi.com/waitFor" not in paused["metadata"].get("annotations", {})

    def test_its_controller_comes_first_and_goes_last(self, stack: str) -> None:
        graph = graph_of(stack)
        [release] = [node for node in graph.resources if node.type.endswith(":Release")]
        [groups] = [node for node in graph.resources if node.type.endswith(":LeaderWorkerSet")]
        assert graph.depends(groups, release)

    def test_an_update_without_spare_hosts_frees_the_old_group_first(self, stack: str) -> None:
        strategy = group(graph_of(stack))["spec"]["rolloutStrategy"]["rollingUpdateConfiguration"]
        assert strategy == {"maxUnavailable": 1, "maxSurge": 0}
        room = graph_of(stack, {"accelerator.nodes.max": 8})
        assert group(room)["spec"]["rolloutStrategy"]["rollingUpdateConfiguration"] == {
            "maxUnavailable": 0,
            "maxSurge": 1,
        }

    def test_of_two_groups_one_may_be_drained(self, stack: str) -> None:
        graph = graph_of(stack, {"models[0].replicas": 2, "accelerator.nodes.max": 8})
        [budget] = [
            budget for budget in of_kind(graph, "PodDisruptionBudget") if budget["metadata"]["name"].endswith("-vllm")
        ]
        assert budget["spec"]["maxUnavailable"] == 1
        assert all(selects(budget["spec"]["selector"]["matchLabels"], template) for template in templates(graph))
