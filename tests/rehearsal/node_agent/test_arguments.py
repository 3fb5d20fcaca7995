"""A container's process gets the pod's own arguments; only ports, paths and what the simulated engine lacks differ."""

from __future__ import annotations

import json

import pytest

from llm_d_gke.rehearsal.node_agent.arguments import expand, mounted, with_configured_ports, with_ports
from llm_d_gke.rehearsal.node_agent.engine_arguments import EngineCommand, UnknownCommandError, serves, translate
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program, program
from llm_d_gke.rehearsal.node_agent.launch import ProgramLauncher, Simulated

MODEL = "google/gemma-2b-it"


def engine(command: list[str], arguments: list[str], environment: dict[str, str] | None = None) -> EngineCommand:
    return translate(command, arguments, environment or {}, {}, {})


def value(arguments: tuple[str, ...], flag: str) -> str | None:
    return next((word.partition("=")[2] for word in arguments if word.startswith(f"--{flag}=")), None)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("registry.k8s.io/gateway-api-inference-extension/epp:v1.5.0", Program.PICKER),
        ("ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.10.0", Program.PICKER),
        ("ghcr.io/llm-d/llm-d-inference-scheduler@sha256:aa", Program.SCHEDULER),
        ("ghcr.io/llm-d/llm-d-routing-sidecar:v0.7.1", Program.SIDECAR),
        ("ghcr.io/llm-d/llm-d-router-disagg-sidecar:v0.10.0", Program.SIDECAR),
        ("vllm/vllm-openai:v0.26.0@sha256:aa", Program.ENGINE),
        ("localhost:5000/vllm/vllm-tpu:v0.26.0", Program.ENGINE),
        ("ghcr.io/llm-d/llm-d-cuda:v0.4.0", Program.ENGINE),
        ("registry.k8s.io/gateway-api-inference-extension/bbr:v1.5.0", Program.ROUTER),
        ("registry.k8s.io/lws/lws:v0.9.0", Program.GROUPS),
        ("docker.io/library/busybox:1.37", Program.NONE),
        ("example.com/not-vllm-openai", Program.NONE),
    ],
)
def test_an_image_is_known_by_its_repository(image: str, expected: Program) -> None:
    assert program(image) is expected


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ([], ["--model", MODEL, "--port", "8200"]),
        ([], [f"--model={MODEL}", "--port=8200"]),
        ([], [MODEL, "--port", "8200"]),
        ([], ["serve", MODEL, "--port", "8200"]),
        (["vllm", "serve"], [MODEL, "--port", "8200"]),
        (["vllm"], ["serve", MODEL, "--port", "8200"]),
        (["vllm", "serve", MODEL], ["--port", "8200"]),
        (["python3", "-m", "vllm.entrypoints.openai.api_server"], [f"--model={MODEL}", "--port=8200"]),
        (["/usr/local/bin/vllm", "serve", MODEL, "--port=8200"], []),
        (["/bin/sh", "-c"], [f"set -e; mkdir -p /tmp/x\nexec vllm serve {MODEL} \\\n  --port $PORT # the port"]),
        (["bash", "-c", f"vllm serve '{MODEL}' --port ${{PORT:-1}} && true"], []),
        # As in KServe's presets.
        (["/bin/bash", "-c", f'X=1\neval "exec vllm serve {MODEL} \\\n --port $PORT ${{X}} $@"', "--"], []),
    ],
)
def test_every_way_to_start_vllm_is_understood(command: list[str], arguments: list[str]) -> None:
    translated = engine(command, arguments, {"PORT": "8200"})
    assert translated.arguments[:2] == ("--model", MODEL)
    assert translated.port == 8200


@pytest.mark.parametrize(("command", "arguments"), [(["sleep", "10"], []), (["sh", "-c", "echo hi"], []), ([], [])])
def test_a_command_without_a_server_is_refused(command: list[str], arguments: list[str]) -> None:
    with pytest.raises(UnknownCommandError):
        engine(command, arguments)


def test_flags_the_simulated_engine_lacks_are_dropped_with_their_values_and_named() -> None:
    translated = engine(
        [],
        [
            "--model",
            MODEL,
            "--dtype",
            "half",
            "--gpu_memory_utilization=0.85",
            "--disable-log-requests",
            "--max-model-len",
            "2048",
        ],
    )
    assert translated.dropped == ("--disable-log-requests", "--dtype", "--gpu-memory-utilization")
    assert value(translated.arguments, "max-model-len") == "2048"
    assert "half" not in translated.arguments
    assert "0.85" not in " ".join(translated.arguments)


