"""Prints why pods do not start while `up` waits. The provider's own lines name the object but not the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from llm_d_gke.kube import KubeError
from llm_d_gke.kube.conditions import find_condition
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.waiting import repeated

_SECONDS = 5.0
# Every pod waits for a moment when it starts. A reason is printed after three polls in a row.
_LOOKS = 3
# Reasons of a container that is being started as it should be.
_USUAL = ("ContainerCreating", "PodInitializing")


def waiting_reason(pod: dict[str, Any]) -> str | None:
    """Why a pod does not run, as the scheduler or the node says it. None for a pod that runs or is being started."""
    scheduled = find_condition(pod, "PodScheduled")
    if scheduled is not None and scheduled["status"] == "False":
        # The sentences that follow are about claims and about pods that could be evicted for this one.
        message = str(scheduled.get("message") or scheduled.get("reason") or "not scheduled")
        return f"{message.partition('. ')[0].rstrip('.')}."
    status = pod.get("status", {})
    for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
        waiting = container.get("state", {}).get("waiting") or {}
        reason = waiting.get("reason")
        if reason and reason not in _USUAL:
            detail = waiting.get("message")
            return f"{container['name']}: {reason}{f', {detail}' if detail else ''}"
    return None


class WaitingPods:
    """Remembers how often each pod had which reason, and shows a reason that stays, once."""

    def __init__(self, show: Callable[[str], None], stack: str = "") -> None:
        self._show = show
        self._stack = stack
        self._looks: dict[tuple[str, str], int] = {}

    def look(self, pods: list[dict[str, Any]]) -> None:
        looks: dict[tuple[str, str], int] = {}
        for pod in pods:
            reason = waiting_reason(pod)
            if reason is not None:
                key = (pod["metadata"]["name"], reason)
                looks[key] = self._looks.get(key, 0) + 1
                if looks[key] == _LOOKS:
                    self._show(f"    pod {key[0]} waits: {reason}")
                    if "CrashLoopBackOff" in reason:
                        # `up` waits until its time is over, and only the container's log says why it ends.
                        self._show(f"      make diagnose STACK={self._stack} says why, in another terminal")
        printed = {key: count for key, count in self._looks.items() if count >= _LOOKS}
        self._looks = {**printed, **looks}


@contextmanager
def watched(paths: StackPaths, show: Callable[[str], None]) -> Iterator[None]:
    """Show why pods of a stack wait, while the block runs. The cluster may not exist yet."""
    waiting = WaitingPods(show, paths.stack)

    def look() -> None:
        # A control plane that starts or restarts: the provider's own lines say so.
        with suppress(KubeError, OSError, ValueError, KeyError):
            if paths.kubeconfig.exists():
                with client(paths) as kube:
                    waiting.look(list(kube.list("v1", "Pod")))

    with repeated(look, every=_SECONDS):
        yield
