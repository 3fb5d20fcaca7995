"""Causes that show at pods: not created, not scheduled, not started, ended, not ready."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.operations.diagnose.cause import Cause
from llm_d_gke.operations.diagnose.facts import Facts, Workload, containers_of, moment_of
from llm_d_gke.operations.diagnose.messages import Origin, cause_of_state, last_exception, last_words, recognize
from llm_d_gke.operations.live_stack.stack import Manifest, find_condition, is_ready

_PULLS = (
    *("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"),
    *("InvalidImageName", "ImageInspectError", "RegistryUnavailable"),
)
_STARTS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PostStartHookError")
_MOUNTS = ("FailedMount", "FailedAttachVolume")
_SANDBOXES = ("FailedCreatePodSandBox", "FailedPrepareDynamicResources", "NetworkNotReady")
_CLAIMS = "FailedResourceClaimCreation"
_OWNERS = ("ReplicaSet", "Deployment", "StatefulSet", "LeaderWorkerSet", "Job", "DaemonSet")
_KILLED_FOR_MEMORY = "OOMKilled"


def not_created(facts: Facts) -> Iterator[Cause]:
    """Pods that the API server rejects, or their owner does not create. The owner's events hold the reason."""
    short = [workload for workload in facts.workloads if _created(facts, workload) < workload.planned]
    for workload in short:
        for event in reversed(facts.events):
            about = event.get("involvedObject") or {}
            name = str(about.get("name", ""))
            if about.get("kind") not in _OWNERS or not name.startswith(workload.name):
                continue
            message, subject = str(event.get("message", "")), f"{about['kind']}/{name}"
            cause = recognize("admission", message, subject) if event.get("type") == "Warning" else None
            if cause is None and event.get("reason") == "FailedCreate":
                cause = cause_of_state("pods-refused", subject, message)
            if cause is not None:
                yield cause
                break


def _created(facts: Facts, workload: Workload) -> int:
    return sum(workload.owns(pod) for pod in facts.pods)


def not_scheduled(facts: Facts) -> Iterator[Cause]:
    """Pending pods. The autoscaler's events come first, then the scheduler's."""
    for pod in facts.pods:
        condition = find_condition(pod, "PodScheduled")
        if pod["spec"].get("nodeName") or (condition is not None and condition["status"] == "True"):
            continue
        subject = _subject(pod)
        events = facts.events_about("Pod", str(pod["metadata"]["name"]))
        claims = [str(event.get("message", "")) for event in events if event.get("reason") == _CLAIMS]
        if condition is None:
            # The scheduler says nothing about a pod whose claims of devices are not there yet.
            yield from filter(None, (recognize("scheduler", message, subject) for message in claims[-1:]))
            continue
        scaling = [event for event in events if event.get("reason") in ("FailedScaleUp", "NotTriggerScaleUp")]
        growing = [event for event in events if event.get("reason") == "TriggeredScaleUp"]
        latest = max((*scaling, *growing), key=moment_of, default=None)
        if latest in growing:
            yield cause_of_state("node-coming", subject, str(growing[-1].get("message", "")))
            continue
        message = str(condition.get("message", ""))
        recognized = [recognize("autoscaler", str(event.get("message", "")), subject) for event in reversed(scaling)]
        recognized.append(recognize("scheduler", message, subject))
        evidence = message or str(condition.get("reason", ""))
        yield next(filter(None, recognized), None) or cause_of_state("unschedulable", subject, evidence)


def not_started(facts: Facts) -> Iterator[Cause]:
    """Images that cannot be pulled, containers that cannot be created, and what a pod waits for before all of them."""
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
                yield recognize("image", text, subject) or cause_of_state("image-not-pulled", subject, last_words(text))
            elif reason in _STARTS:
                yield recognize("start", message, subject) or cause_of_state(
                    "container-not-created", subject, message or reason
                )
        if _waits_for_its_node(pod):
            yield from _not_prepared(_subject(pod), events)


def _not_prepared(subject: str, events: list[Manifest]) -> Iterator[Cause]:
    """The latest failure of a volume, of claimed devices or of the pod's network."""
    failures = [event for event in events if event.get("reason") in (*_MOUNTS, *_SANDBOXES)]
    if failures:
        message = str(failures[-1].get("message", ""))
        mount = failures[-1]["reason"] in _MOUNTS
        yield recognize("mount" if mount else "start", message, subject) or cause_of_state(
            "volume-not-mounted" if mount else "container-not-created", subject, message
        )


def _waits_for_its_node(pod: Manifest) -> bool:
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
        if status.get("phase") == "Failed" and status.get("reason"):
            reason, message = str(status["reason"]), str(status.get("message") or status["reason"])
            yield recognize("pod", message, _subject(pod)) or cause_of_state(
                "pod-failed", _subject(pod), message, reason=reason
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
        return cause_of_state("host-memory", subject, f"OOMKilled, exit code {end.get('exitCode')}")
    killed = [
        str(event.get("message", ""))
        for event in facts.events_about("Pod", str(pod["metadata"]["name"]))
        if event.get("reason") == "Killing" and " failed " in str(event.get("message", ""))
    ]
    if killed and "failed startup probe" in killed[-1]:
        return cause_of_state("start-too-slow", subject, killed[-1])
    if killed and (unanswered := recognize("pod", killed[-1], subject)):
        return unanswered
    evidence = last_exception(text) or last_words(text)
    return cause_of_state("container-ended", subject, evidence, code=end.get("exitCode"))


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
        subject = f"{_subject(pod)} container {container['name']}"
        if container.get("started") is False:
            yield cause_of_state("starting", subject, evidence)
        elif not container.get("lastState"):
            yield recognize("pod", evidence, subject) or cause_of_state("probe-fails", subject, evidence)


def _is_waiting_picker(facts: Facts, pod: Manifest) -> bool:
    """Of several pickers only the elected one is ready."""
    return any(
        workload.role == "picker" and workload.owns(pod) and facts.ready(workload) >= workload.planned
        for workload in facts.workloads
    )


def missing(facts: Facts) -> Iterator[Cause]:
    """Workloads with too few ready pods that nothing else explains: scaled by hand, or for no visible reason."""
    replicas_of = {str(item["metadata"]["name"]): item["spec"].get("replicas", 1) for item in facts.deployments}
    for workload in facts.workloads:
        ready, replicas = facts.ready(workload), replicas_of.get(workload.name, workload.planned)
        if ready < workload.planned and replicas < workload.planned:
            subject, evidence = f"Deployment/{workload.name}", f"spec.replicas is {replicas}"
            yield cause_of_state("scaled-down", subject, evidence, planned=workload.planned)
        elif ready < workload.planned:
            states = [
                f"{pod['metadata']['name']} {(pod.get('status') or {}).get('phase', 'unknown')}"
                for pod in facts.pods
                if workload.owns(pod)
            ]
            evidence = ", ".join(states) or "there is no pod"
            yield cause_of_state("pods-missing", workload.name, evidence, ready=ready, planned=workload.planned)


def _subject(pod: Manifest) -> str:
    return f"Pod/{pod['metadata']['name']}"
