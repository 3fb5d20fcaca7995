"""The files of local stacks: all below `.rehearsal/` in the project, one folder for each stack.

Among them are the differences of a local run from GKE: one sentence for each, stored once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.stackfile import PROJECT_ROOT


class _InHome:
    """A path inside the folder of a stack."""

    def __init__(self, *parts: str) -> None:
        self._parts = parts

    def __get__(self, paths: StackPaths, owner: type[StackPaths] | None = None) -> Path:
        return paths.home.joinpath(*self._parts)


class _InCluster(_InHome):
    """A path inside the folder of the stack that has the cluster."""

    def __get__(self, paths: StackPaths, owner: type[StackPaths] | None = None) -> Path:
        return paths.host.home.joinpath(*self._parts)


@dataclass(frozen=True)
class StackPaths:
    """The files of one local stack.

    A stack in the cluster of another one, its `host`, has only its own settings and Pulumi's files. `stack` is the
    Pulumi stack's name (`gpu`); `root` holds `.rehearsal/` and is the project's folder by default.
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
    def host(self) -> StackPaths:
        """The stack that has the cluster: this one, unless it came up in the cluster of another."""
        try:
            return StackPaths(self.hosted.read_text(encoding="utf-8"), self.root)
        except FileNotFoundError:
            return self

    @property
    def is_up(self) -> bool:
        """Whether the stack itself is in its cluster, which stays for other stacks when the one that has it leaves."""
        return self.kubeconfig.exists() and (self.settings.exists() or self.unfinished.exists())

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

    # The name of the stack that has the cluster, where that is another one.
    hosted = _InHome("host")
    # Namespace and name of the stack's Gateway.
    gateway = _InHome("gateway")
    # Exists from the start of an update until it succeeds.
    unfinished = _InHome("unfinished")
    # Copies of the project's YAML files, because Pulumi writes a salt into them.
    project = _InHome("project")
    # The state of the simulated Google Cloud, as JSON.
    cloud = _InCluster("cloud.json")
    # Certificates, etcd data and kubeconfig of the control plane.
    cluster = _InCluster("cluster")
    kubeconfig = _InCluster("cluster", "admin.kubeconfig")
    # One file for each process: pid, mark, command.
    run = _InCluster("run")
    logs = _InCluster("logs")
    pod_logs = _InCluster("logs", "pods")
    # The size of every node pool that the autoscaler chose.
    nodes = _InCluster("nodes.json")
    # Folders of running pods, by uid.
    pods = _InCluster("pods")
    envoy = _InCluster("envoy")
    # The key that signs clients' tokens in place of an issuer's.
    token_keys = _InCluster("envoy", "tokens")
    # Configuration and data of the stack's Prometheus, which runs where this folder exists.
    prometheus = _InCluster("prometheus")
    # The settings of the last finished `up`.
    settings = _InHome("settings.json")
    # Latencies and cache sizes of the simulated engines, by namespace and served model name.
    simulation = _InCluster("simulation.json")
    # The name of the engine that runs for model servers.
    engine = _InCluster("engine")
    # The tiny models of real engines, and an index of them.
    engine_models = _InCluster("models")
    # The differences from GKE, one sentence in each line.
    differences = _InHome("differences.txt")


_SENTENCES: Mapping[str, str] = read_yaml(Path(__file__).with_name("differences.yaml"))


def difference(sentence: str, /, **values: object) -> str:
    """A sentence of differences.yaml with its values."""
    return _SENTENCES[sentence].format(**values)


def record_difference(paths: StackPaths, text: str) -> None:
    """Add a sentence to the stack's list of differences.

    It takes the place of an older one about the same subject (`picker: ...`), which was about another release.
    """
    if text in recorded_differences(paths):
        return
    paths.home.mkdir(parents=True, exist_ok=True)
    subject, colon, _ = text.partition(": ")
    older = paths.differences.read_text(encoding="utf-8").splitlines() if paths.differences.exists() else []
    others = [line for line in older if not (colon and line.startswith(f"{subject}: "))]
    if len(others) < len(older):
        paths.differences.write_text("".join(f"{line}\n" for line in [*others, text]), encoding="utf-8")
        return
    with paths.differences.open("a", encoding="utf-8") as file:
        file.write(text + "\n")


def forget_differences(paths: StackPaths, is_over: Callable[[str], bool]) -> None:
    """Remove the sentences that are about what no longer runs."""
    if not paths.differences.exists():
        return
    lines = paths.differences.read_text(encoding="utf-8").splitlines()
    others = [line for line in lines if not is_over(line)]
    if len(others) < len(lines):
        paths.differences.write_text("".join(f"{line}\n" for line in others), encoding="utf-8")


def recorded_differences(paths: StackPaths) -> list[str]:
    """The recorded sentences, oldest first, after those of the cluster that it shares."""
    files = dict.fromkeys((paths.host.differences, paths.differences))
    lines = [line for file in files if file.exists() for line in file.read_text(encoding="utf-8").splitlines()]
    return list(dict.fromkeys(lines))
