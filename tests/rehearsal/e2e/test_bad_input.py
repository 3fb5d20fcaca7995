"""Mistakes in a stack file: one report with every finding, and nothing is created."""

from __future__ import annotations

import pytest

from .project import Project

pytestmark = pytest.mark.rehearsal

MISTAKES = """\
config:
  llm-d:location: us-central1-a
  llm-d:acelerator: {}
  llm-d:accelerator:
    type: nvidia-tesla-t4
    nodes: {min: 0, max: many}
  llm-d:models:
    - id: google/gemma-2b-it
      maxModelLenn: 2048
      replicas: -1
    - maxModelLen: 2048
  llm-d:monitoring: {enabled: perhaps}
"""


@pytest.mark.parametrize("command", ["preview", "up"])
def test_every_mistake_of_a_stack_file_in_one_report(fresh: Project, command: str) -> None:
    (fresh.root / "Pulumi.gpu.yaml").write_text(MISTAKES, encoding="utf-8")
    output = fresh.run(command, "gpu", code=2)
    for path in (
        "acelerator",
        "accelerator.nodes.max",
        "models[0].maxModelLenn",
        "models[0].replicas",
        "models[1].id",
        "monitoring.enabled",
    ):
        assert f"llm-d:{path}" in output, f"{path} is missing from:\n{output}"
        assert output.count(f"llm-d:{path} =") == 1, f"{path} is reported more than once in:\n{output}"
    assert "Traceback" not in output
    paths = fresh.paths("gpu")
    assert not paths.cloud.exists()
    assert not paths.cluster.exists()
    assert not paths.run.exists()


def test_mistakes_on_the_command_line(fresh: Project) -> None:
    assert "Did you mean gpu" in fresh.run("up", "gqu", code=2)
    assert "is not PATH=VALUE" in fresh.run("up", "gpu", "-c", "llm-d:paused", code=2)
    assert "llm-d:models[3]" in fresh.run("preview", "gpu", "-c", "llm-d:models[3].id=x", code=2)
    (fresh.root / "Pulumi.gpu.yaml").write_text("config: [", encoding="utf-8")
    assert "Pulumi.gpu.yaml is not valid YAML" in fresh.run("up", "gpu", code=2)
    assert not (fresh.root / ".rehearsal").exists()
