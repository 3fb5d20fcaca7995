"""A pull request on a local Git server: the workflow's own steps judge a change, and refuse a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke.stackfile import PROJECT_ROOT

from .expressions import evaluate, substitute
from .runner import Job, Runner
from .server import Server, actions, comments, git, write_programs

WORKFLOWS = PROJECT_ROOT / ".github" / "workflows"


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """With one stack file, so that a verdict takes a second or two."""
    server = Server(tmp_path)
    (server.clone / "Pulumi.tpu.yaml").unlink()
    for example in (server.clone / "examples").glob("Pulumi.*.yaml"):
        example.unlink()
    server.commit("Keep one stack")
    git(server.clone, "push", "--quiet", "origin", "main")
    return server


def verdict_of(server: Server, tmp_path: Path, change: tuple[str, str]) -> Job:
    file = server.clone / "Pulumi.gpu.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    github = server.pull_request("Change the stack")
    runner = Runner(
        folder=tmp_path / "runner",
        github=github,
        variables={},
        actions=actions(server),
        programs=write_programs(tmp_path / "programs"),
        environment={"WALK_COMMENTS": str(tmp_path / "comments.json")},
    )
    jobs = {job.name: job for job in runner.run(WORKFLOWS / "preview.yml")}
    assert "preview" not in jobs, "without the variables of a login the preview does not run"
    assert jobs["stacks"].contexts["steps"]["list"]["outputs"] == {"stacks": '["gpu"]'}
    return jobs["verdict"]


def test_a_change_is_judged_and_the_verdict_is_a_comment(server: Server, tmp_path: Path) -> None:
    verdict = verdict_of(server, tmp_path, ("maxModelLen: 2048", "maxModelLen: 4096"))
    assert not verdict.failed, verdict.steps[-1].output
    [comment] = comments(tmp_path / "comments.json")
    assert "4096" in comment
    assert comment.rstrip() in verdict.summary


def test_a_refused_change_fails_after_its_comment(server: Server, tmp_path: Path) -> None:
    verdict = verdict_of(server, tmp_path, ("maxModelLen: 2048", "maxModelLen: 9000000"))
    assert verdict.failed
    assert verdict.steps[-1].name == "Refused stacks fail"
    assert verdict.steps[-1].status == 2
    assert len(comments(tmp_path / "comments.json")) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("github.event.number == '7' && vars.A != ''", True),
        ("vars.NONE != ''", False),
        ("vars.NONE || 8", 8.0),
        ("contains(github.labels.*.name, 'review-stack')", True),
        ("!(vars.A == 'b')", True),
        ("fromJSON(vars.LIST)", ["x", "y"]),
    ],
)
def test_expressions(text: str, value: object) -> None:
    contexts = {
        "github": {"event": {"number": "7"}, "labels": [{"name": "review-stack"}]},
        "vars": {"A": "a", "LIST": '["x", "y"]'},
    }
    assert evaluate(text, contexts) == value
    assert evaluate(f"${{{{ {text} }}}}", contexts) == value


def test_a_text_has_the_values_of_its_expressions() -> None:
    assert (
        substitute("stack-${{ matrix.stack }}-${{ vars.NONE }}", {"matrix": {"stack": "gpu"}, "vars": {}})
        == "stack-gpu-"
    )


@pytest.mark.parametrize("text", ["hashFiles('x')", "secrets.KEY", "a b"])
def test_what_is_not_supported_is_no_value(text: str) -> None:
    with pytest.raises(ValueError, match=r"support|context"):
        evaluate(text, {"a": 1})
