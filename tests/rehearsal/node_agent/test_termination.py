"""A deleted pod ends as under a kubelet: it serves on, then it is signaled, then its sidecars."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.host.ports import Ports
from llm_d_gke.rehearsal.node_agent import pod_worker as workers
from llm_d_gke.rehearsal.node_agent.containers import Container
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program
from llm_d_gke.rehearsal.node_agent.launch import Launch
from llm_d_gke.rehearsal.node_agent.pod_status import ContainerState
from llm_d_gke.rehearsal.node_agent.pod_worker import Kubelet, PodWorker
from llm_d_gke.rehearsal.node_agent.probes import Probe
from llm_d_gke.rehearsal.paths import StackPaths
from tests.waiting import PATIENCE, eventually

# Reports SIGTERM, and then acts by its argument.
SCRIPT = """trap 'date +%s%N > "$0"; {then}' TERM; echo up > "$0.up"; while :; do sleep 0.05; done"""


class Pod:
    """A pod of a server and a sidecar, each a shell; `step` until it has ended."""

    def __init__(self, folder: Path, *, hook: dict[str, Any], grace: int, then: str = "exit 0") -> None:
        self.folder, self.paths = folder, StackPaths("stack", folder)
        self.said: list[str] = []
        self.pod: dict[str, Any] = {
            "metadata": {"name": "p", "namespace": "llm", "uid": "u", "deletionGracePeriodSeconds": grace},
            "spec": {"containers": []},
        }
        self.listed = False
        host = SimpleNamespace(
            paths=self.paths,
            ports=Ports(),
            record_difference=self.said.append,
            listed=lambda _address: self.listed,
            event=lambda _pod, _reason, message, **_: self.said.append(message),
        )
        self.worker = PodWorker(cast(Kubelet, host), self.pod, "127.64.1.9", "127.64.0.10")
        self.worker._mains = [self._container("server", then, {"lifecycle": {"preStop": hook}})]
        self.worker._inits = [self._container("sidecar", "exit 0", {})]

    def _container(self, name: str, then: str, hook: dict[str, Any]) -> Container:
        launch = Launch(("-c", SCRIPT.format(then=then), str(self.folder / name)), {"PATH": os.environ["PATH"]}, {})
        return Container(
            paths=self.paths,
            spec={"name": name, "image": "sh", **hook},
            program=Program.ENGINE,
            binary=Path("/bin/sh"),
            process_name=name,
            log=self.folder / f"{name}.log",
            restart_policy="Always",
            prepare=lambda _container, _allocate: launch,
            free=Ports(),
            state=ContainerState(name, "sh"),
        )

    def start(self) -> None:
        everyone = [*self.worker._mains, *self.worker._inits]
        with ThreadPoolExecutor(1) as pool:
            for pod in everyone:
                pod.sync(pool, lambda: None)
        eventually(lambda: all((self.folder / f"{pod.state.name}.up").exists() for pod in everyone))

    def leave(self) -> float:
        """Seconds from the deletion until the pod has ended."""
        began = time.monotonic()
        self.pod["metadata"]["deletionTimestamp"] = "now"
        while not self.worker.terminated:
            assert time.monotonic() - began < PATIENCE
            self.worker.sync(self.pod)
            time.sleep(0.02)
        return time.monotonic() - began

    def sigterm_time(self, name: str) -> float:
        """When the container got SIGTERM."""
        return int((self.folder / name).read_text()) / 1e9


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Pod]]:
    pods: list[Pod] = []

    def start(**how: Any) -> Pod:
        pods.append(Pod(tmp_path, **how))
        pods[-1].start()
        return pods[-1]

    yield start
    for pod in pods:
        processes.stop_all(pod.paths, grace=0.1)


SLEEPS = {"of its own kind": {"sleep": {"seconds": 900}}, "a command": {"exec": {"command": ["/bin/sleep", "900"]}}}


@pytest.mark.parametrize("hook", SLEEPS.values(), ids=SLEEPS)
def test_it_serves_on_through_its_pre_stop_sleep(make: Callable[..., Pod], hook: dict[str, Any]) -> None:
    pod = make(hook=hook, grace=1000)
    began = time.time()
    assert pod.leave() >= workers.LONGEST_PRE_STOP
    assert pod.sigterm_time("server") - began >= workers.LONGEST_PRE_STOP
    # Periods shorter than on GKE are reported.
    assert any("preStop" in text for text in pod.said)


def test_a_command_that_the_image_lacks_is_no_notice(make: Callable[..., Pod], long_pre_stop: float) -> None:
    pod = make(hook=SLEEPS["a command"], grace=1000)
    pod.worker._mains[0].program = Program.PICKER
    assert pod.leave() < long_pre_stop


def test_its_notice_begins_once_the_load_balancer_has_left_it_out(make: Callable[..., Pod]) -> None:
    """Else a pod would end on a busy machine while requests are still sent to it."""
    pod = make(hook=SLEEPS["of its own kind"], grace=1000)
    pod.listed = True
    pod.pod["metadata"]["deletionTimestamp"] = "now"
    pod.worker.sync(pod.pod)
    assert pod.worker._deleting_since is not None
    pod.worker._deleting_since -= 2 * workers.LONGEST_PRE_STOP
    pod.worker.sync(pod.pod)
    assert not (pod.folder / "server").exists()
    pod.listed = False
    pod.leave()
    assert (pod.folder / "server").exists()


@pytest.fixture
def long_pre_stop(monkeypatch: pytest.MonkeyPatch) -> float:
    """A notice in seconds that is longer than `leave` waits."""
    monkeypatch.setattr(workers, "LONGEST_PRE_STOP", 10 * PATIENCE)
    return 10 * PATIENCE


def test_without_one_it_is_told_at_once(make: Callable[..., Pod], long_pre_stop: float) -> None:
    pod = make(hook={}, grace=90)
    assert pod.leave() < long_pre_stop
    assert pod.said == []


def test_sidecars_are_told_once_the_server_has_ended(make: Callable[..., Pod]) -> None:
    """Requests that run come through the sidecar: it may not go first."""
    pod = make(hook={}, grace=90, then="sleep 0.5; exit 0")
    pod.leave()
    assert pod.sigterm_time("sidecar") - pod.sigterm_time("server") > 0.4


def test_who_does_not_end_within_the_grace_is_killed(make: Callable[..., Pod]) -> None:
    pod = make(hook={}, grace=1, then=":")
    assert pod.leave() >= 1


def test_the_sleep_is_part_of_the_grace(make: Callable[..., Pod], long_pre_stop: float) -> None:
    pod = make(hook=SLEEPS["of its own kind"], grace=2, then=":")
    assert 2 <= pod.leave() < long_pre_stop


def test_a_forced_deletion_waits_for_nothing(make: Callable[..., Pod], long_pre_stop: float) -> None:
    assert make(hook=SLEEPS["of its own kind"], grace=0).leave() < long_pre_stop


def test_a_pod_that_fills_its_disk_is_evicted(make: Callable[..., Pod], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processes get a second, whatever its own grace period."""
    pod = make(hook=SLEEPS["of its own kind"], grace=3600, then=":")
    monkeypatch.setattr(workers, "INTERVAL_SECONDS", 0.0)
    pod.pod["spec"]["volumes"] = [{"name": "cache", "emptyDir": {"sizeLimit": "1Mi"}}]
    folder = pod.folder / "cache"
    folder.mkdir()
    (folder / "full").write_bytes(b"0" * (2**20 + 1))
    pod.worker._folders = {"cache": str(folder)}
    pod.worker.sync(pod.pod)
    status = pod.worker.status()
    words = 'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". '
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "Evicted", words)
    states = [entry["state"] for entry in (*status["containerStatuses"], *status["initContainerStatuses"])]
    assert [state["terminated"]["exitCode"] for state in states] == [137, 137]
    assert not [process for process in processes.listing(pod.paths) if process.alive]
    assert pod.said == [words]


