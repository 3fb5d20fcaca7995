"""The pack as Pulumi's engine calls it, in its own environment: `make policy` creates it and runs this file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format, struct_pb2
from pulumi.automation import CommandError
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from llm_d_gke.rehearsal import commands
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.policy_plugin import PolicyChoice
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.policy.graphs import EVERY_STACK, resources_of
from tests.policy.test_check_manifests import EXEMPTIONS, LISTED

PACK = PROJECT_ROOT / "policy"
PYTHON = PACK / ".venv" / "bin" / "python"

# How the engine writes a text that it does not know yet (pulumi/pulumi, sdk/go/common/resource/plugin).
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
INTERNAL_GATEWAY = {"gateway.exposure": "internal", "acknowledge": None}
INTERNAL = {"llm-d:gateway.exposure": "internal", "llm-d:acknowledge": "[]"}

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="make policy creates policy/.venv")


@pytest.fixture(scope="module")
def engine() -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    with running(PACK) as engine:
        yield engine


@contextmanager
def running(pack: Path) -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """The pack's process, as Pulumi's engine starts it."""
    command = [str(PYTHON), "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(pack)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_send_message_length", -1)]) as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
    finally:
        process.kill()
        process.wait(10)


def _recorded_resource(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _recorded_resource(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_recorded_resource(item) for item in value]
    return UNKNOWN if value == "[unknown]" else value


def violations(engine: analyzer_pb2_grpc.AnalyzerStub, stack: str, changes: Mapping[str, Any] | None = None) -> Any:
    resources = [
        analyzer_pb2.AnalyzerResource(
            urn=resource.urn,
            type=resource.type,
            name=resource.name,
            properties=json_format.ParseDict(_recorded_resource(dict(resource.properties)), struct_pb2.Struct()),
        )
        for resource in resources_of(stack, changes)
    ]
    answer = engine.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources))
    return [
        (diagnostic.policyName, diagnostic.enforcementLevel, diagnostic.message) for diagnostic in answer.diagnostics
    ]


def test_the_engine_is_told_every_rule(engine: analyzer_pb2_grpc.AnalyzerStub) -> None:
    from google.protobuf.empty_pb2 import Empty

    info = engine.GetAnalyzerInfo(Empty())
    assert info.name == "llm-d"
    assert {"public-endpoint", "pod-security", "pinned-images", "production", "exemptions"} <= {
        policy.name for policy in info.policies
    }


@pytest.mark.parametrize("stack", EVERY_STACK)
def test_no_rule_is_skipped_for_what_a_preview_does_not_know(
    engine: analyzer_pb2_grpc.AnalyzerStub, stack: str
) -> None:
    """Only the open door of the examples is a violation, and it refuses the stack."""
    reported = violations(engine, stack)
    assert {(name, level) for name, level, _ in reported} == {("public-endpoint", analyzer_pb2.MANDATORY)}
    assert not [text for _, _, text in reported if "can't run policy" in text]


def test_every_run_lists_the_exemptions(tmp_path: Path) -> None:
    pack = tmp_path / "policy"
    shutil.copytree(PACK, pack, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
    (pack / "exemptions.yaml").write_text(EXEMPTIONS, encoding="utf-8")
    with running(pack) as engine:
        reported = violations(engine, "gpu", INTERNAL_GATEWAY)
    # Below the description of the policy.
    listed = [(level, text.splitlines()[-1]) for name, level, text in reported if name == "exemptions"]
    assert listed == [(analyzer_pb2.ADVISORY, line) for line in LISTED]


def test_parameters_reach_the_rules(engine: analyzer_pb2_grpc.AnalyzerStub) -> None:
    config = struct_pb2.Struct()
    config.update({"allowed": ["europe-west4"]})
    engine.Configure(
        analyzer_pb2.ConfigureAnalyzerRequest(
            policyConfig={
                "allowed-regions": analyzer_pb2.PolicyConfig(enforcementLevel=analyzer_pb2.MANDATORY, properties=config)
            }
        )
    )
    names = {name for name, _, _ in violations(engine, "gpu")}
    assert "allowed-regions" in names


class TestRehearsal:
    """`bin/llmd preview --policy-pack policy`: the real engine calls the pack on what the program registers."""

    @pytest.fixture(autouse=True)
    def elsewhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(commands, "StackPaths", lambda name: StackPaths(name, tmp_path))

    def test_a_preview_ends_with_what_the_pack_refuses(self, capfd: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(CommandError):
            commands.preview("gpu", {}, PolicyChoice([PACK]))
        assert "is reachable from the internet without authentication" in capfd.readouterr().out

    def test_pods_of_a_cluster_that_does_not_exist_yet_are_checked(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """In such a preview the engine has no outputs of Kubernetes objects, and stack policies get nothing else."""
        parameters = tmp_path / "policy.json"
        parameters.write_text('{"pinned-images": {"digests": true}}', encoding="utf-8")
        with pytest.raises(CommandError):
            commands.preview("gpu", INTERNAL, PolicyChoice([PACK], [parameters]))
        assert "the image vllm/vllm-openai" in capfd.readouterr().out

    def test_a_stack_that_keeps_the_rules_passes(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert commands.preview("gpu", INTERNAL, PolicyChoice([PACK])) == 0
        assert "llm-d@v0.1.0" in capfd.readouterr().out
