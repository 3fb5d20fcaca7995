"""Controllers with webhooks as processes on this machine: their ports, /tmp and certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from llm_d_gke.rehearsal.control_plane.parts import AUTOSCALER_SECONDS
from llm_d_gke.rehearsal.node_agent.arguments import Allocate, mounted, with_ports
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program

Config: TypeAlias = Mapping[str, Any]

_WEBHOOK_PORT = 9443
_CERTIFICATES = "/tmp/k8s-webhook-server/serving-certs"  # noqa: S108 - where controller-runtime looks


@dataclass(frozen=True)
class Started:
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    ports: Mapping[int, int]
    remarks: tuple[str, ...]


def controller(
    program: Program,
    command_line: Sequence[str],
    environment: Mapping[str, str],
    mounts: Mapping[str, str],
    allocate: Allocate,
) -> Started:
    """The start of a controller. `environment` has HOME, the pod's folder, which gets its /tmp.

    Raises ValueError or OSError.
    """
    home = Path(environment["HOME"])
    words = [word for word in command_line if word.lstrip("-").partition("=")[0] != "leader-elect"]
    listening = with_ports(program, words, allocate)
    arguments, ports = list(listening.arguments), dict(listening.ports)
    if program is Program.GROUPS:
        port = ports[_WEBHOOK_PORT] = allocate(_WEBHOOK_PORT, 1)
        arguments = _with_config(arguments, home, port, mounted(_CERTIFICATES, mounts))
    remarks = (
        f"{program.value} runs with its chart's own arguments and permissions, except that its ports are those of this "
        "machine and that it elects no leader",
    )
    return Started(tuple(arguments), {**environment, "TMPDIR": str(_temporary(home, mounts))}, ports, remarks)


def _with_config(arguments: Sequence[str], home: Path, port: int, certificates: str) -> list[str]:
    """Arguments with a copy of the `--config` file that has this machine's webhook port and certificate folder."""
    config_argument = next((word for word in arguments if word.startswith("--config=")), None)
    config: Config = (
        _EMPTY
        if config_argument is None
        else yaml.safe_load(Path(config_argument.partition("=")[2]).read_text("utf-8"))
    )
    changed = {
        **config,
        "webhook": {**(config.get("webhook") or {}), "port": port, "certDir": certificates},
        "leaderElection": {**(config.get("leaderElection") or {}), "leaderElect": False},
    }
    file = home / "manager.yaml"
    file.write_text(yaml.safe_dump(changed), encoding="utf-8")
    return [*(word for word in arguments if word != config_argument), f"--config={file}"]


_EMPTY: Config = {"apiVersion": "config.lws.x-k8s.io/v1alpha1", "kind": "Configuration"}


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


# Of k8s.io/apiserver and custom-metrics-apiserver: the adapter reads no KUBECONFIG for these three clients.
_KUBECONFIG_FLAGS = ("lister-kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")


def keda(program: Program, command_line: Sequence[str], environment: Mapping[str, str], allocate: Allocate) -> Started:
    """The start of one of KEDA's programs. `environment` has KUBECONFIG and the variables of `GoogleApis`."""
    words = [word for word in command_line if word.lstrip("-").partition("=")[0] != "leader-elect"]
    listening = with_ports(program, words, allocate)
    arguments = list(listening.arguments)
    if program is Program.EXTERNAL_METRICS:
        arguments += [
            f"--{flag}={environment['KUBECONFIG']}" for flag in _KUBECONFIG_FLAGS if "KUBECONFIG" in environment
        ]
    remark = (
        f"{program.value} runs with its chart's own arguments and permissions, except that its ports are those of this"
        " machine and that it elects no leader"
    )
    period = (
        f"the HorizontalPodAutoscaler's controller looks at its metrics every {AUTOSCALER_SECONDS} s; on GKE every 15 s"
    )
    return Started(tuple(arguments), environment, listening.ports, (remark, period))
