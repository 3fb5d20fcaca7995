"""The files of local stacks: all below `.rehearsal/` in the project, one folder for each stack.

Among them are the differences of a local run from GKE: one sentence for each, stored once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llm_d_gke.stackfile import PROJECT_ROOT


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
    def unfinished(self) -> Path:
        """Exists from the start of an update until it succeeds."""
        return self.home / "unfinished"

    @property
    def backend(self) -> Path:
        """Pulumi's file backend, shared by all stacks."""
        return self.base / "backend"

    @property
    def pulumi_home(self) -> Path:
        """The engine's PULUMI_HOME: the plugin of the Kubernetes provider is installed there for this stack."""
        return self.home.absolute() / "pulumi"

    @property
    def project(self) -> Path:
        """Copies of the project's YAML files, because Pulumi writes a salt into them."""
        return self.home / "project"

    @property
    def cloud(self) -> Path:
        """The state of the simulated Google Cloud, as JSON."""
        return self.home / "cloud.json"

    @property
    def cluster(self) -> Path:
        """Certificates, etcd data and kubeconfig of the control plane."""
        return self.home / "cluster"

    @property
    def kubeconfig(self) -> Path:
        return self.cluster / "admin.kubeconfig"

    @property
    def run(self) -> Path:
        """One file for each process: pid, mark, command."""
        return self.home / "run"

    @property
    def temporary(self) -> Path:
        """Temporary files of engine and providers: the Kubernetes provider leaves a kubeconfig for each chart."""
        return self.home.absolute() / "tmp"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def pod_logs(self) -> Path:
        return self.logs / "pods"

    @property
    def nodes(self) -> Path:
        """The size of every node pool that the autoscaler chose."""
        return self.home / "nodes.json"

    @property
    def envoy(self) -> Path:
        return self.home / "envoy"

    @property
    def token_keys(self) -> Path:
        """The key that signs clients' tokens in place of an issuer's."""
        return self.envoy / "tokens"

    @property
    def prometheus(self) -> Path:
        """Configuration and data of the stack's Prometheus, which runs where this folder exists."""
        return self.home / "prometheus"

    @property
    def settings(self) -> Path:
        """The settings of the last finished `up`."""
        return self.home / "settings.json"

    @property
    def simulation(self) -> Path:
        """Latencies and cache sizes of the simulated engines, by served model name."""
        return self.home / "simulation.json"

    @property
    def engine(self) -> Path:
        """The name of the engine that runs for model servers."""
        return self.home / "engine"

    @property
    def engine_models(self) -> Path:
        """The tiny models of real engines, and an index of them."""
        return self.home / "models"

    @property
    def differences(self) -> Path:
        """The differences from GKE, one sentence in each line."""
        return self.home / "differences.txt"


def record_difference(paths: StackPaths, text: str) -> None:
    """Add a sentence to the stack's list of differences."""
    if text not in recorded_differences(paths):
        paths.home.mkdir(parents=True, exist_ok=True)
        with paths.differences.open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def recorded_differences(paths: StackPaths) -> list[str]:
    """The recorded sentences, oldest first."""
    return paths.differences.read_text(encoding="utf-8").splitlines() if paths.differences.exists() else []
