"""Keeps the cluster's Node objects equal to the node pools and the autoscaler's sizes. The only writer of Nodes.

Nodes with RDMA network cards offer them as devices that pods can claim (GKE managed DRANET).
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping

from llm_d_gke.catalog import Catalog
from llm_d_gke.google_types import NODE_POOL
from llm_d_gke.kube import Conflict, Kube, KubeError, Manifest, Manifests
from llm_d_gke.kube.conditions import internal_ip
from llm_d_gke.kube.events import Recorder
from llm_d_gke.kube.informer import Informer
from llm_d_gke.quantities import quantity
from llm_d_gke.rehearsal.autoscaler.autopilot import autopilot_records
from llm_d_gke.rehearsal.autoscaler.compute_classes import class_pools
from llm_d_gke.rehearsal.autoscaler.node_pools import POOL_LABEL, Pool, UnknownMachineError, node, node_name
from llm_d_gke.rehearsal.autoscaler.pod_requests import Amounts, requests
from llm_d_gke.rehearsal.autoscaler.scale_up import decide, take, unschedulable
from llm_d_gke.rehearsal.host.files import write_if_changed
from llm_d_gke.rehearsal.paths import StackPaths, difference, record_difference
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Cloud

log = logging.getLogger(__name__)

# Seconds. GKE takes 2 to 10 minutes to add a machine, and removes one that was idle for 10 minutes.
NODE_DELAY = 2.0
IDLE_DELAY = 10.0

_SOURCE = "cluster-autoscaler"


class Nodes:
    """Turns node pools into Node objects, and scales them."""

    def __init__(
        self,
        paths: StackPaths,
        kube: Kube,
        catalog: Callable[[], Catalog],
        nodes: Informer,
        pods: Informer,
        classes: Informer,
    ) -> None:
        self._paths = paths
        self._kube = kube
        self._catalog = catalog
        self._nodes = nodes
        self._pods = pods
        self._classes = classes
        self._event = Recorder(kube, _SOURCE)
        self._sizes, self._requested_sizes = _load(paths)
        self._version = kube.server_version()
        # When the next machine of a pool is due, and since when a node has been idle.
        self._due: dict[str, float] = {}
        self._idle: dict[str, float] = {}
        # Nodes that were deleted, until the watch reports it.
        self._leaving: set[str] = set()

    def reconcile(self, cloud: Cloud) -> None:
        records = list(cloud.records(NODE_POOL).values())
        if (cloud.cluster or {}).get("enableAutopilot"):
            record_difference(self._paths, difference("autopilot"))
            records += autopilot_records(self._pods.all(), self._catalog(), cloud.cluster or {})
        classes = self._classes.all()
        if classes:
            record_difference(self._paths, difference("compute-class"))
        try:
            node_pools = class_pools(classes, records, self._catalog(), cloud.cluster)
        except UnknownMachineError as error:
            record_difference(self._paths, str(error))
            return
        self._resize(node_pools)
        present = self._nodes_by_pool()
        self._grow(node_pools, present)
        self._shrink(node_pools, present)
        self._reconcile(node_pools, present, cloud)
        self._save()

    # -- sizes

    def _resize(self, node_pools: list[Pool]) -> None:
        """Apply the pools' settings: the first size of a new pool, a changed node count, changed limits."""
        names = {pool.name for pool in node_pools}
        for deleted_pool in self._sizes.keys() - names:
            del self._sizes[deleted_pool]
            self._requested_sizes.pop(deleted_pool, None)
        for pool in node_pools:
            size = self._sizes.get(pool.name)
            if size is None:
                size = pool.initial
            elif pool.requested is not None and pool.requested != self._requested_sizes.get(pool.name):
                size = pool.requested
            self._requested_sizes[pool.name] = pool.requested
            self._sizes[pool.name] = pool.clamp(size)

    def _nodes_by_pool(self) -> dict[str, Manifests]:
        by_node: dict[str, Manifests] = {}
        every = self._nodes.all()
        self._leaving &= {item["metadata"]["name"] for item in every}
        for item in every:
            name = (item["metadata"].get("labels") or {}).get(POOL_LABEL)
            if name and item["metadata"]["name"] not in self._leaving:
                by_node.setdefault(name, []).append(item)
        return by_node

    def _grow(self, node_pools: list[Pool], present: Mapping[str, Manifests]) -> None:
        waiting = unschedulable(self._pods.all())
        if not waiting:
            return
        decision = decide(waiting, node_pools, self._sizes, self._free(present))
        for growth in decision.growths:
            record_difference(self._paths, difference("node-added", seconds=NODE_DELAY))
            self._sizes[growth.pool.name] = growth.target
            self._due[growth.pool.name] = time.monotonic() + NODE_DELAY
            for pod in growth.pods:
                change = f"{growth.pool.name} {growth.size}->{growth.target} (max: {growth.pool.maximum})"
                self._event(pod, "TriggeredScaleUp", f"pod triggered scale-up: [{{{change}}}]")
        for pod, why in decision.hopeless:
            self._event(pod, "NotTriggerScaleUp", why)

    def _free(self, present: Mapping[str, Manifests]) -> dict[str, list[Amounts]]:
        """Free resources of every node, by pool."""
        used: dict[str, list[Amounts]] = {}
        for pod in self._pods.all():
            if pod["spec"].get("nodeName") and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
                used.setdefault(pod["spec"]["nodeName"], []).append(requests(pod))
        free: dict[str, list[Amounts]] = {}
        for name, items in present.items():
            for item in items:
                amounts = {
                    key: quantity(text) for key, text in ((item.get("status") or {}).get("allocatable") or {}).items()
                }
                for requested in used.get(item["metadata"]["name"], []):
                    amounts = take(amounts, requested)
                free.setdefault(name, []).append(amounts)
        return free

    def _shrink(self, node_pools: list[Pool], present: Mapping[str, Manifests]) -> None:
        busy = {pod["spec"].get("nodeName") for pod in self._pods.all() if not _is_daemon(pod)}
        moment = time.monotonic()
        names = {item["metadata"]["name"] for items in present.values() for item in items}
        for item in names & busy | (self._idle.keys() - names):
            self._idle.pop(str(item), None)
        for pool in node_pools:
            if not pool.autoscaled:
                continue
            idle = [
                item["metadata"]["name"] for item in present.get(pool.name, []) if item["metadata"]["name"] not in busy
            ]
            for name in idle:
                self._idle.setdefault(name, moment)
            ripe = [name for name in idle if moment - self._idle[name] > IDLE_DELAY]
            spare = self._sizes[pool.name] - pool.minimum
            # A slice of several hosts is removed as a whole.
            count = min(len(ripe), spare) // pool.machines_per_step * pool.machines_per_step
            for name in sorted(ripe)[:count]:
                record_difference(self._paths, difference("node-removed", seconds=IDLE_DELAY))
                log.info("node %s of pool %s was idle", name, pool.name)
                self._sizes[pool.name] -= 1
                self._remove(name)

    # -- objects

    def _reconcile(self, node_pools: list[Pool], present: Mapping[str, Manifests], cloud: Cloud) -> None:
        by_name = {pool.name: pool for pool in node_pools}
        for name, items in present.items():
            if name not in by_name:
                for item in items:
                    self._remove(item["metadata"]["name"])
        for pool in node_pools:
            self._fill(pool, present.get(pool.name, []), cloud)

    def _fill(self, pool: Pool, items: Manifests, cloud: Cloud) -> None:
        live = {item["metadata"]["name"] for item in items} - self._leaving
        missing = self._sizes[pool.name] - len(live)
        if missing < 0:
            pods = Counter(pod["spec"].get("nodeName") for pod in self._pods.all())
            emptiest = sorted(live, key=lambda name: (pods[name], name))
            for name in emptiest[:-missing]:
                self._remove(name)
        if missing <= 0 or time.monotonic() < self._due.get(pool.name, 0.0):
            return
        index = 0
        used_addresses = {internal_ip(item) for item in self._nodes.all()}
        project = str((cloud.cluster or {}).get("project") or "rehearsal")
        while missing > 0:
            name = node_name(pool, index)
            if name not in live and self._nodes.get("", name) is None:
                address = _free_address(cloud.block, used_addresses)
                used_addresses.add(address)
                self._add(pool, node(pool, index, project, address, self._version))
                missing -= 1
            index += 1

    def _add(self, pool: Pool, manifest: Manifest) -> None:
        log.info("node %s joins", manifest["metadata"]["name"])
        # Conflict: it exists, and the watch has not reported it yet.
        with contextlib.suppress(Conflict):
            cards = resource_slice(pool, self._kube.create(manifest))
            if cards is not None:
                record_difference(self._paths, difference("rdma-cards"))
                self._kube.create(cards)

    def _remove(self, name: str) -> None:
        """Delete a node and the pods on it."""
        log.info("node %s leaves", name)
        for pod in self._pods.all():
            if pod["spec"].get("nodeName") == name and not pod["metadata"].get("deletionTimestamp"):
                self._kube.delete("v1", "Pod", pod["metadata"]["name"], pod["metadata"]["namespace"])
        self._kube.delete("v1", "Node", name)
        self._leaving.add(name)
        self._idle.pop(name, None)

    def _save(self) -> None:
        text = json.dumps({"sizes": self._sizes, "asked": self._requested_sizes}, indent=1, sort_keys=True)
        write_if_changed(self._paths.nodes, text)


