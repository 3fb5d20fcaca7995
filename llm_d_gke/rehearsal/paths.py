"""The files of local stacks: all below `.rehearsal/` in the project, one folder for each stack.

Among them are the differences of a local run from GKE: one sentence for each, stored once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llm_d_gke.stackfile import PROJECT_ROOT


class _InHome:
    """A path inside the folder of a stack."""

    def __init__(self, *parts: str) -> None:
        self._parts = parts

    def __get__(self, paths: StackPaths, owner: type[StackPaths] | None = None) -> Path:
        return paths.home.joinpath(*self._parts)


@dataclass(frozen=True)
class StackPaths:
    """The files of one local stack.

    `stack` is the Pulumi stack's name (`gpu`); `root` holds `.rehearsal/` and is the project's folder by default.
    """

    stack: str
    root: Path = PROJECT_ROOT

    @property
    def base(self) -> Path:
        return self.root / ".rehearsal"

    @property
    def home(self) -> Path:
        return self.base / self.stack

    @property
    def backend(self) -> Path:
        """Pulumi's file backend, shared by all stacks."""
        return self.base / "backend"

    @property
    def pulumi_home(self) -> Path:
        """The engine's PULUMI_HOME: the plugin of the Kubernetes provider is installed there for this stack."""
        return self.home.absolute() / "pulumi"

    @property
    def temporary(self) -> Path:
        """Temporary files of engine and providers: the Kubernetes provider leaves a kubeconfig for each chart."""
        return self.home.absolute() / "tmp"

    # Exists from the start of an update until it succeeds.
    unfinished = _InHome("unfinished")
    # Copies of the project's YAML files, because Pulumi writes a salt into them.
    project = _InHome("project")
    # The state of the simulated Google Cloud, as JSON.
    cloud = _InHome("cloud.json")
    # Certificates, etcd data and kubeconfig of the control plane.
    cluster = _InHome("cluster")
    kubeconfig = _InHome("cluster", "admin.kubeconfig")
    # One file for each process: pid, mark, command.
    run = _InHome("run")
    logs = _InHome("logs")
    pod_logs = _InHome("logs", "pods")
    # The size of every node pool that the autoscaler chose.
    nodes = _InHome("nodes.json")
    envoy = _InHome("envoy")
    # The key that signs clients' tokens in place of an issuer's.
    token_keys = _InHome("envoy", "tokens")
    # Configuration and data of the stack's Prometheus, which runs where this folder exists.
    prometheus = _InHome("prometheus")
    # The settings of the last finished `up`.
    settings = _InHome("settings.json")
    # Latencies and cache sizes of the simulated engines, by served model name.
    simulation = _InHome("simulation.json")
    # The name of the engine that runs for model servers.
    engine = _InHome("engine")
    # The tiny models of real engines, and an index of them.
    engine_models = _InHome("models")
    # The differences from GKE, one sentence in each line.
    differences = _InHome("differences.txt")


def record_difference(paths: StackPaths, text: str) -> None:
    """Add a sentence to the stack's list of differences."""
    if text not in recorded_differences(paths):
        paths.home.mkdir(parents=True, exist_ok=True)
        with paths.differences.open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def recorded_differences(paths: StackPaths) -> list[str]:
    """The recorded sentences, oldest first."""
    return paths.differences.read_text(encoding="utf-8").splitlines() if paths.differences.exists() else []
