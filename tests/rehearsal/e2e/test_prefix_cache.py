"""Three replicas of one model: a prompt goes where its beginning is cached already, by the real picker."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from operations.traffic import Request, Steady
from rehearsal import processes

from .project import Project, chat, eventually, project_in

pytestmark = pytest.mark.rehearsal

STACK = "prefix-cache-gpu"
MODEL = "Qwen/Qwen2.5-3B-Instruct"
PICKER = "qwen2-5-3b-instruct-epp"
NAMESPACE = "llm-d-inference-scheduling"
ENGINES, PICKERS = "llm-d.ai/inference-serving=true", "app.kubernetes.io/name=endpoint-picker"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("prefix-cache")) as made:
        made.run("up", STACK)
        yield made


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
        config = kube.get("v1", "ConfigMap", PICKER, NAMESPACE)["data"]["picker.yaml"]
    logs = [file.read_text(encoding="utf-8") for file in project.paths(STACK).pod_logs.glob(f"*{PICKER}*")]
    said = [json.loads(line)["config"] for text in logs for line in text.splitlines() if '"Prefix PrepareData' in line]
    assert "blockSizeTokens: 16" in config
    assert [one["blockSizeTokens"] for one in said] == [16]


def test_a_drained_node_takes_one_replica_at_most(project: Project) -> None:
    with project.kube(STACK) as kube:
        [budget] = kube.list("policy/v1", "PodDisruptionBudget")
    assert budget["status"]["disruptionsAllowed"] == 1
    assert budget["status"]["currentHealthy"] == 3


def ready(project: Project, label: str) -> set[str]:
    """Names of the ready pods that are not on their way out."""
    with project.kube(STACK) as kube:
        pods = kube.list("v1", "Pod", labels=label)
    return {
        pod["metadata"]["name"]
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
        and any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
    }


def kill(project: Project, pod: str) -> None:
    """As a crash does: at once, and nobody is told."""
    [process] = [one for one in processes.listing(project.paths(STACK)) if pod in one.name]
    os.kill(process.pid, signal.SIGKILL)


class TestUnderLoad:
    """20 requests a second, each prompt another."""

    @staticmethod
    def steady(project: Project) -> Steady:
        return Steady(Request(project.run("endpoint", STACK).strip(), MODEL, "is the number."), per_second=20.0)

    def test_a_killed_replica_costs_only_requests_from_before_it_is_seen(self, project: Project) -> None:
        with self.steady(project) as load:
            time.sleep(2.0)
            victim = sorted(ready(project, ENGINES))[0]
            killed = time.monotonic()
            kill(project, victim)
            eventually(lambda: victim not in ready(project, ENGINES), "the killed replica is not ready", 5.0)
            # The load balancer hears of it in its next round.
            noticed = time.monotonic() + 0.5
            eventually(lambda: len(ready(project, ENGINES)) == 3, "it has started again")
            time.sleep(2.0)
        assert {one.pod for one in load.samples if one.answered and one.began < killed} == ready(project, ENGINES)
        assert [one for one in load.lost if not killed - 5 < one.began < noticed] == []
        # A third of what came until then, and what the replica was at.
        assert len(load.lost) < 20 * (noticed - killed) + 10

    def test_without_a_picker_closed_is_closed(self, project: Project) -> None:
        """Failure mode `close`, the default: nobody is sent to a replica that nobody chose."""
        [picker] = ready(project, PICKERS)
        with self.steady(project) as load:
            time.sleep(1.0)
            killed = time.monotonic()
            kill(project, picker)
            eventually(lambda: not ready(project, PICKERS), "the picker is not ready", 5.0)
            eventually(lambda: len(ready(project, PICKERS)) == 1, "the picker has started again")
            back = time.monotonic()
            time.sleep(5.0)
        refused = Counter(one.status for one in load.lost)
        assert refused
        assert all(status >= 500 for status in refused), refused
        assert [one for one in load.lost if one.began < killed - 5 or one.began > back + 4.0] == []

    def test_without_a_picker_open_goes_on_until_the_second_picker_leads(self, project: Project) -> None:
        """Any replica answers meanwhile. A leader that is gone, with its node, say, is followed when its lease ends."""
        project.run("up", STACK, "-c", "llm-d:picker.failureMode=open", "-c", "llm-d:picker.replicas=2")
        [leader] = ready(project, PICKERS)
        with project.kube(STACK) as kube:
            assert len(kube.list("v1", "Pod", labels=PICKERS)) == 2
        with self.steady(project) as load:
            time.sleep(1.0)
            killed = time.monotonic()
            with project.kube(STACK) as kube:
                kube.delete("v1", "Pod", leader, NAMESPACE, grace=0)
            eventually(lambda: ready(project, PICKERS) - {leader} != set(), "another picker leads", 40.0)
            followed = time.monotonic()
            time.sleep(2.0)
        # What the picker had in hand went with it.
        assert [one for one in load.lost if not one.began < killed + 0.5] == []
        assert len(load.lost) < 20
        answered = [one for one in load.samples if one.answered and killed + 0.5 < one.began < followed]
        assert len(answered) > 10
        assert len({one.pod for one in answered}) == 3