def test_a_pod_has_been_ready_for_long_once_the_load_balancer_lists_it(make: Callable[..., Pod]) -> None:
    """Else a surge would end the old pod while the load balancer still waits for the new one's health check."""
    pod = make(hook={}, grace=5)
    pod.worker.__dict__["_ready_for_seconds"] = 60.0
    pod.worker._inits = []
    pod.worker._mains[0].state.ready = True

    def since() -> datetime:
        [ready] = [entry for entry in pod.worker.status()["conditions"] if entry["type"] == "Ready"]
        assert ready["status"] == "True"
        return datetime.fromisoformat(ready["lastTransitionTime"])

    unlisted = since()
    pod.listed = True
    listed = since()
    assert (unlisted - listed).total_seconds() == pytest.approx(60.0, abs=2.0)
    assert since() == listed


def test_a_container_that_does_not_start_in_time_is_ended_in_the_kubelets_words(make: Callable[..., Pod]) -> None:
    pod = make(hook={}, grace=5)
    [container] = pod.worker._mains
    container.event = pod.worker._event
    container.state.started = False
    container.probes = [Probe("startup", {"failureThreshold": 1, "periodSeconds": 1}, {}, {}, start_budget=0.0)]
    container.probes[0].failures, container.probes[0].message = 1, "connection refused"
    with ThreadPoolExecutor(1) as pool:
        container.sync(pool, lambda: None)
        assert pod.said == [
            "Startup probe failed: connection refused",
            "Container server failed startup probe, will be restarted",
        ]
        eventually(lambda: not container.alive)
        container.sync(pool, lambda: None)
    assert container.state.restarts == 1
