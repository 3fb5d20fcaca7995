"""Explains why a workload is not ready, from the status and the last log lines of its pods."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rehearsal.kube import Kube, KubeError
from rehearsal.kube.conditions import is_true
from rehearsal.kube.types import Manifest
from rehearsal.providers.kubernetes.objects import metadata
from rehearsal.providers.kubernetes.waiting import conditions

MOST_GROUPS: Final = 3  # replicas mostly fail alike; what differs beyond this is noise
LOG_LINES: Final = 5
LOG_BYTES: Final = 64 * 1024
# KServe labels the objects of an LLMInferenceService with its name.
SERVICE: Final = "LLMInferenceService"


def pods(kube: Kube, workload: Manifest, logs: Path) -> list[str]:
    """One paragraph for each kind of failure of the workload's pods, after the false conditions of a custom kind.

    `logs` is the folder that holds a file for each pod with the pod's name in its path.
    """
    if workload["kind"] == "Pod":
        return [_paragraph([workload], logs)]
    labels = _selector(workload)
    lines = [
        f"{condition['type']} is False{_because(condition)}"
        for condition in conditions(workload)
        if condition.get("status") == "False"
    ]
    if not isinstance(labels, dict) or not labels:
        return lines
    if workload["kind"] == SERVICE:
        return lines + _failing(kube, workload, labels, logs)
    return _failing(kube, workload, labels, logs)


def _failing(kube: Kube, workload: Manifest, labels: dict[str, str], logs: Path) -> list[str]:
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    try:
        found = kube.list("v1", "Pod", metadata(workload).get("namespace"), labels=selector)
    except KubeError as error:
        return [f"its pods cannot be listed: {error}"]
    if not found:
        return ["it has no pods"]
    alike: dict[tuple[str, ...], list[Manifest]] = {}
    for pod in found:
        if not is_true(pod, "Ready"):
            alike.setdefault(tuple(symptoms(pod)), []).append(pod)
    return [_paragraph(group, logs) for group in list(alike.values())[:MOST_GROUPS]]


def _selector(workload: Manifest) -> object:
    """The labels of a workload's pods, None for kinds that have none."""
    if workload["kind"] == "LeaderWorkerSet":
        return {"leaderworkerset.sigs.k8s.io/name": metadata(workload)["name"]}
    if workload["kind"] == SERVICE:
        return {"app.kubernetes.io/name": metadata(workload)["name"], "app.kubernetes.io/part-of": SERVICE.lower()}
    return ((workload.get("spec") or {}).get("selector") or {}).get("matchLabels")


def symptoms(pod: Manifest) -> list[str]:
    """The problems in a pod's status, without names that differ between replicas."""
    status = pod.get("status") or {}
    lines = [
        f"{condition['type']} is False{_because(condition)}"
        for condition in status.get("conditions") or []
        if condition["status"] == "False" and condition["type"] in ("PodScheduled", "Initialized", "Ready")
    ]
    for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        for when, state in (("", container.get("state")), ("before that ", container.get("lastState"))):
            for kind in ("waiting", "terminated"):
                if state and kind in state:
                    code = state[kind].get("exitCode")
                    ended = "" if code is None else f" with exit code {code}"
                    lines.append(f"{when}container {container['name']} is {kind}{ended}{_because(state[kind])}")
    return lines or [f"it is {status.get('phase', 'Pending')}"]


def last_lines(pod: str, logs: Path) -> list[str]:
    """The last lines of the pod's newest log file, none when there is no such file."""
    files = [path for path in logs.rglob("*") if path.is_file() and pod in str(path.relative_to(logs))]
    if not files:
        return []
    newest = max(files, key=lambda path: path.stat().st_mtime)
    with newest.open("rb") as file:
        file.seek(max(0, newest.stat().st_size - LOG_BYTES))
        text = file.read().decode("utf-8", errors="replace")
    return [line for line in text.splitlines() if line.strip()][-LOG_LINES:]


def _paragraph(group: list[Manifest], logs: Path) -> str:
    name = metadata(group[0])["name"]
    others = f" (and {len(group) - 1} more like it)" if len(group) > 1 else ""
    written = [f"log: {line}" for line in last_lines(name, logs)]
    return "\n      ".join([f"pod {name}{others}:", *symptoms(group[0]), *written])


def _because(state: Mapping[str, Any]) -> str:
    why = ": ".join(str(state[key]) for key in ("reason", "message") if state.get(key))
    return f" ({why})" if why else ""
