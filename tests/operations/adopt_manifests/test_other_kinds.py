"""Kinds of the guides of 2026 and of Dynamo, and what is listed of each document that a stack file has no place for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_d_gke import catalog
from llm_d_gke.operations.adopt_manifests.documents import read_files
from llm_d_gke.operations.adopt_manifests.errors import AdoptError
from llm_d_gke.operations.adopt_manifests.stack import stack_settings


def adopt(tmp_path: Path, *documents: Any, accelerator: str = "nvidia-h100-80gb") -> tuple[dict[str, Any], str]:
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    settings, left = stack_settings(
        read_files([tmp_path]), catalog.load(), location="us-central1-a", accelerator=accelerator
    )
    return settings, "\n".join(map(str, left))


def engine(*args: str, gpus: int = 1, **more: Any) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": str(gpus)}
    return {"name": "engine", "command": ["vllm", "serve"], "args": list(args), "resources": {"limits": limits}, **more}


def labeled(role: str, container: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"labels": {"llm-d.ai/role": role}}, "spec": {"containers": [container]}}


def deployment(container: dict[str, Any], pod: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [container], **(pod or {})}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "chat"},
        "spec": {"template": template, **spec},
    }


class TestKinds:
    def test_roles_of_a_disaggregated_set_are_multiplied_by_its_slices(self, tmp_path: Path) -> None:
        roles = [
            {
                "name": role,
                "spec": {
                    "replicas": replicas,
                    "leaderWorkerTemplate": {
                        "size": 1,
                        "workerTemplate": labeled(
                            role, engine("openai/gpt-oss-120b", f"--tensor-parallel-size={gpus}", gpus=gpus)
                        ),
                    },
                },
            }
            for role, replicas, gpus in (("prefill", 4, 1), ("decode", 1, 4))
        ]
        document = {
            "apiVersion": "disaggregatedset.x-k8s.io/v1",
            "kind": "DisaggregatedSet",
            "metadata": {"name": "pd"},
            "spec": {"slices": 2, "roles": roles},
        }
        settings, _ = adopt(tmp_path, document)
        [model] = settings["models"]
        assert settings["pattern"] == "disaggregated"
        assert (model["replicas"], model["tensorParallel"]) == (2, 4)
        assert model["prefill"] == {"replicas": 8, "tensorParallel": 1}

    @pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
    def test_workers_of_dynamo_s_graphs(self, tmp_path: Path, version: str) -> None:
        def container(role: str) -> dict[str, Any]:
            args = ["-m", "dynamo.vllm", "--model", "Qwen/Qwen3-8B", "--disaggregation-mode", role]
            return {"name": "main", "image": "example.com/runtime:1", "command": ["python3"], "args": args}

        limits = {"limits": {"nvidia.com/gpu": "2"}}
        workers: dict[str, Any] = {}
        for role in ("prefill", "decode"):
            if version == "v1alpha1":
                pod = {"extraPodSpec": {"mainContainer": container(role)}, "resources": {"limits": {"gpu": "2"}}}
            else:
                pod = {"podTemplate": {"spec": {"containers": [{**container(role), "resources": limits}]}}}
            workers[f"Vllm{role.title()}Worker"] = {"replicas": 3, **pod}
        frontend = {"replicas": 1, "extraPodSpec": {"mainContainer": {"name": "main", "args": ["dynamo.frontend"]}}}
        parts = {"Frontend": frontend, **workers}
        spec = (
            {"services": parts}
            if version == "v1alpha1"
            else {"components": [{"name": name, **part} for name, part in parts.items()]}
        )
        settings, left = adopt(
            tmp_path,
            {
                "apiVersion": f"nvidia.com/{version}",
                "kind": "DynamoGraphDeployment",
                "metadata": {"name": "d"},
                "spec": spec,
            },
        )
        [model] = settings["models"]
        assert (model["id"], model["replicas"]) == ("Qwen/Qwen3-8B", 3)
        assert model["prefill"]["replicas"] == 3
        assert "parts Frontend: no container of them runs vLLM" in left
        # Options of Dynamo's own are none of vLLM's.
        assert "extraArgs" not in model
        assert "--disaggregation-mode decode" in left

    def test_a_connector_names_the_role_where_no_label_does(self, tmp_path: Path) -> None:
        roles = {
            role: engine(
                "Qwen/Qwen3-8B", "--kv-transfer-config", f'{{"kv_connector":"NixlConnector","kv_role":"{kv}"}}'
            )
            for role, kv in (("prefill", "kv_producer"), ("decode", "kv_consumer"))
        }
        settings, _ = adopt(tmp_path, *(deployment(container) for container in roles.values()))
        assert settings["pattern"] == "disaggregated"

    def test_presets_of_kserve_are_no_servers(self, tmp_path: Path) -> None:
        preset = {
            "apiVersion": "serving.kserve.io/v1alpha2",
            "kind": "LLMInferenceServiceConfig",
            "metadata": {"name": "preset"},
            "spec": {"template": {"containers": [engine("/mnt/models")]}},
        }
        with pytest.raises(AdoptError, match="presets of KServe are not read"):
            adopt(tmp_path, preset)


class TestLists:
    def test_fields_of_a_pod(self, tmp_path: Path) -> None:
        container = engine(
            "Qwen/Qwen3-8B",
            env=[{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}],
            livenessProbe={"httpGet": {"port": 8000}},
        )
        container["resources"]["limits"]["memory"] = "64Gi"
        pod = {
            "initContainers": [{"name": "download"}],
            "nodeSelector": {"disk": "fast"},
            "hostNetwork": True,
            "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "x"}]}},
        }
        _, left = adopt(tmp_path, deployment(container, pod, strategy={"type": "Recreate"}))
        for text in (
            "variables HF_TOKEN: a Secret holds them",
            "containers download",
            "resources memory 64Gi",
            "node label disk=fast",
            "pod fields livenessProbe, hostNetwork, affinity.podAntiAffinity",
            "fields strategy",
        ):
            assert text in left

    def test_commands_before_the_engine_s(self, tmp_path: Path) -> None:
        script = "export MODEL=Qwen/Qwen3-8B\npip install lmcache && \\\nexec vllm serve $MODEL --max-model-len 4096"
        container = {**engine(), "command": ["bash", "-c", script], "args": []}
        settings, left = adopt(tmp_path, deployment(container))
        assert settings["models"][0]["maxModelLen"] == 4096
        assert "script with pip: the image's own command starts vLLM" in left

    def test_values_that_the_release_s_vllm_exits_on(self, tmp_path: Path) -> None:
        words = ("Qwen/Qwen3-8B", "--enable-chunked-prefill", "false", "--seed", "7")
        settings, left = adopt(tmp_path, deployment(engine(*words)))
        assert settings["models"][0]["extraArgs"] == ["--seed", "7"]
        assert "--enable-chunked-prefill false" in left

    def test_a_name_that_stands_for_a_model(self, tmp_path: Path) -> None:
        with pytest.raises(AdoptError, match="it is no repository of the Hub"):
            adopt(tmp_path, deployment(engine("<model-name>")))

    def test_arguments_of_prefill_that_a_stack_has_in_common_for_both_roles(self, tmp_path: Path) -> None:
        service = {
            "apiVersion": "serving.kserve.io/v1alpha2",
            "kind": "LLMInferenceService",
            "metadata": {"name": "pd"},
            "spec": {
                "model": {"uri": "hf://Qwen/Qwen3-8B", "criticality": "High"},
                "scaling": {"minReplicas": 1, "maxReplicas": 4},
                "template": {"containers": [engine("Qwen/Qwen3-8B", "--max-model-len=8192")]},
                "prefill": {
                    "replicas": 2,
                    "template": {"containers": [engine("Qwen/Qwen3-8B", "--max-num-seqs=8", "--max-model-len=4096")]},
                },
            },
        }
        settings, left = adopt(tmp_path, service)
        assert settings["models"][0]["prefill"] == {"replicas": 2, "maxNumSeqs": 8}
        assert "maxModelLen 4096 of prefill" in left
        assert "spec.scaling: models[].autoscaling takes its place" in left
        assert "model.criticality" in left


class TestWidths:
    def test_hosts_follow_from_the_ranks_of_a_pod(self, tmp_path: Path) -> None:
        service = {
            "apiVersion": "serving.kserve.io/v1alpha2",
            "kind": "LLMInferenceService",
            "metadata": {"name": "wide"},
            "spec": {
                "model": {"uri": "hf://deepseek-ai/DeepSeek-R1-0528"},
                "parallelism": {"data": 16, "dataLocal": 8, "expert": True},
                "template": {"containers": [{"name": "main"}]},
                "worker": {"containers": [{"name": "main"}]},
            },
        }
        settings, left = adopt(tmp_path, service)
        assert settings["accelerator"] == {
            "type": "nvidia-h100-80gb",
            "machineType": "a3-highgpu-8g",
            "nodes": {"min": 0, "max": 2},
        }
        assert "containers of worker" in left

    def test_ranks_beyond_a_node_are_hosts_where_no_pod_says_how_many(self, tmp_path: Path) -> None:
        container = {**engine("deepseek-ai/DeepSeek-R1-0528", "--data-parallel-size=16"), "resources": {}}
        settings, left = adopt(tmp_path, deployment(container, replicas=2), accelerator="nvidia-h200-141gb")
        assert settings["accelerator"]["nodes"] == {"min": 0, "max": 4}
        assert settings["accelerator"]["provisioning"] == "spot"
        assert "provisioning: Google does not sell a3-ultragpu-8g on demand" in left

    @pytest.mark.parametrize(("method", "becomes"), [("qwen3_next_mtp", "mtp"), ("mtp", "mtp"), ("ngram", "ngram")])
    def test_older_names_of_prediction_layers(self, tmp_path: Path, method: str, becomes: str) -> None:
        text = f'{{"method": "{method}", "num_speculative_tokens": 2}}'
        settings, _ = adopt(tmp_path, deployment(engine("Qwen/Qwen3-8B", "--speculative-config", text)))
        assert settings["models"][0]["speculativeDecoding"] == {"method": becomes, "tokens": 2}

    def test_no_machine_is_chosen_that_is_sold_as_spot_only(self, tmp_path: Path) -> None:
        settings, _ = adopt(tmp_path, deployment(engine("Qwen/Qwen3-32B", "--tensor-parallel-size=4", gpus=4)))
        assert catalog.load().machines[settings["accelerator"]["machineType"]].on_demand_ok


class TestProductionStack:
    def test_what_the_chart_does_with_each_key(self, tmp_path: Path) -> None:
        def spec(name: str, **more: Any) -> dict[str, Any]:
            return {
                "name": name,
                "modelURL": "Qwen/Qwen3-8B",
                "replicaCount": 1,
                "requestGPU": 1,
                "vllmConfig": {},
                **more,
            }

        served = spec(
            "served",
            modelRevision="abc",
            vllmConfig={"enableChunkedPrefill": False, "enablePrefixCaching": True, "v1": 1},
            extraArgs=["--seed=1"],
            shmSize="20Gi",
        )
        values = {
            "servingEngineSpec": {"runtimeClassName": "", "modelSpec": [served, spec("other", enabled=False)]},
            "loraAdapters": [{"name": "a"}],
        }
        settings, left = adopt(tmp_path, values)
        [model] = settings["models"]
        assert model["source"] == {"kind": "hugging-face", "revision": "abc"}
        assert model["prefixCaching"] is True
        assert "modelSpec/other: the model: the chart leaves it out" in left
        assert "extraArgs, shmSize, vllmConfig.v1" in left
        assert "loraAdapters" in left

    def test_prefix_caching_is_off_unless_the_values_turn_it_on(self, tmp_path: Path) -> None:
        spec = {"name": "a", "modelURL": "Qwen/Qwen3-8B", "replicaCount": 2, "vllmConfig": {"maxModelLen": 4096}}
        settings, _ = adopt(tmp_path, {"servingEngineSpec": {"modelSpec": [spec]}})
        assert settings["models"][0]["prefixCaching"] is False
        assert settings["picker"] == {"scorers": {"prefixCache": 0}}
