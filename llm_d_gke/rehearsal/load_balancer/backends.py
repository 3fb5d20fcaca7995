"""Backends of routes as Envoy clusters: InferencePools with their pickers, Services with their pods."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llm_d_gke.kube import Manifest, Manifests
from llm_d_gke.kube.conditions import is_true
from llm_d_gke.rehearsal.errors import SimulationError
from llm_d_gke.rehearsal.load_balancer import upstream_tls as upstream_tls
from llm_d_gke.rehearsal.load_balancer.envoy_config import (
    Config,
    Endpoint,
    assignment,
    backend_cluster,
    client_tls,
    picker_override,
)
from llm_d_gke.rehearsal.load_balancer.health import HealthCheck
from llm_d_gke.rehearsal.load_balancer.routes import DEFAULT_TIMEOUT, Target

log = logging.getLogger(__name__)

POOL_GROUP = "inference.networking.k8s.io"

# A picker is Ready before it answers: its health service runs while it still creates its certificate.
_PICKER_CHECK = HealthCheck("TCP")


class UnresolvedError(SimulationError):
    """A backend does not exist. The text is the message for ResolvedRefs."""


@dataclass(frozen=True)
class GatewayObjects:
    """The Kubernetes objects that a load balancer is computed from."""

    pods: Manifests
    services: Manifests
    pools: Manifests
    health_policies: Manifests
    backend_policies: Manifests
    destination_rules: Manifests


@dataclass
class Backends:
    """Collects clusters and their endpoints while routes are resolved.

    `file` returns the file with the endpoints of a cluster, `healthy` the result of the load balancer's health check.
    Without `gke_managed` no API must be enabled and no health check passed: every ready pod is an endpoint.
    """

    objects: GatewayObjects
    file: Callable[[str], Path]
    network_services: bool
    healthy: Callable[[HealthCheck, Endpoint], bool]
    find: upstream_tls.Find
    clusters: dict[str, Config] = field(default_factory=dict)
    endpoints: dict[str, Config] = field(default_factory=dict)
    gke_managed: bool = True
    # Another cluster of the fleet whose objects these are, and what policies of an import's pool refer to.
    member: str = ""
    policy_target: tuple[str, str] = (POOL_GROUP, "InferencePool")

    def pool(self, namespace: str, name: str, weight: int) -> Target:
        """Raises UnresolvedError when the pool, or the Service of its picker, does not exist."""
        pool = _named(self.objects.pools, namespace, name)
        if pool is None:
            raise UnresolvedError(f'InferencePool "{namespace}/{name}" not found')
        spec = pool["spec"]
        cluster = f"{self.member}pool/{namespace}/{name}"
        ports = [int(port["number"]) for port in spec.get("targetPorts") or []]
        selector = (spec.get("selector") or {}).get("matchLabels") or {}
        check = self._check(*self.policy_target, namespace, name)
        h2c = spec.get("appProtocol") == "kubernetes.io/h2c"
        pods = ready_pods(self.objects.pods, namespace, selector)
        members = [(pod["status"]["podIP"], port) for pod in pods for port in ports]
        picker = spec.get("endpointPickerRef")
        # An InferencePool has no field for TLS to its servers.
        tls, trusted = self._tls(namespace, upstream_tls.service_of(name), http2=h2c, callout_tls=False)
        self._add(cluster, members if trusted else [], check, picked=picker is not None, http2=h2c, tls=tls)
        timeout = self._timeout(*self.policy_target, namespace, name)
        if self.gke_managed and not self.network_services:
            # The load balancer cannot call the picker, so it answers itself.
            return Target(weight=weight, refused=500)
        override = self._picker(namespace, picker) if picker else None
        return Target(cluster, weight, timeout, override)

    def service(self, namespace: str, name: str, port: int, weight: int) -> Target:
        """Raises UnresolvedError when the Service, or its port, does not exist."""
        cluster = self._service(namespace, name, port, self._check("", "Service", namespace, name), callout=False)
        return Target(cluster, weight, self._timeout("", "Service", namespace, name))

    def extension(self, namespace: str, name: str, port: int) -> str:
        """Cluster of the Service behind a routing extension. Raises UnresolvedError."""
        return self._service(namespace, name, port, self._check("", "Service", namespace, name), callout=True)

    def usable(self, cluster: str) -> bool:
        """Whether a cluster has an endpoint that is ready and healthy."""
        return any(group["lb_endpoints"] for group in self.endpoints[cluster]["endpoints"])

    def can_answer(self, target: Target) -> bool:
        """Whether a pool has a server that is ready and healthy, and a picker that is."""
        return bool(target.cluster) and all(self.usable(cluster) for cluster in _clusters_of(target))

    def leave_out(self, target: Target) -> None:
        """Forget the clusters of a target without route: Envoy keeps their last endpoints until its routes changed."""
        for cluster in _clusters_of(target):
            self.clusters.pop(cluster, None)
            self.endpoints.pop(cluster, None)

    def _picker(self, namespace: str, reference: Manifest) -> Config:
        port = int((reference.get("port") or {}).get("number") or 9002)
        cluster = self._service(namespace, reference["name"], port, _PICKER_CHECK, callout=True)
        fail_open = reference.get("failureMode") == "FailOpen"
        return picker_override(cluster, f"{reference['name']}.{namespace}.svc", fail_open)

    def _service(self, namespace: str, name: str, port: int, check: HealthCheck | None, *, callout: bool) -> str:
        service = _named(self.objects.services, namespace, name)
        if service is None:
            raise UnresolvedError(f'Service "{namespace}/{name}" not found')
        entry = next((port_spec for port_spec in service["spec"].get("ports") or [] if port_spec["port"] == port), None)
        if entry is None:
            raise UnresolvedError(f'Service "{namespace}/{name}" has no port {port}')
        members, insecure = [], False
        for pod in ready_pods(self.objects.pods, namespace, service["spec"].get("selector") or {}):
            target = target_port(pod, entry)
            if target is not None:
                members.append((pod["status"]["podIP"], target))
            insecure = insecure or _serves_plain(pod)
        cluster = f"{self.member}{'callout' if callout else 'service'}/{namespace}/{name}/{port}"
        h2c = entry.get("appProtocol") in ("kubernetes.io/h2c", "http2", "HTTP2", "grpc", "GRPC")
        http2 = callout or h2c
        tls, trusted = self._tls(namespace, name, http2=http2, callout_tls=callout and not insecure)
        self._add(cluster, members if trusted else [], check, picked=False, http2=http2, tls=tls)
        return cluster

    def _add(
        self,
        cluster: str,
        members: list[Endpoint],
        check: HealthCheck | None,
        *,
        picked: bool,
        http2: bool,
        tls: Config | None,
    ) -> None:
        if cluster not in self.clusters:
            file = str(self.file(cluster))
            self.clusters[cluster] = backend_cluster(cluster, file, picked=picked, http2=http2, tls=tls)
            # Every picker is checked: it may be ready without a certificate.
            checked = check is _PICKER_CHECK or (self.gke_managed and check is not None)
            usable = [member for member in members if not checked or check is None or self.healthy(check, member)]
            self.endpoints[cluster] = assignment(cluster, sorted(usable))

    def _tls(self, namespace: str, service: str, *, http2: bool, callout_tls: bool) -> tuple[Config | None, bool]:
        """Returns (transport socket, whether pods can be trusted).

        Google's load balancers use TLS where `callout_tls` is set and verify no certificate. Istio follows its
        DestinationRules, and waits for an authority that does not exist.
        """
        if self.gke_managed:
            return (client_tls(http2=http2) if callout_tls else None), True
        try:
            rules = self.objects.destination_rules
            return upstream_tls.socket(rules, namespace, service, http2=http2, find=self.find), True
        except upstream_tls.UntrustedError as error:
            log.warning("Service %s/%s: %s", namespace, service, error)
            return None, False

    def _check(self, *target: str) -> HealthCheck:
        """`target` is the group, kind, namespace and name of an object."""
        return health_check(_default(self.objects.health_policies, *target))

    def _timeout(self, *target: str) -> int:
        return int(_default(self.objects.backend_policies, *target).get("timeoutSec") or DEFAULT_TIMEOUT)


def _default(policies: Iterable[Manifest], group: str, kind: str, namespace: str, name: str) -> Manifest:
    """`spec.default` of the policy that is attached to an object, empty without one."""
    policy = targeting(policies, group, kind, namespace, name)
    return ((policy or {}).get("spec") or {}).get("default") or {}


def _clusters_of(target: Target) -> list[str]:
    """The cluster of a pool's servers, and that of its picker."""
    if target.picker is None:
        return [target.cluster]
    return [target.cluster, target.picker["overrides"]["grpc_service"]["envoy_grpc"]["cluster_name"]]


