"""The picker divides prompts into whole blocks of the engine, and the weights of the preset are those documented."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_d_gke.maintenance.fuzz.run import named_twice
from llm_d_gke.planning.plan.stack import ModelPlan
from tests.stacks import graph_of, plan_of

GPU, TPU = "prefix-cache-gpu", "prefix-cache-tpu"
PREFIX = "prefix-cache-scorer"


def model(stack: str, changes: dict[str, Any] | None = None) -> ModelPlan:
    [model_plan] = plan_of(stack, changes).models
    return model_plan


def engine_block(plan: ModelPlan) -> int | None:
    args = plan.servers[0].pod.args
    return int(args[args.index("--block-size") + 1]) if "--block-size" in args else None


def picker_plugins(plan: ModelPlan) -> dict[str, dict[str, Any]]:
    """Parameters by plugin type."""
    return {plugin["type"]: plugin.get("parameters", {}) for plugin in plan.picker.config["plugins"]}


def weights(plan: ModelPlan) -> list[float]:
    [profile] = plan.picker.config["schedulingProfiles"]
    return [plugin["weight"] for plugin in profile["plugins"]]


class TestBlocks:
    @pytest.mark.parametrize("stack", [GPU, TPU])
    @pytest.mark.parametrize(
        ("release", "plugin", "parameter", "factor"),
        [
            ("llm-d-0.9", "approx-prefix-cache-producer", "blockSizeTokens", 1),
            ("gaie-1.5", PREFIX, "blockSizeTokens", 1),
            # Counts characters, four to a token.
            ("llm-d-0.4", PREFIX, "blockSize", 4),
        ],
    )
    @pytest.mark.parametrize("configured", [None, 32])
    def test_the_picker_counts_whole_blocks_of_the_engine(
        self, stack: str, release: str, plugin: str, parameter: str, factor: int, configured: int | None
    ) -> None:
        plan = model(stack, {"release": release, "models[0].blockSize": configured})
        size = engine_block(plan)
        # A TPU divides the longest request, here 2,048 tokens, into 16 pages.
        assert size == (configured or (16 if stack == GPU else 128))
        # Several for a large cache, so that the index stays within its entries (tests of picker_config).
        assert picker_plugins(plan)[plugin][parameter] % (size * factor) == 0

    def test_an_indexer_has_blocks_of_its_own(self) -> None:
        """vllm-project/vllm#48286: smaller blocks, which other models have, end DeepSeek V3.2."""
        changes = {
            "location": "us-central1-b",
            "accelerator": {
                "type": "nvidia-h200-141gb",
                "machineType": "a3-ultragpu-8g",
                "nodes": {"min": 0, "max": 2},
            },
            "models[0]": {"id": "deepseek-ai/DeepSeek-V3.2", "tensorParallel": 8, "replicas": 2, "maxModelLen": 8192},
        }
        assert engine_block(model(GPU, changes)) == 64

    @pytest.mark.parametrize("release", ["llm-d-0.9", "gaie-1.5"])
    def test_a_model_with_recurrent_states_has_the_block_that_vllm_raises_it_to(self, release: str) -> None:
        """The engine raises its blocks itself, and older versions refuse such a value."""
        accelerator = {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-8g", "nodes": {"min": 0, "max": 1}}
        models = [{"id": "Qwen/Qwen3-Next-80B-A3B-Instruct", "maxModelLen": 8192, "tensorParallel": 4, "replicas": 2}]
        changes = {"release": release, "location": "us-central1-a", "accelerator": accelerator, "models": models}
        plan = model(GPU, changes)
        assert engine_block(plan) is None
        plugin = "approx-prefix-cache-producer" if release == "llm-d-0.9" else PREFIX
        # On one of 4 ranks a state is 8 heads of 128 x 128 and 3 inputs of a convolution of 2048, all in 16 bits:
        # 274,432 bytes. A token of attention takes 1 head of 256, key and value: 1,024. In steps of 16 tokens.
        assert picker_plugins(plan)[plugin]["blockSizeTokens"] == 272

    def test_the_scorer_reads_the_producer_that_knows_the_size(self) -> None:
        """A scorer without an explicit producer silently creates one with another block size."""
        plugins = picker_plugins(model(GPU))
        assert plugins[PREFIX] == {"prefixMatchInfoProducerName": "approx-prefix-cache-producer"}

    def test_a_tpu_has_larger_blocks_for_longer_requests(self) -> None:
        plan = model(TPU, {"models[0].maxModelLen": 32768})
        assert engine_block(plan) == 64
        assert picker_plugins(plan)["approx-prefix-cache-producer"]["blockSizeTokens"] % 64 == 0

    @pytest.mark.parametrize("stack", ["gpu", "tpu"])
    def test_other_patterns_leave_both_to_their_defaults(self, stack: str) -> None:
        plan = model(stack)
        assert engine_block(plan) is None
        assert not any(picker_plugins(plan).values())

    @pytest.mark.parametrize("stack", [GPU, TPU])
    def test_the_engine_keeps_prefixes(self, stack: str) -> None:
        assert "--enable-prefix-caching" in model(stack).servers[0].pod.args


class TestPresets:
    @pytest.mark.parametrize(
        ("picker", "expected"),
        [
            ({}, [3, 2, 2, 1]),
            ({"preset": "balanced"}, [3, 2, 2, 1]),
            ({"preset": "prefix"}, [3, 1, 1, 1]),
            ({"preset": "prefix", "scorers": {"queue": 4}}, [3, 1, 4, 1]),
            ({"preset": "prefix", "scorers": {"prefixCache": 5, "kvCacheUtilization": 0.5}}, [5, 0.5, 1, 1]),
            ({"preset": "prefix", "scorers": {"noHitLru": 0}}, [3, 1, 1]),
            ({"scorers": {"kvCacheUtilization": 7}}, [3, 7, 2, 1]),
        ],
    )
    def test_numbers_win(self, picker: dict[str, Any], expected: list[float]) -> None:
        assert weights(model(GPU, {"picker": picker})) == expected


class TestPrecise:
    CHANGES: dict[str, Any] = {"picker.prefixRouting": "precise"}

    def test_engines_publish_where_the_picker_dials(self) -> None:
        plan = model(GPU, self.CHANGES)
        pod = plan.servers[0].pod
        published = json.loads(pod.args[pod.args.index("--kv-events-config") + 1])
        producer = picker_plugins(plan)["precise-prefix-cache-producer"]
        port = producer["kvEventsConfig"]["podDiscoveryConfig"]["socketPort"]
        assert published["endpoint"] == f"tcp://*:{port}"
        assert port in [declared.number for declared in pod.ports]

    def test_a_replica_names_itself_as_the_picker_does(self) -> None:
        """By address and port; the name in requests is part of the key of the index."""
        plan = model(GPU, self.CHANGES)
        pod = plan.servers[0].pod
        published = json.loads(pod.args[pod.args.index("--kv-events-config") + 1])
        assert published["topic"] == f"kv@$(POD_IP):{plan.pool.target_ports[0]}@{plan.served_name}"
        assert [(env.name, env.field_path) for env in pod.env if env.name == "POD_IP"] == [("POD_IP", "status.podIP")]

    @pytest.mark.parametrize("stack", ["disaggregated-tpu", "disaggregated-gpu"])
    def test_a_server_that_transfers_its_cache_names_its_address_once(self, stack: str) -> None:
        """Both need it, and server-side apply refuses a variable that is there twice."""
        assert named_twice(plan_of(stack, self.CHANGES)) == []

    def test_both_sides_have_one_size(self) -> None:
        for changes in ({}, {"models[0].blockSize": 32}):
            plan = model(GPU, self.CHANGES | changes)
            producer = picker_plugins(plan)["precise-prefix-cache-producer"]
            assert producer["tokenProcessorConfig"] == {"blockSizeTokens": engine_block(plan)}

    def test_prompts_become_tokens_at_the_model_s_own_servers(self) -> None:
        plan = model(GPU, self.CHANGES)
        renderer = plan.picker.tokenizer_service
        assert renderer is not None
        assert renderer.selector == plan.pool.selector
        url = picker_plugins(plan)["token-producer"]["vllm"]["url"]
        assert url == f"http://{renderer.name}.{plan_of(GPU).namespace.name}:{renderer.port}"

    def test_workers_of_a_group_get_no_prompts(self) -> None:
        """Only its leader answers, and a worker without probes counts as ready."""
        plan = model("mixture-of-experts-tpu", self.CHANGES)
        assert plan.picker.tokenizer_service is not None
        assert plan.picker.tokenizer_service.selector == plan.pool.selector
        assert plan.pool.selector["leaderworkerset.sigs.k8s.io/worker-index"] == "0"

    def test_the_service_of_the_url_is_there(self) -> None:
        plan = model(GPU, self.CHANGES)
        assert plan.picker.tokenizer_service is not None
        [service] = [
            resource
            for resource in graph_of(GPU, self.CHANGES).resources
            if resource.type == "kubernetes:core/v1:Service" and resource.name == plan.picker.tokenizer_service.name
        ]
        assert service.inputs["spec"]["selector"] == plan.pool.selector

    def test_an_index_of_the_user_s_own_gets_the_same_events(self) -> None:
        config = dict(model(GPU, self.CHANGES).picker.config)
        plan = model(GPU, {"picker": {"config": config}})
        assert "--kv-events-config" in plan.servers[0].pod.args
        assert plan.picker.tokenizer_service is not None

    def test_without_it_nobody_publishes(self) -> None:
        plan = model(GPU)
        assert "--kv-events-config" not in plan.servers[0].pod.args
        assert plan.picker.tokenizer_service is None

    def test_several_pickers_may_work_at_once(self) -> None:
        """Each follows every engine, so that all know the same."""
        plan = model(GPU, self.CHANGES | {"picker.replicas": 2, "picker.leaderElection": False})
        assert plan.picker.lease is None
        assert plan.picker.pod.readiness is not None
        assert plan.picker.pod.readiness.grpc_service == "inference-extension"
        assert plan.picker.pod.spread_over == plan.picker.selector


class TestSwitch:
    def test_experiments_are_allowed_by_the_release_s_flag(self) -> None:
        config = {"plugins": [{"type": "topology-extractor"}]}
        changes = {"picker": {"config": config, "allowExperimentalPlugins": True}}
        assert "--allow-experimental-plugins" in model(GPU, changes).picker.pod.args

    def test_a_release_without_levels_has_no_flag(self) -> None:
        changes = {"picker.allowExperimentalPlugins": True, "release": "gaie-1.5"}
        assert "--allow-experimental-plugins" not in model(GPU, changes).picker.pod.args
