"""Replicas follow the load: KEDA's programs, Kubernetes' autoscaler and a Prometheus, all real."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_d_gke.catalog.metrics import load_metrics
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.google_types import PROJECT_MEMBER
from llm_d_gke.operations.live_stack.metrics import prometheus_of
from llm_d_gke.stackfile import stack_file
from tests.operations.browser import look
from tests.waiting import eventually

from .live import options
from .project import Command, Project, project_in
from .scaling import CHANGES, PARTS, STACK, step_of_load
from .test_failures import NAMESPACE, without

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

SCALED = ("keda.sh/v1alpha1", "ScaledObject")
_SUFFIXES = ("", "_bucket", "_sum", "_count")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("scaling")) as created:
        created.run("up", STACK, *CHANGES)
        yield created


def test_a_step_of_load_adds_replicas_and_nodes_and_loses_no_request_on_the_way_back(project: Project) -> None:
    done = step_of_load(project.paths(STACK))
    assert list(done.seconds) == list(PARTS)
    assert done.requests > 50
    assert done.unanswered == 0
    with project.kube(STACK) as kube:
        [scaled] = kube.list(*SCALED)
    ready = {condition["type"]: condition["status"] for condition in scaled["status"]["conditions"]}
    assert ready["Ready"] == "True"
    assert project.verified(STACK, *CHANGES) >= {"engine-metrics", "scrapes"}


def test_the_dashboard_shows_the_stack_in_a_browser(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    project.look("dashboard", STACK, "--minutes", "10", "--out", str(file))
    page = file.read_text(encoding="utf-8")
    panels = dict(re.findall(r"<figcaption>(.*?)</figcaption>(.*?)</figure>", page, re.DOTALL))
    assert len(panels) == 12
    assert [title for title, content in panels.items() if "<svg" not in content] == []
    looked = look({"wide": (page, 1280), "narrow": (page, 420)}, tmp_path)
    assert looked.console == ()
    for frame in looked.frames.values():
        assert (frame["wide"] <= frame["room"], frame["beyond"], frame["lost"]) == (True, [], [])


def test_a_stack_comes_back_after_a_pause(project: Project) -> None:
    """Without a replica nothing is measured, and KEDA must not wait for a number."""
    query = {"query": "count({__name__='vllm:num_requests_running'})"}

    def series() -> list[object]:
        address = f"{prometheus_of(project.paths(STACK), print)}/api/v1/query"
        return list(httpx.get(address, params=query, timeout=10.0, trust_env=False).json()["data"]["result"])

    project.run("up", STACK, *CHANGES, "-c", "paused=true")
    eventually(lambda: not project.model_servers(STACK) and not series())
    assert "answered in" in project.run("up", STACK, *CHANGES)


def test_without_a_replica_the_dashboard_says_that_the_alert_is_due(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "page.html"

    def stated() -> str:
        project.look("dashboard", STACK, "--minutes", "1", "--out", str(file))
        [state] = re.findall(r"has no replica: <span>(.*?)</span>", file.read_text(encoding="utf-8"))
        return str(state)

    eventually(lambda: stated() == "quiet")
    with project.kube(STACK) as kube:
        [scaled] = kube.list(*SCALED, NAMESPACE)

        def annotate(replicas: str | None) -> None:
            change = {"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": replicas}}}
            kube.patch(*SCALED, scaled["metadata"]["name"], change, NAMESPACE)

        annotate("0")
        try:
            eventually(lambda: bool(re.fullmatch(r"holds since [0-9:]{8} UTC, fires after 5 min", stated())))
        finally:
            annotate(None)
        eventually(lambda: stated() == "quiet")


def test_every_metric_of_the_catalog_is_scraped(project: Project) -> None:
    """But for those of which the catalog says when they appear."""
    address = f"{prometheus_of(project.paths(STACK), print)}/api/v1/label/__name__/values"
    names = set(httpx.get(address, timeout=10.0, trust_env=False).json()["data"])
    exporters = {
        exporter
        for metric in load_metrics().metrics.values()
        for exporter in metric.names
        if any(name.startswith(exporter) for name in names)
    }
    assert len(exporters) == 2, "the engine and one picker"
    assert [
        name
        for name, metric in load_metrics().metrics.items()
        if not metric.appears
        and not any(
            metric.names[exporter] + suffix in names
            for exporter in exporters & set(metric.names)
            for suffix in _SUFFIXES
        )
    ] == []


Spec = dict[str, Any]


@contextmanager
def changed(project: Project, changes: Callable[[Spec], Spec]) -> Iterator[None]:
    """With another specification of the ScaledObject: `changes` are those of the present one."""
    with project.kube(STACK) as kube:
        [scaled] = kube.list(*SCALED, NAMESPACE)
        name, before = scaled["metadata"]["name"], scaled["spec"]
        different = changes(before)
        kube.patch(*SCALED, name, {"spec": different}, NAMESPACE)
        try:
            yield
        finally:
            kube.patch(*SCALED, name, {"spec": {key: before[key] for key in different}}, NAMESPACE)


def triggers(**metadata: str | None) -> Callable[[Spec], Spec]:
    """Other metadata of the triggers that read Prometheus; None removes it."""

    def merged(before: Mapping[str, str]) -> dict[str, str]:
        return {key: value for key, value in {**before, **metadata}.items() if value is not None}

    return lambda spec: {
        "triggers": [trigger | {"metadata": merged(trigger["metadata"])} for trigger in spec["triggers"]]
    }


# By cause: what is wrong with the stack.
FAULTS: dict[str, Callable[[Project], AbstractContextManager[None]]] = {
    "scaler-denied": lambda project: without(project, PROJECT_MEMBER, STACK, role="roles/monitoring.viewer"),
    "scaler-without-data": lambda project: changed(project, triggers(query="sum(absent_metric)")),
    "scaler-trigger": lambda project: changed(project, triggers(serverAddress=None)),
    "scaler-many-series": lambda project: changed(
        project, triggers(query='vector(1) or label_replace(vector(2), "a", "b", "", "")')
    ),
    # Last: earlier reasons stay among the events.
    "scale-target-missing": lambda project: changed(project, lambda _: {"scaleTargetRef": {"kind": "StatefulSet"}}),
}


@pytest.mark.parametrize("cause", FAULTS)
def test_diagnose_has_the_cause_in_kedas_own_words(project: Project, cause: str) -> None:
    def named() -> list[str]:
        done = Command(project.root, ("diagnose", STACK, "--json", *CHANGES), "llm_d_gke").wait()
        return [cause["id"] for cause in json.loads(done.text)["causes"]]

    with FAULTS[cause](project):
        eventually(lambda: named() == [cause], cause, every=1.0)
    eventually(lambda: named() == [], "nothing is wrong", every=1.0)


def test_autoscaling_ends_with_the_number_that_was_asked_for(project: Project) -> None:
    """In one update the autoscaler would set its own number again. Later ones take the field from it."""

    file = stack_file(project.root, STACK)
    [model] = read_yaml(file)["config"]["llm-d:models"]

    def fixed(replicas: int) -> tuple[str, ...]:
        settings = {key: value for key, value in model.items() if key != "autoscaling"} | {"replicas": replicas}
        return options([f"models[0]={json.dumps(settings)}"])

    def planned() -> list[int]:
        with project.kube(STACK) as kube:
            engines = kube.list("apps/v1", "Deployment", NAMESPACE)
        return [engine["spec"]["replicas"] for engine in engines if engine["metadata"]["name"].endswith("-vllm")]

    assert "LLMD-PREFLIGHT-AUTOSCALER" in project.run("up", STACK, *fixed(2), code=2)
    both_limits = options(["models[0].autoscaling.minimum=2", "models[0].autoscaling.maximum=2"])
    project.run("up", STACK, *CHANGES, *both_limits)
    eventually(lambda: planned() == [2])
    project.run("up", STACK, *fixed(2))
    with project.kube(STACK) as kube:
        assert kube.list(*SCALED, NAMESPACE) == []
    assert planned() == [2]
    assert "replicas" in project.verified(STACK, *fixed(2))
    project.run("up", STACK, *fixed(3))
    assert planned() == [3]


def test_nothing_is_left(project: Project) -> None:
    project.run("down", STACK)
    assert project.leftovers(STACK) == []
