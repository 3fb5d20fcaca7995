"""Connects to the local cluster that the program's kubeconfig names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import yaml

from rehearsal.differences import record_difference
from rehearsal.kube import Kube, KubeError, client
from rehearsal.paths import StackPaths
from rehearsal.providers.properties import Properties
from rehearsal.providers.requests import Refused
from resource_graph.values import UNKNOWN

EXEC_DIFFERENCE = (
    "Kubernetes is reached with the administrator's client certificate; the credential plugin of the kubeconfig "
    "(gke-gcloud-auth-plugin) and the IAM permissions behind it are not exercised."
)


class Clusters:
    """The connection of a stack, kept while its cluster is the same."""

    def __init__(self, paths: StackPaths, on_warning: Callable[[str], None]) -> None:
        self._paths = paths
        self._on_warning = on_warning
        self._lock = threading.Lock()
        self._open: tuple[int, Kube] | None = None
        self._said = False

    def connect(self, config: Properties) -> Kube:
        """The connection for a provider configuration. Raises KubeError when its cluster does not run here."""
        kubeconfig = parse_kubeconfig(config.get("kubeconfig"))
        cluster, user = active(kubeconfig, config)
        with self._lock:
            if "exec" in user and not self._said:
                record_difference(self._paths, EXEC_DIFFERENCE)
                self._said = True
        wanted = urlsplit(str(cluster.get("server"))).netloc
        kube = self._kube()
        if urlsplit(kube.server).netloc != wanted:
            raise KubeError(
                f"the kubeconfig names {wanted}, but the cluster of stack {self._paths.stack} answers at "
                f"{urlsplit(kube.server).netloc}"
            )
        return kube

    def exists(self) -> bool:
        return self._paths.kubeconfig.exists()

    def _kube(self) -> Kube:
        with self._lock:
            written = self._paths.kubeconfig.stat().st_mtime_ns if self.exists() else 0
            if self._open is None or self._open[0] != written:
                # Another thread may still use the previous client, so it is not closed here.
                self._open = (written, client(self._paths, on_warning=self._on_warning))
            return self._open[1]


def parse_kubeconfig(value: Any) -> Mapping[str, Any]:
    """A parsed kubeconfig from YAML or JSON text or a mapping. Raises Refused for others. Ignores the environment."""
    if isinstance(value, str):
        try:
            value = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise Refused(f"the kubeconfig is not YAML: {error}") from error
    if isinstance(value, Mapping) and isinstance(value.get("clusters"), list):
        return value
    raise Refused("the rehearsal needs a provider with a kubeconfig: text with clusters, contexts and users")


def active(kubeconfig: Mapping[str, Any], config: Properties) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Cluster and user of the context in use. Provider arguments `context` and `cluster` win over `current-context`."""
    context = _named(kubeconfig, "contexts", config.get("context") or kubeconfig.get("current-context")).get(
        "context", {}
    )
    cluster = _named(kubeconfig, "clusters", config.get("cluster") or context.get("cluster"))
    user = _named(kubeconfig, "users", context.get("user"))
    if "cluster" not in cluster:
        raise Refused("the kubeconfig's current context names no cluster of its list")
    return cluster["cluster"], user.get("user") or {}


def active_cluster(config: Properties) -> Mapping[str, Any] | None:
    """The cluster's entry, to compare two configurations. None when it is unknown."""
    if config.get("kubeconfig") in (None, UNKNOWN):
        return None
    try:
        return active(parse_kubeconfig(config["kubeconfig"]), config)[0]
    except Refused:
        return None


def _named(kubeconfig: Mapping[str, Any], section: str, name: Any) -> Mapping[str, Any]:
    entries = kubeconfig.get(section) or []
    return next((entry for entry in entries if isinstance(entry, Mapping) and entry.get("name") == name), {})
