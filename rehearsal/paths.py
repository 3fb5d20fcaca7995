"""Where a rehearsal keeps what it makes: everything below `.rehearsal/` in the project, one folder per stack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stackfile import PROJECT_ROOT


@dataclass(frozen=True)
class StackPaths:
    """The files of one rehearsed stack.

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
    def project(self) -> Path:
        """Copy of the project's YAML files: initializing a stack writes a salt into them."""
        return self.home / "project"

    @property
    def cloud(self) -> Path:
        """What the stand-in for Google Cloud holds, as JSON."""
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
        """One file per process that was started: pid, start time, command."""
        return self.home / "run"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def pod_logs(self) -> Path:
        return self.logs / "pods"

    @property
    def nodes(self) -> Path:
        """Actual size of every node pool, as the autoscaler left it."""
        return self.home / "nodes.json"

    @property
    def envoy(self) -> Path:
        return self.home / "envoy"

    @property
    def settings(self) -> Path:
        """The settings of the last finished up."""
        return self.home / "settings.json"

    @property
    def simulation(self) -> Path:
        """Latencies and cache sizes for the simulated engines, by served model name, from the plan."""
        return self.home / "simulation.json"

    @property
    def differences(self) -> Path:
        """Where this rehearsal differs from GKE, one sentence a line."""
        return self.home / "differences.txt"
