"""The workflows' own steps, run as GitHub would: on the stack files that a checkout has."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_d_gke.stackfile import PROJECT_ROOT

WORKFLOWS = PROJECT_ROOT / ".github" / "workflows"
OF_STACKS = ("preview", "deploy", "drift")


def jobs(workflow: str) -> dict[str, Any]:
    document = yaml.safe_load((WORKFLOWS / f"{workflow}.yml").read_text(encoding="utf-8"))
    jobs: dict[str, Any] = document["jobs"]
    return jobs


@pytest.mark.parametrize("workflow", OF_STACKS)
def test_every_stack_file_of_the_folder_is_a_stack(workflow: str, tmp_path: Path) -> None:
    for name in ("Pulumi.yaml", "Pulumi.staging.yaml", "Pulumi.production-eu.yaml", "README.md"):
        (tmp_path / name).touch()
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "Pulumi.example.yaml").touch()
    [step] = [step for step in jobs(workflow)["stacks"]["steps"] if step.get("id") == "list"]
    output = tmp_path / "output"
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "GITHUB_OUTPUT": str(output)}
    subprocess.run(["bash", "-e", "-c", step["run"]], cwd=tmp_path, env=environment, check=True)  # noqa: S607
    key, _, value = output.read_text(encoding="utf-8").strip().partition("=")
    assert key == "stacks"
    assert json.loads(value) == ["production-eu", "staging"]


@pytest.mark.parametrize("workflow", OF_STACKS)
def test_stacks_are_listed_before_the_jobs_that_take_them(workflow: str) -> None:
    taking = [job for job in jobs(workflow).values() if "stack" in job.get("strategy", {}).get("matrix", {})]
    assert taking
    for job in taking:
        assert job["needs"] == "stacks"
        assert job["strategy"]["matrix"]["stack"] == "${{ fromJSON(needs.stacks.outputs.stacks) }}"
        assert job["permissions"]["contents"] == "read"


def test_an_update_comes_after_the_verdict() -> None:
    steps = jobs("deploy")["up"]["steps"]
    judged = next(index for index, step in enumerate(steps) if "llm_d_gke report" in step.get("run", ""))
    updated = next(index for index, step in enumerate(steps) if step.get("with", {}).get("command") == "up")
    assert judged < updated


def test_drift_changes_nothing() -> None:
    commands = [step["run"] for step in jobs("drift")["drift"]["steps"] if "pulumi " in step.get("run", "")]
    [command] = commands
    assert "refresh" in command
    assert {"--preview-only", "--expect-no-changes"} <= set(command.split())
