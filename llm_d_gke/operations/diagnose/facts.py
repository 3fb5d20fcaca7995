"""Collects the input of a diagnosis: objects, events, logs of failed containers, and one reply of the endpoint.

Reading needs no more than Kubernetes' role `view`. A kind that these credentials may not list is noted and left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

import httpx

from llm_d_gke.kube import KubeError, Unreachable
from llm_d_gke.operations.live_stack.stack import LiveStack, Manifest, is_ready
from llm_d_gke.operations.verify.context import chat_body

Role = Literal["engine", "picker", "other"]

# The kind, and its group with the versions that may be served, of which the first one counts.
_KINDS = {
    "pods": ("Pod", "v1"),
    "deployments": ("Deployment", "apps/v1"),
    "events": ("Event", "v1"),
    "gateways": ("Gateway", "gateway.networking.k8s.io/v1"),
    "routes": ("HTTPRoute", "gateway.networking.k8s.io/v1"),
    "pools": ("InferencePool", "inference.networking.k8s.io/v1"),
    "health_checks": ("HealthCheckPolicy", "networking.gke.io/v1"),
    "backend_policies": ("GCPBackendPolicy", "networking.gke.io/v1"),
    "gateway_policies": ("GCPGatewayPolicy", "networking.gke.io/v1"),
    "services": ("LLMInferenceService", "serving.kserve.io/v1alpha2", "serving.kserve.io/v1alpha1"),
    "scalers": ("ScaledObject", "keda.sh/v1alpha1"),
    "autoscalers": ("HorizontalPodAutoscaler", "autoscaling/v2"),
    "certificate_requests": ("CertificateRequest", "cert-manager.io/v1"),
    "queued_workloads": ("Workload", "kueue.x-k8s.io/v1beta2", "kueue.x-k8s.io/v1beta1"),
    "capacity_requests": (
        "ProvisioningRequest",
        "autoscaling.x-k8s.io/v1",
        "autoscaling.x-k8s.io/v1beta1",
    ),
}
# The namespace of events about nodes, which have none.
_OF_NODES = "default"
_ANSWER_SECONDS = 30.0
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A planned workload, and its number of pods."""

    name: str
    role: Role
    selector: Mapping[str, str]
    planned: int

    def owns(self, pod: Manifest) -> bool:
        return dict(self.selector).items() <= (pod["metadata"].get("labels") or {}).items()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The endpoint's answer to one chat request. Status 0: the connection failed."""

    status: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything a diagnosis looks at, as plain objects: rules are functions of it."""

    workloads: tuple[Workload, ...] = ()
    pods: tuple[Manifest, ...] = ()
    deployments: tuple[Manifest, ...] = ()
    events: tuple[Manifest, ...] = ()
    gateways: tuple[Manifest, ...] = ()
    routes: tuple[Manifest, ...] = ()
    pools: tuple[Manifest, ...] = ()
    health_checks: tuple[Manifest, ...] = ()
    services: tuple[Manifest, ...] = ()
    scalers: tuple[Manifest, ...] = ()
    autoscalers: tuple[Manifest, ...] = ()
    certificate_requests: tuple[Manifest, ...] = ()
    backend_policies: tuple[Manifest, ...] = ()
    gateway_policies: tuple[Manifest, ...] = ()
    queued_workloads: tuple[Manifest, ...] = ()
    capacity_requests: tuple[Manifest, ...] = ()
    # Events about the nodes of pods that are not ready.
    node_events: tuple[Manifest, ...] = ()
    # Names of the planned routes of the API, without those that exist before their pools are ready.
    api_routes: frozenset[str] = frozenset()
    # Health paths of the plan by pool.
    health_paths: Mapping[str, str] = field(default_factory=dict)
    # By pod and container.
    logs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    answer: Answer | None = None
    unreadable: tuple[str, ...] = ()

    def role_of(self, pod: Manifest) -> Role:
        return next((workload.role for workload in self.workloads if workload.owns(pod)), "other")

    def events_about(self, kind: str, name: str) -> list[Manifest]:
        """Events of an object, the latest last."""
        events = [
            event
            for event in self.events
            if (event.get("involvedObject") or {}).get("kind") == kind and event["involvedObject"].get("name") == name
        ]
        return sorted(events, key=moment_of)

    def ready(self, workload: Workload) -> int:
        return sum(is_ready(pod) for pod in self.pods if workload.owns(pod))


def _is_about_node(event: Manifest, nodes: set[str]) -> bool:
    about = event.get("involvedObject") or {}
    return about.get("kind") == "Node" and about.get("name") in nodes


def moment_of(event: Manifest) -> str:
    """When an event was last seen. Those of events.k8s.io have the time of a repetition in their series."""
    series = event.get("series") or {}
    return str(event.get("lastTimestamp") or series.get("lastObservedTime") or event.get("eventTime") or "")


def gather(live: LiveStack, headers: Mapping[str, str] = NO_HEADERS) -> Facts:
    """Read everything. `headers` go with the request. Raises KubeError when no API server answers."""
    unreadable: list[str] = []

    def listed(namespace: str, kind: str, *versions: str) -> tuple[Manifest, ...]:
        try:
            served = next((version for version in versions if live.cluster.serves(version, kind)), None)
            return tuple(live.cluster.list(served, kind, namespace)) if served is not None else ()
        except Unreachable:
            raise
        except KubeError as error:
            unreadable.append(f"{kind}: {error}")
            return ()

    objects = {name: listed(live.namespace, *kind) for name, kind in _KINDS.items()}
    alive = tuple(pod for pod in objects.pop("pods") if "deletionTimestamp" not in pod["metadata"])
    nodes = {pod["spec"].get("nodeName") for pod in alive if not is_ready(pod)} - {None}
    of_nodes = listed(_OF_NODES, *_KINDS["events"]) if nodes else ()
    return Facts(
        **objects,
        pods=alive,
        node_events=tuple(event for event in of_nodes if _is_about_node(event, nodes)),
        workloads=workloads_of(live),
        api_routes=frozenset(route.name for route in live.plan.routes if not route.early),
        health_paths={model.pool.name: model.pool.health_path for model in live.plan.models},
        logs=_logs(live, alive),
        answer=_answer(live, headers),
        unreadable=tuple(unreadable),
    )


def workloads_of(live: LiveStack) -> tuple[Workload, ...]:
    plan = live.plan
    workloads = []
    for model in plan.models:
        for server in model.servers:
            size = server.group.size if server.group is not None else 1
            workloads.append(
                Workload(name=server.name, role="engine", selector=server.selector, planned=server.replicas * size)
            )
        picker = model.picker
        workloads.append(
            Workload(name=picker.name, role="picker", selector=picker.selector, planned=picker.ready_replicas)
        )
    for extra in (plan.router, plan.models_endpoint):
        if extra is not None:
            workloads.append(Workload(name=extra.name, role="other", selector=extra.selector, planned=extra.replicas))
    return tuple(workloads)


def _logs(live: LiveStack, pods: tuple[Manifest, ...]) -> dict[tuple[str, str], str]:
    """The last lines of containers that are not ready, of the run before the last restart as well."""
    logs = {}
    for pod in pods:
        for status in containers_of(pod):
            if status.get("ready") or not ("running" in (status.get("state") or {}) or status.get("lastState")):
                continue
            name = str(status["name"])
            texts = [live.pods.log(pod, name, previous=True)] if status.get("restartCount") else []
            texts.append(live.pods.log(pod, name))
            logs[pod["metadata"]["name"], name] = "\n".join(text for text in texts if text)
    return logs


def containers_of(pod: Manifest) -> list[Manifest]:
    """States of a pod's containers, init containers first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _answer(live: LiveStack, headers: Mapping[str, str]) -> Answer | None:
    """Send one chat request of one token. None without a listening Gateway, or if no request is to be sent."""
    endpoint = live.endpoint
    if endpoint is None or live.plan.paused:
        return None
    body = chat_body(live.plan.models[0].served_name, "Say hello.", max_tokens=1)
    try:
        # Whether a certificate verifies is verify's question.
        with httpx.Client(timeout=_ANSWER_SECONDS, trust_env=False, verify=False) as client:  # noqa: S501
            response = client.post(
                f"{endpoint.url}/v1/chat/completions",
                json=body,
                headers=endpoint.headers_with(headers),
                extensions={"sni_hostname": endpoint.host},
            )
    except httpx.HTTPError as error:
        return Answer(status=0, text=str(error) or type(error).__name__)
    return Answer(status=response.status_code, text=response.text)
