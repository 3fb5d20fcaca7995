"""Prefill and decode: selectors, ports, and allowed nodes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.planning.disaggregation.checks import check_stages
from llm_d_gke.planning.disaggregation.kv_transfer import Nixl, TpuConnector, TpuConnectorHma, arguments
from llm_d_gke.planning.picker_config import can_disaggregate
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.serving.backends import BACKENDS
from llm_d_gke.planning.serving.labels import ROLE_LABEL
from llm_d_gke.resource_graph import Graph
from tests.objects import of_kind
from tests.stacks import graph_of, plan_of

ENGINE_PORT = BACKENDS["direct"].decode_engine_port

EXAMPLES = ("disaggregated-gpu", "disaggregated-tpu")
RELEASES = sorted(name for name, release in load().releases.items() if release.disaggregation is not None)


@pytest.fixture(params=EXAMPLES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def graph(name: str) -> Graph:
    return graph_of(name)


@pytest.fixture
def plan(name: str) -> StackPlan:
    return plan_of(name)


def servers(plan: StackPlan) -> dict[str, ModelServerPlan]:
    return {server.role: server for server in plan.models[0].servers}


def templates(graph: Graph) -> dict[str, Any]:
    """Pod templates of the model servers, by role."""
    by_role = {}
    for deployment in of_kind(graph, "Deployment"):
        template = deployment["spec"]["template"]
        if template["metadata"]["labels"].get("llm-d.ai/inference-serving"):
            by_role[template["metadata"]["labels"][ROLE_LABEL]] = template
    return by_role


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


class TestSelection:
    def test_the_pool_has_both_roles(self, graph: Graph) -> None:
        [pool] = of_kind(graph, "InferencePool")
        by_role = templates(graph)
        assert set(by_role) == {"decode", "prefill"}
        for template in by_role.values():
            assert selects(pool["spec"]["selector"]["matchLabels"], template["metadata"]["labels"])

    def test_no_deployment_and_no_budget_takes_the_others_pods(self, graph: Graph) -> None:
        labels = {role: template["metadata"]["labels"] for role, template in templates(graph).items()}
        for kind in ("Deployment", "PodDisruptionBudget", "PodMonitoring"):
            for budget in of_kind(graph, kind):
                matched = [
                    role for role, own in labels.items() if selects(budget["spec"]["selector"]["matchLabels"], own)
                ]
                assert len(matched) <= 1, budget["metadata"]["name"]

    def test_each_role_is_scraped(self, graph: Graph) -> None:
        selectors = [monitoring["spec"]["selector"]["matchLabels"] for monitoring in of_kind(graph, "PodMonitoring")]
        for template in templates(graph).values():
            assert any(selects(selector, template["metadata"]["labels"]) for selector in selectors)

    def test_several_of_a_role_have_a_disruption_budget_each(self) -> None:
        budgets = [
            budget["metadata"]["name"] for budget in of_kind(graph_of("disaggregated-gpu"), "PodDisruptionBudget")
        ]
        assert {"qwen3-32b-decode", "qwen3-32b-prefill"} <= set(budgets)


class TestPlace:
    def test_each_role_fits_its_own_pool_alone(self, plan: StackPlan) -> None:
        """The same machines twice: only the label tells them apart."""
        assert len(plan.accelerator_pools) == 2
        for role, server in servers(plan).items():
            fitting = [
                pool.name
                for pool in plan.accelerator_pools
                if server.pod.node_selector[ROLE_LABEL] == pool.node_labels[ROLE_LABEL]
            ]
            assert fitting == [pool.name for pool in plan.accelerator_pools if pool.node_labels[ROLE_LABEL] == role]

    def test_nodes_get_the_label(self, graph: Graph) -> None:
        pools = [resource for resource in graph.resources if resource.type == "gcp:container/nodePool:NodePool"]
        roles = [(pool.inputs["nodeConfig"].get("labels") or {}).get(ROLE_LABEL) for pool in pools]
        assert sorted(filter(None, roles)) == ["decode", "prefill"]

    def test_prefill_may_have_nodes_of_another_kind(self) -> None:
        other = {
            "type": "nvidia-h100-80gb",
            "machineType": "a3-highgpu-4g",
            "provisioning": "spot",
            "nodes": {"max": 3},
        }
        plan = plan_of("disaggregated-gpu", {"prefillAccelerator": other})
        decode, prefill = plan.accelerator_pools
        assert (decode.machine_type, prefill.machine_type) == ("a3-highgpu-8g", "a3-highgpu-4g")
        assert (decode.provisioning, prefill.provisioning) == ("on-demand", "spot")
        line = next(line for line in plan.cost.lines if line.name == "accelerator nodes")
        assert line.note.startswith("1 x a3-highgpu-8g and 2 x a3-highgpu-4g, on-demand and spot")

    def test_both_roles_cost(self, plan: StackPlan) -> None:
        line = next(line for line in plan.cost.lines if line.name == "accelerator nodes")
        machine = plan.accelerator_pools[0].machine_type
        assert line.note.startswith(f"2 x {machine}, ")

    def test_each_role_has_its_verdict(self) -> None:
        plan = plan_of("disaggregated-gpu", {"models[0].prefill.gpuMemoryUtilization": 0.6})
        decode, prefill = (server.memory for server in plan.models[0].servers)
        assert decode is not None
        assert prefill is not None
        assert decode.kv_tokens > prefill.kv_tokens


class TestPorts:
    def test_the_sidecar_stands_where_requests_arrive(self, graph: Graph, plan: StackPlan) -> None:
        """The Gateway, the picker's scraping and the load balancer's checks all come to the pool's port."""
        pod = templates(graph)["decode"]["spec"]
        [sidecar] = pod["initContainers"]
        assert sidecar["restartPolicy"] == "Always"
        assert [port["containerPort"] for port in sidecar["ports"]] == [*plan.models[0].pool.target_ports]
        assert f"--port={plan.models[0].pool.target_ports[0]}" in sidecar["args"]
        assert any(argument.endswith(f"-port={ENGINE_PORT}") for argument in sidecar["args"])

    def test_the_engine_stands_behind_it(self, graph: Graph) -> None:
        [engine] = templates(graph)["decode"]["spec"]["containers"]
        assert engine["args"][engine["args"].index("--port") + 1] == str(ENGINE_PORT)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert engine[probe]["httpGet"]["port"] == ENGINE_PORT

    def test_prefill_has_no_sidecar(self, graph: Graph, plan: StackPlan) -> None:
        pod = templates(graph)["prefill"]["spec"]
        [engine] = pod["containers"]
        assert "initContainers" not in pod
        assert engine["args"][engine["args"].index("--port") + 1] == str(plan.models[0].pool.target_ports[0])

    def test_health_is_asked_of_the_engine(self, plan: StackPlan) -> None:
        """v0.7 of the sidecar answers /health by itself, whatever becomes of its engine."""
        assert plan.models[0].pool.health_path == "/v1/models"

    @pytest.mark.parametrize("release", RELEASES)
    def test_flags_are_the_releases(self, release: str) -> None:
        [sidecar] = servers(plan_of("disaggregated-gpu", {"release": release}))["decode"].pod.sidecars
        expected = {
            "llm-d-0.4": ("--vllm-port=8200", "--connector=nixlv2"),
            "llm-d-0.6": ("--vllm-port=8200", "--kv-connector=nixlv2"),
            "llm-d-0.9": ("--model-server-port=8200", "--kv-connector=nixlv2"),
            "llm-d-0.10": ("--model-server-port=8200", "--kv-connector=nixlv2"),
        }[release]
        assert sidecar.args == ("--port=8000", *expected, "--secure-proxy=false")

    @pytest.mark.parametrize("deployment", ["direct", "kserve"])
    @pytest.mark.parametrize("release", RELEASES)
    def test_the_sidecar_traces_nothing_where_nothing_collects_it(self, release: str, deployment: str) -> None:
        """v0.7 has no --tracing; later versions trace nothing unless asked to, and v0.4 cannot."""
        plan = plan_of("disaggregated-gpu", {"release": release, "deployment": deployment})
        [sidecar] = servers(plan)["decode"].pod.sidecars
        assert "--tracing" not in sidecar.args
        without = ("OTEL_TRACES_SAMPLER_ARG", "0") in {(variable.name, variable.value) for variable in sidecar.env}
        assert without is sidecar.image.endswith(":v0.7.1")


