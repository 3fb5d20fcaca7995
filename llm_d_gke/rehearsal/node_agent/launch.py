"""The command line of a container's process: the pod's own arguments and environment with ports of this machine.

Controllers with webhooks and KEDA's programs also get their /tmp, certificates, kubeconfigs and access to metrics.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

from llm_d_gke.kube import Manifest
from llm_d_gke.rehearsal.control_plane.parts import AUTOSCALER_SECONDS
from llm_d_gke.rehearsal.node_agent.arguments import (
    Allocate,
    expand,
    mounted,
    with_configured_ports,
    with_engine_port,
    with_ports,
)
from llm_d_gke.rehearsal.node_agent.engine_arguments import Simulation, translate
from llm_d_gke.rehearsal.node_agent.images_to_binaries import CONTROLLERS, KEDA, Program
from llm_d_gke.rehearsal.node_agent.probes import SHORTEST_BUDGET
from llm_d_gke.rehearsal.paths import StackPaths, difference

# The toolchain's pickers scrape every engine every 50 ms. A fifth as often is enough for engines that share a machine.
# A picker of another release may not know the flag.
_PACE = "--refresh-metrics-interval"
_PICKERS = {Program.PICKER, Program.SCHEDULER}
# Verbosity from which pickers log the scores of endpoints.
SCORES_VERBOSITY = 4
_WEBHOOK_PORT = 9443
_CERTIFICATES = "/tmp/k8s-webhook-server/serving-certs"  # noqa: S108 - where controller-runtime looks
# Of k8s.io/apiserver and custom-metrics-apiserver: the adapter reads no KUBECONFIG for these three clients.
_KUBECONFIG_FLAGS = ("lister-kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")


@dataclass(frozen=True)
class Launch:
    """Arguments without the executable, ports of the process by port of the pod, and differences from GKE to record."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    ports: Mapping[int, int]
    remarks: tuple[str, ...] = ()
    # Seconds in which it must pass its startup probe.
    start_budget: float = SHORTEST_BUDGET


@dataclass(frozen=True)
class Simulated:
    """What simulated engines do: latencies and caches by namespace and model, and context lengths by model id."""

    simulations: Mapping[str, Mapping[str, Simulation]] = field(default_factory=dict)
    context_lengths: Mapping[str, int] = field(default_factory=dict)

    def launch(
        self, container: Manifest, environment: Mapping[str, str], mounts: Mapping[str, str], allocate: Allocate
    ) -> Launch:
        command, arguments = words_of(container, environment, mounts)
        simulations = self.simulations.get(environment.get("POD_NAMESPACE", ""), {})
        engine = translate(command, arguments, environment, simulations, self.context_lengths)
        first = allocate(engine.port, engine.ranks)
        ports = {engine.port + rank: first + rank for rank in range(engine.ranks)}
        if engine.supervisor is not None:
            ports[engine.supervisor] = first
        remarks = [difference("simulator")]
        if not any("--enable-auto-tool-choice" in word for word in (*command, *arguments)):
            remarks.append(difference("simulator-tools"))
        if engine.supervisor is not None:
            remarks.append(difference("simulator-ranks"))
        if engine.dropped:
            remarks.append(difference("simulator-dropped", arguments=" ".join(engine.dropped)))
        return Launch((*engine.arguments, f"--port={first}"), dict(environment), ports, (*remarks, *engine.changed))


class Launcher(Protocol):
    """Launches containers of one kind. Raises UnknownCommandError or ValueError for a command that is not supported."""

    def launch(
        self, container: Manifest, environment: Mapping[str, str], mounts: Mapping[str, str], allocate: Allocate
    ) -> Launch: ...


