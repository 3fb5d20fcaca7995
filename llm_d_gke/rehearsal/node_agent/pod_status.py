"""A pod's status, computed from the states of its containers like the kubelet computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from llm_d_gke.kube import Manifest, Manifests
from llm_d_gke.kube.conditions import timestamp

READY_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")


@dataclass
class ContainerState:
    """One container as its pod's status shows it. `state` and `last` are Kubernetes' ContainerState."""

    name: str
    image: str
    init: bool = False
    sidecar: bool = False
    state: Manifest = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last: Manifest = field(default_factory=dict)
    restarts: int = 0
    started: bool = False
    ready: bool = False
    identity: str = ""

    @property
    def running(self) -> bool:
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """Exit code of a container that ended and does not start again."""
        ended = self.state.get("terminated")
        return None if ended is None else int(ended["exitCode"])

    def manifest(self) -> Manifest:
        written: Manifest = {
            "name": self.name,
            "image": self.image,
            "imageID": self.image,
            "state": self.state,
            "lastState": self.last,
            "restartCount": self.restarts,
            "ready": self.ready,
            "started": self.started,
        }
        if self.identity:
            written["containerID"] = f"containerd://{self.identity}"
        return written


def phase(containers: Sequence[ContainerState], restart_policy: str, initialized: bool) -> str:
    """Pending, Running, Succeeded or Failed."""
    inits = [container for container in containers if container.init and not container.sidecar]
    if any(container.exit_code not in (None, 0) for container in inits) and restart_policy == "Never":
        return "Failed"
    mains = [container for container in containers if not container.init]
    if not initialized or all("waiting" in container.state and not container.restarts for container in mains):
        return "Pending"
    if restart_policy != "Always" and all(container.exit_code is not None for container in mains):
        return "Succeeded" if all(container.exit_code == 0 for container in mains) else "Failed"
    return "Running"


def conditions(previous: Manifests, containers: Sequence[ContainerState], initialized: bool, stage: str) -> Manifests:
    """All conditions of the pod: those of other controllers unchanged, the kubelet's with their transition times."""
    mains = [container for container in containers if not container.init]
    waiting_for = [
        container.name for container in containers if (not container.init or container.sidecar) and not container.ready
    ]
    done = stage in ("Succeeded", "Failed")
    ready = initialized and not waiting_for and bool(mains)
    unready: Manifest = (
        {"reason": "PodCompleted"}
        if done
        else {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(waiting_for)}]"}
    )
    fresh: dict[str, Manifest] = {
        "PodReadyToStartContainers": {"status": "True"},
        "Initialized": {"status": "True"} if initialized else {"status": "False", "reason": "ContainersNotInitialized"},
        "ContainersReady": {"status": "True"} if ready else {"status": "False", **unready},
        "Ready": {"status": "True"} if ready else {"status": "False", **unready},
    }
    previous_by_type = {condition["type"]: condition for condition in previous}
    result = [condition for condition in previous if condition["type"] not in fresh]
    for kind, content in fresh.items():
        before = previous_by_type.get(kind)
        same = before is not None and before["status"] == content["status"]
        moment = before.get("lastTransitionTime") if same and before else None
        result.append({"type": kind, "lastProbeTime": None, "lastTransitionTime": moment or timestamp(), **content})
    return result


def dated_back(written: Manifests, seconds: float) -> Manifests:
    """The conditions of a pod, with a Ready condition that is true for at least `seconds`."""
    moment = timestamp(seconds_ago=seconds)
    return [
        # Times of this form are in the order of their texts.
        {**condition, "lastTransitionTime": min(condition["lastTransitionTime"], moment)}
        if (condition["type"], condition["status"]) == ("Ready", "True")
        else condition
        for condition in written
    ]
