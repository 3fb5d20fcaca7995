"""Pods that do not run, one for each cause that `diagnose` names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llm_d_gke.kube import Kube, Manifest
from llm_d_gke.operations.diagnose.messages import messages

NAMESPACE = "llm-d-inference-scheduling"
ENGINE, PICKER = "gemma-2b-it-vllm", "gemma-2b-it-epp"
# A moment after every event of the rehearsal: the latest event about a pod counts.
LATER = "2090-01-01T00:00:00Z"
# Read by the program that stands for the engine: it prints them and ends, or hands them to the engine.
LAST_WORDS, MORE_ARGUMENTS = "LAST_WORDS", "MORE_ARGUMENTS"

_SECURITY = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
_PULLS = "ErrImagePull"


@dataclass(frozen=True, kw_only=True)
class Faulty:
    """A pod. `status` and `event` (reason and message) are written by hand, for what no part here would say."""

    spec: Mapping[str, Any] = field(default_factory=dict)
    container: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    status: Manifest | None = None
    event: tuple[str, str] | None = None

    def create(self, kube: Kube, name: str) -> None:
        container = {"name": "main", "image": "busybox:1", "securityContext": _SECURITY, **self.container}
        labels = {"test": "faulty", **self.labels}
        created = kube.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
                "spec": {"containers": [container], "automountServiceAccountToken": False, **self.spec},
            }
        )
        if self.event is not None:
            _write_event(kube, created, *self.event)
        if self.status is not None:
            kube.patch_status("v1", "Pod", name, self.status, NAMESPACE)


def _write_event(kube: Kube, about: Manifest, reason: str, message: str) -> None:
    metadata = about["metadata"]
    kube.create(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{reason.lower()}", "namespace": NAMESPACE},
            "involvedObject": {
                **{key: about[key] for key in ("apiVersion", "kind")},
                **{key: metadata[key] for key in ("name", "namespace", "uid")},
            },
            "reason": reason,
            "message": message,
            "type": "Warning",
            "firstTimestamp": LATER,
            "lastTimestamp": LATER,
        }
    )


def _of(origin: str) -> Iterator[tuple[str, str]]:
    return ((name, message.example) for name, message in messages().items() if message.origin == origin)


def _printed(words: str, labels: Mapping[str, str] | None = None) -> Faulty:
    """A container whose process prints these words and ends, again and again."""
    engine = {
        **_ENGINE_CONTAINER,
        "env": [{"name": LAST_WORDS, "value": words}],
    }
    return Faulty(container=engine, labels=labels or {})


def _waiting(reason: str, message: str, **more: Any) -> Manifest:
    status = {"name": "main", "image": "busybox:1", "imageID": "", "ready": False, "restartCount": 0, **more}
    return {"containerStatuses": [{**status, "state": {"waiting": {"reason": reason, "message": message}}}]}


def _volume(kind: Mapping[str, Any], **fields: Any) -> Faulty:
    return Faulty(spec={"volumes": [{"name": "data", **kind}]}, **fields)


def _variable(kind: str, **source: str) -> Faulty:
    return Faulty(container={"env": [{"name": "TOKEN", "valueFrom": {kind: source}}], **_ENGINE_CONTAINER})


_ENGINE_CONTAINER = {"image": "vllm/vllm-openai:v0.19.1", "command": ["vllm", "serve", "google/gemma-2b-it"]}
_UNSCHEDULED = {"schedulerName": "none"}
# A node that no pool has: the scheduler and the simulated autoscaler say so, and GKE's words come after theirs.
_NOWHERE = {"nodeSelector": {"disk": "none"}}
# A port at which the engine does not listen.
_CLOSED = {"tcpSocket": {"port": 9}, "periodSeconds": 1}
_NO_NODE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "words that nobody knows"}
_ABSENT = {"secret": {"secretName": "absent"}}


def picker_pods(selector: Mapping[str, str], others: Collection[str]) -> dict[str, Faulty]:
    """Pods of a picker that print its words and end, but for `others`."""
    return {name: _printed(words, selector) for name, words in _of("picker") if name not in others}


def pods() -> dict[str, Faulty]:
    """Pods by the cause that they show while the node agent runs."""
    printed = {name: _printed(words) for name, words in _of("engine")}
    # The container runtime's words are written into the status of pods that no scheduler takes.
    pulls = {name: Faulty(spec=_UNSCHEDULED, status=_waiting(_PULLS, words)) for name, words in _of("image")}
    starts = {
        name: Faulty(spec=_UNSCHEDULED, status=_waiting("RunContainerError", words)) for name, words in _of("start")
    }
    ended = {name: _failed("UnexpectedAdmissionError", words) for name, words in _of("pod")}
    # Those of drivers of volumes, at pods that the node agent lets wait for a Secret.
    mounts = {name: _volume(_ABSENT, event=("FailedMount", words)) for name, words in _of("mount")}
    waits = {
        name: Faulty(
            spec=_NOWHERE, event=("NotTriggerScaleUp" if "didn't trigger" in words else "FailedScaleUp", words)
        )
        for name, words in _of("autoscaler")
    }
    own = {
        # The node agent's, in the kubelet's words.
        "secret-missing": _variable("secretKeyRef", name="absent", key="token"),
        "secret-key-missing": _variable("secretKeyRef", name="faulty", key="token"),
        "config-missing": _variable("configMapKeyRef", name="absent", key="token"),
        "volume-secret": _volume(_ABSENT),
        "volume-config": _volume({"configMap": {"name": "absent"}}),
        # The autoscaler's.
        "no-pool-fits": Faulty(spec=_NOWHERE),
    }
    return {**printed, **pulls, **starts, **ended, **mounts, **waits, **own, **_states()}


def _states() -> dict[str, Faulty]:
    """Pods whose state is the cause, whatever the words."""
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    return {
        "unschedulable": Faulty(spec=_UNSCHEDULED, status={"conditions": [_NO_NODE]}),
        "node-coming": Faulty(
            spec=_NOWHERE, event=("TriggeredScaleUp", "pod triggered scale-up: [{pool 0->1 (max: 3)}]")
        ),
        "image-not-pulled": Faulty(spec=_UNSCHEDULED, status=_waiting("InvalidImageName", "words that nobody knows")),
        "container-not-created": Faulty(
            spec=_UNSCHEDULED, status=_waiting("CreateContainerError", "context deadline exceeded")
        ),
        "volume-not-mounted": _volume(
            _ABSENT, event=("FailedMount", 'MountVolume.SetUp failed for volume "data": timed out')
        ),
        "evicted": _failed("Evicted", "The node was low on resource: memory."),
        "pod-failed": _failed("Terminated", "words that nobody knows"),
        "host-memory": Faulty(spec=_UNSCHEDULED, status=_waiting("CrashLoopBackOff", "back-off 10s", lastState=killed)),
        "container-ended": _printed("words that nobody knows"),
        # The node agent's, of an engine that runs.
        "starting": Faulty(container={**_ENGINE_CONTAINER, "startupProbe": {**_CLOSED, "failureThreshold": 1000}}),
        "start-too-slow": Faulty(container={**_ENGINE_CONTAINER, "startupProbe": {**_CLOSED, "failureThreshold": 1}}),
        "probe-fails": Faulty(container={**_ENGINE_CONTAINER, "readinessProbe": _CLOSED}),
    }


def _failed(reason: str, message: str) -> Faulty:
    return Faulty(spec=_UNSCHEDULED, status={"phase": "Failed", "reason": reason, "message": message})