def health_check(default: Manifest) -> HealthCheck:
    """The health check of a HealthCheckPolicy's `spec.default`. GKE's default is GET / on the serving port."""
    config = default.get("config") or {}
    kind = config.get("type") or "HTTP"
    block = config.get(f"{kind.lower()}HealthCheck") or {}
    fixed = block.get("port") if block.get("portSpecification") == "USE_FIXED_PORT" else None
    return HealthCheck(
        kind=kind,
        path=block.get("requestPath") or "/",
        port=None if fixed is None else int(fixed),
        service=block.get("grpcServiceName") or "",
        host=block.get("host") or "",
        healthy=int(default.get("healthyThreshold") or 1),
        unhealthy=int(default.get("unhealthyThreshold") or 2),
    )


def targeting(policies: Iterable[Manifest], group: str, kind: str, namespace: str, name: str) -> Manifest | None:
    """The oldest policy attached to an object; a policy targets its own namespace."""
    targeting_policies = [
        policy
        for policy in policies
        if policy["metadata"]["namespace"] == namespace
        and policy["spec"]["targetRef"]["name"] == name
        and policy["spec"]["targetRef"]["kind"] == kind
        and (policy["spec"]["targetRef"].get("group") or "") == group
    ]
    return min(
        targeting_policies,
        key=lambda policy: (policy["metadata"]["creationTimestamp"], policy["metadata"]["name"]),
        default=None,
    )


