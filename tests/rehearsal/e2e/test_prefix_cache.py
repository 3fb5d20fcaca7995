"""Three replicas of one model: the real picker routes a prompt to the replica with its cached prefix."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.waiting import eventually

from .project import PICKERS, Project, answered, chat, project_in
from .traffic import Request, Steady

pytestmark = pytest.mark.rehearsal

STACK = "prefix-cache-gpu"
MODEL = "Qwen/Qwen2.5-3B-Instruct"
PICKER = "qwen2-5-3b-instruct-epp"
NAMESPACE = "llm-d-inference-scheduling"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("prefix-cache")) as new_project:
        new_project.run("up", STACK)
        yield new_project


def test_prompts_with_one_beginning_go_to_one_replica(project: Project) -> None:
    """By round robin each of these groups would be spread over all three."""
    address = project.endpoint(STACK)
    pods = {pod["metadata"]["name"] for pod in project.model_servers(STACK)}
    assert len(pods) == 3
    for group in range(5):
        beginning = f"Group {group}. " + "What all of these prompts have in common. " * 20
        answers = [chat(address, MODEL, prompt=f"{beginning} Question {number}?") for number in range(6)]
        assert {answer.status_code for answer in answers} == {200}
        requested = {answer.headers["x-inference-pod"] for answer in answers}
        assert len(requested) == 1, f"group {group}: {sorted(requested)}"
        assert requested <= pods


def test_verify_finds_every_promise_of_the_pattern_kept(project: Project) -> None:
    assert project.verified(STACK) >= {"prefix-affinity", "spread", "engine-metrics", "objects", "replicas"}


def test_the_picker_took_the_block_size_it_was_told(project: Project) -> None:
    """It ignores parameters it does not know, so that only its own words show what it took."""
    with project.kube(STACK) as kube:
        config = kube.get("v1", "ConfigMap", PICKER, NAMESPACE)["data"]["picker.yaml"]
    logs = [file.read_text(encoding="utf-8") for file in project.paths(STACK).pod_logs.glob(f"*{PICKER}*")]
    configs = [
        json.loads(line)["config"] for text in logs for line in text.splitlines() if '"Prefix PrepareData' in line
    ]
    assert "blockSizeTokens: 16" in config
    assert [config["blockSizeTokens"] for config in configs] == [16]


def test_a_drained_node_takes_one_replica_at_most(project: Project) -> None:
    with project.kube(STACK) as kube:
        [budget] = kube.list("policy/v1", "PodDisruptionBudget")
    assert budget["status"]["disruptionsAllowed"] == 1
    assert budget["status"]["currentHealthy"] == 3


class TestUnderLoad:
    """20 requests a second, each prompt another."""

    @staticmethod
    def steady(project: Project) -> Steady:
        return Steady(Request(project.endpoint(STACK), MODEL, "is the number."), per_second=20.0)

    def test_a_killed_replica_costs_only_requests_from_before_it_is_seen(self, project: Project) -> None:
        with self.steady(project) as load:
            answered(load, 40)
            victim = sorted(project.ready(STACK))[0]
            address = project.address_of(STACK, victim)
            killed = time.monotonic()
            project.kill(STACK, victim)
            eventually(
                lambda: address not in project.proxied(STACK) or project.is_back(STACK, victim),
                "the load balancer has lost the killed replica, or it runs again already",
            )
            noticed = time.monotonic()
            eventually(lambda: project.is_back(STACK, victim), "it has started again")
            answered(load, 40, since=time.monotonic())
        assert {sample.pod for sample in load.samples if sample.answered and sample.began < killed} == project.ready(
            STACK
        )
        # What the replica was at when it was killed, and what was sent to it until that was noticed: about a third.
        assert [sample for sample in load.unanswered if sample.ended < killed or sample.began > noticed] == []
        in_hand = [sample for sample in load.samples if sample.began < killed < sample.ended]
        meanwhile = [sample for sample in load.samples if killed < sample.began < noticed]
        assert len(load.unanswered) <= len(in_hand) + len(meanwhile) / 2 + 5

    def test_without_a_picker_closed_is_closed(self, project: Project) -> None:
        """Failure mode `close`, the default: a killed picker costs requests until it is back, and none afterwards."""
        [picker] = project.ready(STACK, PICKERS)
        endpoint = project.endpoint(STACK)
        with self.steady(project) as load:
            answered(load, 20)
            killed = time.monotonic()
            project.kill(STACK, picker)
            eventually(lambda: project.is_back(STACK, picker, PICKERS), "the picker has started again")
            # The proxy, too, waits longer from try to try before it looks for its picker again.
            eventually(
                lambda: all(chat(endpoint, MODEL).status_code == 200 for _ in range(20)), "all are answered again"
            )
            back = time.monotonic()
            answered(load, 40, since=back)
        # On a busy machine it may be back before the next request: then none is refused.
        refused = Counter(sample.status for sample in load.unanswered)
        assert all(status >= 500 for status in refused), refused
        assert [sample for sample in load.unanswered if sample.ended < killed or sample.began > back] == []

    @staticmethod
    @contextlib.contextmanager
    def without_picker(project: Project) -> Iterator[None]:
        """A killed picker may be back before the next request; one that is scaled away is not."""
        addresses = {project.address_of(STACK, pod, PICKERS) for pod in project.ready(STACK, PICKERS)}
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": PICKER, "namespace": NAMESPACE},
        }
        with project.kube(STACK) as kube:
            own = kube.managed_by("test")
            own.apply({**deployment, "spec": {"replicas": 0}}, force=True)
            eventually(lambda: project.model_servers(STACK, PICKERS) == [], "the picker is gone")
            eventually(lambda: addresses.isdisjoint(project.proxied(STACK)), "the load balancer has lost it")
            yield
            # A field without a manager has its default, one replica, and the next `up` may set it.
            own.apply(deployment)
        endpoint = project.endpoint(STACK)
        eventually(lambda: project.ready(STACK, PICKERS) != set(), "a picker is back")
        eventually(lambda: all(chat(endpoint, MODEL).status_code == 200 for _ in range(20)), "all are answered again")

    def test_while_there_is_no_picker_nothing_is_answered(self, project: Project) -> None:
        endpoint = project.endpoint(STACK)
        with self.without_picker(project):
            refused = [chat(endpoint, MODEL, prompt=f"Question {number}?").status_code for number in range(9)]
        assert all(status >= 500 for status in refused), refused

    def test_a_lost_leader_is_followed_by_the_second_picker(self, project: Project) -> None:
        """A lost leader, for example with its node, is followed when its lease ends."""
        project.run("up", STACK, "-c", "llm-d:picker.failureMode=open", "-c", "llm-d:picker.replicas=2")
        with project.kube(STACK) as kube:
            eventually(lambda: len(kube.list("v1", "Pod", labels=PICKERS)) == 2, "the picker before it has ended")
        eventually(lambda: len(project.ready(STACK, PICKERS)) == 1, "one of the two leads")
        [leader] = project.ready(STACK, PICKERS)
        address = project.address_of(STACK, leader, PICKERS)
        with self.steady(project) as load:
            answered(load, 20)
            killed = time.monotonic()
            with project.kube(STACK) as kube:
                kube.delete("v1", "Pod", leader, NAMESPACE, gracePeriodSeconds=0)
            # Until then the proxy still sends requests to an endpoint without a process, and open fails too.
            eventually(lambda: address not in project.proxied(STACK), "the load balancer has lost the dead picker")
            killed_at = time.monotonic()
            eventually(lambda: project.ready(STACK, PICKERS) - {leader} != set(), "another picker leads")
            answered(load, 40, since=time.monotonic())
        # What the picker was at went with it, and what was sent to its endpoint until that was gone.
        assert [sample for sample in load.unanswered if sample.ended < killed or sample.began > killed_at] == []

    def test_while_there_is_no_picker_open_goes_on_with_any_replica(self, project: Project) -> None:
        with self.without_picker(project), self.steady(project) as load:
            eventually(lambda: len({answer.pod for answer in load.answers(0)}) == 3, "every replica answers")
        assert load.unanswered == []
