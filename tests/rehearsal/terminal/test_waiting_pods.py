"""Pods that do not start say why, once, and only when the reason stays."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.rehearsal.terminal.waiting_pods import WaitingPods, waiting_reason

NO_GPU = "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) had untolerated taint(s)."


def pod(name: str = "server", message: str | None = None, reason: str | None = None) -> dict[str, Any]:
    unscheduled = message is not None and reason is None
    scheduled = {"type": "PodScheduled", "status": "False" if unscheduled else "True", "message": message}
    state = {"waiting": {"reason": reason, "message": message}} if reason else {"running": {}}
    return {
        "metadata": {"name": name},
        "status": {"conditions": [scheduled], "containerStatuses": [{"name": "vllm", "state": state}]},
    }


@pytest.mark.parametrize(
    ("waiting_pod", "reason"),
    [
        (pod(), None),
        (pod(message=f"{NO_GPU} preemption: 0/2 nodes are available: 2 No preemption victims found."), NO_GPU),
        (pod(reason="ContainerCreating"), None),
        (pod(reason="ImagePullBackOff", message="not found"), "vllm: ImagePullBackOff, not found"),
        (pod(reason="CrashLoopBackOff"), "vllm: CrashLoopBackOff"),
    ],
)
def test_the_reason_is_the_schedulers_or_the_nodes(waiting_pod: dict[str, Any], reason: str | None) -> None:
    assert waiting_reason(waiting_pod) == reason


def test_a_reason_that_stays_is_said_once() -> None:
    printed: list[str] = []
    waiting = WaitingPods(printed.append)
    for _ in range(2):
        waiting.look([pod(message=NO_GPU)])
    assert printed == []
    for _ in range(4):
        waiting.look([pod(message=NO_GPU)])
    assert printed == [f"    pod server waits: {NO_GPU}"]


def test_a_moment_is_not_said() -> None:
    printed: list[str] = []
    waiting = WaitingPods(printed.append)
    for pods in ([pod(message=NO_GPU)], [pod()]) * 4:
        waiting.look(pods)
    assert printed == []


def test_a_container_that_keeps_ending_leads_to_the_command_that_says_why() -> None:
    printed: list[str] = []
    waiting = WaitingPods(printed.append, "chat")
    for _ in range(4):
        waiting.look([pod(reason="CrashLoopBackOff")])
    assert printed == [
        "    pod server waits: vllm: CrashLoopBackOff",
        "      make diagnose STACK=chat says why, in another terminal",
    ]