def is_ready(pod: Manifest) -> bool:
    """Whether a pod takes part in load balancing: it has an address, is Ready and not terminating."""
    has_address = bool((pod.get("status") or {}).get("podIP"))
    return has_address and not pod["metadata"].get("deletionTimestamp") and is_true(pod, "Ready")


def ready_pods(pods: Iterable[Manifest], namespace: str, selector: Mapping[str, str]) -> Manifests:
    """The pods of a namespace that a selector chooses and that are ready. An empty selector chooses none."""
    return [
        pod
        for pod in pods
        if selector
        and pod["metadata"]["namespace"] == namespace
        and selector.items() <= (pod["metadata"].get("labels") or {}).items()
        and is_ready(pod)
    ]


def target_port(pod: Manifest, entry: Manifest) -> int | None:
    target = entry.get("targetPort") or entry["port"]
    if isinstance(target, int) or str(target).isdigit():
        return int(target)
    for container in pod["spec"].get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("name") == target:
                return int(port["containerPort"])
    return None


def _serves_plain(pod: Manifest) -> bool:
    """Whether the arguments of a picker or router turn TLS off."""
    for container in pod["spec"].get("containers") or []:
        words = [*(container.get("command") or []), *(container.get("args") or [])]
        if any(word.lstrip("-") in ("secure-serving=false", "secureServing=false") for word in words):
            return True
    return False


def _named(items: Iterable[Manifest], namespace: str, name: str) -> Manifest | None:
    for item in items:
        if item["metadata"]["name"] == name and item["metadata"]["namespace"] == namespace:
            return item
    return None
