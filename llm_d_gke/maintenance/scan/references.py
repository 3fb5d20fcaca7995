"""Objects of a stack that name each other: selectors, ports, accounts, volumes, targets of routes and policies.

The API server takes an object whose selector matches nothing, or whose port no pod opens; requests fail then. Pods
inside custom resources get the labels that the controllers of LeaderWorkerSet v0.9 and KServe v0.20 add.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llm_d_gke.maintenance.scan.pods import ScannedPod, pod_labels, scanned_pods
from llm_d_gke.maintenance.scan.scanners import Failure, workload_subject
from llm_d_gke.nested import value_at

_Object = Mapping[str, Any]

_GROUP: Final = "leaderworkerset.sigs.k8s.io"
# What others create: Gateways of Istio bring pods, LLMInferenceServices bring the objects that they are named after.
_GATEWAY_LABEL: Final = "gateway.networking.k8s.io/gateway-name"
_OF_SERVICE: Final = (
    ("InferencePool", "-inference-pool"),
    ("Service", "-epp-service"),
    ("ServiceAccount", "-epp-sa"),
    ("Deployment", "-kserve"),
    ("Deployment", "-kserve-prefill"),
    ("LeaderWorkerSet", "-kserve-mn"),
)
# Kinds that a stack creates itself, so that a reference to another one is a mistake. Of Secrets and claims many are
# the user's, and GKE creates imports of pools.
_OWN_KINDS: Final = frozenset(
    {"ConfigMap", "Deployment", "Gateway", "HTTPRoute", "InferencePool", "LeaderWorkerSet", "ResourceClaimTemplate"}
    | {"Role", "SecretProviderClass", "Service", "ServiceAccount"}
)
_SELECTORS: Final = ("Deployment", "InferencePool", "PodDisruptionBudget", "PodMonitoring", "Service")


@dataclass(frozen=True)
class _Placed:
    """A pod with the labels and the ports that it has once it runs."""

    namespace: str
    labels: Mapping[str, str]
    ports: frozenset[int | str]


def failures(source: str, objects: Sequence[_Object]) -> Iterator[Failure]:
    """References of one stack that lead nowhere."""
    scanned = scanned_pods(source, [dict(body) for body in objects])
    placed = [place for pod in scanned for place in _placed(pod)] + [
        _gateway_pod(body) for body in objects if _is_gateway(body)
    ]
    names = {_key(body) for body in objects} | set(_of_services(objects))
    for body in objects:
        subject = workload_subject(source, body["kind"], body["metadata"]["name"])
        for check, text in (*_of_selectors(body, placed), *_of_targets(body, names)):
            yield Failure("references", check, subject, text)
    for pod in scanned:
        for check, text in _of_pod(pod, names):
            yield Failure("references", check, pod.name, text)


def _key(body: _Object) -> tuple[str, str | None, str]:
    return body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"]


def _of_services(objects: Sequence[_Object]) -> Iterator[tuple[str, str | None, str]]:
    for body in objects:
        if body["kind"] == "LLMInferenceService":
            for kind, suffix in _OF_SERVICE:
                yield kind, body["metadata"].get("namespace"), body["metadata"]["name"] + suffix


def _is_gateway(body: _Object) -> bool:
    return bool(body["kind"] == "Gateway" and body["spec"]["gatewayClassName"] == "istio")


def _gateway_pod(body: _Object) -> _Placed:
    labels = {_GATEWAY_LABEL: body["metadata"]["name"]}
    ports = frozenset(listener["port"] for listener in body["spec"]["listeners"])
    return _Placed(body["metadata"]["namespace"], labels, ports)


def _placed(pod: ScannedPod) -> Iterator[_Placed]:
    """A pod as its controller creates it; of a group the first host, the others, or both."""
    resource, labels = pod.pod.resource, dict(pod_labels(pod.pod))
    properties = resource.properties
    alone, split = True, False
    if resource.kind == "LeaderWorkerSet":
        labels[f"{_GROUP}/name"] = resource.object_name
        alone, split = False, "leaderTemplate" in properties["spec"]["leaderWorkerTemplate"]
    elif resource.kind == "LLMInferenceService":
        place = pod.pod.place.split(".")
        part = value_at(properties, *place[: 2 if place[1] == "prefill" else 1])
        labels |= {"app.kubernetes.io/name": resource.object_name, "app.kubernetes.io/part-of": "llminferenceservice"}
        if place[1] == "router":
            labels["app.kubernetes.io/component"] = "llminferenceservice-router-scheduler"
        else:
            labels |= {**(part.get("labels") or {}), "kserve.io/component": "workload"}
            if "prefill" in properties["spec"]:
                labels["llm-d.ai/role"] = "prefill" if place[1] == "prefill" else "decode"
            alone, split = "worker" not in part, "template" in part
    ports = frozenset(
        name
        for container in pod.pod.containers
        for port in container.get("ports") or ()
        for name in (port["containerPort"], port.get("name"))
        if name is not None
    )
    namespace = str(properties["metadata"].get("namespace"))
    hosts = ("1",) if pod.traits.component == "group-worker" else ("0",) if split else ("0", "1")
    for index in (None,) if alone else hosts:
        indexed = {} if index is None else {f"{_GROUP}/worker-index": index, f"{_GROUP}/group-key": "key"}
        yield _Placed(namespace, {**labels, **indexed}, ports)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return (selector.get("matchLabels") or selector).items() <= labels.items()


def _of_selectors(body: _Object, placed: Sequence[_Placed]) -> Iterator[tuple[str, str]]:
    """Selectors without a pod, and ports that no selected pod has. Namespaces of charts have no pods here."""
    spec, namespace = body.get("spec") or {}, body["metadata"].get("namespace")
    neighbors = [pod for pod in placed if pod.namespace == namespace]
    if not neighbors:
        return
    own = spec.get("podSelector") if body["kind"] == "NetworkPolicy" else spec.get("selector")
    selectors = [own] if own and (body["kind"] in (*_SELECTORS, "NetworkPolicy")) else []
    for selector in (*selectors, *_peers(spec)):
        if not any(_selects(selector, pod.labels) for pod in neighbors):
            yield "selects-no-pod", f"no pod has {selector}"
    chosen = [pod for pod in neighbors if own and _selects(own, pod.labels)]
    for port in _ports(body["kind"], spec):
        # A policy for a group covers hosts that serve no requests, so that one pod with the port is enough.
        if chosen and not any(port in pod.ports for pod in chosen):
            yield "port-of-no-pod", f"no selected pod has port {port}"


def _peers(spec: _Object) -> Iterator[Mapping[str, Any]]:
    """Pods of its own namespace that a NetworkPolicy lets in or out."""
    for direction, key in (("ingress", "from"), ("egress", "to")):
        for rule in spec.get(direction) or ():
            for peer in rule.get(key) or ():
                if peer.get("podSelector") and "namespaceSelector" not in peer:
                    yield peer["podSelector"]


def _ports(kind: str, spec: _Object) -> Iterator[int | str]:
    """Ports of pods that an object names."""
    if kind == "Service":
        yield from (port.get("targetPort", port["port"]) for port in spec.get("ports") or ())
    elif kind == "PodMonitoring":
        yield from (endpoint["port"] for endpoint in spec["endpoints"])
    elif kind == "InferencePool":
        yield from (port["number"] for port in spec["targetPorts"])
    elif kind == "NetworkPolicy":
        yield from (port["port"] for rule in spec.get("ingress") or () for port in rule.get("ports") or ())


def _of_targets(body: _Object, names: set[tuple[str, str | None, str]]) -> Iterator[tuple[str, str]]:
    """Objects that this one names and that the stack does not create."""
    namespace = body["metadata"].get("namespace")
    namespaces = {name for kind, _, name in names if kind == "Namespace"} | {namespace}
    for kind, place, name in _targets(body):
        where = None if kind == "ClusterRole" else place or namespace
        if kind in _OWN_KINDS and where in namespaces and (kind, where, name) not in names:
            yield "missing-object", f"{kind} {name} is not created"


def _targets(body: _Object) -> Iterator[tuple[str, str | None, str]]:
    spec = body.get("spec") or {}
    kind = body["kind"]
    if kind == "HTTPRoute":
        backends = (backend for rule in spec["rules"] for backend in rule.get("backendRefs") or ())
        for reference in (*backends, *({"kind": "Gateway", **parent} for parent in spec["parentRefs"])):
            yield reference.get("kind", "Service"), reference.get("namespace"), reference["name"]
    elif kind == "InferencePool":
        yield "Service", None, spec["endpointPickerRef"]["name"]
    elif kind == "ScaledObject":
        target = spec["scaleTargetRef"]
        yield target.get("kind", "Deployment"), None, target["name"]
    elif kind in ("RoleBinding", "ClusterRoleBinding"):
        yield body["roleRef"]["kind"], None, body["roleRef"]["name"]
        for subject in body["subjects"]:
            yield subject["kind"], subject.get("namespace"), subject["name"]
    references = [spec["targetRef"]] if "targetRef" in spec else spec.get("targetRefs") or ()
    for reference in references:
        yield reference["kind"], reference.get("namespace"), reference["name"]


def _of_pod(pod: ScannedPod, names: set[tuple[str, str | None, str]]) -> Iterator[tuple[str, str]]:
    """What a pod names: accounts, files, devices, and its own volumes and ports."""
    spec = pod.pod.spec
    volumes = {volume["name"]: volume for volume in spec.get("volumes") or ()}
    named = [("ServiceAccount", spec.get("serviceAccountName"))]
    named += [("ConfigMap", (volume.get("configMap") or {}).get("name")) for volume in volumes.values()]
    named += [
        ("SecretProviderClass", value_at(volume, "csi", "volumeAttributes", "secretProviderClass"))
        for volume in volumes.values()
    ]
    named += [
        ("ResourceClaimTemplate", claim.get("resourceClaimTemplateName")) for claim in spec.get("resourceClaims") or ()
    ]
    for kind, name in named:
        if name is not None and (kind, pod.namespace, name) not in names:
            yield "missing-object", f"{kind} {name} is not created"
    mounted = {mount["name"] for container in pod.pod.containers for mount in container.get("volumeMounts") or ()}
    yield from (("unmounted-volume", f"no container mounts {name}") for name in sorted(set(volumes) - mounted))
    yield from (("mount-of-no-volume", f"{name} is no volume") for name in sorted(mounted - set(volumes)))
    for container in pod.pod.containers:
        open_ = {
            port for opened in container.get("ports") or () for port in (opened["containerPort"], opened.get("name"))
        }
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = container.get(kind) or {}
            port = (probe.get("httpGet") or probe.get("grpc") or probe.get("tcpSocket") or {}).get("port")
            if port is not None and port not in open_:
                yield "probe-of-no-port", f"{kind} of {container['name']} asks port {port}"
