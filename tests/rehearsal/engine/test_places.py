"""The canary of `verify` over real engines without a cluster: every rank, and every pair of prefill and decode.

Engines and routing sidecars run as the node agent starts them for the pods of a plan. The list of pods is this test's.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_d_gke.operations.live_stack.stack import Endpoint, LiveStack, Manifest
from llm_d_gke.operations.verify.checks.replicas import same_answer_everywhere
from llm_d_gke.operations.verify.context import CheckContext, Replica, Reply
from llm_d_gke.operations.verify.result import Outcome
from llm_d_gke.planning import plan_raw
from llm_d_gke.planning.plan.pods import ContainerPlan
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.rehearsal.host.ports import Ports
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program, executable
from llm_d_gke.rehearsal.node_agent.launch import launch
from llm_d_gke.rehearsal.node_agent.vllm_on_cpu import EngineVersion, VllmOnCpu
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.vllm_cpu.environment import install_transfer, installed
from llm_d_gke.rehearsal.vllm_cpu.model_folders import read_models, tiny_models, write_models
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.operations.verify.fake_stack import FakeCluster, FakeEngine
from tests.waiting import PATIENCE, eventually

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

START_SECONDS = 900.0
VERSION = "0.26.0"


@dataclass
class Places:
    """Pods of a plan, each as processes of this machine; `ports` are those of the processes, by pod and its port."""

    stack: str
    changes: Mapping[str, str]
    folder: Path
    running: ExitStack
    pods: list[FakeEngine] = field(default_factory=list)
    ports: dict[str, dict[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        configuration = load(PROJECT_ROOT, self.stack, {f"llm-d:{key}": value for key, value in self.changes.items()})
        self.configuration = configuration
        self.plan = plan_raw(self.stack, configuration.settings(), configuration.encrypted())
        environment = installed(VERSION, print)
        install_transfer(environment, print)
        self.paths, self.free = StackPaths(self.stack, self.folder), Ports()
        self.paths.engine_models.mkdir(parents=True)
        write_models(self.paths, tiny_models(self.plan, configuration), environment)
        self.environment = environment
        self.engine = VllmOnCpu(EngineVersion(VERSION, environment), read_models(self.paths))

    def start(self, server: ModelServerPlan, name: str, **variables: str) -> None:
        """Start the containers of one pod; `await_all` waits for it."""
        address = f"10.0.0.{len(self.pods)}"
        self.pods.append(FakeEngine(name, "", dict(server.serving_selector), address=address))
        own = self.ports[name] = {}
        self._start(server.pod, Program.ENGINE, self.environment.python, own, name, variables)
        for sidecar in server.pod.sidecars:
            binary = executable(Program.SIDECAR, sidecar.image, self.paths, print)
            self._start(sidecar, Program.SIDECAR, binary, own, name, {})

    def _start(
        self,
        container: ContainerPlan,
        program: Program,
        binary: Path,
        ports: dict[int, int],
        name: str,
        variables: Mapping[str, str],
    ) -> None:
        named = {entry.name: entry.value or "127.0.0.1" for entry in container.env if "NIXL" in entry.name}
        environment = {"HOME": str(self.folder), **named, **variables}
        words = {"command": list(container.command), "args": list(container.args)}
        started = launch(
            program,
            words,
            environment,
            {},
            lambda _, count: self.free.take(count),
            lambda port: ports[port],
            self.engine,
        )
        ports |= started.ports
        log = self.running.enter_context((self.folder / f"{name}-{container.container}.log").open("wb"))
        process = subprocess.Popen(
            [str(binary), *started.arguments],
            env={"PATH": os.environ["PATH"], **started.environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self.running.callback(process.wait, 120)
        self.running.callback(process.terminate)

    def await_all(self) -> None:
        for server in self.plan.models[0].servers:
            for pod in self.pods:
                if dict(server.serving_selector) == dict(pod.labels):
                    for port in server.serving_ports:
                        url = f"http://127.0.0.1:{self.ports[pod.name][port.number]}/v1/models"
                        eventually(
                            lambda url=url: httpx.get(url, timeout=PATIENCE, trust_env=False).status_code == 200,  # type: ignore[misc]
                            pod.name,
                            every=1.0,
                            patience=START_SECONDS,
                        )

    def address(self, pod: Manifest, port: int) -> str:
        return f"127.0.0.1:{self.ports[pod['metadata']['name']][port]}"

    def log(self, pod: Manifest, container: str, *, previous: bool = False) -> str:
        del pod, container, previous
        return ""

    def canary(self) -> tuple[Outcome, str]:
        live = LiveStack(
            name=self.stack,
            place="rehearsal",
            looked_at="engines of a test",
            config=self.configuration,
            plan=self.plan,
            cluster=FakeCluster(self.pods),
            pods=self,
            endpoint=Endpoint(url="http://127.0.0.1", host="127.0.0.1", trusted=True),
        )
        done: Future[list[dict[str, Any]]] = Future()
        done.set_result([])
        client = httpx.Client(trust_env=False)
        ctx = Context(live=live, gateway=client, planned=done, patience=0.0, requests=1)
        try:
            result = same_answer_everywhere(ctx)
        finally:
            ctx.close()
        return result.outcome, result.evidence


class Context(CheckContext):
    """Names prefill servers to a sidecar by the ports that they have here."""

    def ask_replica(self, replica: Replica, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Reply:
        places = self.live.pods
        assert isinstance(places, Places)
        real = {
            f"{pod.address}:{port}": f"127.0.0.1:{own}"
            for pod in places.pods
            for port, own in places.ports[pod.name].items()
        }
        return super().ask_replica(replica, body, {name: real[value] for name, value in (headers or {}).items()})


@contextmanager
def places(stack: str, folder: Path, **changes: str) -> Iterator[Places]:
    with ExitStack() as running:
        settings = {f"models[0].{key}": value for key, value in changes.items()}
        yield Places(stack, settings, folder, running)


def test_every_rank_gives_one_answer_and_those_with_other_weights_are_named(tmp_path: Path) -> None:
    changes = {"id": "Qwen/Qwen3-30B-A3B", "dataParallel": "2", "tensorParallel": "1"}
    with places("mixture-of-experts-gpu", tmp_path, **changes) as ranks:
        [server] = ranks.plan.models[0].servers
        ranks.start(server, "right")
        ranks.await_all()
        assert ranks.canary() == (Outcome.PASSED, "Qwen/Qwen3-30B-A3B: 2 places, one answer")
        ranks.start(server, "wrong", WEIGHTS_SEED="5")
        ranks.await_all()
        outcome, evidence = ranks.canary()
    assert outcome is Outcome.FAILED
    usual, _, others = evidence.partition(", but ")
    assert "2 places say" in usual
    assert others.count("wrong") == 2


def test_every_pair_gives_one_answer_and_a_prefill_server_with_other_weights_is_named(tmp_path: Path) -> None:
    """With blocks that are shorter than the canary, so that a decode server could have whole ones of it cached."""
    with places("disaggregated-gpu", tmp_path, blockSize="16") as pairs:
        servers = {server.role: server for server in pairs.plan.models[0].servers}
        pairs.start(servers["prefill"], "prefill-0")
        for number in range(2):
            pairs.start(servers["decode"], f"decode-{number}")
        pairs.await_all()
        assert pairs.canary() == (Outcome.PASSED, "Qwen/Qwen3-32B: 2 places, one answer")
        pairs.start(servers["prefill"], "prefill-1", WEIGHTS_SEED="5")
        pairs.await_all()
        outcome, evidence = pairs.canary()
    assert outcome is Outcome.FAILED
    usual, _, others = evidence.partition(", but ")
    assert "2 places say" in usual
    assert "prefill-1 + decode-0" in others
    assert "prefill-1 + decode-1" in others