def test_served_names_and_adapters_keep_all_their_values() -> None:
    translated = engine(
        [], ["--model", MODEL, "--served-model-name", "a", "b", "--lora-modules", '{"name":"x"}', "--port=1"]
    )
    assert translated.arguments[2:5] == ("--served-model-name", "a", "b")
    assert translated.arguments[-3:] == ("--lora-modules", '{"name":"x"}', "--force-dummy-tokenizer")


def test_the_base_of_an_adapter_is_the_model_that_the_simulator_knows() -> None:
    adapter = '{"name": "x", "path": "/a", "base_model_name": "support"}'
    translated = engine([], ["--model", MODEL, "--served-model-name", "support", "--lora-modules", adapter])
    module = translated.arguments[translated.arguments.index("--lora-modules") + 1]
    assert json.loads(module) == {"name": "x", "path": "/a", "base_model_name": MODEL}


@pytest.mark.parametrize(
    ("length", "expected"), [("2048", "2048"), ("32k", "32000"), ("32K", "32768"), ("auto", "8192")]
)
def test_context_lengths_are_numbers(length: str, expected: str) -> None:
    translated = translate([], ["--model", MODEL, "--max-model-len", length], {}, {}, {MODEL: 8192})
    assert value(translated.arguments, "max-model-len") == expected


def test_the_length_of_weights_at_a_path_is_that_of_the_served_name() -> None:
    words = ["--model", "/models/acme/qwen", "--served-model-name", MODEL]
    translated = translate([], words, {}, {}, {MODEL: 8192})
    assert value(translated.arguments, "max-model-len") == "8192"


def test_the_plan_says_how_fast_the_engine_is_and_how_large_its_cache() -> None:
    simulation = {
        MODEL: {
            "time_to_first_token_ms": 55.0,
            "inter_token_latency_ms": 12.5,
            "kv_cache_blocks": 700,
            "block_size": 16,
        }
    }
    translated = translate([], ["--model", MODEL], {}, simulation, {})  # type: ignore[arg-type]
    assert value(translated.arguments, "time-to-first-token") == "55ms"
    assert value(translated.arguments, "inter-token-latency") == "12.5ms"
    assert value(translated.arguments, "kv-cache-size") == "700"
    assert "--enable-kvcache" in translated.arguments


def test_a_block_size_the_simulator_lacks_is_replaced_and_told() -> None:
    translated = engine([], ["--model", MODEL, "--block-size", "256"])
    assert value(translated.arguments, "block-size") == "128"
    assert len(translated.changed) == 1


def test_ranks_listen_on_consecutive_ports() -> None:
    ports: list[tuple[int, int]] = []

    def allocate(requested: int, count: int) -> int:
        ports.append((requested, count))
        return 21000

    container = {"args": ["--model", MODEL, "--data-parallel-size", "4"]}
    started = Simulated().launch(container, {}, {}, allocate)
    assert ports == [(8000, 4)]
    assert started.ports == {8000: 21000, 8001: 21001, 8002: 21002, 8003: 21003}
    assert started.arguments[-1] == "--port=21000"


@pytest.mark.parametrize(("parser", "differs"), [((), True), (("--enable-auto-tool-choice",), False)])
def test_tools_without_a_parser_are_a_difference(parser: tuple[str, ...], differs: bool) -> None:
    """The simulated engine answers such requests with 200, and vLLM with 400."""
    launched = Simulated().launch({"args": ["--model", MODEL, *parser]}, {}, {}, lambda *_: 20000)
    assert any("models[].toolCallParser" in remark for remark in launched.remarks) is differs


def test_ports_are_replaced_where_named_and_added_where_not() -> None:
    own = {9002: 20001, 9103: 20002, 9090: 20003}
    listening = with_ports(
        Program.PICKER,
        ["--pool-name", "p", "--grpc-port=9002", "--grpc-health-port", "9103"],
        lambda requested, _: own[requested],
    )
    assert listening.arguments == (
        "--pool-name", "p", "--grpc-port=20001", "--grpc-health-port", "20002", "--metrics-port=20003",
    )  # fmt: skip
    assert listening.ports == own


def test_envoy_listens_where_its_configuration_says_in_other_ports() -> None:
    """Its ports stand in the configuration, not in flags; everything else of it stays as the pod has it."""

    def envoy(listener: int, admin: int) -> str:
        def at(port: int) -> dict[str, object]:
            return {"socket_address": {"address": "::", "port_value": port}}

        listeners = [{"name": "http", "address": at(listener), "filter_chains": []}]
        return json.dumps({"static_resources": {"listeners": listeners}, "admin": {"address": at(admin)}})

    arguments = ["--config-yaml", envoy(8080, 9901), "--disable-hot-restart"]
    listening = with_configured_ports(arguments, lambda requested, _: requested + 12000)
    assert listening.arguments == ("--config-yaml", envoy(20080, 21901), "--disable-hot-restart")
    assert listening.ports == {8080: 20080, 9901: 21901}
    assert program("envoyproxy/envoy:distroless-v1.39.1") is Program.PROXY


