"""Real vLLM on a processor: which version, which arguments, which tiny model, and one sentence where it cannot run."""

from __future__ import annotations

import json
import platform
import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from llm_d_gke import catalog
from llm_d_gke.cli.run import run_app
from llm_d_gke.planning import plan_raw
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.rehearsal.cli import app
from llm_d_gke.rehearsal.engine_choice import EngineChoice, choose_engine, engine_of, record_engine
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.node_agent.engine_arguments import UnknownCommandError
from llm_d_gke.rehearsal.node_agent.launch import Launch
from llm_d_gke.rehearsal.node_agent.vllm_on_cpu import EngineVersion, VllmOnCpu, runs_vllm
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.vllm_cpu import tiny_model, versions
from llm_d_gke.rehearsal.vllm_cpu.arguments import ServedModel, command_for
from llm_d_gke.rehearsal.vllm_cpu.environment import SERVE, EngineEnvironment
from llm_d_gke.rehearsal.vllm_cpu.model_folders import read_models, tiny_models, write_models
from llm_d_gke.rehearsal.vllm_cpu.prepare import prepare
from llm_d_gke.rehearsal.vllm_cpu.tiny_model import NoTinyModelError
from llm_d_gke.rehearsal.vllm_cpu.versions import EngineUnavailableError, check_machine, nearest, version_in
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig

CATALOG = catalog.load()
MODEL = "google/gemma-2b-it"
SERVED = ServedModel(Path("/tiny"), MODEL, 16, 1000, {"style": Path("/tiny/adapters/style")})


def command(*arguments: str, models: Mapping[str, ServedModel] | None = None) -> tuple[str, ...]:
    return command_for(["vllm", "serve"], [MODEL, *arguments], {}, models or {MODEL: SERVED}).arguments


def planned(stack: str, overrides: Mapping[str, str] | None = None) -> tuple[StackPlan, StackConfig]:
    configuration = load(PROJECT_ROOT, stack, overrides)
    return plan_raw(stack, configuration.settings(), configuration.encrypted()), configuration


class TestVersions:
    @pytest.mark.parametrize(
        ("requested", "runs"),
        [("0.26.0", "0.26.0"), ("0.19.1", "0.19.1"), ("0.18.0", "0.19.1"), ("0.11.2", "0.17.1"), ("0.33.0", "0.30.0")],
    )
    def test_the_engines_own_version_or_the_nearest(self, requested: str, runs: str) -> None:
        assert nearest(requested) == runs

    @pytest.mark.parametrize(
        ("image", "version"),
        [
            ("vllm/vllm-openai:v0.26.0@sha256:aa", "0.26.0"),
            ("ghcr.io/llm-d/llm-d-cuda:v0.6.0", "0.17.1"),
            ("localhost:5000/mirror/vllm/vllm-openai:v0.19.1", "0.19.1"),
            ("registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.2.5", "0.11.2"),
            ("example.com/vllm-openai:v0.21.0-patched", "0.21.0"),
            ("example.com/vllm-openai:latest", versions.pinned_versions()[-1]),
        ],
    )
    def test_the_version_in_an_image_is_the_catalogs_or_its_tag(self, image: str, version: str) -> None:
        assert version_in(image, CATALOG) == version

    @pytest.mark.parametrize("version", versions.pinned_versions())
    def test_every_version_pins_each_package_once_and_none_of_an_accelerator(self, version: str) -> None:
        lines = (versions.PINS / f"{version}.txt").read_text(encoding="utf-8").splitlines()
        names = [line.partition("==")[0] for line in lines if ";" not in line]
        assert f"vllm-cpu=={version}" in lines
        assert all("==" in line for line in lines)
        assert len(names) == len(set(names))
        assert not [name for name in names if name.startswith(("nvidia-", "cuda-", "triton"))]

    def test_a_processor_without_a_wheel_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(platform, "machine", lambda: "riscv64")
        with pytest.raises(EngineUnavailableError, match=r"x86-64 .* riscv64: leave --engine vllm .* out"):
            check_machine("0.26.0")

    def test_a_processor_without_avx2_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "cpuinfo").write_text("flags : fpu sse4_2\n", encoding="utf-8")
        monkeypatch.setattr(versions, "_CPU_INFO", tmp_path / "cpuinfo")
        with pytest.raises(EngineUnavailableError, match="AVX2"):
            check_machine("0.26.0")

    def test_a_newer_python_is_named_with_the_one_to_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "version_info", (3, 14, 0))
        check_machine("0.26.0")
        with pytest.raises(EngineUnavailableError, match=r"Python 3\.14: .* PYTHON=python3\.13"):
            check_machine("0.19.1")


