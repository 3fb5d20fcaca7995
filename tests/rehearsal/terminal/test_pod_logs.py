"""`logs`: what pods wrote, and how to see it on GKE."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke.planning import plan_config
from llm_d_gke.rehearsal.errors import NotUpError, RehearsalError
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.pod_logs import picker_lines, print_logs
from llm_d_gke.stackfile.assumptions import load_assumed


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    paths = StackPaths("gpu", tmp_path)
    paths.pod_logs.mkdir(parents=True)
    paths.kubeconfig.parent.mkdir()
    for file in (paths.kubeconfig, paths.settings):
        file.touch()
    (paths.pod_logs / "serving_server-1_vllm.log").write_text("ready\nserving\nhalf a li", encoding="utf-8")
    (paths.pod_logs / "serving_picker-1_epp.log").write_text("picking\n", encoding="utf-8")
    return paths


def test_on_gke_a_part_of_a_name_is_looked_up_first(tmp_path: Path) -> None:
    """kubectl takes whole names alone."""
    with pytest.raises(NotUpError) as error:
        print_logs(StackPaths("gpu", tmp_path), "vllm", follow=False)
    *_, look, logs, _ = str(error.value).splitlines()
    assert look.endswith("| grep vllm")
    assert logs.endswith("--follow NAME")


def test_on_gke_the_logs_of_every_server_are_followed(tmp_path: Path) -> None:
    """Of a Deployment kubectl would print one pod's log, and of prefill and decode those of one alone."""
    with pytest.raises(NotUpError) as error:
        print_logs(StackPaths("disaggregated-tpu", tmp_path), None, follow=False, tail=20)
    logs = [line for line in str(error.value).splitlines() if "kubectl logs" in line]
    plan = plan_config("disaggregated-tpu", load_assumed("disaggregated-tpu"))
    servers = plan.models[0].servers
    assert len(logs) == len(servers) == 2
    for line, server in zip(logs, servers, strict=True):
        words = line.split()
        assert words[words.index("--tail") + 1] == "20"
        assert int(words[words.index("--max-log-requests") + 1]) >= server.most_replicas
        selected = dict(pair.split("=") for pair in words[words.index("--selector") + 1].split(","))
        assert selected == dict(server.selector)


@pytest.mark.parametrize(
    ("request_id", "words"),
    [(None, "-epp --since=5m | bin/llmd why gpu --log -"), ("a b", "-epp | bin/llmd why gpu 'a b' --log -")],
)
def test_on_gke_the_request_that_is_looked_for_is_named(tmp_path: Path, request_id: str | None, words: str) -> None:
    with pytest.raises(NotUpError) as error:
        picker_lines(StackPaths("gpu", tmp_path), [], None, request_id)
    assert words in str(error.value)


def test_all_pods_are_told_apart(paths: StackPaths, capsys: pytest.CaptureFixture[str]) -> None:
    print_logs(paths, None, follow=False)
    assert capsys.readouterr().out == "picker-1  picking\nserver-1  ready\nserver-1  serving\n"


def test_containers_and_namespaces_are_named_where_there_are_several(
    paths: StackPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    (paths.pod_logs / "serving_server-1_init.log").write_text("copying\n", encoding="utf-8")
    (paths.pod_logs / "keda_operator-1_keda.log").write_text("scaling\n", encoding="utf-8")
    print_logs(paths, None, follow=False)
    assert capsys.readouterr().out.splitlines() == [
        "keda/operator-1  scaling",
        "serving/picker-1  picking",
        "serving/server-1/init  copying",
        "serving/server-1/vllm  ready",
        "serving/server-1/vllm  serving",
    ]


def test_one_pod_needs_no_name_on_each_line(paths: StackPaths, capsys: pytest.CaptureFixture[str]) -> None:
    print_logs(paths, "server", follow=False)
    assert capsys.readouterr().out == "ready\nserving\n"


def test_following_prints_each_line_once(
    paths: StackPaths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    appended = iter(["ne\n", "last\n"])

    def wait(_seconds: float) -> None:
        text = next(appended, None)
        if text is None:
            raise KeyboardInterrupt
        with (paths.pod_logs / "serving_server-1_vllm.log").open("a", encoding="utf-8") as file:
            file.write(text)

    monkeypatch.setattr("llm_d_gke.rehearsal.terminal.pod_logs.time.sleep", wait)
    with pytest.raises(KeyboardInterrupt):
        print_logs(paths, "server", follow=True)
    assert capsys.readouterr().out.splitlines() == ["ready", "serving", "half a line", "last"]


def test_an_unknown_pod_is_refused_with_the_names_there_are(paths: StackPaths) -> None:
    with pytest.raises(RehearsalError, match=r"has 'nobody' in its name\. Pods with logs: picker-1, server-1$"):
        print_logs(paths, "nobody", follow=False)


@pytest.mark.parametrize("part", ["ver-1", "server-1", "pod/server-1", "serving_server"])
def test_a_part_of_a_name_is_enough(paths: StackPaths, capsys: pytest.CaptureFixture[str], part: str) -> None:
    print_logs(paths, part, follow=False)
    assert capsys.readouterr().out == "ready\nserving\n"


@pytest.mark.parametrize(("tail", "expected"), [(0, []), (1, ["serving"]), (9, ["ready", "serving"])])
def test_only_the_last_lines_are_printed(
    paths: StackPaths, capsys: pytest.CaptureFixture[str], tail: int, expected: list[str]
) -> None:
    print_logs(paths, "server", follow=False, tail=tail)
    assert capsys.readouterr().out.splitlines() == expected