class TestTransfer:
    def test_producer_and_consumer(self, plan: StackPlan) -> None:
        for role, expected in (("prefill", "kv_producer"), ("decode", "kv_consumer")):
            args = servers(plan)[role].pod.args
            config = json.loads(args[args.index("--kv-transfer-config") + 1])
            assert config["kv_role"] == expected

    def test_gpus_talk_nixl(self) -> None:
        pod = servers(plan_of("disaggregated-gpu"))["decode"].pod
        host = next(variable for variable in pod.env if variable.name == "VLLM_NIXL_SIDE_CHANNEL_HOST")
        assert host.field_path == "status.podIP"
        assert [port.number for port in pod.ports] == [ENGINE_PORT, 5600]

    def test_tpus_name_their_address_after_it_is_known(self) -> None:
        """Kubernetes replaces $(POD_IP) only if the container's environment has the variable."""
        pod = servers(plan_of("disaggregated-tpu"))["prefill"].pod
        assert '"kv_ip":"$(POD_IP)"' in pod.args[pod.args.index("--kv-transfer-config") + 1]
        assert [variable.name for variable in pod.env].count("POD_IP") == 1
        assert {port.number for port in pod.ports} == {8000, 9100, 9600}

    def test_models_of_several_kinds_of_attention_keep_their_blocks(self) -> None:
        """Without it vLLM gives every layer a whole cache, and the memory verdict would be of another engine."""
        flag = "--no-disable-hybrid-kv-cache-manager"
        assert flag in arguments(Nixl(hybrid=True), "decode")
        assert flag in arguments(TpuConnectorHma(), "decode")
        assert flag not in arguments(Nixl(hybrid=False), "decode")
        assert "TPUConnectorHMA" in arguments(TpuConnectorHma(), "prefill")[1]
        assert '"TPUConnector"' in arguments(TpuConnector(), "prefill")[1]

    def test_engines_and_picker_cut_prompts_alike(self) -> None:
        plan = plan_of("disaggregated-gpu")
        for server in plan.models[0].servers:
            assert server.pod.args[server.pod.args.index("--block-size") + 1] == "128"
        assert '"blockSizeTokens": 128' in json.dumps(plan.models[0].picker.config)