class TestArguments:
    def test_what_an_accelerator_takes_is_left_out_and_named(self) -> None:
        words = ["--tensor-parallel-size", "4", "--kv-transfer-config", '{"kv_connector": "NixlConnector"}']
        words += ["--max-model-len=2048", "--quantization", "fp8", "-O3", "--enable-prefix-caching", "--port", "8200"]
        cpu_command = command_for(["vllm", "serve"], [MODEL, *words], {}, {MODEL: SERVED})
        assert cpu_command.dropped == ("--O", "--kv-transfer-config", "--quantization", "--tensor-parallel-size")
        assert cpu_command.port == 8200
        assert cpu_command.arguments[:3] == ("/tiny", "--max-model-len=2048", "--enable-prefix-caching")
        assert not {"4", "fp8", "8200", "-O3"} & set(cpu_command.arguments)

    @pytest.mark.parametrize(("connector", "is_passed_on"), [("NixlConnector", True), ("TPUConnector", False)])
    def test_only_a_connector_that_takes_a_processors_memory_is_passed_on(
        self, connector: str, is_passed_on: bool
    ) -> None:
        config = json.dumps({"kv_connector": connector, "kv_role": "kv_consumer"})
        words = [MODEL, "--kv-transfer-config", config]
        cpu_command = command_for(["vllm", "serve"], words, {}, {MODEL: SERVED}, transfers=True)
        assert cpu_command.transfers is is_passed_on
        assert (config in cpu_command.arguments) is is_passed_on
        assert ("--kv-transfer-config" in cpu_command.dropped) is not is_passed_on

    def test_the_model_is_a_folder_under_the_names_of_the_pod(self) -> None:
        assert command("--served-model-name", "chat", MODEL, models={"chat": SERVED})[:4] == (
            "/tiny",
            "--served-model-name",
            "chat",
            MODEL,
        )
        assert command()[:3] == ("/tiny", "--served-model-name", MODEL)

    def test_blocks_are_the_accelerators_unless_the_pod_says_so(self) -> None:
        assert "--block-size 16 --num-gpu-blocks-override 1000" in " ".join(command())
        assert command("--block-size", "32").count("--block-size") == 1

    @pytest.mark.parametrize(
        ("version", "words", "stated", "size"),
        [
            ("0.26.0", (), 16, 16),
            ("0.30.0", (), 16, 32),
            ("0.30.0", ("--block-size", "48"), 48, 64),
            ("0.30.0", ("--block-size", "64"), 64, 64),
        ],
    )
    def test_blocks_are_as_large_as_a_processor_takes_them(
        self, version: str, words: tuple[str, ...], stated: int, size: int
    ) -> None:
        """0.30 ends with "No common block size for 16", where 0.26 only prefers multiples of 32."""
        served = replace(SERVED, block_multiple=versions.block_multiple(version))
        built = command_for(["vllm", "serve"], [MODEL, *words], {}, {MODEL: served})
        assert f"--block-size {size} --num-gpu-blocks-override {1000 * stated // size}" in " ".join(built.arguments)
        assert built.blocks == (None if size == stated else (stated, size))

    def test_adapters_are_the_folders_that_were_written(self) -> None:
        module = json.dumps({"name": "style", "path": "/adapters/0", "base_model_name": MODEL})
        words = command(
            "--enable-lora",
            "--lora-modules",
            module,
            "plain=/x",
            models={MODEL: replace(SERVED, adapters={"style": Path("/a"), "plain": Path("/b")})},
        )
        place = words.index("--lora-modules")
        assert json.loads(words[place + 1]) == {"name": "style", "path": "/a", "base_model_name": MODEL}
        assert words[place + 2] == "plain=/b"

    @pytest.mark.parametrize("words", [["--data-parallel-size", "2"], ["--lora-modules", "other=/x"]])
    def test_what_cannot_run_is_refused(self, words: list[str]) -> None:
        with pytest.raises(UnknownCommandError):
            command(*words)

    def test_a_model_without_a_tiny_one_is_refused_by_name(self) -> None:
        with pytest.raises(UnknownCommandError, match="acme/other"):
            command_for([], ["--model", "acme/other"], {}, {MODEL: SERVED})


