"""Every command for a running stack says the same of one that is not up, and ends with the same status."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke.cli.exits import FAILED, NO_CREDENTIALS
from llm_d_gke.operations.google_cloud import NoCredentialsError
from llm_d_gke.operations.leftovers import command as leftovers
from llm_d_gke.rehearsal.terminal import on_gke
from llm_d_gke.stackfile.assumptions import load_assumed
from tests.command_line import llmd

STACK = "kserve-prefix-cache-tpu"
CREDENTIALS = "  gcloud container clusters get-credentials llm-d-kserve-prefix-cache-tpu --location europe-west4-a"
INSTALL = "https://www.pulumi.com/docs/install"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dashboard", STACK], "Cloud Monitoring"),
        (["diagnose", STACK], INSTALL),
        (["endpoint", STACK], f"pulumi stack output endpoint --stack {STACK}"),
        (["logs", STACK], CREDENTIALS),
        (["rollback", STACK], INSTALL),
        (["status", STACK], CREDENTIALS),
        (["upgrade", STACK, "llm-d-0.9"], "--on gke runs these steps"),
        (["verify", STACK], INSTALL),
        (["why", STACK], CREDENTIALS),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_where_and_how(
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert llmd(*arguments) == FAILED
    output = capsys.readouterr().err
    assert " ".join(output.split()).startswith(f"stack {STACK} is not up on this machine: make up STACK={STACK} On GKE")
    assert words in output


@pytest.mark.parametrize("command", ["status", "logs"])
def test_a_refused_stack_file_is_said_beside_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        on_gke, "load_assumed", lambda stack: load_assumed(stack, {"llm-d:models[0].maxModelLen": "7G"})
    )
    assert llmd(command, STACK) == FAILED
    output = " ".join(capsys.readouterr().err.split())
    assert output.startswith(f"stack {STACK} is not up on this machine, and its stack file is refused as it is (LLMD-")
    assert f"make report STACK={STACK} says what to correct" in output


def test_leftovers_without_credentials_lists_what_it_would_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise NoCredentialsError("No Google credentials here.")

    monkeypatch.setattr(leftovers, "open_session", refuse)
    assert llmd("leftovers", "gpu") == NO_CREDENTIALS
    output = " ".join(capsys.readouterr().out.split())
    assert "lists of project PROJECT: cluster, fleet membership," in output
    assert "the label llm-d-stack=gpu" in output
    assert "the network llm-d-gpu-network" in output
