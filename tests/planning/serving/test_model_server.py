"""Arguments, environment, resources and probes of the engine follow from the stack file."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_d_gke.catalog import load
from llm_d_gke.planning.allocatable import allocatable
from llm_d_gke.planning.plan.pods import VolumePlan
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.serving.engine_paths import CACHE, TOKEN_DIRECTORY
from llm_d_gke.planning.serving.startup import start_up_budget
from tests.planning.refusals.case import errors_of
from tests.stacks import plan_of, sharing_nodes

T4_OF_FOUR = {"type": "nvidia-tesla-t4", "machineType": "n1-standard-16", "perNode": 4, "nodes": {"max": 3}}


def server(stack: str = "gpu", changes: dict[str, Any] | None = None) -> ModelServerPlan:
    return plan_of(stack, changes).models[0].servers[0]


def environment(plan: ModelServerPlan) -> dict[str, str | None]:
    return {variable.name: variable.value for variable in plan.pod.env}


def volume(plan: ModelServerPlan, name: str) -> VolumePlan:
    [match] = [volume for volume in plan.pod.volumes if volume.name == name]
    return match


# Seconds for which a Gateway reuses a connection without a request.
REUSED_SECONDS = {"gke": 600, "istio": 3600}


class TestIdleConnections:
    """A request on a connection that the server closes at that moment is lost."""

    @pytest.mark.parametrize("gateway", REUSED_SECONDS)
    @pytest.mark.parametrize("stack", ["gpu", "tpu", "disaggregated-gpu", "mixture-of-experts-wide-gpu"])
    def test_servers_keep_them_longer_than_the_gateway(self, stack: str, gateway: str) -> None:
        plan = plan_of(stack, {"gateway.implementation": gateway})
        times = [environment(server)["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"] for server in plan.models[0].servers]
        assert all(int(seconds or 0) > REUSED_SECONDS[gateway] for seconds in times)

    def test_the_stack_files_own_time_counts(self) -> None:
        own = {"models[0].allowExtraArgs": True, "models[0].env": {"VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "700"}}
        assert environment(server("gpu", own))["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"] == "700"


class TestArguments:
    def test_the_gpu_stacks(self) -> None:
        args = server().pod.args
        assert args[0] == "google/gemma-2b-it"
        assert " ".join(args[1:]).startswith("--port 8000 --served-model-name google/gemma-2b-it")
        assert "--max-model-len 2048 --gpu-memory-utilization 0.85 --dtype half" in " ".join(args)
        assert "--tensor-parallel-size" not in args

    def test_the_tpu_stacks(self) -> None:
        args = " ".join(server("tpu").pod.args)
        assert "--max-model-len 2048 --tensor-parallel-size 4" in args
        assert "--dtype" not in args

    @pytest.mark.parametrize(
        ("key", "value", "flag"),
        [
            ("maxNumSeqs", 64, "--max-num-seqs 64"),
            ("maxNumBatchedTokens", 4096, "--max-num-batched-tokens 4096"),
            ("quantization", "bitsandbytes", "--quantization bitsandbytes"),
            ("kvCacheDtype", "auto", "--kv-cache-dtype auto"),
            ("servedName", "gemma", "--served-model-name gemma"),
            ("prefixCaching", True, "--enable-prefix-caching"),
            ("source", {"kind": "hugging-face", "revision": "abc"}, "--revision abc"),
        ],
    )
    def test_each_setting_is_an_argument(self, key: str, value: object, flag: str) -> None:
        without, with_it = server().pod.args, server(changes={f"models[0].{key}": value}).pod.args
        assert flag in " ".join(with_it)
        if key != "prefixCaching":
            assert flag not in " ".join(without)

    def test_unchecked_arguments_come_last(self) -> None:
        changes = {"models[0].allowExtraArgs": True, "models[0].extraArgs": ["--enforce-eager", "--seed", "7"]}
        assert server(changes=changes).pod.args[-3:] == ("--enforce-eager", "--seed", "7")

    def test_prefixes_are_kept_exactly_when_the_picker_scores_them(self) -> None:
        assert "--enable-prefix-caching" in server().pod.args
        assert "--no-enable-prefix-caching" in server(changes={"picker.scorers.prefixCache": 0}).pod.args

    @pytest.mark.parametrize("kind", ["bucket", "volume-claim"])
    def test_weights_of_ones_own_are_read_from_their_folder(self, kind: str) -> None:
        place = {"bucket": "weights"} if kind == "bucket" else {"claim": "weights"}
        plan = server(changes={"models[0].source": {"kind": kind, "path": "/gemma/", **place}})
        mount = volume(plan, "weights")
        assert plan.pod.args[0] == f"{mount.mount_path}/gemma"
        assert mount.read_only
        assert "--revision" not in plan.pod.args
        assert environment(plan)["HF_HUB_OFFLINE"] == "1"

    def test_a_revision_of_the_catalog_is_pinned(self) -> None:
        for name in ("google/gemma-2b-it", "Qwen/Qwen3-0.6B", "microsoft/phi-2"):
            args = server(changes={"models[0]": {"id": name, "dtype": "half", "maxModelLen": 1024}}).pod.args
            assert args[args.index("--revision") + 1] == load().models[name].revision

    def test_a_model_like_another_does_not_take_its_commit(self) -> None:
        models = load().models
        assert models["RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8"].revision is None
        args = server(
            changes={"models[0]": {"id": "ibm-granite/granite-3.1-2b-instruct", "dtype": "half", "maxModelLen": 2048}}
        ).pod.args
        assert "--revision" not in args

    @pytest.mark.parametrize(("source", "commit"), [({}, "of the catalog"), ({"revision": "v2"}, "v2")])
    def test_code_of_the_repository_is_of_the_same_revision(self, source: dict[str, str], commit: str) -> None:
        changes = {
            "models[0].allowExtraArgs": True,
            "models[0].extraArgs": ["--trust-remote-code"],
            "models[0].source": {"kind": "hugging-face"} | source,
        }
        args = server(changes=changes).pod.args
        expected = load().models["google/gemma-2b-it"].revision if commit == "of the catalog" else commit
        assert args[args.index("--code-revision") + 1] == args[args.index("--revision") + 1] == expected

    def test_a_code_revision_of_the_stack_file_stands(self) -> None:
        extra = ["--trust-remote-code", "--code-revision", "abc"]
        args = server(changes={"models[0].allowExtraArgs": True, "models[0].extraArgs": extra}).pod.args
        assert args.count("--code-revision") == 1
        assert "--code-revision" not in server().pod.args

    def test_every_commit_of_the_catalog_is_one_and_of_one_repository(self) -> None:
        commits = [model.revision for model in load().models.values() if model.revision is not None]
        assert len(commits) > 40
        assert all(len(commit) == 40 and set(commit) <= set("0123456789abcdef") for commit in commits)
        assert len(set(commits)) == len(commits)


class TestToken:
    def test_the_engine_reads_it_from_a_file(self) -> None:
        plan = server()
        assert environment(plan)["HF_TOKEN_PATH"] == f"{TOKEN_DIRECTORY}/HF_TOKEN"
        assert volume(plan, "token").source["secretName"] == "huggingface-token"
        assert not {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} & set(environment(plan))

    def test_a_secret_of_ones_own_is_read_instead(self) -> None:
        plan = server(changes={"huggingFace": {"existingSecret": "mine"}})
        assert volume(plan, "token").source["secretName"] == "mine"

    def test_a_model_that_needs_none_gets_none(self) -> None:
        changes = {"huggingFace": None, "models[0]": {"id": "microsoft/phi-2", "dtype": "half"}}
        plan = server(changes=changes)
        assert "HF_TOKEN_PATH" not in environment(plan)
        assert [volume.name for volume in plan.pod.volumes] == ["cache", "tmp", "shared-memory"]


class TestResources:
    @pytest.mark.parametrize("stack", ["gpu", "tpu"])
    def test_a_pod_fits_the_node_made_for_it(self, stack: str) -> None:
        plan = plan_of(stack)
        pool, pod = plan.accelerator_pools[0], plan.models[0].servers[0].pod
        room = allocatable(load().machines[pool.machine_type], pool.disk_gib)
        assert millis(pod.requests["cpu"]) < room.cpu_millis
        assert mebibytes(pod.requests["memory"]) < room.memory_mib
        assert mebibytes(pod.limits["ephemeral-storage"]) / 1024 < room.ephemeral_gib

    def test_replicas_that_share_a_node_fit_it_together(self) -> None:
        changes = {"accelerator": T4_OF_FOUR, "models[0].tensorParallel": 1, "models[0].replicas": 4}
        plan = plan_of("gpu", changes)
        pool, pod = plan.accelerator_pools[0], plan.models[0].servers[0].pod
        room = allocatable(load().machines[pool.machine_type], pool.disk_gib)
        assert 4 * millis(pod.requests["cpu"]) < room.cpu_millis
        assert 4 * mebibytes(pod.requests["memory"]) < room.memory_mib
        assert 4 * int(pod.requests["nvidia.com/gpu"]) == 4

    @pytest.mark.parametrize("gpus", [(1, 1, 1, 1), (1, 2, 1), (2, 2), (3, 1)])
    def test_models_whose_accelerators_fit_a_node_fit_it_together(self, gpus: tuple[int, ...]) -> None:
        """The planner counts nodes by accelerators alone."""
        plan = plan_of("multi-model-gpu", sharing_nodes(*gpus, most=1))
        pool, pods = plan.accelerator_pools[0], [model.servers[0].pod for model in plan.models]
        room = allocatable(load().machines[pool.machine_type], pool.disk_gib)
        assert sum(int(pod.requests["nvidia.com/gpu"]) for pod in pods) == 4
        assert sum(millis(pod.requests["cpu"]) for pod in pods) <= 0.75 * room.cpu_millis
        assert sum(mebibytes(pod.requests["memory"]) for pod in pods) <= 0.8 * room.memory_mib
        assert sum(mebibytes(pod.limits["ephemeral-storage"]) for pod in pods) / 1024 < room.ephemeral_gib

    def test_the_disk_holds_the_images_of_all_models_on_a_node(self) -> None:
        def disk(count: int) -> int:
            changes = sharing_nodes(*[1] * count, most=1)
            for number, model in enumerate(changes["models"]):
                source = {"kind": "image", "reference": f"us-docker.pkg.dev/my-project/models/model-{number}:v1"}
                model |= {"id": "microsoft/Phi-3-mini-4k-instruct", "source": {**source, "path": "weights"}}
            return plan_of("multi-model-gpu", changes).accelerator_pools[0].disk_gib

        assert disk(4) > disk(2)

    @pytest.mark.parametrize("stack", ["gpu", "tpu"])
    def test_requests_never_exceed_limits(self, stack: str) -> None:
        pod = server(stack).pod
        assert millis(pod.requests["cpu"]) <= millis(pod.limits["cpu"])
        for resource in ("memory", "ephemeral-storage"):
            assert mebibytes(pod.requests[resource]) <= mebibytes(pod.limits[resource])

    def test_memory_is_promised_whole(self) -> None:
        """A pod that exceeds its memory request is killed first when the node runs short."""
        assert server().pod.requests["memory"] == server().pod.limits["memory"]

    def test_workers_of_a_replica_share_memory(self) -> None:
        one_gpu = volume(server(), "shared-memory").source
        changes = {"accelerator": T4_OF_FOUR, "models[0].id": "Qwen/Qwen2.5-7B-Instruct"}
        together = volume(server(changes=changes), "shared-memory").source
        assert one_gpu["medium"] == together["medium"] == "Memory"
        assert mebibytes(str(together["sizeLimit"])) > mebibytes(str(one_gpu["sizeLimit"]))


class TestStart:
    @given(st.sampled_from(["gpu", "tpu"]), st.floats(0, 2000), st.floats(0, 500))
    def test_a_larger_model_gets_no_less_time(self, kind: Any, size: float, more: float) -> None:
        assert start_up_budget(kind, size) <= start_up_budget(kind, size + more)

    @given(st.sampled_from(["gpu", "tpu"]), st.floats(0, 2000))
    def test_the_budget_is_at_least_thirty_minutes_and_holds_a_slow_download(self, kind: Any, size: float) -> None:
        budget = start_up_budget(kind, size)
        assert budget >= max(1800, size * 1024 / 40 + 3 * 240)
        assert budget % 60 == 0

    @pytest.mark.parametrize("stack", ["gpu", "tpu"])
    def test_the_startup_probe_lasts_the_budget(self, stack: str) -> None:
        plan = server(stack)
        assert plan.pod.startup is not None
        assert plan.pod.startup.period * plan.pod.startup.failures >= plan.start_up_seconds

    @pytest.mark.parametrize(
        ("replicas", "limit", "update"),
        [(1, 3, (1, 0)), (3, 3, (0, 1)), (1, 1, (0, 1))],
    )
    def test_an_update_waits_for_no_node_that_cannot_come(
        self, replicas: int, limit: int, update: tuple[int, int]
    ) -> None:
        plan = server(changes={"models[0].replicas": replicas, "accelerator.nodes": {"max": limit}})
        assert (plan.max_surge, plan.max_unavailable) == update

    def test_every_cache_is_on_a_volume(self) -> None:
        for stack in ("gpu", "tpu"):
            caches = [v for n, v in environment(server(stack)).items() if n.endswith(("_CACHE_DIR", "_CACHE_PATH"))]
            assert caches
            assert all(str(path).startswith(f"{CACHE}/") for path in caches)


class TestPlace:
    def test_spot_nodes_are_asked_for_by_name(self) -> None:
        assert "cloud.google.com/gke-spot" not in server().pod.node_selector
        spot = server(changes={"accelerator.provisioning": "spot"})
        assert spot.pod.node_selector["cloud.google.com/gke-spot"] == "true"

    def test_replicas_are_kept_apart(self) -> None:
        """A single replica has the rule too: otherwise a second one would restart the first."""
        assert server().pod.spread_over == server().selector
        assert server(changes={"models[0].replicas": 2}).pod == server().pod

    def test_the_pull_secret_is_everywhere(self) -> None:
        model = plan_of("gpu", {"registry": {"existingSecret": "pull"}}).models[0]
        assert model.servers[0].pod.pull_secret == model.picker.pod.pull_secret == "pull"

    def test_an_image_of_ones_own_takes_the_place_of_the_releases(self) -> None:
        assert server(changes={"models[0].image": "mine/vllm:v1"}).pod.image == "mine/vllm:v1"
        assert server().pod.image == load().releases["llm-d-0.9"].engine.gpu.image


class TestParallelism:
    @given(st.sampled_from(sorted(load().models)), st.sampled_from([1, 2, 4]))
    def test_tensor_parallelism_that_is_planned_divides_the_heads(self, name: str, tensor_parallel: int) -> None:
        model = load().models[name]
        changes = {
            "accelerator": T4_OF_FOUR,
            "models[0]": {"id": name, "dtype": "half", "tensorParallel": tensor_parallel},
        }
        refused = {f.path for f in errors_of("gpu", changes)}
        if "llm-d:models[0].tensorParallel" not in refused:
            assert model.attention_heads % tensor_parallel == 0
            assert model.mla or model.kv_heads % tensor_parallel == 0 or tensor_parallel % model.kv_heads == 0

    def test_by_default_a_replica_takes_its_node(self) -> None:
        plan = server(changes={"accelerator": T4_OF_FOUR, "models[0].id": "Qwen/Qwen2.5-7B-Instruct"})
        assert plan.pod.args[plan.pod.args.index("--tensor-parallel-size") + 1] == "4"
        assert plan.pod.requests["nvidia.com/gpu"] == "4"


def millis(quantity: str) -> int:
    return int(quantity[:-1]) if quantity.endswith("m") else int(float(quantity) * 1000)


def mebibytes(quantity: str) -> float:
    match = re.fullmatch(r"(\d+)(Mi|Gi)", quantity)
    assert match is not None, quantity
    return int(match[1]) * (1024 if match[2] == "Gi" else 1)