class TestLaunch:
    def launched(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Launch:
        engine = VllmOnCpu(EngineVersion("0.18.0", EngineEnvironment("0.19.1", Path("/env"))), {MODEL: SERVED})
        container = {"command": ["vllm", "serve"], "args": [MODEL, *arguments]}
        return engine.launch(container, environment or {}, {"/var/cache": "/pod/cache"}, lambda port, _: port + 20000)

    def test_it_runs_vllms_own_command_on_a_port_of_this_machine(self) -> None:
        started = self.launched("--port", "8000")
        assert started.arguments[:4] == ("-P", str(SERVE), "serve", "/tiny")
        assert started.arguments[-4:] == ("--host", "127.0.0.1", "--port", "28000")
        assert started.ports == {8000: 28000}

    def test_events_are_published_on_a_port_of_this_machine(self) -> None:
        config = '{"publisher":"zmq","endpoint":"tcp://*:5557","topic":"kv@10.0.0.1:8000@m"}'
        started = self.launched("--kv-events-config", config)
        assert started.ports == {8000: 28000, 5557: 25557}
        assert config.replace("5557", "25557") in started.arguments

    def test_ranks_and_their_supervisor_have_ports_of_this_machine(self) -> None:
        words = ["--data-parallel-size", "2", "--data-parallel-size-local", "2", "--enable-expert-parallel"]
        words += ["--data-parallel-supervisor-port", "8208", "--data-parallel-multi-port-external-lb"]
        started = self.launched(*words)
        assert started.ports == {8000: 28000, 8001: 28001, 8208: 28208}
        assert "--data-parallel-supervisor-port 28208 --data-parallel-rpc-port 49550" in " ".join(started.arguments)
        assert "--enable-expert-parallel" not in started.arguments
        assert started.remarks[1].endswith(": --enable-expert-parallel")

    def test_kv_caches_are_offered_on_a_port_of_this_machine(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(EngineEnvironment, "transfer", tmp_path)
        environment = {"VLLM_NIXL_SIDE_CHANNEL_HOST": "10.0.0.1", "VLLM_NIXL_SIDE_CHANNEL_PORT": "5600"}
        started = self.launched("--kv-transfer-config", '{"kv_connector":"NixlConnector"}', environment=environment)
        assert started.ports == {8000: 28000, 5600: 25600}
        assert started.environment["VLLM_NIXL_SIDE_CHANNEL_HOST"] == "127.0.0.1"
        assert started.environment["VLLM_NIXL_SIDE_CHANNEL_PORT"] == "25600"
        assert started.environment["PYTHONPATH"] == str(tmp_path)

    def test_paths_of_volumes_are_folders_and_the_engines_own_variables_win(self) -> None:
        environment = {"TRITON_CACHE_DIR": "/var/cache/triton", "LD_LIBRARY_PATH": "/usr/local/nvidia/lib64"}
        variables = self.launched(environment=environment).environment
        assert variables["TRITON_CACHE_DIR"] == "/pod/cache/triton"
        assert variables["LD_LIBRARY_PATH"] == "/env/stub-libraries"
        assert variables["HF_HUB_OFFLINE"] == "1"

    def test_another_version_and_left_out_arguments_are_differences(self) -> None:
        first, second = self.launched("--tensor-parallel-size", "2").remarks
        assert first.startswith("vLLM 0.19.1 instead of 0.18.0")
        assert "--tensor-parallel-size" in second


class TestTinyModels:
    @pytest.mark.parametrize("name", sorted(CATALOG.models))
    def test_every_model_has_a_tiny_one_or_is_refused_with_what_to_do(self, name: str) -> None:
        model = CATALOG.models[name]
        if model.architecture not in tiny_model.supported():
            with pytest.raises(NoTinyModelError, match=rf"{model.architecture}; leave --engine vllm out"):
                tiny_model.config(model)
            return
        config = tiny_model.config(model)
        assert config["architectures"] == [model.architecture]
        assert config["max_position_embeddings"] == model.context
        assert (config["num_key_value_heads"] < config["num_attention_heads"]) == (
            model.kv_heads < model.attention_heads
        )

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            (MODEL, "sentencepiece"),
            ("TinyLlama/TinyLlama-1.1B-Chat-v1.0", "sentencepiece"),
            ("meta-llama/Llama-3.1-8B-Instruct", "byte-level"),
            ("Qwen/Qwen3-8B", "byte-level"),
        ],
    )
    def test_the_tokenizer_is_of_the_models_kind(self, name: str, kind: str) -> None:
        assert tiny_model.tokenizer_kind(CATALOG.models[name]) == kind

    def test_folders_hold_model_and_adapters_and_the_plans_cache(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trained: list[str] = []

        def train(command: list[str], **_: object) -> None:
            trained.append(command[3])
            (Path(command[2]) / "tokenizer.json").write_text("{}")

        monkeypatch.setattr(subprocess, "run", train)
        adapter = {"llm-d:models[0].adapters[0].name": "style", "llm-d:models[0].adapters[0].source": "acme/style"}
        plan, configuration = planned("prefix-cache-gpu", adapter)
        paths = StackPaths("prefix-cache-gpu", tmp_path)
        for _ in range(2):
            write_models(paths, tiny_models(plan, configuration), EngineEnvironment("0.26.0", tmp_path))
        assert trained == ["byte-level"]
        served = read_models(paths)[plan.models[0].served_name]
        expected = plan.models[0].servers[0].latency
        assert expected is not None
        assert (served.block_size, served.blocks) == (expected["block_size"], expected["kv_cache_blocks"])
        assert json.loads((served.folder / "config.json").read_text())["architectures"] == ["Qwen2ForCausalLM"]
        assert tensors(served.adapters["style"])["base_model.model.model.layers.1.self_attn.o_proj.lora_B.weight"] == [
            tiny_model.HIDDEN,
            16,
        ]


def tensors(folder: Path) -> dict[str, Any]:
    """Shapes by name, and a check that the file is as long as its header says."""
    data = (folder / "adapter_model.safetensors").read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    assert max(entry["data_offsets"][1] for entry in header.values()) == len(data) - 8 - length
    return {name: entry["shape"] for name, entry in header.items()}


class TestRefusals:
    def refused(self, stack: str, tmp_path: Path, overrides: Mapping[str, str] | None = None) -> str:
        plan, configuration = planned(stack, overrides)
        with pytest.raises(RehearsalError) as refused:
            prepare(StackPaths(stack, tmp_path), plan, configuration, print)
        assert not (tmp_path / ".rehearsal").exists()
        return str(refused.value)

    def test_too_little_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2 * 2**30))
        message = self.refused("prefix-cache-gpu", tmp_path)
        assert message.startswith("3 model servers with real vLLM need 5.4 GiB of memory (1.3 each), and 2.0 GiB are")
        assert "models[0].replicas=1" in message

    def test_an_architecture_without_a_tiny_model(self, tmp_path: Path) -> None:
        assert "architecture DeepseekV3ForCausalLM" in self.refused("mixture-of-experts-wide-gpu", tmp_path)

    def test_data_parallel_ranks(self, tmp_path: Path) -> None:
        overrides = {"llm-d:models[0].id": "Qwen/Qwen3-30B-A3B"}
        assert "data-parallel ranks" in self.refused("mixture-of-experts-wide-gpu", tmp_path, overrides)

    def test_a_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LLM_D_REHEARSAL_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30))
        plan, configuration = planned("gpu")
        with pytest.raises(EngineUnavailableError, match=r"4\.5 GiB of disk .* 1\.0 GiB left"):
            prepare(StackPaths("gpu", tmp_path), plan, configuration, lambda _: None)