class TestPicker:
    @pytest.mark.parametrize("release", RELEASES)
    def test_a_release_that_can_has_a_picker_that_can(self, release: str) -> None:
        catalog_ = load()
        entry = catalog_.releases[release]
        assert entry.disaggregation is not None
        assert can_disaggregate(catalog_.pickers[(entry.disaggregation.picker or entry.picker).build])

    def test_every_other_release_has_none(self) -> None:
        catalog_ = load()
        others = [release for release in catalog_.releases.values() if release.disaggregation is None]
        assert not any(can_disaggregate(catalog_.pickers[release.picker.build]) for release in others)

    @pytest.mark.parametrize("release", RELEASES)
    def test_a_profile_for_each_role(self, release: str) -> None:
        config = plan_of("disaggregated-gpu", {"release": release}).models[0].picker.config
        profiles = {
            scheduling_profile["name"]: [plugin["pluginRef"] for plugin in scheduling_profile["plugins"]]
            for scheduling_profile in config["schedulingProfiles"]
        }
        assert {name: plugins[0] for name, plugins in profiles.items()} == {
            "prefill": "prefill-filter",
            "decode": "decode-filter",
        }

    def test_the_threshold_is_the_settings(self) -> None:
        text = json.dumps(plan_of("disaggregated-gpu").models[0].picker.config)
        assert '"nonCachedTokens": 512' in text
        always = plan_of("disaggregated-gpu", {"disaggregation.prefillFromTokens": 0}).models[0].picker.config
        assert "always-disagg-pd-decider" in json.dumps(always)

    def test_v0_7_prepares_what_the_decider_reads(self) -> None:
        config = plan_of("disaggregated-gpu", {"release": "llm-d-0.6"}).models[0].picker.config
        assert config["featureGates"] == ["prepareDataPlugins"]
        assert "disagg-headers-handler" in {plugin["type"] for plugin in config["plugins"]}


def test_one_place_for_both_stages_needs_nothing_of_another() -> None:
    check_stages(())
    assert [server.role for server in plan_of("gpu").models[0].servers] == ["both"]
