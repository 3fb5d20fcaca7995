"""File and line of a setting where a stack file and its bases are merged."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke.planning import RefusedError
from llm_d_gke.planning.planner import plan_config
from llm_d_gke.stackfile import load

COMMON = """config:
  llm-d:location: us-central1-a
  llm-d:accelerator: {type: nvidia-l4, nodes: {max: 4}}
"""
SERVICE = """config:
  llm-d:base: environments/common.yaml
  llm-d:accelerator:
    nodes: {min: 0}
  llm-d:labels: {team: search}
  llm-d:models:
    - id: Qwen/Qwen3-4B
      maxModelLenn: 8192
    - id: Qwen/Qwen3-1.7B
      replicas: 1
      load: {concurrency: 4}
"""
STACK = """config:
  llm-d:base: environments/service.yaml
  llm-d:labels: {environment: staging}
  llm-d:models:
    - id: Qwen/Qwen3-0.6B
    - id: Qwen/Qwen3-1.7B
      aliases: [small]
      replicas: 2
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/common.yaml").write_text(COMMON, encoding="utf-8")
    (tmp_path / "environments/service.yaml").write_text(SERVICE, encoding="utf-8")
    (tmp_path / "Pulumi.chat.yaml").write_text(STACK, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("llm-d:location", "environments/common.yaml, line 2"),
        ("llm-d:accelerator.nodes.max", "environments/common.yaml, line 3"),
        ("llm-d:accelerator.nodes.min", "environments/service.yaml, line 4"),
        ("llm-d:labels.team", "environments/service.yaml, line 5"),
        ("llm-d:labels.environment", "Pulumi.chat.yaml, line 3"),
        ("llm-d:models[0].maxModelLenn", "environments/service.yaml, line 8"),
        ("llm-d:models[1].replicas", "Pulumi.chat.yaml, line 8"),
        ("llm-d:models[1].aliases[0]", "Pulumi.chat.yaml, line 7"),
        ("llm-d:models[1].load.concurrency", "environments/service.yaml, line 11"),
        ("llm-d:models[2].id", "Pulumi.chat.yaml, line 5"),
        ("llm-d:models[1].maxModelLen", "Pulumi.chat.yaml, line 6"),
        ("llm-d:models[0].config", "environments/service.yaml, line 7"),
        ("llm-d:project", None),
    ],
)
def test_a_setting_is_located_in_the_file_that_its_value_comes_from(
    project: Path, setting: str, place: str | None
) -> None:
    assert load(project, "chat").place_of(setting) == place


def test_a_replaced_list_keeps_no_place_of_the_base(project: Path) -> None:
    (project / "Pulumi.chat.yaml").write_text(
        "config:\n  base: environments/service.yaml\n  models:\n    - Qwen/Qwen3-4B\n", encoding="utf-8"
    )
    assert load(project, "chat").place_of("llm-d:models[0].maxModelLenn") == "Pulumi.chat.yaml, line 4"


def test_a_value_of_the_command_line_is_in_no_file(project: Path) -> None:
    read = load(project, "chat", {"llm-d:location": "us-east1-b"})
    assert read.place_of("llm-d:location") == "-c"
    assert load(project, "chat", {"llm-d:base": "environments/common.yaml"}).place_of("llm-d:labels") is None


def test_a_refusal_names_the_base_that_holds_the_mistake(project: Path) -> None:
    with pytest.raises(RefusedError) as refused:
        plan_config("chat", load(project, "chat"))
    place = {finding.path: finding.place for finding in refused.value.findings}
    assert place["llm-d:models[0].maxModelLenn"] == "environments/service.yaml, line 8"