class TestChoice:
    def test_an_unknown_engine_is_refused_with_those_that_exist(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_app(app, "llmd", ["up", "gpu", "--engine", "triton"]) == 2
        printed = capsys.readouterr().err
        assert all(word in printed for word in ("'triton'", "'simulator'", "'vllm'"))

    def test_a_stack_keeps_its_engine_until_it_is_down(self, tmp_path: Path) -> None:
        paths = StackPaths("gpu", tmp_path)
        assert choose_engine(paths, None) is EngineChoice.SIMULATOR
        record_engine(paths, choose_engine(paths, EngineChoice.VLLM))
        assert choose_engine(paths, None) is EngineChoice.SIMULATOR  # nothing runs: the record is of an attempt
        paths.cloud.write_text("{}", encoding="utf-8")
        assert choose_engine(paths, None) is EngineChoice.VLLM is engine_of(paths)
        with pytest.raises(RehearsalError, match=r"make down STACK=gpu first, .* ENGINE=simulator"):
            choose_engine(paths, EngineChoice.SIMULATOR)

    def test_a_pod_of_the_simulators_image_keeps_it(self, tmp_path: Path) -> None:
        paths = StackPaths("gpu", tmp_path)
        record_engine(paths, EngineChoice.VLLM)
        assert runs_vllm(paths, "vllm/vllm-openai:v0.26.0")
        assert not runs_vllm(paths, "ghcr.io/llm-d/llm-d-inference-sim:v0.10.2")
