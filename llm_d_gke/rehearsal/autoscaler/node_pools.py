"""Node pools from their cloud records, and the Node object that GKE registers for a machine of a pool."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog.schema import Accelerator, MachineType, chips_of, region_of
from llm_d_gke.kube import Manifest
from llm_d_gke.planning.allocatable import allocatable, kernel_memory_mib
from llm_d_gke.rehearsal.errors import SimulationError
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Record, short_name
from llm_d_gke.rehearsal.providers.gcp.pools import size_of

POOL_LABEL = "cloud.google.com/gke-nodepool"

# GKE's defaults for a Standard node.
DEFAULT_DISK_GB = 100
DEFAULT_PODS = 110
DEFAULT_MACHINE = "e2-medium"

# The limit of a pool that GKE creates: the default limit of any pool.
_MOST_NODES = 1000

_EFFECTS = {"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute"}

Taint = dict[str, str]


class UnknownMachineError(SimulationError):
    """The machine type of a node pool is not in the catalog."""


@dataclass(frozen=True)
class Pool:
    """One node pool. Counts are of the whole pool, all zones together.

    `machines_per_step` machines are added and removed together: the hosts of a multi-host TPU slice, otherwise 1.
    """

    name: str
    cluster: str
    zones: tuple[str, ...]
    machine: str
    initial: int
    minimum: int
    maximum: int
    autoscaled: bool
    machines_per_step: int
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    capacity: Mapping[str, str]
    allocatable: Mapping[str, str]
    # RDMA network cards of each machine.
    rdma_cards: int = 0
    # Position among the choices of a compute class; lower ones grow first.
    rank: int = 0
    # An explicit node count. A change of it overrides the autoscaler's size.
    requested: int | None = None

    def clamp(self, size: int) -> int:
        return max(self.minimum, min(self.maximum, size)) if self.autoscaled else size


def pools(records: Iterable[Record], catalog: Catalog, cluster: Record | None) -> list[Pool]:
    """All pools of the cluster. Raises UnknownMachineError."""
    every = [_machines(record, catalog, cluster or {}) for record in records]
    plain = any(machines.accelerator is None for machines in every)
    return [_pool(machines, gpu_taint=plain) for machines in every]


def created_record(name: str, cluster: Record, config: Mapping[str, Any], zones: Sequence[str] = ()) -> dict[str, Any]:
    """The record of an empty pool that GKE itself creates, for as many nodes as pods need. No zones: the cluster's."""
    record = {
        "name": name,
        "cluster": cluster.get("name"),
        "location": cluster.get("location"),
        "initialNodeCount": 0,
        "autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": _MOST_NODES},
        "nodeConfig": {**config, "workloadMetadataConfig": {"mode": "GKE_METADATA"}},
    }
    return record | ({"nodeLocations": list(zones)} if zones else {})


def guest_accelerators(kind: str | None, count: int, driver: str | None) -> list[dict[str, Any]]:
    """The GPUs of a node's configuration, with the version of their driver, by default `default`."""
    installation = {"gpuDriverVersion": (driver or "default").upper()}
    return [{"type": kind, "count": count, "gpuDriverInstallationConfig": installation}]


def node_name(pool: Pool, index: int) -> str:
    """`gke-<cluster>-<pool>-<hash of the pool>-<hash of the machine>`, within the 63 characters of a host name."""
    group = hashlib.sha256(f"{pool.cluster}/{pool.name}".encode()).hexdigest()[:8]
    # An odd factor, so that no two of 65,536 nodes of a pool have one name.
    machine = f"{(int(group[:4], 16) + (index + 1) * 40503) % 65536:04x}"
    return f"gke-{pool.cluster}-{pool.name}"[:48].rstrip("-") + f"-{group}-{machine}"