def _load(paths: StackPaths) -> tuple[dict[str, int], dict[str, int | None]]:
    try:
        stored = json.loads(paths.nodes.read_text(encoding="utf-8"))
        return dict(stored["sizes"]), dict(stored["asked"])
    except (OSError, ValueError, KeyError):
        return {}, {}


def _is_daemon(pod: Manifest) -> bool:
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    return any(owner.get("kind") in ("DaemonSet", "Node") for owner in pod["metadata"].get("ownerReferences") or [])


def _free_address(block: int, used_addresses: set[str]) -> str:
    """A free loopback address from 127.<block>.0.10 upward. The stack itself uses the first ten."""
    for low in range(10, 65_000):
        address = (
            f"127.{block}.0.{low}" if low < 255 else f"127.{block}.{252 + (low - 255) // 250}.{(low - 255) % 250 + 1}"
        )
        if address not in used_addresses:
            return address
    raise KubeError("every loopback address for nodes is in use")


# The node label that starts the driver, and the driver, whose device class has the same name. Source: GKE docs,
# "Allocate network resources by using GKE managed DRANET".
LABEL = "cloud.google.com/gke-networking-dra-driver"
DRIVER = "mrdma.google.com"


def resource_slice(pool: Pool, node: Manifest) -> Manifest | None:
    """The cards of one node, one for each GPU. None without cards or without the driver."""
    if not pool.rdma_cards or pool.labels.get(LABEL) != "true":
        return None
    metadata = node["metadata"]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {
            "name": f"{metadata['name']}-{DRIVER}",
            # Deleted together with its node.
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": metadata["name"], "uid": metadata["uid"]}],
        },
        "spec": {
            "driver": DRIVER,
            "nodeName": metadata["name"],
            "pool": {"name": metadata["name"], "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": f"gpu{number}rdma0"} for number in range(pool.rdma_cards)],
        },
    }
