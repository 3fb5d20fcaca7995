"""Google's Gateway controller: turns Gateways, HTTPRoutes and InferencePools into Envoy configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from llm_d_gke.kube import Kube, Manifest, Manifests
from llm_d_gke.kube.informer import Informer
from llm_d_gke.quantities import seconds
from llm_d_gke.rehearsal.load_balancer import listener_tls
from llm_d_gke.rehearsal.load_balancer.addresses import address_for
from llm_d_gke.rehearsal.load_balancer.attachment import hostnames, listeners_of, refers
from llm_d_gke.rehearsal.load_balancer.backends import POOL_GROUP, Backends, GatewayObjects, UnresolvedError, is_ready
from llm_d_gke.rehearsal.load_balancer.envoy import Envoy
from llm_d_gke.rehearsal.load_balancer.envoy_config import (
    Config,
    Extension,
    extension_filters,
    forward,
    gateway_listener,
    route_configuration,
)
from llm_d_gke.rehearsal.load_balancer.fleet import Fleet, import_targets
from llm_d_gke.rehearsal.load_balancer.gateway_filters import IstioChanges
from llm_d_gke.rehearsal.load_balancer.health import HealthChecks
from llm_d_gke.rehearsal.load_balancer.kinds import (
    CLASSES,
    GATEWAY_API,
    GKE_GROUP,
    IMPORT,
    ISTIO,
    is_istio_gateway,
)
from llm_d_gke.rehearsal.load_balancer.listener_tls import ListenerPorts
from llm_d_gke.rehearsal.load_balancer.routes import Rule, Target, unsupported, virtual_hosts
from llm_d_gke.rehearsal.load_balancer.statuses import CONTROLLER, Outcome, Statuses, address_of, condition
from llm_d_gke.rehearsal.node_agent.pod_worker import Forward
from llm_d_gke.rehearsal.paths import StackPaths, difference, record_difference
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Cloud

log = logging.getLogger(__name__)


@dataclass
class _Pass:
    """The state of one reconciliation."""

    cloud: Cloud
    backends: Backends
    listeners: list[Config] = field(default_factory=list)
    listener_files: dict[Path, Config] = field(default_factory=dict)
    # (namespace, name) of a pool -> Gateways that route to it, each with the problem of its picker
    pools: dict[tuple[str, str], dict[tuple[str, str], str]] = field(default_factory=dict)
    # uid of a route -> its status.parents
    parents: dict[str, Manifests] = field(default_factory=dict)
    ports: dict[str, Manifest] = field(default_factory=dict)
    # Clusters that extensions call.
    callouts: set[str] = field(default_factory=set)
    outcomes: list[Outcome] = field(default_factory=list)
    used_addresses: set[str] = field(default_factory=set)


class LoadBalancer:
    """Computes Envoy's configuration and the statuses of all Gateway objects."""

    def __init__(
        self,
        paths: StackPaths,
        kube: Kube,
        informers: Mapping[str, Informer],
        envoy: Envoy,
        health: HealthChecks,
        fleet: Fleet,
    ) -> None:
        self._paths = paths
        self._kube = kube
        self._informers = informers
        self._envoy = envoy
        self._health = health
        self._fleet = fleet
        self._statuses = Statuses(kube, informers)
        self._ports = ListenerPorts(paths)
        self._istio_changes = IstioChanges(paths, self._find)
        # Clusters of ext_proc callouts that took effect.
        self._answered: set[str] = set()
        self._listed: frozenset[str] = frozenset()

    def lists(self, address: str) -> bool:
        """Whether a pod was ready in the last pass and has passed every health check of the load balancer."""
        return address in self._listed

    def reconcile(self, cloud: Cloud, forwards: list[Forward]) -> None:
        objects = GatewayObjects(
            pods=self._informers["Pod"].all(),
            services=self._live_objects("Service"),
            pools=self._live_objects("InferencePool"),
            health_policies=self._live_objects("HealthCheckPolicy"),
            backend_policies=self._live_objects("GCPBackendPolicy"),
            destination_rules=self._live_objects("DestinationRule"),
        )
        enabled = cloud.service_enabled("networkservices.googleapis.com")
        if self._live_objects("Gateway"):
            record_difference(self._paths, difference("health-checks"))
        own = {(forward.address, forward.port): forward.target for forward in forwards}
        self._health.begin(own | self._fleet.processes())
        now = _Pass(cloud, Backends(objects, self._envoy.assignments, enabled, self._health.healthy, self._find))
        gateways = [
            gateway
            for gateway in self._live_objects("Gateway")
            if gateway["spec"]["gatewayClassName"] in (*CLASSES, ISTIO)
        ]
        if any(is_istio_gateway(gateway) for gateway in gateways):
            record_difference(self._paths, difference("istio"))
            self._ensure_istio_class()
        now.used_addresses = {address_of(gateway) for gateway in gateways}
        for gateway in gateways:
            self._gateway(gateway, now)
        self._health.end()
        self._answered &= now.callouts
        for forward_ in forwards:
            name = f"pod/{forward_.address}/{forward_.port}"
            listener, cluster = forward(name, (forward_.address, forward_.port), ("127.0.0.1", forward_.target))
            now.listeners.append(listener)
            now.backends.clusters[name] = cluster
        clusters = [now.backends.clusters[name] for name in sorted(now.backends.clusters)]
        self._envoy.write(now.listeners, clusters, now.backends.endpoints, now.listener_files)
        ready = {str(pod["status"]["podIP"]) for pod in objects.pods if is_ready(pod)}
        self._listed = frozenset(ready - self._health.unhealthy())
        self._ports.save(now.ports)
        self._write(now)

    def _ensure_istio_class(self) -> None:
        """Create Istio's GatewayClass, as Istio does when it starts. KServe looks it up."""
        api, kind = GATEWAY_API, "GatewayClass"
        if self._kube.find(api, kind, ISTIO) is None:
            spec = {"controllerName": "istio.io/gateway-controller"}
            self._kube.apply({"apiVersion": api, "kind": kind, "metadata": {"name": ISTIO}, "spec": spec}, force=True)

    def _live_objects(self, kind: str) -> Manifests:
        items = [item for item in self._informers[kind].all() if not item["metadata"].get("deletionTimestamp")]
        return sorted(
            items, key=lambda manifest: (manifest["metadata"]["creationTimestamp"], manifest["metadata"]["name"])
        )

    def _find(self, kind: str, namespace: str, name: str) -> Manifest | None:
        version = "secrets-store.csi.x-k8s.io/v1" if kind == "SecretProviderClass" else "v1"
        return self._kube.find(version, kind, name, namespace)

    # -- one Gateway

    def _gateway(self, gateway: Manifest, now: _Pass) -> None:
        attached = {listener["name"]: 0 for listener in gateway["spec"]["listeners"]}
        rules: dict[str, list[Rule]] = {name: [] for name in attached}
        for route in self._live_objects("HTTPRoute"):
            for parent in route["spec"].get("parentRefs") or []:
                if refers(route, parent, gateway):
                    self._route(route, parent, gateway, now, attached, rules)
        address, problem = address_for(gateway, now.cloud, now.used_addresses)
        certificates: dict[str, str] = {}
        if problem is None:
            extensions = self._extensions(gateway, now)
            for listener in gateway["spec"]["listeners"]:
                try:
                    self._listen(gateway, listener, address, rules, extensions, now)
                except listener_tls.NoCertificateError as error:
                    certificates[listener["name"]] = str(error)
        now.outcomes.append(Outcome(gateway, address, problem, attached, certificates))

    def _listen(
        self,
        gateway: Manifest,
        listener: Manifest,
        address: str,
        rules: dict[str, list[Rule]],
        extensions: list[Extension],
        now: _Pass,
    ) -> None:
        metadata = gateway["metadata"]
        tls = listener_tls.socket(listener, metadata["namespace"], self._find)
        if tls is not None and (name := listener_tls.managed(listener)) is not None:
            record_difference(self._paths, difference("certificate", name=name))
        requested = int(listener["port"])
        port = self._ports.port_of(address, requested)
        key = f"{metadata['namespace']}/{metadata['name']}"
        entry = now.ports.setdefault(key, {"address": address, "ports": {}})
        if str(requested) not in entry["ports"]:
            entry["ports"][str(requested)] = port
            log_file = str(self._paths.logs / "gateway.log")
            # Listeners that share a port differ by hostname: one listener of Envoy has all their routes.
            sharing = [listener["name"] for listener in gateway["spec"]["listeners"] if listener["port"] == requested]
            hosts = virtual_hosts([rule for listener in sharing for rule in rules[listener]])
            name = f"gateway/{key}/{requested}"
            slots = {
                self._envoy.listener_file(name, f"extension-{number}"): content
                for number, content in enumerate(extension_filters(name, extensions))
            }
            routes = self._envoy.listener_file(name, "routes")
            now.listener_files |= slots | {routes: route_configuration(name, hosts)}
            files = [str(file) for file in slots]
            changes = self._istio_changes.of(gateway, self._live_objects)
            now.listeners.append(gateway_listener(name, (address, port), [str(routes), *files], log_file, tls, changes))

    def _extensions(self, gateway: Manifest, now: _Pass) -> list[Extension]:
        extensions: list[Extension] = []
        home = gateway["metadata"]["namespace"]
        for policy in self._live_objects("GCPRoutingExtension"):
            targets = policy["spec"].get("targetRefs") or []
            if policy["metadata"]["namespace"] != home or gateway["metadata"]["name"] not in [
                target["name"] for target in targets
            ]:
                continue
            for chain in policy["spec"].get("extensionChains") or []:
                for extension in chain["extensions"]:
                    try:
                        route_extension = self._extension(extension, home, now)
                        self._note_callout(route_extension.cluster, now)
                        if route_extension.cluster in self._answered:
                            extensions.append(route_extension)
                    except UnresolvedError as error:
                        log.warning("GCPRoutingExtension %s: %s", policy["metadata"]["name"], error)
        return extensions

    def _note_callout(self, cluster: str, now: _Pass) -> None:
        """Note a callout. It is in effect from its first healthy backend on, even if none is healthy later.

        Google takes minutes to program a callout, and seconds for a first health check. One that was removed and
        created again starts over.
        """
        now.callouts.add(cluster)
        if now.backends.usable(cluster):
            self._answered.add(cluster)

    def _extension(self, manifest: Manifest, namespace: str, now: _Pass) -> Extension:
        if "backendRef" not in manifest:
            raise UnresolvedError("the extension has no backendRef, the only reference that is simulated")
        reference = manifest["backendRef"]
        cluster = now.backends.extension(namespace, reference["name"], int(reference["port"]))
        full = manifest.get("requestBodySendMode") == "FullDuplexStreamed"
        return Extension(
            name=f"extension/{manifest['name']}",
            cluster=cluster,
            authority=manifest.get("authority") or reference["name"],
            timeout=seconds(manifest.get("timeout") or "1s"),
            fail_open=bool(manifest.get("failOpen")),
            events=frozenset(manifest.get("supportedEvents") or ("RequestHeaders",)),
            body_mode="FULL_DUPLEX_STREAMED" if full else "STREAMED",
        )

    # -- one HTTPRoute

    def _route(
        self,
        route: Manifest,
        parent: Manifest,
        gateway: Manifest,
        now: _Pass,
        attached: dict[str, int],
        rules: dict[str, list[Rule]],
    ) -> None:
        accepted_by, reason, message = listeners_of(route, parent, gateway)
        refused = None
        if not is_istio_gateway(gateway):
            refused = next((text for rule in route["spec"].get("rules") or [] if (text := unsupported(rule))), None)
        if refused is not None:
            where = f"{route['metadata']['namespace']}/{route['metadata']['name']}"
            reason, message = "UnsupportedValue", f'HTTPRoute "{where}" is misconfigured, err: {refused}'
        problems: list[tuple[str, str]] = []
        built = [
            self._rule(route, index, rule, gateway, now, problems)
            for index, rule in enumerate(route["spec"].get("rules") or [])
        ]
        accepted = bool(accepted_by) and refused is None
        if accepted:
            for listener in accepted_by:
                attached[listener["name"]] += 1
                names = hostnames(route, listener) or ()
                rules[listener["name"]] += [replace(rule_, hostnames=names) for rule_ in built]
        resolved_reason, resolved_message = problems[0] if problems else ("ResolvedRefs", "")
        conditions = [
            condition("Accepted", accepted, reason, message),
            condition("ResolvedRefs", not problems, resolved_reason, resolved_message),
        ]
        if accepted and not problems:
            conditions.append(condition("Reconciled", True, "ReconciliationSucceeded"))
        now.parents.setdefault(route["metadata"]["uid"], []).append(
            {"parentRef": parent, "controllerName": CONTROLLER, "conditions": conditions}
        )

    def _rule(
        self,
        route: Manifest,
        index: int,
        rule: Manifest,
        gateway: Manifest,
        now: _Pass,
        problems: list[tuple[str, str]],
    ) -> Rule:
        targets: list[Target] = []
        for backend in rule.get("backendRefs") or []:
            try:
                if (backend.get("group"), backend.get("kind")) == (GKE_GROUP, IMPORT):
                    namespace = route["metadata"]["namespace"]
                    targets += import_targets(self._fleet.clusters(), now.backends, namespace, backend)
                    continue
                target = self._target(route, backend, gateway, now)
                if is_istio_gateway(gateway):
                    requested = (rule.get("timeouts") or {}).get("request") or "0s"
                    target = replace(target, timeout=int(seconds(requested)))
                targets.append(target)
            except UnresolvedError as error:
                problems.append(("BackendNotFound", str(error)))
                targets.append(Target(refused=500))
            except ValueError as error:
                problems.append(("InvalidKind", str(error)))
                targets.append(Target(refused=500))
        metadata = route["metadata"]
        return Rule(
            hostnames=(),
            matches=tuple(rule.get("matches") or []),
            filters=tuple(rule.get("filters") or []),
            targets=tuple(targets),
            order=(metadata["creationTimestamp"], f"{metadata['namespace']}/{metadata['name']}", index),
        )

    def _target(self, route: Manifest, backend: Manifest, gateway: Manifest, now: _Pass) -> Target:
        namespace = route["metadata"]["namespace"]
        backends = replace(now.backends, gke_managed=False) if is_istio_gateway(gateway) else now.backends
        group, kind = backend.get("group") or "", backend.get("kind") or "Service"
        weight = int(backend.get("weight", 1))
        if (group, kind) == (POOL_GROUP, "InferencePool"):
            gateways = now.pools.setdefault((namespace, backend["name"]), {})
            key = (gateway["metadata"]["namespace"], gateway["metadata"]["name"])
            gateways.setdefault(key, "")
            try:
                return backends.pool(namespace, backend["name"], weight)
            except UnresolvedError as error:
                gateways[key] = str(error)
                raise
        if (group, kind) == ("", "Service"):
            return backends.service(namespace, backend["name"], int(backend.get("port") or 80), weight)
        raise ValueError(f"{kind}.{group or 'core'} cannot be a backend of this Gateway class")

    def _write(self, now: _Pass) -> None:
        for outcome in now.outcomes:
            self._statuses.gateway(outcome)
        for route in self._live_objects("HTTPRoute"):
            self._statuses.route(route, now.parents.get(route["metadata"]["uid"], []))
        for pool in self._live_objects("InferencePool"):
            key = (pool["metadata"]["namespace"], pool["metadata"]["name"])
            self._statuses.pool(pool, now.pools.get(key, {}))
        for kind in ("HealthCheckPolicy", "GCPBackendPolicy"):
            policies = self._live_objects(kind)
            for policy in policies:
                self._statuses.policy(kind, policy, policies)
        for policy in self._live_objects("GCPRoutingExtension"):
            self._statuses.attached(policy, True, "Attached", "")
