"""Which stacks a checkout has, and which of them belong to the project."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from llm_d_gke.stackfile import PROJECT_ROOT, project_stacks, stack_names


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "examples").mkdir()
    for file in ("Pulumi.yaml", "Pulumi.gpu.yaml", "Pulumi.mine.yaml", "examples/Pulumi.example-gpu.yaml"):
        (tmp_path / file).write_text("config: {}\n", encoding="utf-8")
    return tmp_path


def test_a_users_own_stack_is_listed_but_not_the_projects(checkout: Path) -> None:
    assert stack_names(checkout) == ["example-gpu", "gpu", "mine"]
    assert project_stacks(checkout) == ["example-gpu", "gpu", "tpu"]


def test_every_committed_stack_file_belongs_to_the_project() -> None:
    patterns = ["Pulumi.*.yaml", "examples/Pulumi.*.yaml"]
    command = ["git", "ls-files", "--", *patterns]
    listed = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = {Path(line).name.removeprefix("Pulumi.").removesuffix(".yaml") for line in listed.stdout.split()}
    assert names == set(project_stacks())
