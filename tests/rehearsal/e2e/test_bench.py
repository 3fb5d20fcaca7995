"""`bench` on a rehearsed stack with the real load generator, and what its Job in the cluster would run."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.operations.bench.result import BenchError
from llm_d_gke.operations.bench.run import PYTHON, find_python, make_tokenizer, run_tool
from tests.operations.browser import look
from tests.waiting import eventually

from .project import Project, project_in
from .test_failures import NAMESPACE

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

STACK = "gpu"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    try:
        python = find_python()
    except BenchError as error:
        pytest.skip(str(error))
    with pytest.MonkeyPatch.context() as patch, project_in(tmp_path_factory.mktemp("bench")) as created:
        patch.setenv(PYTHON, str(python.absolute()))
        created.run("up", STACK)
        yield created


def test_a_run_has_the_stacks_figures_and_a_page_of_them(project: Project, tmp_path: Path) -> None:
    out = project.root / "bench" / f"{STACK}-quick"
    text = project.look("bench", STACK, "quick", "--service")
    assert "that is rehearsed on this machine" in " ".join(text.split())
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    for [stage] in (result["stages"], result["service"]):
        assert (stage["concurrency"], stage["requests"], stage["failures"]) == (1, 10, 0)
        assert 0 < stage["time_per_output_token"]["median"] < stage["time_to_first_token"]["median"]
    assert set(result["cached_by_replica"]) == project.ready(STACK)
    page = (out / "report.html").read_text(encoding="utf-8")
    looked = look({"wide": (page, 1280), "narrow": (page, 420)}, tmp_path)
    assert looked.console == ()
    assert all(frame["wide"] <= frame["room"] for frame in looked.frames.values())


def test_a_job_is_admitted_and_the_load_generator_takes_its_configuration(project: Project) -> None:
    """Its image does not run in a rehearsal: the load generator reads here what the Job mounts."""
    python, file, results = find_python(), project.root / "job.yaml", project.root / "results"
    to_url = ("bench", STACK, "quick", "--url", project.endpoint(STACK))
    tokenizer = make_tokenizer(python, project.root / "tokenizer")
    project.look(*to_url, "--job", str(file), "--tokenizer", tokenizer)
    objects = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    name = objects[-1]["metadata"]["name"]
    with project.kube(STACK) as kube:
        for body in objects:
            kube.create(body)
        eventually(lambda: bool(kube.get("batch/v1", "Job", name, NAMESPACE)["status"].get("succeeded")), "it ran")
        [pod] = kube.list("v1", "Pod", NAMESPACE, labels=f"app.kubernetes.io/name={name}")
        node = kube.get("v1", "Node", pod["spec"]["nodeName"])
        [mounted] = kube.get("v1", "Secret", name, NAMESPACE)["data"].values()
    assert node["metadata"]["labels"]["cloud.google.com/gke-nodepool"].endswith("-cpu")
    settings = parse_yaml(base64.b64decode(mounted))
    settings["storage"]["local_storage"]["path"] = str(results)
    results.mkdir()
    run_tool(python, settings, results, offline=True)
    project.look(*to_url, "--results", str(results), "--out", str(project.root / "read"))
    [stage] = json.loads((project.root / "read" / "result.json").read_text(encoding="utf-8"))["stages"]
    assert (stage["requests"], stage["failures"]) == (10, 0)


def test_nothing_is_left(project: Project) -> None:
    project.run("down", STACK)
    assert project.leftovers(STACK) == []
