"""KServe's InferenceService with its ServingRuntime, shell variables, and arguments that a stack sets by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_d_gke import catalog
from llm_d_gke.operations.adopt_manifests.command import without_planned
from llm_d_gke.operations.adopt_manifests.documents import read_files
from llm_d_gke.operations.adopt_manifests.errors import AdoptError
from llm_d_gke.operations.adopt_manifests.stack import stack_settings
from llm_d_gke.planning.rules import RULES

GPU = {"resources": {"limits": {"nvidia.com/gpu": "2"}}}


@pytest.fixture
def adopted(tmp_path: Path) -> Any:
    """Settings and leftovers of documents, each in a separate file."""

    def adopt(*documents: Any) -> tuple[dict[str, Any], list[str]]:
        for number, document in enumerate(documents):
            (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        settings, left = stack_settings(
            read_files([tmp_path]), catalog.load(), location="us-central1-a", accelerator="nvidia-h100-80gb"
        )
        return settings, [str(entry) for entry in left]

    return adopt


def service(name: str = "chat", runtime: str | None = "vllm", **predictor: Any) -> dict[str, Any]:
    model = {"modelFormat": {"name": "vLLM"}, "storageUri": "hf://Qwen/Qwen3-8B", **GPU, **predictor.pop("model", {})}
    if runtime is not None:
        model["runtime"] = runtime
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": {"model": model, **predictor}},
    }


def runtime(*args: str, name: str = "vllm", kind: str = "ServingRuntime") -> dict[str, Any]:
    container = {
        "name": "kserve-container",
        "image": "quay.io/example/vllm:1",
        "command": ["python", "-m", "vllm.entrypoints.openai.api_server"],
        "args": ["--port=8080", "--model=/mnt/models", "--served-model-name={{.Name}}", *args],
    }
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"containers": [container]},
    }


class TestInferenceService:
    @pytest.mark.parametrize("kind", ["ServingRuntime", "ClusterServingRuntime"])
    def test_arguments_are_those_of_the_runtime_and_then_the_model_s(self, adopted: Any, kind: str) -> None:
        settings, _ = adopted(service(model={"args": ["--max-model-len=4096"]}), runtime("--dtype=bfloat16", kind=kind))
        [model] = settings["models"]
        assert (model["id"], model["dtype"], model["maxModelLen"]) == ("Qwen/Qwen3-8B", "bfloat16", 4096)
        assert model["servedName"] == "chat"

    def test_a_runtime_that_is_not_among_the_files_is_named(self, adopted: Any) -> None:
        settings, left = adopted(service())
        assert settings["models"][0]["id"] == "Qwen/Qwen3-8B"
        assert any("runtime vllm: its manifest is not among the files" in line for line in left)

    def test_replicas_that_follow_the_load_are_named(self, adopted: Any) -> None:
        settings, left = adopted(service(minReplicas=2, maxReplicas=5), runtime())
        assert settings["models"][0]["replicas"] == 2
        assert any("replicas 2 to 5: models[].autoscaling" in line for line in left)

    def test_the_hugging_face_server_s_arguments_are_vllm_s(self, adopted: Any) -> None:
        model = {"modelFormat": {"name": "huggingface"}, "storageUri": None}
        arguments = ["--model_id=Qwen/Qwen3-8B", "--model_name=chat"]
        settings, _ = adopted(service(runtime=None, model={**model, "args": arguments}))
        assert (settings["models"][0]["id"], settings["models"][0]["servedName"]) == ("Qwen/Qwen3-8B", "chat")

    @pytest.mark.parametrize(
        "stored", [{"storageUri": "s3://weights/Qwen3-8B"}, {"storageUri": None, "storage": {"path": "x/Qwen3-8B/"}}]
    )
    def test_the_end_of_a_path_names_the_model(self, adopted: Any, stored: dict[str, Any]) -> None:
        settings, _ = adopted(service(model=stored), runtime())
        assert settings["models"][0]["id"] == "Qwen/Qwen3-8B"

    def test_other_servers_are_left(self, adopted: Any) -> None:
        with pytest.raises(AdoptError, match="neither format nor container says vLLM"):
            adopted(service(runtime=None, model={"modelFormat": {"name": "onnx"}}))


def pod(script: str) -> dict[str, Any]:
    container = {"name": "vllm", "image": "vllm/vllm-openai:v0.19.1", "command": ["sh", "-c", script], **GPU}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [container]}}


class TestScripts:
    def test_variables_of_the_script_are_filled_in(self, adopted: Any) -> None:
        script = 'model=Qwen/Qwen3-8B\nexport LENGTH="8192"\nvllm serve $model \\\n --max-model-len ${LENGTH}\n'
        [model] = adopted(pod(script))[0]["models"]
        assert (model["id"], model["maxModelLen"]) == ("Qwen/Qwen3-8B", 8192)

    @pytest.mark.parametrize("reference", ["$LENGTH", "${LENGTH}", "$(LENGTH)", "{{ length }}"])
    def test_a_variable_without_a_value_is_named(self, adopted: Any, reference: str) -> None:
        settings, left = adopted(pod(f"vllm serve Qwen/Qwen3-8B --max-model-len='{reference}' --dtype half"))
        [model] = settings["models"]
        assert "maxModelLen" not in model
        assert model["dtype"] == "half"
        assert any("value of its variable is not in the files" in line for line in left)


def test_certificates_of_the_engine_are_left_to_backend_tls(adopted: Any) -> None:
    settings, left = adopted(pod("vllm serve Qwen/Qwen3-8B --ssl-certfile=/tls/tls.crt --ssl-keyfile /tls/tls.key"))
    assert "extraArgs" not in settings["models"][0]
    assert sum(RULES["LLMD-ENGINE-TLS-ARGS"].hint in line for line in left) == 2


def test_arguments_that_the_stack_sets_are_taken_out(adopted: Any) -> None:
    settings, _ = adopted(pod("vllm serve Qwen/Qwen3-8B --shutdown-timeout 99 --seed 7"))
    [before] = settings["models"]
    assert before["extraArgs"] == ["--shutdown-timeout", "99", "--seed", "7"]
    remaining, planned = without_planned(settings)
    [after] = remaining["models"]
    assert after["extraArgs"] == ["--seed", "7"]
    assert [entry.what for entry in planned] == ["--shutdown-timeout 99"]


@pytest.mark.parametrize(
    ("topology", "machine"), [("2x2", "ct6e-standard-4t"), ("1x1", None), ("2x4", "ct6e-standard-8t")]
)
def test_a_tpu_s_machine_has_the_topology(adopted: Any, topology: str, machine: str | None) -> None:
    document = pod("vllm serve Qwen/Qwen3-8B")
    document["spec"]["nodeSelector"] = {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice",
        "cloud.google.com/gke-tpu-topology": topology,
    }
    document["spec"]["containers"][0]["resources"] = {}
    settings, _ = adopted(document)
    assert settings["accelerator"].get("machineType") == machine


def test_servers_that_keep_no_prefixes_are_scored_without_them(adopted: Any) -> None:
    document = pod("vllm serve Qwen/Qwen3-8B --no-enable-prefix-caching")
    settings, _ = adopted(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "a"},
            "spec": {"replicas": 2, "template": {"spec": document["spec"]}},
        }
    )
    assert settings["picker"] == {"scorers": {"prefixCache": 0}}
    assert "pattern" not in settings
    assert settings["models"][0]["replicas"] == 2
