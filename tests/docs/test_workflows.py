"""The workflows' own steps, run as GitHub would: on the stack files that a checkout has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.stackfile import PROJECT_ROOT

WORKFLOWS = PROJECT_ROOT / ".github" / "workflows"
OF_STACKS = ("preview", "deploy", "drift")


def jobs(workflow: str) -> dict[str, Any]:
    document = read_yaml(WORKFLOWS / f"{workflow}.yml")
    jobs: dict[str, Any] = document["jobs"]
    return jobs


@pytest.mark.parametrize("workflow", OF_STACKS)
def test_every_stack_file_of_the_folder_is_a_stack(workflow: str, tmp_path: Path) -> None:
    for name in ("Pulumi.yaml", "Pulumi.staging.yaml", "Pulumi.production-eu.yaml", "README.md"):
        (tmp_path / name).touch()
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "Pulumi.example.yaml").touch()
    assert listed(workflow, tmp_path) == ["production-eu", "staging"]


def listed(workflow: str, folder: Path) -> list[str]:
    """The stacks that a workflow finds in a checkout."""
    [step] = [step for step in jobs(workflow)["stacks"]["steps"] if step.get("id") == "list"]
    script = folder / ".github" / "stacks.py"
    script.parent.mkdir()
    shutil.copy(PROJECT_ROOT / ".github" / "stacks.py", script)
    output = folder / "output"
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "GITHUB_OUTPUT": str(output)}
    subprocess.run(["bash", "-e", "-c", step["run"]], cwd=folder, env=environment, check=True)  # noqa: S607
    key, _, value = output.read_text(encoding="utf-8").strip().partition("=")
    assert key == "stacks"
    names: list[str] = json.loads(value)
    return names


@pytest.mark.parametrize("workflow", OF_STACKS)
def test_stacks_are_listed_before_the_jobs_that_take_them(workflow: str) -> None:
    taking = [job for job in jobs(workflow).values() if "stack" in job.get("strategy", {}).get("matrix", {})]
    assert taking
    for job in taking:
        assert "stacks" in ([job["needs"]] if isinstance(job["needs"], str) else job["needs"])
        assert job["strategy"]["matrix"]["stack"] == "${{ fromJSON(needs.stacks.outputs.stacks) }}"
        assert job["permissions"]["contents"] == "read"


def test_a_plan_comes_after_the_verdict_and_an_update_after_the_plan() -> None:
    deploy = jobs("deploy")
    texts = [step.get("run", "") for step in deploy["plan"]["steps"]]
    judged = next(index for index, text in enumerate(texts) if "llm_d_gke report" in text)
    planned = next(index for index, text in enumerate(texts) if "--save-plan plan.json" in text)
    assert judged < planned
    assert "plan" in deploy["up"]["needs"]
    [update] = [step["run"] for step in deploy["up"]["steps"] if "pulumi --non-interactive up" in step.get("run", "")]
    assert "--plan plan.json" in update


def test_a_deployment_ends_with_what_verify_says_of_the_stack_on_gke() -> None:
    steps = jobs("deploy")["up"]["steps"]
    [updated] = [index for index, step in enumerate(steps) if "pulumi --non-interactive up" in step.get("run", "")]
    [verified] = [index for index, step in enumerate(steps) if "llm_d_gke verify" in step.get("run", "")]
    assert updated < verified == len(steps) - 1
    script = steps[verified]["run"]
    assert 'verify "$STACK" --on gke' in script
    # Its exit status is the job's, although its output goes through `tee`.
    assert "set -o pipefail" in script
    assert "continue-on-error" not in steps[verified]


@pytest.mark.parametrize(
    ("kind", "step", "copied"),
    [("helm.sh/v3:Release", "create", 0), ("helm.sh/v3:Release", "same", 1), ("core/v1:Secret", "create", 1)],
)
def test_a_plan_is_kept_unless_a_chart_is_in_a_new_stack(kind: str, step: str, copied: int, tmp_path: Path) -> None:
    [script] = [step["run"] for step in jobs("deploy")["plan"]["steps"] if "--save-plan" in step.get("run", "")]
    urn = "urn:pulumi:gpu::llm-d::llm-d:stack:InferenceStack$kubernetes"
    plan = {"resourcePlans": {"urn": {"steps": ["create"]}, f"{urn}:{kind}::one": {"steps": [step]}}}
    (tmp_path / "saved.json").write_text(json.dumps(plan), encoding="utf-8")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in {"pulumi": "cp saved.json plan.json", "gcloud": 'echo "$@" >> copies'}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    environment = {
        "PATH": f"{programs}:/usr/bin:/bin:/usr/local/bin",
        "STACK": "gpu",
        "STATE": "gs://states?x=1",
        "GITHUB_SHA": "abc",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=environment, check=True)  # noqa: S607
    copies = tmp_path / "copies"
    lines = copies.read_text(encoding="utf-8").splitlines() if copies.exists() else []
    assert lines == ["storage cp plan.json gs://states/plans/gpu/abc.json"] * copied


def test_stacks_are_updated_one_after_the_other_and_none_after_a_failure() -> None:
    up = jobs("deploy")["up"]
    assert up["strategy"]["max-parallel"] == 1
    assert up["strategy"]["fail-fast"]
    assert up["environment"] == "${{ matrix.stack }}"
    assert "environment" not in jobs("deploy")["plan"], "a plan is made before somebody approves it"


def test_stacks_are_deployed_in_the_order_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "order.txt").write_text("development\nstaging\nproduction\n", encoding="utf-8")
    for name in ("production", "staging", "development", "trial"):
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    assert listed("deploy", tmp_path) == ["trial", "development", "staging", "production"]


def test_stacks_that_the_order_excludes_are_not_deployed(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "order.txt").write_text("!gpu\nproduction\n", encoding="utf-8")
    for name in ("gpu", "production", "trial"):
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    assert listed("deploy", tmp_path) == ["trial", "production"]


@pytest.mark.parametrize("line", ["production", "!gpu"])
def test_an_order_with_a_stack_that_is_not_there_is_refused(line: str, tmp_path: Path) -> None:
    """The renamed stack would be deployed before all others."""
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "order.txt").write_text(f"staging\n{line}\n", encoding="utf-8")
    for name in ("staging", "prod"):
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    script = PROJECT_ROOT / ".github" / "stacks.py"
    ended = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert f"order.txt names {line}, and" in ended.stderr


def test_drift_changes_nothing() -> None:
    commands = [step["run"] for step in jobs("drift")["drift"]["steps"] if "pulumi login" in step.get("run", "")]
    [command] = commands
    assert "refresh" in command
    assert {"--preview-only", "--expect-no-changes"} <= set(command.split())


def test_the_end_of_a_pull_request_waits_for_its_update() -> None:
    """Pulumi locks a state during an update: a destroy beside it fails, and the stack lives until its time is over."""
    groups = {name: job["concurrency"] for name, job in jobs("review").items()}
    assert groups["up"]["group"] == "stack-pr-${{ github.event.number }}"
    assert groups["down"]["group"] == "stack-pr-${{ github.event.number || 'expired' }}"
    assert not any(group["cancel-in-progress"] for group in groups.values())


_INSTALLS = ("pip install", "plugin install", "components install", "curl ", "wget ", "apt-get", "npm ")


@pytest.mark.parametrize("workflow", sorted(path.stem for path in WORKFLOWS.glob("*.yml")))
def test_nothing_is_installed_once_a_job_has_credentials(workflow: str) -> None:
    """Code that is installed later runs with them, and others wrote it."""
    for job in jobs(workflow).values():
        actions = [str(step.get("uses", "")).partition("@")[0] for step in job["steps"]]
        if "google-github-actions/auth" not in actions:
            assert "id-token" not in job.get("permissions", {})
            continue
        first = actions.index("google-github-actions/auth")
        before, after = job["steps"][:first], job["steps"][first + 1 :]
        assert not [word for step in after for word in _INSTALLS if word in step.get("run", "")]
        # Pulumi's action runs a command there, with the CLI that the one before has installed.
        assert {step["uses"].partition("@")[0] for step in after if "uses" in step} <= {"pulumi/actions"}
        assert all("command" in step["with"] for step in after if "uses" in step)
        versions = {
            step["with"]["pulumi-version"]
            for step in job["steps"]
            if str(step.get("uses", "")).startswith("pulumi/actions")
        }
        assert len(versions) == 1
        assert "pulumi plugin install" in [step.get("run") for step in before]
        [gcloud] = [step["with"] for step in before if "setup-gcloud@" in step.get("uses", "")]
        assert re.fullmatch(r"\d+\.0\.0", gcloud["version"])