def words_of(
    container: Manifest, environment: Mapping[str, str], mounts: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """`command` and `args` of a container with variables expanded and paths below mounts as they are here."""

    def words(key: str) -> list[str]:
        return [mounted(expand(word, environment), mounts) for word in container.get(key) or []]

    return words("command"), words("args")


@dataclass(frozen=True)
class ProgramLauncher:
    """Launches any other program than an engine. `promise` reserves the port of another container of the pod."""

    program: Program
    promise: Callable[[int], int]

    def launch(
        self, container: Manifest, environment: Mapping[str, str], mounts: Mapping[str, str], allocate: Allocate
    ) -> Launch:
        """`environment` has HOME, the folder of the pod, and of KEDA's programs the variables of `GoogleApis`."""
        which, home = self.program, Path(environment.get("HOME", ""))
        command, arguments = words_of(container, environment, mounts)
        line, variables, remarks = [*command[1:], *arguments], dict(environment), []
        if which in (*CONTROLLERS, *KEDA):
            line = [word for word in line if word.lstrip("-").partition("=")[0] != "leader-elect"]
        elif which is Program.SIDECAR:
            line = [*with_engine_port(line, self.promise)]
        elif which in _PICKERS:
            remarks = _adjust_picker(line)
        listening = (
            with_configured_ports(line, allocate) if which is Program.PROXY else with_ports(which, line, allocate)
        )
        line, ports = [*listening.arguments], dict(listening.ports)
        if which in CONTROLLERS:
            variables["TMPDIR"] = str(_temporary(home, mounts))
        if which is Program.GROUPS:
            port = ports[_WEBHOOK_PORT] = allocate(_WEBHOOK_PORT, 1)
            line = _with_config(line, home, port, mounted(_CERTIFICATES, mounts))
        elif which is Program.EXTERNAL_METRICS and "KUBECONFIG" in environment:
            line += [f"--{flag}={environment['KUBECONFIG']}" for flag in _KUBECONFIG_FLAGS]
        if which in KEDA:
            remarks = [difference("autoscaler-period", seconds=AUTOSCALER_SECONDS)]
        kind = "controller" if which in (*CONTROLLERS, *KEDA) else "own-arguments"
        remark = difference(kind, program=which.value, ports=", ".join(map(str, listening.ports)))
        return Launch(tuple(line), variables, ports, (remark, *remarks))


def _adjust_picker(command_line: list[str]) -> list[str]:
    """Add what this machine needs to a picker's arguments. Returns how it differs from GKE."""
    remarks: list[str] = []
    if os.environ.get("REHEARSAL_EPP") is not None:
        return remarks
    if not any(word.partition("=")[0] == _PACE for word in command_line):
        command_line.append(f"{_PACE}=250ms")
        remarks.append(difference("picker-pace"))
    if not any(word.partition("=")[0].lstrip("-") == "v" for word in command_line):
        command_line.append(f"--v={SCORES_VERBOSITY}")
        remarks.append(difference("picker-scores", verbosity=SCORES_VERBOSITY))
    return remarks


def read_simulations(paths: StackPaths) -> dict[str, dict[str, Simulation]]:
    """Latencies by namespace and model. Empty when the plan has none or the file cannot be read."""
    try:
        simulations: dict[str, dict[str, Simulation]] = json.loads(paths.simulation.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return simulations


def _with_config(arguments: Sequence[str], home: Path, port: int, certificates: str) -> list[str]:
    """Arguments with a copy of the `--config` file that has this machine's webhook port and certificate folder."""
    config_argument = next((word for word in arguments if word.startswith("--config=")), None)
    config: Mapping[str, Any] = {"apiVersion": "config.lws.x-k8s.io/v1alpha1", "kind": "Configuration"}
    if config_argument is not None:
        config = yaml.safe_load(Path(config_argument.partition("=")[2]).read_text("utf-8"))
    changed = {
        **config,
        "webhook": {**(config.get("webhook") or {}), "port": port, "certDir": certificates},
        "leaderElection": {**(config.get("leaderElection") or {}), "leaderElect": False},
    }
    file = home / "manager.yaml"
    file.write_text(yaml.safe_dump(changed), encoding="utf-8")
    return [*(word for word in arguments if word != config_argument), f"--config={file}"]


def _temporary(home: Path, mounts: Mapping[str, str]) -> Path:
    """The pod's /tmp: a folder with links to the mounts below it."""
    root = home / "tmp"
    root.mkdir(parents=True, exist_ok=True)
    for path, folder in mounts.items():
        if path.startswith("/tmp/"):  # noqa: S108 - of the pod
            link = root / path.removeprefix("/tmp/")  # noqa: S108
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(folder, target_is_directory=True)
    return root