def node(pool: Pool, index: int, project: str, address: str, version: str) -> Manifest:
    """The Node with status of machine `index` of the pool. kwok sends the heartbeats of nodes with this annotation."""
    name = node_name(pool, index)
    zone = pool.zones[index % len(pool.zones)]
    labels = {
        **pool.labels,
        "kubernetes.io/hostname": name,
        "topology.kubernetes.io/zone": zone,
        "failure-domain.beta.kubernetes.io/zone": zone,
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"providerID": f"gce://{project}/{zone}/{name}", "taints": [dict(taint) for taint in pool.taints]},
        "status": {
            "capacity": dict(pool.capacity),
            "allocatable": dict(pool.allocatable),
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "nodeInfo": {
                "architecture": pool.labels["kubernetes.io/arch"],
                "operatingSystem": "linux",
                "osImage": "Container-Optimized OS from Google",
                "kernelVersion": "rehearsal",
                "containerRuntimeVersion": "containerd://rehearsal",
                "kubeletVersion": version,
            },
        },
    }


def _pool(machines: _Machines, *, gpu_taint: bool) -> Pool:
    record, count, topology = machines.record, machines.chips, machines.topology
    size = size_of(record, len(machines.zones))
    # GKE creates the networks of the machine's RDMA cards.
    has_networks = (record.get("networkConfig") or {}).get("acceleratorNetworkProfile") == "auto"
    return Pool(
        name=str(record.get("name")),
        cluster=short_name(record.get("cluster")),
        zones=machines.zones,
        machine=machines.type.name,
        initial=int(size.start),
        minimum=int(size.minimum),
        maximum=int(size.maximum),
        autoscaled=bool(record.get("autoscaling")),
        machines_per_step=max(1, chips_of(topology) // count) if topology and count else 1,
        labels=machines.labels(),
        taints=tuple(machines.taints(gpu_taint=gpu_taint)),
        capacity=machines.capacity(),
        allocatable=machines.allocatable(),
        rdma_cards=count if machines.type.rdma and has_networks else 0,
        requested=None if record.get("nodeCount") is None else int(record["nodeCount"]) * len(machines.zones),
    )


def _zones(record: Record, cluster: Record) -> tuple[str, ...]:
    location = str(record.get("location") or cluster.get("location") or "")
    listed = record.get("nodeLocations") or (cluster.get("nodeLocations") if location == region_of(location) else None)
    # On GKE a pool of a regional cluster without a list gets the region's default zones. Here it gets one.
    return tuple(listed) if listed else (location if location != region_of(location) else f"{location}-a",)


def _machines(record: Record, catalog: Catalog, cluster: Record) -> _Machines:
    config: Mapping[str, Any] = record.get("nodeConfig") or {}
    name = str(config.get("machineType") or DEFAULT_MACHINE)
    machine = catalog.machines.get(name)
    if machine is None:
        raise UnknownMachineError(f"node pool {record.get('name')}: the catalog has no machine type {name}")
    accelerator, chips = machine.accelerator, machine.accelerator_count
    for attached in (config.get("guestAccelerators") or [])[:1]:
        accelerator, chips = str(attached["type"]), chips or int(attached.get("count") or 1)
    entry = catalog.accelerators[accelerator] if accelerator is not None else None
    return _Machines(record, config, machine, entry, chips, _zones(record, cluster))


@dataclass(frozen=True)
class _Machines:
    """The machines of a pool, which all have the same number of chips of an accelerator."""

    record: Record
    config: Mapping[str, Any]
    type: MachineType
    accelerator: Accelerator | None
    chips: int
    zones: tuple[str, ...]

    @property
    def topology(self) -> str | None:
        """Of a TPU slice."""
        if self.accelerator is None or self.accelerator.kind != "tpu":
            return None
        return (self.record.get("placementPolicy") or {}).get("tpuTopology") or self.type.default_topology

    def labels(self) -> dict[str, str]:
        config, region = self.config, region_of(self.zones[0])
        architecture = "arm64" if self.type.arm else "amd64"
        labels = {
            POOL_LABEL: str(self.record.get("name")),
            "node.kubernetes.io/instance-type": self.type.name,
            "beta.kubernetes.io/instance-type": self.type.name,
            "topology.kubernetes.io/region": region,
            "failure-domain.beta.kubernetes.io/region": region,
            "cloud.google.com/machine-family": self.type.family,
            "cloud.google.com/gke-os-distribution": "cos",
            "cloud.google.com/gke-container-runtime": "containerd",
            "cloud.google.com/gke-boot-disk": str(config.get("diskType") or "pd-balanced"),
            "kubernetes.io/arch": architecture,
            "beta.kubernetes.io/arch": architecture,
            "kubernetes.io/os": "linux",
            "beta.kubernetes.io/os": "linux",
            "cloud.google.com/gke-provisioning": "spot" if config.get("spot") else "standard",
            **self._accelerator_labels(),
        }
        if len(self.zones) == 1:
            labels["topology.kubernetes.io/zone"] = self.zones[0]
        if (config.get("workloadMetadataConfig") or {}).get("mode") == "GKE_METADATA":
            labels["iam.gke.io/gke-metadata-server-enabled"] = "true"
        if config.get("spot"):
            labels["cloud.google.com/gke-spot"] = "true"
        return labels | {str(key): str(value) for key, value in (config.get("labels") or {}).items()}

    def _accelerator_labels(self) -> dict[str, str]:
        if self.accelerator is None:
            return {}
        labels = {
            self.accelerator.label_key: self.accelerator.node_label_value,
            "cloud.google.com/gke-accelerator-count": str(self.chips),
        }
        if self.accelerator.kind == "gpu":
            labels["cloud.google.com/gke-gpu"] = "true"
            if driver := _driver(self.config):
                labels["cloud.google.com/gke-gpu-driver-version"] = driver
        elif self.topology:
            labels["cloud.google.com/gke-tpu-topology"] = self.topology
        return labels

    def taints(self, *, gpu_taint: bool) -> list[Taint]:
        """The taints of a pool. GKE taints TPU nodes always, GPU nodes only if another pool exists.

        Spot nodes are tainted only in pools that GKE creates by itself.
        """
        taints: list[Taint] = []
        if self.accelerator is not None and (self.accelerator.kind == "tpu" or gpu_taint):
            key = "google.com/tpu" if self.accelerator.kind == "tpu" else "nvidia.com/gpu"
            taints.append({"key": key, "value": "present", "effect": "NoSchedule"})
        for taint in self.config.get("taints") or []:
            effect = _EFFECTS.get(str(taint["effect"]), str(taint["effect"]))
            own = {"key": str(taint["key"]), "value": str(taint.get("value") or ""), "effect": effect}
            if own not in taints:
                taints.append(own)
        return taints

    def capacity(self) -> dict[str, str]:
        memory = math.floor(kernel_memory_mib(self.type))
        return self._amounts(cpu=str(self.type.vcpus), memory=f"{memory}Mi", disk=f"{self._disk}Gi")

    def allocatable(self) -> dict[str, str]:
        room = allocatable(self.type, self._disk)
        disk = f"{math.floor(room.ephemeral_gib * 1024)}Mi"
        return self._amounts(cpu=f"{room.cpu_millis}m", memory=f"{room.memory_mib}Mi", disk=disk)

    @property
    def _disk(self) -> int:
        return int(self.config.get("diskSizeGb") or DEFAULT_DISK_GB)

    def _amounts(self, *, cpu: str, memory: str, disk: str) -> dict[str, str]:
        pods = str(int(self.record.get("maxPodsPerNode") or DEFAULT_PODS))
        chips = {self.accelerator.resource_name: str(self.chips)} if self.accelerator is not None else {}
        return {"cpu": cpu, "memory": memory, "ephemeral-storage": disk, "pods": pods, **chips}


def _driver(config: Mapping[str, Any]) -> str:
    for attached in config.get("guestAccelerators") or []:
        version = (attached.get("gpuDriverInstallationConfig") or {}).get("gpuDriverVersion")
        if version and version != "INSTALLATION_DISABLED":
            return str(version).lower()
    return ""
