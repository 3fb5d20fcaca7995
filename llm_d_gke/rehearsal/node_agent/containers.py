"""One container of a pod: its process, its probes, its restarts."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from llm_d_gke.kube import Manifest
from llm_d_gke.kube.conditions import timestamp
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.host.ports import Ports, is_free
from llm_d_gke.rehearsal.node_agent.engine_arguments import UnknownCommandError
from llm_d_gke.rehearsal.node_agent.environment import ConfigError
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program
from llm_d_gke.rehearsal.node_agent.launch import Launch
from llm_d_gke.rehearsal.node_agent.pod_status import ContainerState
from llm_d_gke.rehearsal.node_agent.probes import Kind, Probe
from llm_d_gke.rehearsal.paths import StackPaths

# Seconds before an ended container starts again. On GKE 10 s to 5 minutes.
BACK_OFF = (1.0, 2.0, 4.0, 8.0, 10.0)

# A container that ran for this time starts again with the first back-off.
STABLE_SECONDS = 20.0

# Seconds before another attempt after a configuration error.
RETRY_SECONDS = 1.0

Prepare = Callable[["Container", Callable[[int, int], int]], Launch]


@dataclass
class Container:
    """One container and its process.

    `prepare` builds environment and arguments. It may raise ConfigError, UnknownCommandError or ValueError.
    """

    paths: StackPaths
    spec: Manifest
    program: Program
    binary: Path | None
    process_name: str
    log: Path
    restart_policy: str
    prepare: Prepare
    free: Ports
    state: ContainerState
    # Writes an event of the pod: reason, and message.
    event: Callable[[str, str], None] = lambda _reason, _message: None
    # Ports that containers of the pod have reserved for each other, by the port in the spec.
    promised: dict[int, int] = field(default_factory=dict)
    ports: Mapping[int, int] = field(default_factory=dict)
    process: processes.Process | None = None
    probes: list[Probe] = field(default_factory=list)
    remarks: tuple[str, ...] = ()
    _reserved_ports: list[int] = field(default_factory=list)
    _began: float = 0.0
    _not_before: float = 0.0
    _crashes: int = 0
    _stopping: float | None = None
    _reason: str = ""

    @property
    def finished(self) -> bool:
        """Whether it ended and does not start again."""
        return self.state.exit_code is not None

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.alive

    def sync(self, executor: Executor, changed: Callable[[], None]) -> None:
        """Start, restart or probe it, or record its end: whatever is due."""
        if self.finished:
            return
        if self.state.running:
            if self.program is not Program.NONE and not self.alive:
                self._record_exit()
            elif self._stopping is not None:
                self._kill_when_overdue()
            else:
                self._run_probes(executor, changed)
        elif time.monotonic() >= self._not_before:
            self._start()

    def stop(self, grace: float) -> None:
        """Send SIGTERM. `sync` sends SIGKILL when the grace has passed."""
        if self.alive and self._stopping is None and self.process is not None:
            self._stopping = time.monotonic() + grace
            processes.signal_group(self.process.pid, signal.SIGTERM)
        self.state.ready = False

    def stopped(self) -> bool:
        """Whether its process has ended. Call repeatedly after `stop`."""
        if self.alive:
            self._kill_when_overdue()
            return False
        if self.process is not None:
            processes.stop(self.paths, self.process_name, grace=0)
            self.process = None
        self.free.give_back(self._reserved_ports)
        self._reserved_ports = []
        return True

    def _start(self) -> None:
        runs = self.program is not Program.NONE
        try:
            prepared = self.prepare(self, self._allocate) if runs else Launch((), {}, {})
            if runs:
                self.process = processes.start(
                    self.paths,
                    self.process_name,
                    [str(self.binary), *prepared.arguments],
                    env=prepared.environment,
                    log=self.log,
                    cwd=self.log.parent,
                )
        except ConfigError as error:
            self._retry_later("CreateContainerConfigError", str(error))
            return
        except (UnknownCommandError, ValueError, processes.ProcessError) as error:
            self._retry_later("RunContainerError", str(error))
            return
        self.ports, self.remarks = prepared.ports, prepared.remarks
        self._began = time.monotonic()
        self.state.identity = uuid.uuid4().hex
        self.state.state = {"running": {"startedAt": timestamp()}}
        self.probes = self._new_probes(prepared.start_budget) if runs else []
        self._update_readiness()

    def _allocate(self, requested: int, count: int) -> int:
        """The ports of the previous run if they are still free, so that forwards to them stay valid."""
        before = self.promised.get(requested, self.ports.get(requested))
        if before is not None and all(is_free(port) for port in range(before, before + count)):
            return before
        first = self.free.take(count)
        self._reserved_ports += range(first, first + count)
        return first

    def promise(self, requested: int) -> int:
        """Reserve the port on which another container of the pod will listen."""
        if requested not in self.promised:
            self.promised[requested] = self.free.take(1)
            self._reserved_ports.append(self.promised[requested])
        return self.promised[requested]

    def _new_probes(self, start_budget: float) -> list[Probe]:
        named = {port["name"]: port["containerPort"] for port in self.spec.get("ports") or [] if port.get("name")}
        kinds: tuple[Kind, ...] = ("startup", "readiness", "liveness")
        return [
            Probe(kind, self.spec[f"{kind}Probe"], self.ports, named, start_budget)
            for kind in kinds
            if self.spec.get(f"{kind}Probe")
        ]

    def _run_probes(self, executor: Executor, changed: Callable[[], None]) -> None:
        self._update_readiness()
        moment = time.monotonic()
        for probe in self.probes:
            active = (probe.kind == "startup") is not self.state.started
            if not active:
                continue
            if probe.exhausted:
                self.event("Unhealthy", f"{probe.kind.capitalize()} probe failed: {probe.message}")
                self.event("Killing", f"Container {self.state.name} failed {probe.kind} probe, will be restarted")
                failed = f"failed {probe.kind} probe ({probe.message})"
                self._reason = f"Container {self.state.name} {failed}, will be restarted"
                self.stop(5.0)
                return
            if probe.due(moment):
                probe.launch(executor, changed)

    def _update_readiness(self) -> None:
        outcomes = {probe.kind: probe.outcome for probe in self.probes}
        if not self.state.started and outcomes.get("startup", True):
            self.state.started = True
            for probe in self.probes:
                if probe.kind == "liveness":
                    probe.began = time.monotonic()
        self.state.ready = self.state.started and outcomes.get("readiness", True) is True

    def _kill_when_overdue(self) -> None:
        if self._stopping is not None and time.monotonic() > self._stopping and self.process is not None:
            processes.signal_group(self.process.pid, signal.SIGKILL)

    def _record_exit(self) -> None:
        assert self.process is not None
        code = processes.exit_code(self.process)
        code = 137 if code is None else 128 - code if code < 0 else code
        ended: Manifest = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": self.state.state["running"]["startedAt"],
            "finishedAt": timestamp(),
            "containerID": f"containerd://{self.state.identity}",
        }
        if self._reason:
            ended["message"] = self._reason
        processes.stop(self.paths, self.process_name, grace=0)
        ran = time.monotonic() - self._began
        self.process, self._stopping, self._reason = None, None, ""
        self.state.ready = self.state.started = False
        if self.restart_policy == "Never" or (self.restart_policy == "OnFailure" and code == 0):
            self.state.state = {"terminated": ended}
            return
        self._crashes = 1 if ran > STABLE_SECONDS else self._crashes + 1
        delay = BACK_OFF[min(self._crashes, len(BACK_OFF)) - 1]
        self.state.last = {"terminated": ended}
        self.state.restarts += 1
        message = f"back-off {delay:.0f}s restarting failed container={self.state.name}"
        self.state.state = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        self._not_before = time.monotonic() + delay

    def _retry_later(self, reason: str, message: str) -> None:
        self.state.state = {"waiting": {"reason": reason, "message": message}}
        self._not_before = time.monotonic() + RETRY_SECONDS

    def complete(self, code: int = 0, reason: str = "Completed") -> None:
        """Mark a container without a process as ended."""
        moment = timestamp()
        began = (self.state.state.get("running") or {}).get("startedAt", moment)
        self.state.state = {
            "terminated": {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": moment}
        }
