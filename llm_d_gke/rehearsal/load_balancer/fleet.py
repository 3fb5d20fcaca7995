"""Stands in for Google's multi-cluster controller: follows the clusters of a fleet, and imports the pools they export.

A cluster of the fleet is another rehearsed stack of this project folder that registered a membership in the same Google
Cloud project. Only the cluster that the fleet's feature names as config cluster has imports. What the controller of GKE
does is closed: this follows docs.cloud.google.com/kubernetes-engine/docs/how-to/setup-multicluster-inference-gateway.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from llm_d_gke.google_types import EXPORT_ANNOTATION, FLEET_FEATURE, MEMBERSHIP
from llm_d_gke.kube import Kube, KubeError, Manifest, Manifests
from llm_d_gke.kube.informer import Informer, Key, key_of
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.load_balancer import envoy
from llm_d_gke.rehearsal.load_balancer.backends import Backends, UnresolvedError
from llm_d_gke.rehearsal.load_balancer.envoy_config import Endpoint
from llm_d_gke.rehearsal.load_balancer.kinds import GKE_API, GKE_GROUP, IMPORT, POOL_API
from llm_d_gke.rehearsal.load_balancer.routes import Target
from llm_d_gke.rehearsal.paths import StackPaths, difference, record_difference
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Cloud, CloudReader

log = logging.getLogger(__name__)

_KINDS = (("v1", "Pod"), ("v1", "Service"), (POOL_API, "InferencePool"))
_MANAGER = "multi-cluster-controller"


@dataclass(frozen=True)
class Cluster:
    """A cluster's objects as the load balancer reads them. `stack` is empty for the config cluster itself."""

    stack: str
    informers: Mapping[str, Informer]

    def objects(self, kind: str) -> Manifests:
        return [item for item in self.informers[kind].all() if not item["metadata"].get("deletionTimestamp")]

    def exports(self) -> Iterator[Manifest]:
        for pool in self.objects("InferencePool"):
            if (pool["metadata"].get("annotations") or {}).get(EXPORT_ANNOTATION) == "True":
                yield pool


class Fleet:
    """`reconcile` follows the clusters, and the imports in this one. `local` are this cluster's informers."""

    def __init__(
        self, paths: StackPaths, kube: Kube, local: Mapping[str, Informer], changed: Callable[[], None]
    ) -> None:
        self._paths, self._kube, self._changed = paths, kube.managed_by(_MANAGER), changed
        self._local = local
        self._clouds: dict[str, CloudReader] = {}
        self._members: dict[str, tuple[Cluster, Kube]] = {}
        self._is_config = False

    def reconcile(self, cloud: Cloud) -> None:
        """Begin to follow clusters that joined, leave those that left, create and delete imports."""
        self._is_config = bool(cloud.records(FLEET_FEATURE))
        stacks = set(self._stacks(cloud)) if self._is_config else set()
        for stack in self._members.keys() - stacks:
            self._leave(stack)
        for stack in stacks - self._members.keys():
            with suppress(KubeError):
                self._join(stack)
        if self._is_config:
            self._import()

    def clusters(self) -> list[Cluster]:
        """The clusters whose pools this one imports: none, unless it is the config cluster."""
        others = [cluster for cluster, _ in self._members.values()]
        return [Cluster("", self._local), *others] if self._is_config else []

    def processes(self) -> dict[Endpoint, int]:
        """Ports of this machine by endpoint, of the pods of all other clusters."""
        return {
            endpoint: port
            for stack in self._members
            for endpoint, port in envoy.forwarded(StackPaths(stack, self._paths.root)).items()
        }

    def _stacks(self, cloud: Cloud) -> Iterator[str]:
        """Other stacks of this folder with a membership in the same project, while they have a cluster."""
        own = projects(cloud)
        for home in self._paths.base.iterdir():
            other = StackPaths(home.name, self._paths.root)
            if other.host == other != self._paths and other.kubeconfig.exists():
                reader = self._clouds.setdefault(home.name, CloudReader(other))
                if own & projects(reader.read()):
                    yield home.name

    def _join(self, stack: str) -> None:
        kube = client(StackPaths(stack, self._paths.root))
        informers = {kind: Informer(kube, version, kind, self._changed) for version, kind in _KINDS}
        for informer in informers.values():
            informer.start()
        self._members[stack] = (Cluster(stack, informers), kube)
        log.info("the cluster of stack %s is in the fleet", stack)
        record_difference(self._paths, difference("fleet"))

    def _leave(self, stack: str) -> None:
        cluster, kube = self._members.pop(stack)
        for informer in cluster.informers.values():
            informer.stop()
        kube.close()
        log.info("the cluster of stack %s has left the fleet", stack)
        self._changed()

    def _import(self) -> None:
        """One GCPInferencePoolImport for each name that a cluster exports. Its schema is not published: no spec."""
        exported: set[Key] = {key_of(pool) for cluster in self.clusters() for pool in cluster.exports()}
        imported = {key_of(item) for item in self._local[IMPORT].all()}
        for namespace, name in exported - imported:
            manifest = {"apiVersion": GKE_API, "kind": IMPORT, "metadata": {"name": name, "namespace": namespace}}
            # A namespace that this cluster does not have, or no longer, gets no import.
            with suppress(KubeError):
                self._kube.apply(manifest)
        for namespace, name in imported - exported:
            with suppress(KubeError):
                self._kube.delete(GKE_API, IMPORT, name, namespace)


def projects(cloud: Cloud) -> set[str]:
    """The Google Cloud projects in whose fleets a stack has a membership."""
    return {str(record.get("project")) for record in cloud.records(MEMBERSHIP).values()}


def import_targets(clusters: Iterable[Cluster], backends: Backends, namespace: str, backend: Manifest) -> list[Target]:
    """The pool of each cluster that exports it and can answer; of all, where none can.

    `backend` is the backendRef to the import, `backends` are those of the config cluster. Raises UnresolvedError.
    """
    name, weight = str(backend["name"]), int(backend.get("weight", 1))
    targets = []
    for cluster in clusters:
        if not any(key_of(pool) == (namespace, name) for pool in cluster.exports()):
            continue
        pods, services, pools = (cluster.objects(kind) for kind in ("Pod", "Service", "InferencePool"))
        objects = replace(backends.objects, pods=pods, services=services, pools=pools)
        member = f"{cluster.stack}/" if cluster.stack else ""
        own = replace(backends, objects=objects, member=member, policy_target=(GKE_GROUP, IMPORT))
        with suppress(UnresolvedError):
            targets.append(own.pool(namespace, name, weight))
    if not targets:
        raise UnresolvedError(f'{IMPORT} "{namespace}/{name}" not found')
    answering = [target for target in targets if backends.can_answer(target)]
    for target in targets if answering else ():
        if target not in answering:
            backends.leave_out(target)
    return answering or targets
