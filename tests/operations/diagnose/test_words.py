"""Printed words get their cause without a cluster: of `pulumi up`, of events, conditions and logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_d_gke.cli.exits import DONE, UNMET
from llm_d_gke.operations.diagnose.command import run_words
from llm_d_gke.operations.diagnose.messages import messages, recognize_anywhere
from tests.command_line import llmd
from tests.planning.test_platform_reports import LOGGED

# Causes that one sentence of the API server or of Compute Engine means wherever it is printed.
SAME = (
    {"up-webhook", "webhook-unreachable", "load-balancer-stuck"},
    {"up-kind-missing", "kserve-crd-missing"},
    {"up-quota", "gateway-quota"},
    {"up-addresses", "scale-up-addresses"},
    {"up-in-use", "volume-in-use"},
    {"up-permission", "volume-bucket", "bucket-denied"},
    {"unknown-flag", "picker-unknown-flag"},
    {"certificate-missing", "image-certificate"},
    {"image-missing", "backend-unknown"},
    {"up-invalid-value", "load-balancer-refused"},
    {"engine-dead", "engine-failed-request"},
    {"up-object-invalid", "object-invalid"},
)


def is_likeliest(text: str, cause: str) -> bool:
    named = next((likely.id for likely in recognize_anywhere(text, "words")), "none")
    return named == cause or any({named, cause} <= group for group in SAME)


def test_every_example_is_recognized_without_its_place() -> None:
    assert [name for name, message in messages().items() if not is_likeliest(message.example, name)] == []


def test_every_reporters_words_are_recognized_without_their_place() -> None:
    assert [report["report"] for report in LOGGED if not is_likeliest(report["text"], report["cause"])] == []


UP = """Updating (gpu):
 +  gcp:container:NodePool accelerator **creating failed** error: 1 error occurred:
    * error creating NodePool: googleapi: Error 403: insufficient regional quota to satisfy request
"""


def test_what_pulumi_printed_has_its_cause(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_words("gpu", UP, as_json=False) == UNMET
    printed = capsys.readouterr().out
    assert "cause: up-quota at these words" in printed
    assert "make preflight" in printed
    assert run_words("gpu", UP, as_json=True) == UNMET
    assert json.loads(capsys.readouterr().out)["causes"][0]["id"] == "up-quota"


def test_objects_of_another_stack_are_not_to_be_taken_by_force(capsys: pytest.CaptureFixture[str]) -> None:
    """Force would end the other stack. A warning about EndpointSlices beside it is no fault of KServe."""
    text = """Error updating Endpoint Slices for Service a/b: failed to update b-b7j2k EndpointSlice
    Apply failed with 2 conflicts: conflicts with "pulumi-kubernetes-a19c4812":
    - .spec.template.spec.nodeSelector
"""
    assert run_words("gpu", text, as_json=True) == UNMET
    [cause] = json.loads(capsys.readouterr().out)["causes"]
    assert cause["id"] == "up-field-of-stack"
    assert "namespace.name" in cause["fix"]


def test_unknown_words_are_said_to_be_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_words("gpu", "all is well", as_json=False) == DONE
    assert "not among the known ones" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ('MountVolume.SetUp failed for volume "data": words that nobody knows', "volume-not-mounted"),
        ("0/3 nodes are available: 3 words that nobody knows.", "unschedulable"),
        ('HTTPRoute "models": words that nobody knows', "httproute-refused"),
    ],
)
def test_unknown_words_name_what_they_are_about(words: str, state: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_words("gpu", words, as_json=True) == UNMET
    assert [cause["id"] for cause in json.loads(capsys.readouterr().out)["causes"]] == [state]


OWN = """\
(warning) LLMD-TLS-NONE  llm-d:gateway.tls.kind = none  (Pulumi.gpu.yaml, line
13)
  prompts and answers cross the internet unencrypted
  set a certificate, or exposure: internal

Diagnostics:
  pulumi:pulumi:Stack (llm-d-gpu):
    warning: LLMD-TLS-NONE  llm-d:gateway.tls.kind = none  (Pulumi.gpu.yaml,
    line 13)
      prompts and answers cross the internet unencrypted
      set a certificate, or exposure: internal
"""


def test_findings_of_this_program_are_no_causes(capsys: pytest.CaptureFixture[str]) -> None:
    """The output of an update that succeeded named the certificate that a warning advises."""
    assert run_words("gpu", OWN, as_json=False) == DONE
    assert "say themselves what to do" in " ".join(capsys.readouterr().out.split())
    assert run_words("gpu", OWN + UP, as_json=False) == UNMET
    assert "cause: up-quota at these words" in capsys.readouterr().out


def test_words_come_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "up.log"
    log.write_bytes(UP.encode() + b"\xff")
    assert llmd("diagnose", "gpu", "--words", str(log)) == UNMET
    assert "up-quota" in capsys.readouterr().out


def test_a_line_has_one_cause() -> None:
    line = 'Error 403: Insufficient regional quota to satisfy request: resource "NVIDIA_L4_GPUS": request requires 8.0'
    assert [cause.id for cause in recognize_anywhere(line, "words")] == ["up-quota"]