def test_envoy_with_a_file_is_refused() -> None:
    """It would listen on ports that others on this machine may have."""
    with pytest.raises(ValueError, match="--config-yaml"):
        with_configured_ports(["--config-path", "/etc/envoy.yaml"], lambda requested, _: requested)


def test_addresses_keep_their_form() -> None:
    listening = with_ports(Program.GROUPS, ["--metrics-bind-address=:8443"], lambda requested, _: requested + 12000)
    assert listening.arguments == ("--metrics-bind-address=:20443", "--health-probe-bind-address=:20081")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)/$(B)", "1/2"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(A)", "$(A)"),
        ("no variables, $A", "no variables, $A"),
    ],
)
def test_variables_expand_as_in_kubernetes(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/config/x.yaml", "/here/x.yaml"),
        ("--config-file=/config/x.yaml", "--config-file=/here/x.yaml"),
        ("/config", "/here"),
        ("/config/deep/x", "/there/x"),
        ("/configuration/x", "/configuration/x"),
        ("--text=see /config/x", "--text=see /config/x"),
    ],
)
def test_paths_below_mounts_are_those_of_this_machine(text: str, expected: str) -> None:
    assert mounted(text, {"/config": "/here", "/config/deep/": "/there"}) == expected


class TestGroups:
    """Pods of one replica: what each host of it is, and on which ports."""

    WIDE = ("sh", "-c", 'exec vllm serve "$@" --data-parallel-start-rank $((LWS_WORKER_INDEX * 8))', "vllm")
    RANKS = ("--data-parallel-size", "16", "--data-parallel-size-local", "8", "--data-parallel-supervisor-port", "8208")

    def test_a_script_passes_its_arguments_on(self) -> None:
        arguments = [MODEL, "--served-model-name", "a; b && c", "--port", "8200"]
        translated = engine([*self.WIDE], arguments, {"LWS_WORKER_INDEX": "1"})
        assert translated.arguments[:4] == ("--model", MODEL, "--served-model-name", "a; b && c")
        assert translated.port == 8200
        assert "--data-parallel-start-rank" in translated.dropped

    def test_a_pod_serves_its_own_ranks_and_its_supervisor_is_the_first(self) -> None:
        container = {"command": [*self.WIDE], "args": [MODEL, *self.RANKS, "--data-parallel-multi-port-external-lb"]}
        launched = Simulated().launch(container, {}, {}, lambda *_: 20000)
        assert launched.ports == {**{8000 + rank: 20000 + rank for rank in range(8)}, 8208: 20000}
        assert value(launched.arguments, "data-parallel-size") == "8"

    @pytest.mark.parametrize(
        ("command", "arguments"),
        [
            (["vllm", "serve"], [MODEL, "--nnodes", "2", "--headless"]),
            (["sh", "-c", "exec bash /workspace/multi-node-serving.sh worker --ray_address=$LWS_LEADER_ADDRESS"], []),
            (["bash", "-c", "ray start --address=leader:6379 --block"], []),
        ],
    )
    def test_a_host_that_computes_for_another_serves_nothing(self, command: list[str], arguments: list[str]) -> None:
        assert not serves(command, arguments)

    def test_a_leader_serves_after_it_has_gathered_the_others(self) -> None:
        script = (
            'bash /workspace/multi-node-serving.sh leader --ray_cluster_size=$LWS_GROUP_SIZE && exec vllm serve "$@"'
        )
        command = ["sh", "-c", script, "vllm"]
        assert serves(command, [MODEL])
        assert engine(command, [MODEL, "--port", "8200"]).port == 8200


@pytest.mark.parametrize("written", [["--vllm-port=8200"], ["--vllm-port", "8200"], ["--model-server-port=8200"]])
def test_a_routing_sidecar_finds_the_engine_of_its_pod(written: list[str]) -> None:
    """The engine starts after it, on a port of this machine that it has promised."""
    container = {"args": ["--port=8000", *written, "--kv-connector=nixlv2"]}
    sidecar = ProgramLauncher(Program.SIDECAR, lambda requested: requested + 1)
    started = sidecar.launch(container, {}, {}, lambda requested, _: requested + 20000)
    assert started.arguments == ("--port=28000", "--vllm-port=8201", "--kv-connector=nixlv2")
    assert started.ports == {8000: 28000}


def test_a_routing_sidecar_without_its_engines_port_does_not_start() -> None:
    sidecar = ProgramLauncher(Program.SIDECAR, lambda requested: requested)
    with pytest.raises(ValueError, match="--vllm-port or --model-server-port"):
        sidecar.launch({"args": ["--port=8000"]}, {}, {}, lambda requested, _: requested)
