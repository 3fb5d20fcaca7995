"""Pods, processes and API keys of a stack that is up."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable

from llm_d_gke.kube import Kube, Manifest
from llm_d_gke.kube.conditions import is_true
from llm_d_gke.planning.routing.edge import KEYS_ENTRY, KEYS_SECRET
from llm_d_gke.quantities import quantity
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.chat import names_by_key
from llm_d_gke.stackfile import NAMESPACE
from llm_d_gke.waiting import wait_until

ENGINES = "llm-d.ai/inference-serving=true"
PICKERS = "app.kubernetes.io/name=endpoint-picker"


def options(changes: Iterable[str]) -> tuple[str, ...]:
    """Changes of settings, each PATH=VALUE, as words of a command line."""
    return tuple(word for change in changes for word in ("-c", f"{NAMESPACE}:{change}"))


def pods(kube: Kube, labels: str) -> list[Manifest]:
    """Pods with these labels that are not being deleted, by name."""
    listed = kube.list("v1", "Pod", labels=labels)
    alive = [pod for pod in listed if not pod["metadata"].get("deletionTimestamp")]
    return sorted(alive, key=lambda pod: str(pod["metadata"]["name"]))


def ready_pods(kube: Kube, labels: str) -> set[str]:
    """Names of the ready pods with these labels."""
    return {pod["metadata"]["name"] for pod in pods(kube, labels) if is_true(pod, "Ready")}


def restarts(kube: Kube, labels: str) -> int:
    """Restarts of all containers of the pods with these labels."""
    return sum(
        status.get("restartCount", 0)
        for pod in pods(kube, labels)
        for status in pod["status"].get("containerStatuses") or []
    )


def kill_process(paths: StackPaths, name: str) -> None:
    """End the one living process whose name contains `name`, as a crash does."""
    [process] = [process for process in processes.listing(paths) if name in process.name and process.alive]
    os.kill(process.pid, signal.SIGKILL)


def fill_disk(paths: StackPaths, pod: Manifest) -> None:
    """Write more into a pod's largest volume on disk than its limit: a file with a hole, which takes no room here."""
    volumes = {volume["name"]: volume.get("emptyDir") or {} for volume in pod["spec"]["volumes"]}
    limits = {
        name: int(quantity(source["sizeLimit"]))
        for name, source in volumes.items()
        if "sizeLimit" in source and source.get("medium") != "Memory"
    }
    name, limit = max(limits.items(), key=lambda item: item[1])
    file = paths.pods / pod["metadata"]["uid"] / "volumes" / name / "full"
    with file.open("wb") as written:
        written.truncate(limit + 1)


def wait_for(condition: Callable[[], bool], what: str = "the condition holds", seconds: float = 120.0) -> None:
    """Return once a condition holds. Raises TimeoutError where it does not within `seconds`."""
    wait_until(
        condition,
        timeout=seconds,
        on_timeout=lambda: TimeoutError(f"not within {seconds:.0f} s: {what}"),
        first_pause=0.02,
        longest_pause=0.1,
    )


def secret(kube: Kube, name: str) -> Manifest:
    """The only Secret of a name."""
    [manifest] = [item for item in kube.list("v1", "Secret") if item["metadata"]["name"] == name]
    return manifest


def client_keys(kube: Kube) -> dict[str, str]:
    """API keys by name, as the Gateway reads them."""
    return {name: key for key, name in names_by_key(secret(kube, KEYS_SECRET), KEYS_ENTRY).items()}
