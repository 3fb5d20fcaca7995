"""Settings of tool calls, reasoning, chat template, guessed tokens and offloaded blocks reach the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.catalog.engine_tables import load_facts, versions
from llm_d_gke.planning import StackPlan, plan_raw
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.stackfile.model_files import model_files
from tests.objects import container, of_kind, one
from tests.planning.refusals.case import findings_of
from tests.stacks import ENCRYPTED, graph_of, plan_of, values_of

TEMPLATE = "tests/planning/serving/chat_template.jinja"
ROOMY = {
    "type": "nvidia-l4",
    "machineType": "g2-standard-48",
    "nodes": {"min": 0, "max": 2},
}


def server(**model: Any) -> ModelServerPlan:
    return plan_of("gpu", {f"models[0].{key}": value for key, value in model.items()}).models[0].servers[0]


def planned(root: Path, **model: Any) -> StackPlan:
    values = values_of("gpu", {f"models[0].{key}": value for key, value in model.items()})
    return plan_raw("gpu", values, ENCRYPTED, files=model_files(values, root))


class TestArguments:
    def test_a_stack_without_these_settings_has_none_of_the_arguments(self) -> None:
        args = server().pod.args
        assert not {arg for arg in args if arg.startswith(("--tool", "--reason", "--chat", "--spec", "--kv-off"))}

    def test_a_parser_of_tool_calls_turns_their_choice_on(self) -> None:
        args = server(toolCallParser="hermes").pod.args
        assert args[args.index("--enable-auto-tool-choice") + 1 :][:2] == ("--tool-call-parser", "hermes")

    def test_a_parser_of_reasoning_is_named(self) -> None:
        args = server(reasoningParser="qwen3").pod.args
        assert args[args.index("--reasoning-parser") + 1] == "qwen3"

    @pytest.mark.parametrize(
        ("setting", "kind"), [("toolCallParser", "tool-parser"), ("reasoningParser", "reasoning-parser")]
    )
    def test_a_plugin_in_the_image_brings_names_of_its_own(self, setting: str, kind: str) -> None:
        plugin = [f"--{kind}-plugin", "/plugins/nano_v3.py"]
        args = server(allowExtraArgs=True, extraArgs=plugin, **{setting: "nano_v3"}).pod.args
        assert set(plugin) | {"nano_v3"} <= set(args)

    @pytest.mark.parametrize(
        ("setting", "config"),
        [
            ({"method": "ngram", "tokens": 3}, {"method": "ngram", "num_speculative_tokens": 3}),
            (
                {"method": "eagle3", "tokens": 2, "draftModel": "acme/head"},
                {"method": "eagle3", "num_speculative_tokens": 2, "model": "acme/head"},
            ),
        ],
        ids=["ngram", "eagle3"],
    )
    def test_guessing_is_one_argument_in_json(self, setting: dict[str, Any], config: dict[str, Any]) -> None:
        args = server(id="Qwen/Qwen3-0.6B", speculativeDecoding=setting).pod.args
        assert json.loads(args[args.index("--speculative-config") + 1]) == config

    def test_guessed_tokens_count_in_memory_as_those_of_the_argument(self) -> None:
        by_argument = server(
            allowExtraArgs=True,
            extraArgs=["--speculative-config", '{"method": "ngram", "num_speculative_tokens": 5}'],
        )
        assert server(speculativeDecoding={"method": "ngram", "tokens": 5}).memory == by_argument.memory
        assert by_argument.memory != server().memory


class TestOffload:
    def test_the_host_takes_the_size_by_the_engines_own_way(self) -> None:
        args = plan_of("gpu", {"accelerator": ROOMY, "models[0].kvOffloadGib": 20}).models[0].servers[0].pod.args
        assert args[args.index("--kv-offloading-size") :][:4] == (
            "--kv-offloading-size",
            "20",
            "--kv-offloading-backend",
            "native",
        )

    def test_shared_memory_has_room_for_the_blocks(self) -> None:
        def shared(**changes: Any) -> str:
            pod = plan_of("gpu", {"accelerator": ROOMY, **changes}).models[0].servers[0].pod
            [size] = [v.source["sizeLimit"] for v in pod.volumes if v.name == "shared-memory"]
            return str(size)

        assert int(shared(**{"models[0].kvOffloadGib": 20})[:-2]) == int(shared()[:-2]) + 20

    def test_a_hybrid_model_may_offload_where_the_engine_keeps_its_layers_apart(self) -> None:
        model = {"id": "google/gemma-3-4b-it", "maxModelLen": 2048, "kvOffloadGib": 8}
        plan = plan_of("gpu", {"release": "llm-d-0.9", "accelerator": ROOMY, "models[0]": model})
        args = plan.models[0].servers[0].pod.args
        assert args[args.index("--kv-offloading-size") + 1] == "8"


class TestTemplate:
    def test_the_pod_mounts_the_text_and_the_engine_reads_it(self, tmp_path: Path) -> None:
        (tmp_path / "chat.jinja").write_text("{{ messages }}")
        model_server = planned(tmp_path, chatTemplate="chat.jinja").models[0].servers[0]
        assert model_server.chat_template is not None
        assert model_server.chat_template.content == "{{ messages }}"
        [volume] = [volume for volume in model_server.pod.volumes if volume.name == "chat-template"]
        assert volume.source == {"name": model_server.chat_template.name}
        args = model_server.pod.args
        assert args[args.index("--chat-template") + 1] == f"{volume.mount_path}/{model_server.chat_template.key}"

    def test_another_text_starts_other_pods(self, tmp_path: Path) -> None:
        def name(text: str) -> str:
            (tmp_path / "chat.jinja").write_text(text)
            template = planned(tmp_path, chatTemplate="chat.jinja").models[0].servers[0].chat_template
            assert template is not None
            return template.name

        assert name("a{{ messages }}") == name("a{{ messages }}") != name("b{{ messages }}")

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (None, "there is no such file"),
            (b" \n", "it is empty"),
            (b"\xff\xfe\x00", "it is not a text in UTF-8"),
            (b"x" * 1_000_001, "it has more than 1 MiB, the most that a ConfigMap holds"),
        ],
        ids=["missing", "empty", "binary", "large"],
    )
    def test_a_file_that_is_no_template_is_said_to_be_none(
        self, tmp_path: Path, content: bytes | None, problem: str
    ) -> None:
        if content is not None:
            (tmp_path / "chat.jinja").write_bytes(content)
        files = model_files({"models": [{"id": "a/b", "chatTemplate": "chat.jinja"}]}, tmp_path)
        assert files["a/b"].chat_template_problem == problem
        assert files["a/b"].chat_template is None

    @pytest.mark.parametrize("stack", ["gpu", "kserve-single-replica-gpu"])
    def test_both_back_ends_create_the_file_that_their_pods_mount(self, stack: str) -> None:
        graph = graph_of(stack, {"models[0].chatTemplate": TEMPLATE, "models[0].toolCallParser": "hermes"})
        if stack == "gpu":
            [pod] = [
                body["spec"]["template"] for body in of_kind(graph, "Deployment") if "vllm" in body["metadata"]["name"]
            ]
        else:
            pod = {"spec": one(graph, "LLMInferenceService")["spec"]["template"]}
        [mounted] = [v["configMap"]["name"] for v in pod["spec"]["volumes"] if v["name"] == "chat-template"]
        [config] = [body for body in of_kind(graph, "ConfigMap") if body["metadata"]["name"] == mounted]
        assert "{{ message.role }}" in config["data"]["template.jinja"]
        args = container(pod)["args"]
        assert "--chat-template" in args
        assert "hermes" in args


class TestTables:
    @pytest.mark.parametrize("version", versions())
    def test_every_version_lists_parsers_and_methods(self, version: str) -> None:
        facts = load_facts(version)
        if any(question.endswith(": parsers") for question in facts.unanswered):
            assert facts.tool_parsers == facts.reasoning_parsers == ()
            return
        assert {"hermes", "mistral"} <= set(facts.tool_parsers)
        assert {"qwen3", "deepseek_r1"} <= set(facts.reasoning_parsers)
        assert {"ngram", "mtp", "eagle3", "draft_model"} <= set(facts.speculative_methods)
        assert {"--kv-offloading-size", "--kv-offloading-backend"} <= set(facts.options)


def test_ampere_keeps_an_e5m2_cache() -> None:
    a100 = {"type": "nvidia-tesla-a100", "machineType": "a2-highgpu-1g", "nodes": {"min": 0, "max": 1}}
    changes = {"location": "us-central1-a", "accelerator": a100, "models[0].kvCacheDtype": "fp8_e5m2"}
    assert "LLMD-KV-CACHE-FP8" not in {finding.id for finding in plan_of("gpu", changes).warnings}


@pytest.mark.parametrize(
    ("model", "cache", "refused"),
    [
        ("Qwen/Qwen3-8B", "fp8", False),
        ("Qwen/Qwen3-8B", "fp8_per_token_head", True),
        ("google/gemma-4-31B-it", "fp8", True),  # all of its layers have Triton's attention
    ],
)
def test_ampere_reads_an_fp8_cache_where_vllm_takes_flashinfer(model: str, cache: str, refused: bool) -> None:
    a100 = {"type": "nvidia-a100-80gb", "machineType": "a2-ultragpu-1g", "nodes": {"min": 0, "max": 1}}
    changes = {
        "location": "us-central1-a",
        "accelerator": a100,
        "models[0]": {"id": model, "image": "vllm/vllm-openai:v0.26.0", "maxModelLen": 4096, "kvCacheDtype": cache},
    }
    assert ("LLMD-KV-CACHE-FP8" in {finding.id for finding in findings_of("gpu", changes)}) == refused
