"""The load as a Job in the cluster: restricted, on the CPU pool, with the files that its commands fetch."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.operations.bench import command
from llm_d_gke.operations.bench.job import IMAGE
from llm_d_gke.operations.live_stack.stack import Endpoint
from tests.command_line import llmd
from tests.components.test_pod_security import broken
from tests.operations.bench.test_bench import written
from tests.stacks import plan_of


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """A stack on GKE, whose attributes a test can change."""
    endpoint = Endpoint(url="http://34.1.2.3:8080", host="models.example.com", trusted=True)
    live = SimpleNamespace(
        name="gpu", target="gke", plan=plan_of("gpu"), endpoint=endpoint, looked_at="the stack gpu", diagnose="diagnose"
    )

    @contextmanager
    def opened(*_: object) -> Iterator[SimpleNamespace]:
        yield live

    monkeypatch.setattr(command, "open_stack", opened)
    return argparse.Namespace(live=live)


def objects(out: Path) -> dict[str, Any]:
    return {body["kind"]: body for body in yaml.safe_load_all(out.read_text(encoding="utf-8"))}


@pytest.mark.usefixtures("stack")
def test_the_job_sends_the_scenario_to_the_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "job.yaml"
    assert llmd("bench", "gpu", "throughput", "--job", str(out), "--header", "x-api-key: abc") == 0
    assert out.stat().st_mode & 0o077 == 0, "the file may hold a key"
    written_objects = objects(out)
    tool = parse_yaml(written_objects["Secret"]["stringData"]["inference-perf.yaml"])
    assert tool["server"]["base_url"] == "http://34.1.2.3:8080"
    assert tool["api"]["headers"] == {"Host": "models.example.com", "x-api-key": "abc"}
    assert tool["tokenizer"] == {"pretrained_model_name_or_path": "google/gemma-2b-it"}
    assert tool["storage"] == {"local_storage": {"path": "/results"}}
    pod = written_objects["Job"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"]["cloud.google.com/gke-nodepool"].endswith("-cpu")
    assert "nvidia.com/gpu" not in json.dumps(pod)
    [container] = pod["containers"]
    assert container["image"] == IMAGE
    assert "@sha256:" in IMAGE
    container["ports"] = []
    assert broken({"metadata": {"labels": {}}, "spec": pod}) == set()
    policy = written_objects["NetworkPolicy"]["spec"]
    assert "ingress" not in policy
    assert [rule["port"] for rule in policy["egress"][1]["ports"]] == [443, 8080]
    printed = capsys.readouterr().out
    assert "abc" not in printed
    assert f"kubectl apply -f {out}" in printed
    assert "--results bench/gpu-throughput" in printed


def test_its_files_are_read_like_those_of_a_run_here(
    stack: argparse.Namespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path)
    out = tmp_path / "out"
    assert llmd("bench", "gpu", "quick", "--results", str(folder), "--out", str(out)) == 0
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert [stage["requests"] for stage in result["stages"]] == [10]
    assert result["target"] == stack.live.looked_at
    assert f"bench quick of {stack.live.looked_at}" in capsys.readouterr().out
    assert (out / "report.html").exists()


@pytest.mark.parametrize(
    ("place", "header", "words", "status"),
    [("rehearsal", "a: b", "add --url", 1), ("gke", "Bearer abc", "is not NAME: VALUE", 2)],
)
def test_what_cannot_work_is_said(
    stack: argparse.Namespace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    place: str,
    header: str,
    words: str,
    status: int,
) -> None:
    stack.live.target = place
    assert llmd("bench", "gpu", "quick", "--job", str(tmp_path / "job.yaml"), "--header", header) == status
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "job.yaml").exists()
