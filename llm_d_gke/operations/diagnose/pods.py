"""Causes that show at pods: not created, not scheduled, not started, ended, not ready."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.operations.diagnose.cause import Cause
from llm_d_gke.operations.diagnose.facts import Facts, Workload, containers_of
from llm_d_gke.operations.diagnose.messages import Origin, last_exception, last_words, recognize
from llm_d_gke.operations.live_stack.stack import Manifest, find_condition, is_ready

_PULLS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ImageInspectError", "RegistryUnavailable")
_STARTS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_OWNERS = ("ReplicaSet", "Deployment", "StatefulSet", "LeaderWorkerSet", "Job", "DaemonSet")
_KILLED_FOR_MEMORY = "OOMKilled"


def not_created(facts: Facts) -> Iterator[Cause]:
    """Pods that the API server rejects. The events of their owner hold the reason."""
    short = [workload for workload in facts.workloads if _created(facts, workload) < workload.planned]
    for workload in short:
        for event in reversed(facts.events):
            about = event.get("involvedObject") or {}
            if event.get("reason") != "FailedCreate" or about.get("kind") not in _OWNERS:
                continue
            if str(about.get("name", "")).startswith(workload.name):
                message = str(event.get("message", ""))
                subject = f"{about['kind']}/{about['name']}"
                yield recognize("admission", message, subject) or Cause(
                    id="pods-refused",
                    subject=subject,
                    cause="The API server refuses the pods of this workload.",
                    evidence=message,
                    fix="Correct what the message names.",
                )
                break


def _created(facts: Facts, workload: Workload) -> int:
    return sum(workload.owns(pod) for pod in facts.pods)


def not_scheduled(facts: Facts) -> Iterator[Cause]:
    """Pending pods. The autoscaler's events come first, then the scheduler's."""
    for pod in facts.pods:
        condition = find_condition(pod, "PodScheduled")
        if pod["spec"].get("nodeName") or condition is None or condition["status"] == "True":
            continue
        subject = _subject(pod)
        events = facts.events_about("Pod", str(pod["metadata"]["name"]))
        scaling = [event for event in events if event.get("reason") in ("FailedScaleUp", "NotTriggerScaleUp")]
        growing = [event for event in events if event.get("reason") == "TriggeredScaleUp"]
        latest = max((*scaling, *growing), key=_time_of, default=None)
        if latest in growing:
            yield Cause(
                id="node-coming",
                subject=subject,
                cause="The autoscaler is adding a node for this pod.",
                evidence=str(growing[-1].get("message", "")),
                fix="Wait: a GPU node takes 2 to 10 minutes, a TPU slice longer.",
                waits=True,
            )
            continue
        message = str(condition.get("message", ""))
        recognized = [recognize("autoscaler", str(event.get("message", "")), subject) for event in reversed(scaling)]
        recognized.append(recognize("scheduler", message, subject))
        recognized_cause = next((cause for cause in recognized if cause is not None), None)
        yield recognized_cause or Cause(
            id="unschedulable",
            subject=subject,
            cause="No node takes this pod.",
            evidence=message or str(condition.get("reason", "")),
            fix="Compare the pod's requests, selectors and tolerations with the nodes: kubectl describe nodes.",
        )


def _time_of(event: Manifest) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def not_started(facts: Facts) -> Iterator[Cause]:
    """Images that cannot be pulled, containers that cannot be created, volumes that cannot be mounted."""
    for pod in facts.pods:
        events = facts.events_about("Pod", str(pod["metadata"]["name"]))
        for status in containers_of(pod):
            waiting = (status.get("state") or {}).get("waiting") or {}
            reason = str(waiting.get("reason", ""))
            subject = f"{_subject(pod)} container {status['name']}"
            message = str(waiting.get("message", ""))
            if reason in _PULLS:
                failures = [str(event.get("message", "")) for event in events if event.get("reason") == "Failed"]
                text = "\n".join([*failures, message])
                yield recognize("image", text, subject) or _unknown(
                    "image-not-pulled", subject, "The image cannot be pulled.", last_words(text)
                )
            elif reason in _STARTS:
                yield recognize("start", message, subject) or _unknown(
                    "container-not-created", subject, "The container cannot be created.", message or reason
                )
        if _waits_for_volumes(pod):
            mounts = [event for event in events if event.get("reason") in ("FailedMount", "FailedAttachVolume")]
            if mounts:
                message = str(mounts[-1].get("message", ""))
                yield recognize("mount", message, _subject(pod)) or _unknown(
                    "volume-not-mounted", _subject(pod), "A volume of the pod cannot be mounted.", message
                )


def _waits_for_volumes(pod: Manifest) -> bool:
    states = [(status.get("state") or {}).get("waiting") or {} for status in containers_of(pod)]
    return bool(pod["spec"].get("nodeName")) and (
        not states or any(state.get("reason") in ("ContainerCreating", "PodInitializing") for state in states)
    )


def ended(facts: Facts) -> Iterator[Cause]:
    """Containers that keep terminating, with the cause in their last log lines."""
    for pod in facts.pods:
        status = pod.get("status") or {}
        if status.get("phase") == "Failed" and _is_replaced(facts, pod):
            continue
        if status.get("reason") == "Evicted":
            yield Cause(
                id="evicted",
                subject=_subject(pod),
                cause="The node was short of a resource and evicted the pod.",
                evidence=str(status.get("message", "")),
                fix="Short of ephemeral-storage: raise accelerator.diskGib; of memory: use a larger machine.",
                pitfalls=(24,),
            )
            continue
        if status.get("phase") == "Failed" and status.get("reason"):
            message = str(status.get("message", ""))
            yield recognize("pod", message, _subject(pod)) or _unknown(
                "pod-failed", _subject(pod), f"The node ended the pod: {status['reason']}.", message or status["reason"]
            )
            continue
        for container in containers_of(pod):
            cause = _ended(facts, pod, container)
            if cause is not None:
                yield cause


def _is_replaced(facts: Facts, pod: Manifest) -> bool:
    """Whether other pods replace a failed pod, which stays listed until it is garbage-collected."""
    return any(facts.ready(workload) >= workload.planned for workload in facts.workloads if workload.owns(pod))


def _ended(facts: Facts, pod: Manifest, container: Manifest) -> Cause | None:
    state, last = container.get("state") or {}, container.get("lastState") or {}
    end = state.get("terminated") or last.get("terminated")
    initial = (pod.get("status") or {}).get("initContainerStatuses") or []
    if end is None or container.get("ready") or (container in initial and end.get("exitCode") == 0):
        return None
    subject = f"{_subject(pod)} container {container['name']}"
    text = "\n".join(
        filter(None, [str(end.get("message") or ""), facts.logs.get((pod["metadata"]["name"], container["name"]), "")])
    )
    origin: Origin = "picker" if facts.role_of(pod) == "picker" else "engine"
    recognized = recognize(origin, text, subject) or recognize("start", text, subject)
    if recognized is not None:
        return recognized
    if end.get("reason") == _KILLED_FOR_MEMORY:
        return Cause(
            id="host-memory",
            subject=subject,
            cause="The container used more of the node's memory than its limit, and was killed.",
            evidence=f"OOMKilled, exit code {end.get('exitCode')}",
            fix="Use a machine with more memory (accelerator.machineType); loading weights needs about their size.",
        )
    killed = [
        str(event.get("message", ""))
        for event in facts.events_about("Pod", str(pod["metadata"]["name"]))
        if event.get("reason") == "Killing" and "failed startup probe" in str(event.get("message", ""))
    ]
    if killed:
        return Cause(
            id="start-too-slow",
            subject=subject,
            cause="The container did not become ready within its startup probe, and was killed.",
            evidence=killed[-1],
            fix="Read how far it came (make logs); weights in a bucket or on a volume load faster (models[].source).",
            pitfalls=(41, 42),
        )
    return Cause(
        id="container-ended",
        subject=subject,
        cause=f"The container ended with exit code {end.get('exitCode')}; its words are not among the known ones.",
        evidence=last_exception(text) or last_words(text),
        fix="Read the log from its beginning.",
    )


def not_ready(facts: Facts) -> Iterator[Cause]:
    """Containers that run and are not ready: still starting, or their probe fails."""
    for pod in facts.pods:
        running = [
            container
            for container in containers_of(pod)
            if "running" in (container.get("state") or {}) and not container.get("ready")
        ]
        if is_ready(pod) or not running or _is_waiting_picker(facts, pod):
            continue
        container = running[0]
        events = facts.events_about("Pod", str(pod["metadata"]["name"]))
        probes = [str(event.get("message", "")) for event in events if event.get("reason") == "Unhealthy"]
        evidence = (
            probes[-1] if probes else last_words(facts.logs.get((pod["metadata"]["name"], container["name"]), ""))
        )
        if container.get("started") is False:
            yield Cause(
                id="starting",
                subject=f"{_subject(pod)} container {container['name']}",
                cause="The container is starting: it loads weights or compiles, and its startup probe is not over.",
                evidence=evidence,
                fix="Wait; `make logs` shows how far it is, and the plan's timeline how long it may take.",
                waits=True,
            )
        elif not container.get("lastState"):
            yield Cause(
                id="probe-fails",
                subject=f"{_subject(pod)} container {container['name']}",
                cause="The container runs, but its readiness probe fails.",
                evidence=evidence,
                fix="Read its log; `make verify` (check objects) names a probe that is not the planned one.",
                pitfalls=(46, 69),
            )


def _is_waiting_picker(facts: Facts, pod: Manifest) -> bool:
    """Of several pickers only the elected one is ready."""
    return any(
        workload.role == "picker" and workload.owns(pod) and facts.ready(workload) >= workload.planned
        for workload in facts.workloads
    )


def missing(facts: Facts) -> Iterator[Cause]:
    """Workloads with too few ready pods that nothing else explains."""
    for workload in facts.workloads:
        ready = facts.ready(workload)
        if ready < workload.planned:
            states = [
                f"{pod['metadata']['name']} {(pod.get('status') or {}).get('phase', 'unknown')}"
                for pod in facts.pods
                if workload.owns(pod)
            ]
            yield Cause(
                id="pods-missing",
                subject=workload.name,
                cause=f"{ready} of {workload.planned} pods are ready, and neither events nor logs say why.",
                evidence=", ".join(states) or "there is no pod",
                fix="`make verify` names objects that are missing or changed; `pulumi up --refresh` restores them.",
            )


def _subject(pod: Manifest) -> str:
    return f"Pod/{pod['metadata']['name']}"


def _unknown(name: str, subject: str, cause: str, evidence: str) -> Cause:
    return Cause(id=name, subject=subject, cause=cause, evidence=evidence, fix="Correct what the message names.")
