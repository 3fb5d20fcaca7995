"""Three replicas of one model: a prompt goes where its beginning is cached already, by the real picker."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .project import Project, chat

pytestmark = pytest.mark.rehearsal

STACK = "prefix-cache-gpu"
MODEL = "Qwen/Qwen2.5-3B-Instruct"
PICKER = "qwen2-5-3b-instruct-epp"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("prefix-cache") / "project")
    try:
        made.run("up", STACK)
        yield made
    finally:
        made.clear()


def test_prompts_with_one_beginning_go_to_one_replica(project: Project) -> None:
    """By round robin each of these groups would be spread over all three."""
    address = project.run("endpoint", STACK).strip()
    pods = {pod["metadata"]["name"] for pod in project.model_servers(STACK)}
    assert len(pods) == 3
    for group in range(5):
        beginning = f"Group {group}. " + "What all of these prompts have in common. " * 20
        answers = [chat(address, MODEL, prompt=f"{beginning} Question {number}?") for number in range(6)]
        assert {answer.status_code for answer in answers} == {200}
        asked = {answer.headers["x-inference-pod"] for answer in answers}
        assert len(asked) == 1, f"group {group}: {sorted(asked)}"
        assert asked <= pods


def test_the_picker_took_the_block_size_it_was_told(project: Project) -> None:
    """It ignores parameters it does not know, so that only its own words show what it took."""
    with project.kube(STACK) as kube:
        config = kube.get("v1", "ConfigMap", PICKER, "llm-d-inference-scheduling")["data"]["picker.yaml"]
    logs = [file.read_text(encoding="utf-8") for file in project.paths(STACK).pod_logs.glob(f"*{PICKER}*")]
    said = [json.loads(line)["config"] for text in logs for line in text.splitlines() if '"Prefix PrepareData' in line]
    assert "blockSizeTokens: 16" in config
    assert [one["blockSizeTokens"] for one in said] == [16]


def test_a_drained_node_takes_one_replica_at_most(project: Project) -> None:
    with project.kube(STACK) as kube:
        [budget] = kube.list("policy/v1", "PodDisruptionBudget")
    assert budget["status"]["disruptionsAllowed"] == 1
    assert budget["status"]["currentHealthy"] == 3
