"""Documents of each form that people run today, and the settings they become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_d_gke import catalog
from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.operations.adopt_manifests.command import adopt_files
from llm_d_gke.operations.adopt_manifests.documents import read_files
from llm_d_gke.operations.adopt_manifests.errors import AdoptError
from llm_d_gke.operations.adopt_manifests.flags import settings_of
from llm_d_gke.operations.adopt_manifests.stack import stack_settings
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.command_line import llmd

EXAMPLE = PROJECT_ROOT / "examples" / "manifests" / "chat.yaml"


@pytest.fixture
def adopted(tmp_path: Path) -> Any:
    """Settings and leftovers of documents, each in a separate file."""

    def adopt(*documents: Any, **options: str) -> tuple[dict[str, Any], list[str]]:
        for number, document in enumerate(documents):
            (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        settings, left = stack_settings(read_files([tmp_path]), catalog.load(), **options)
        return settings, [str(entry) for entry in left]

    return adopt


def deployment(name: str, *args: str, **container: Any) -> dict[str, Any]:
    pod = {
        "nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"},
        "containers": [
            {"name": "sidecar", "image": "example.com/proxy:1"},
            {
                "name": "engine",
                "image": "vllm/vllm-openai:v0.19.1",
                "command": ["vllm", "serve"],
                "args": list(args),
                "resources": {"limits": {"nvidia.com/gpu": 1}},
                **container,
            },
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 2, "template": {"spec": pod}},
    }


def test_the_example_becomes_a_stack_that_can_be_planned(capsys: pytest.CaptureFixture[str]) -> None:
    assert adopt_files([EXAMPLE]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    written = parse_yaml(text.partition("Not carried over")[0])["config"]
    assert written == {
        "llm-d:location": "us-central1-a",
        "llm-d:pattern": "prefix-cache",
        "llm-d:deployment": "kserve",
        "llm-d:accelerator": {"type": "nvidia-l4", "nodes": {"min": 0, "max": 2}},
        "llm-d:gateway": {"exposure": "internal"},
        "llm-d:models": [
            {
                "id": "Qwen/Qwen3-8B",
                "replicas": 2,
                "maxModelLen": 16000,
                "gpuMemoryUtilization": 0.9,
                "reasoningParser": "qwen3",
                "servedName": "chat",
                "tensorParallel": 1,
                "allowExtraArgs": True,
                "extraArgs": ["--seed", "7"],
            }
        ],
    }
    assert "HorizontalPodAutoscaler/chat" in text
    assert "HF_TOKEN" in text
    assert "The stack can be planned" in text


def test_a_deployment_s_engine_is_found_beside_its_sidecar(adopted: Any) -> None:
    settings, _ = adopted(deployment("a", "Qwen/Qwen3-8B", "--port=8000", "--max-model-len", "8192"))
    assert settings["models"] == [
        {"id": "Qwen/Qwen3-8B", "replicas": 2, "maxModelLen": 8192, "tensorParallel": 1},
    ]
    assert settings["accelerator"]["type"] == "nvidia-l4"


@pytest.mark.parametrize(
    "container",
    [
        {"command": ["sh", "-c"], "args": ["pip list && exec vllm serve $MODEL \\\n  --dtype half; echo end"]},
        {"command": ["/bin/bash", "-c", "vllm serve ${MODEL} --dtype=half 2>&1 | tee log"], "args": []},
        {
            "command": ["python3", "-m", "vllm.entrypoints.openai.api_server"],
            "args": ["--model=$(MODEL)", "--dtype", "half"],
        },
        {"command": None, "args": ["--model", "$(MODEL)", "--dtype=half"]},
    ],
)
def test_a_command_is_read_in_each_of_its_forms(adopted: Any, container: dict[str, Any]) -> None:
    settings, _ = adopted(deployment("a", env=[{"name": "MODEL", "value": "Qwen/Qwen3-8B"}], **container))
    [model] = settings["models"]
    assert (model["id"], model["dtype"]) == ("Qwen/Qwen3-8B", "half")
    assert model.get("extraArgs", []) in ([], ["2>&1"])


def test_two_models_are_multi_model(adopted: Any) -> None:
    settings, _ = adopted(deployment("a", "Qwen/Qwen3-8B"), deployment("b", "google/gemma-2b-it"))
    assert settings["pattern"] == "multi-model"
    assert settings["accelerator"]["nodes"]["max"] == 4


def test_roles_of_one_model_are_disaggregated(adopted: Any) -> None:
    prefill, decode = deployment("p", "Qwen/Qwen3-8B", "-tp", "2"), deployment("d", "Qwen/Qwen3-8B", "-tp", "4")
    for document, role in ((prefill, "prefill"), (decode, "decode")):
        document["metadata"]["labels"] = {"llm-d.ai/role": role}
    settings, _ = adopted(prefill, decode)
    assert settings["pattern"] == "disaggregated"
    assert settings["models"] == [
        {"id": "Qwen/Qwen3-8B", "replicas": 2, "tensorParallel": 4, "prefill": {"replicas": 2, "tensorParallel": 2}}
    ]


def test_values_of_the_production_stack(adopted: Any) -> None:
    spec = {
        "name": "llama",
        "repository": "vllm/vllm-openai",
        "tag": "v0.19.1",
        "modelURL": "meta-llama/Llama-3.1-8B-Instruct",
        "replicaCount": 3,
        "requestGPU": 2,
        "pvcStorage": "50Gi",
        "vllmConfig": {"tensorParallelSize": 2, "maxModelLen": 4096, "extraArgs": ["--seed", "1"]},
    }
    settings, left = adopted(
        {"servingEngineSpec": {"modelSpec": [spec]}, "routerSpec": {"replicaCount": 1}}, accelerator="nvidia-l4"
    )
    [model] = settings["models"]
    assert (model["id"], model["replicas"], model["tensorParallel"]) == ("meta-llama/Llama-3.1-8B-Instruct", 3, 2)
    assert model["extraArgs"] == ["--seed", "1"]
    assert settings["accelerator"]["machineType"] == "g2-standard-24"
    assert any("pvcStorage" in entry for entry in left)
    assert any("routerSpec" in entry for entry in left)


def test_values_of_the_model_service_chart(adopted: Any) -> None:
    part = {
        "replicas": 1,
        "parallelism": {"tensor": 4},
        "containers": [{"name": "vllm", "args": ["--block-size=64"], "resources": {"limits": {"nvidia.com/gpu": 4}}}],
    }
    values = {"modelArtifacts": {"uri": "hf://openai/gpt-oss-120b", "name": "oss"}, "decode": part, "prefill": part}
    settings, _ = adopted(values, accelerator="nvidia-h100-80gb", location="us-central1-a")
    assert settings["pattern"] == "disaggregated"
    [model] = settings["models"]
    assert (model["id"], model["servedName"], model["blockSize"]) == ("openai/gpt-oss-120b", "oss", 64)
    assert settings["location"] == "us-central1-a"


def test_a_described_cluster_gives_location_machine_and_bounds(adopted: Any) -> None:
    pool = {
        "name": "l4",
        "autoscaling": {"enabled": True, "minNodeCount": 1, "maxNodeCount": 5},
        "config": {
            "machineType": "g2-standard-8",
            "spot": True,
            "accelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": "1"}],
        },
    }
    cluster = {"name": "old", "location": "europe-west4-a", "nodePools": [pool], "currentMasterVersion": "1.34"}
    settings, _ = adopted(deployment("a", "Qwen/Qwen3-8B"), cluster)
    assert settings["location"] == "europe-west4-a"
    assert settings["accelerator"] == {
        "type": "nvidia-l4",
        "machineType": "g2-standard-8",
        "provisioning": "spot",
        "nodes": {"min": 1, "max": 5},
    }


def test_a_group_of_pods_counts_its_hosts(adopted: Any) -> None:
    pod = deployment("x", "Qwen/Qwen3-8B", "--pipeline-parallel-size", "2")["spec"]["template"]
    group = {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": {"name": "a"},
        "spec": {"replicas": 1, "leaderWorkerTemplate": {"size": 2, "leaderTemplate": pod, "workerTemplate": pod}},
    }
    settings, _ = adopted(group)
    assert settings["accelerator"]["nodes"]["max"] == 2
    assert settings["models"][0]["pipelineParallel"] == 2


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("gs://weights/qwen", {"kind": "bucket", "bucket": "weights", "path": "qwen"}),
        ("pvc://claim/models/qwen", {"kind": "volume-claim", "claim": "claim", "path": "models/qwen"}),
        ("hf://Qwen/Qwen3-8B@abc", {"kind": "hugging-face", "revision": "abc"}),
    ],
)
def test_where_weights_come_from(adopted: Any, uri: str, source: dict[str, str]) -> None:
    spec = {"model": {"uri": uri, "name": "Qwen/Qwen3-8B"}, "replicas": 1}
    service = {"apiVersion": "serving.kserve.io/v1alpha2", "kind": "LLMInferenceService", "metadata": {"name": "a"}}
    settings, _ = adopted({**service, "spec": spec})
    assert settings["models"][0]["source"] == source
    assert settings["models"][0]["id"] == "Qwen/Qwen3-8B"


def test_a_server_that_comes_under_kserve_is_named(adopted: Any) -> None:
    spec = {"model": {"uri": "hf://Qwen/Qwen3-8B", "name": "Qwen/Qwen3-8B"}, "replicas": 1}
    service = {"apiVersion": "serving.kserve.io/v1alpha2", "kind": "LLMInferenceService", "metadata": {"name": "a"}}
    settings, left = adopted({**service, "spec": spec}, deployment("b", "google/gemma-2-9b-it"))
    assert settings["deployment"] == "kserve"
    assert [entry.partition(": KServe")[0] for entry in left if "without KServe" in entry] == [
        "Deployment/b: deployment without KServe"
    ]


def test_flags_of_the_planner_are_left_without_their_values() -> None:
    settings, extra, left = settings_of(["--api-key", "not-to-be-shown", "--max-model-len=1K", "--seed=3"], "here")
    assert settings == {"maxModelLen": 1024}
    assert extra == ["--seed=3"]
    assert [entry.what for entry in left] == ["--api-key"]


def test_a_flag_of_the_planner_with_a_variable_is_not_to_be_set_by_hand() -> None:
    _, _, left = settings_of(["--api-key", "$KEY", "--seed", "$SEED"], "here")
    assert [(entry.what, "by hand" in entry.why, "authenticate" in entry.why) for entry in left] == [
        ("--api-key $KEY", False, True),
        ("--seed $SEED", True, False),
    ]


def test_a_value_that_a_stack_file_cannot_hold_is_left(adopted: Any) -> None:
    settings, left = adopted(deployment("a", "Qwen/Qwen3-8B", "--quantization", "own_method"))
    assert "quantization" not in settings["models"][0]
    assert any("quantization own_method" in entry for entry in left)


def test_speculation_becomes_its_setting() -> None:
    text = '{"method": "ngram", "num_speculative_tokens": 4}'
    settings, _, left = settings_of(["--speculative-config", text], "here")
    assert settings == {"speculativeDecoding": {"method": "ngram", "tokens": 4}}
    assert left == []


def test_files_without_a_server_are_refused_with_what_they_hold(adopted: Any) -> None:
    with pytest.raises(AdoptError, match="no document holds a vLLM server") as refused:
        adopted({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}})
    assert "Service/web" in str(refused.value)


@pytest.mark.parametrize(
    ("content", "where", "fix"),
    [
        (b"a: 1\nb: {{ .Values.x }}\n", "line 2, column ", "render templates first"),
        (b"a: 1\nb: [1\n", "line 3, column 1: ", "correct it"),
        (b"- a\n- b: c: d\n", "line 2, column 7: mapping values are not allowed here", "correct it"),
        (b"\xff\xfea", "it is no text in UTF-8", "correct it"),
    ],
)
def test_what_is_no_yaml_is_named_with_its_line(tmp_path: Path, content: bytes, where: str, fix: str) -> None:
    (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(AdoptError, match=r"x\.yaml is not valid YAML: ") as refused:
        read_files([tmp_path / "x.yaml"])
    assert where in str(refused.value)
    assert fix in str(refused.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "x.yaml: file: it has no document"),
        ("---\n---\n", "x.yaml: file: it has no document"),
        ("- a\n- b\n", "x.yaml: document that begins with 'a': it has no keys"),
        ("Hello.\n", "x.yaml: document that begins with 'Hello.': it has no keys"),
        ("apiVersion: v1\nkind: List\nitems: []\n", "x.yaml: List: it has no items"),
    ],
)
def test_what_is_no_manifest_is_named(
    tmp_path: Path, content: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.yaml").write_text(content, encoding="utf-8")
    assert llmd("adopt-manifests", str(tmp_path / "x.yaml")) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert what in printed
    assert "Name files with a Deployment" in printed


def test_a_folder_without_manifests_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("a", encoding="utf-8")
    with pytest.raises(AdoptError, match=r"the folder has no file that ends with \.yaml"):
        read_files([tmp_path])


@pytest.mark.parametrize(
    ("accelerator", "words"),
    [
        ("nvida-l4", "--accelerator nvida-l4: the catalog has no accelerator of this name; did you mean nvidia-l4?"),
        ("h100", "it may be nvidia-h100-80gb, nvidia-h100-mega-80gb"),
    ],
)
def test_an_accelerator_that_is_none_is_not_left_out(
    accelerator: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(deployment("chat", "Qwen/Qwen3-8B")), encoding="utf-8")
    assert llmd("adopt-manifests", str(tmp_path), "--accelerator", accelerator) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_an_unknown_option_of_vllm_comes_with_the_nearest(adopted: Any) -> None:
    _, left = adopted(
        deployment("chat", "Qwen/Qwen3-8B", "--max-modle-len=4096"), location="us-central1-a", accelerator="nvidia-l4"
    )
    assert any("has no option --max-modle-len; did you mean --max-model-len?" in line for line in left)


class TestModelNames:
    def test_a_path_stands_for_the_only_model_of_its_name(self, adopted: Any) -> None:
        settings, left = adopted(deployment("chat", "/models/Qwen2.5-3B-Instruct"), location="us-central1-a")
        assert settings["models"][0]["id"] == "Qwen/Qwen2.5-3B-Instruct"
        # Clients go on naming the path.
        assert settings["models"][0]["servedName"] == "/models/Qwen2.5-3B-Instruct"
        assert any("/models/Qwen2.5-3B-Instruct" in line and "taken for it" in line for line in left)

    def test_a_path_without_a_known_name_is_left_to_the_reader(self, adopted: Any) -> None:
        with pytest.raises(AdoptError, match="no model of the catalog has its name"):
            adopted(deployment("chat", "/models/our-own-checkpoint"))

    @pytest.mark.parametrize("model", ["$(MODEL_ID)", "gs://$(BUCKET)/$(MODEL_ID)", "{{ .Values.model }}"])
    def test_a_variable_without_a_value_is_named(self, adopted: Any, model: str) -> None:
        with pytest.raises(AdoptError, match="its value is not in the files"):
            adopted(deployment("chat", model))

    def test_templates_of_the_model_service_chart_are_filled_in(self, adopted: Any) -> None:
        values = {
            "modelArtifacts": {"name": "Qwen/Qwen2.5-3B-Instruct", "uri": 'hf://"{{ .Values.modelArtifacts.name }}"'},
            "decode": {
                "replicas": 1,
                "containers": [{"name": "vllm", "image": "vllm/vllm-openai:v0.19.1", "args": ["--seed", "1"]}],
            },
        }
        settings, _ = adopted(values, location="us-central1-a", accelerator="nvidia-l4")
        assert settings["models"][0]["id"] == "Qwen/Qwen2.5-3B-Instruct"


class TestOptions:
    def test_those_that_the_release_s_vllm_lacks_are_left_with_their_values(self, adopted: Any) -> None:
        arguments = ("google/gemma-2b-it", "--swap-space", "16", "--seed=7", "--disable-log-requests")
        settings, left = adopted(deployment("chat", *arguments), location="us-central1-a")
        [model] = settings["models"]
        assert model.get("extraArgs", []) in ([], ["--seed=7"])
        assert any("--swap-space 16" in line and "has no option" in line for line in left)

    @pytest.mark.parametrize("option", [("--no-such-option", "-1"), ("--max-logprobs", "-2.5")])
    def test_a_negative_number_is_left_with_its_option(self, adopted: Any, option: tuple[str, str]) -> None:
        arguments = ("google/gemma-2b-it", *option, "--seed", "-7", "--swap-space", "-1")
        settings, left = adopted(deployment("chat", *arguments), location="us-central1-a")
        assert settings["models"][0].get("extraArgs", []) in ([], ["--seed", "-7"])
        assert any(" ".join(option) in line for line in left)
        assert any("--swap-space -1" in line for line in left)

    def test_the_machine_has_the_accelerators_that_a_model_is_divided_over(self, adopted: Any) -> None:
        divided = deployment("chat", "google/gemma-2b-it", "--tensor-parallel-size=2", resources={})
        settings, _ = adopted(divided, location="us-central1-a")
        machine = catalog.load().machines[settings["accelerator"]["machineType"]]
        assert machine.accelerator_count == 2


def test_no_argument_is_left_out_without_a_word() -> None:
    settings, extra, left = settings_of(["--port=8000", "--enable-lora", "--max-lora-rank=64", "--headless"], "here")
    assert (settings, extra) == ({}, [])
    assert [(item.what, item.why) for item in left] == [
        ("arguments --enable-lora, --max-lora-rank", "set models[].adapters, with which they come"),
        ("arguments --port, --headless", "the stack sets them where they are needed"),
    ]
    settings, _, left = settings_of(["--enable-lora", "--max-lora-rank=64", "--lora-modules", "sql=me/sql"], "here")
    assert (settings, left) == ({"adapters": [{"name": "sql", "source": "me/sql", "rank": 64}]}, [])


def test_a_file_that_was_written_is_not_said_to_be_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(deployment("one", "--model=Qwen/Qwen3-8B")), encoding="utf-8")
    assert adopt_files([tmp_path / "one.yaml"], None, None, None) == 2
    text = capsys.readouterr().out
    assert "The stack file is refused as it is:\n\nLLMD-SETTING-MISSING  llm-d:location" in text
    assert "nothing was changed" not in text
