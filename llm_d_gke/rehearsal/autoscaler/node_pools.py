"""Node pools from their cloud records, and the Node object that GKE registers for a machine of a pool."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog.schema import MachineType, chips_of, region_of
from llm_d_gke.planning.allocatable import allocatable, kernel_memory_mib
from llm_d_gke.rehearsal.errors import SimulationError
from llm_d_gke.rehearsal.kube import Manifest
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Record, short_name

POOL_LABEL = "cloud.google.com/gke-nodepool"

# GKE's defaults for a Standard node.
DEFAULT_DISK_GB = 100
DEFAULT_PODS = 110
DEFAULT_MACHINE = "e2-medium"

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
    every = list(records)
    plain = any(not _accelerated(record, catalog) for record in every)
    return [_pool(record, catalog, cluster or {}, gpu_taint=plain) for record in every]


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
                "kubeProxyVersion": "",
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
            },
        },
    }


def _pool(record: Record, catalog: Catalog, cluster: Record, *, gpu_taint: bool) -> Pool:
    config: Mapping[str, Any] = record.get("nodeConfig") or {}
    machine_name = str(config.get("machineType") or DEFAULT_MACHINE)
    machine = catalog.machines.get(machine_name)
    if machine is None:
        raise UnknownMachineError(f"node pool {record.get('name')}: the catalog has no machine type {machine_name}")
    zones = _zones(record, cluster)
    accelerator, count = _accelerator(config, machine)
    topology = (record.get("placementPolicy") or {}).get("tpuTopology") or machine.default_topology
    tpu = accelerator is not None and catalog.accelerators[accelerator].kind == "tpu"
    step = max(1, chips_of(topology) // count) if tpu and topology and count else 1

    scaling: Mapping[str, Any] = record.get("autoscaling") or {}
    initial = _integer(record.get("initialNodeCount"), 0) * len(zones)
    requested = None if record.get("nodeCount") is None else _integer(record["nodeCount"], 0) * len(zones)
    return Pool(
        name=str(record.get("name")),
        cluster=short_name(record.get("cluster")),
        zones=zones,
        machine=machine_name,
        initial=initial if requested is None or scaling else requested,
        minimum=_bound(scaling, "min", len(zones), 0),
        maximum=_bound(scaling, "max", len(zones), 1000),
        autoscaled=bool(scaling),
        machines_per_step=step,
        labels=_labels(record, config, machine, catalog, accelerator, count, topology if tpu else None, zones),
        taints=tuple(_taints(config, accelerator, tpu=tpu, gpu_taint=gpu_taint)),
        capacity=_capacity(record, config, machine, accelerator, count, catalog, is_capacity=True),
        allocatable=_capacity(record, config, machine, accelerator, count, catalog, is_capacity=False),
        rdma_cards=count if machine.rdma and _has_profile(record) else 0,
        requested=requested,
    )


def _has_profile(record: Record) -> bool:
    """Whether GKE creates the networks of the machine's RDMA cards."""
    return (record.get("networkConfig") or {}).get("acceleratorNetworkProfile") == "auto"


def _zones(record: Record, cluster: Record) -> tuple[str, ...]:
    location = str(record.get("location") or cluster.get("location") or "")
    listed = record.get("nodeLocations") or (cluster.get("nodeLocations") if location == region_of(location) else None)
    # On GKE a pool of a regional cluster without a list gets the region's default zones. Here it gets one.
    return tuple(listed) if listed else (location if location != region_of(location) else f"{location}-a",)


def _accelerator(config: Mapping[str, Any], machine: MachineType) -> tuple[str | None, int]:
    for attached in config.get("guestAccelerators") or []:
        return str(attached["type"]), machine.accelerator_count or _integer(attached.get("count"), 1)
    return machine.accelerator, machine.accelerator_count


def _accelerated(record: Record, catalog: Catalog) -> bool:
    config: Mapping[str, Any] = record.get("nodeConfig") or {}
    machine = catalog.machines.get(str(config.get("machineType") or DEFAULT_MACHINE))
    return machine is not None and _accelerator(config, machine)[0] is not None


def _labels(
    record: Record,
    config: Mapping[str, Any],
    machine: MachineType,
    catalog: Catalog,
    accelerator: str | None,
    count: int,
    topology: str | None,
    zones: tuple[str, ...],
) -> dict[str, str]:
    region = region_of(zones[0])
    architecture = "arm64" if machine.arm else "amd64"
    labels = {
        POOL_LABEL: str(record.get("name")),
        "node.kubernetes.io/instance-type": machine.name,
        "beta.kubernetes.io/instance-type": machine.name,
        "topology.kubernetes.io/region": region,
        "failure-domain.beta.kubernetes.io/region": region,
        "cloud.google.com/machine-family": machine.family,
        "cloud.google.com/gke-os-distribution": "cos",
        "cloud.google.com/gke-container-runtime": "containerd",
        "cloud.google.com/gke-boot-disk": str(config.get("diskType") or "pd-balanced"),
        "kubernetes.io/arch": architecture,
        "beta.kubernetes.io/arch": architecture,
        "kubernetes.io/os": "linux",
        "beta.kubernetes.io/os": "linux",
    }
    if len(zones) == 1:
        labels["topology.kubernetes.io/zone"] = zones[0]
    if accelerator is not None:
        entry = catalog.accelerators[accelerator]
        labels[entry.label_key] = entry.node_label_value
        labels["cloud.google.com/gke-accelerator-count"] = str(count)
        if entry.kind == "gpu":
            labels["cloud.google.com/gke-gpu"] = "true"
            driver = _driver(config)
            if driver:
                labels["cloud.google.com/gke-gpu-driver-version"] = driver
        elif topology:
            labels["cloud.google.com/gke-tpu-topology"] = topology
    if (config.get("workloadMetadataConfig") or {}).get("mode") == "GKE_METADATA":
        labels["iam.gke.io/gke-metadata-server-enabled"] = "true"
    if config.get("spot"):
        labels["cloud.google.com/gke-spot"] = "true"
        labels["cloud.google.com/gke-provisioning"] = "spot"
    else:
        labels["cloud.google.com/gke-provisioning"] = "standard"
    return labels | {str(key): str(value) for key, value in (config.get("labels") or {}).items()}


def _driver(config: Mapping[str, Any]) -> str:
    for attached in config.get("guestAccelerators") or []:
        version = (attached.get("gpuDriverInstallationConfig") or {}).get("gpuDriverVersion")
        if version and version != "INSTALLATION_DISABLED":
            return str(version).lower()
    return ""


def _taints(config: Mapping[str, Any], accelerator: str | None, *, tpu: bool, gpu_taint: bool) -> list[Taint]:
    """The taints of a pool. GKE taints TPU nodes always, GPU nodes only if another pool exists.

    Spot nodes are tainted only in pools that GKE creates by itself.
    """
    taints: list[Taint] = []
    if tpu:
        taints.append({"key": "google.com/tpu", "value": "present", "effect": "NoSchedule"})
    elif accelerator is not None and gpu_taint:
        taints.append({"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"})
    for taint in config.get("taints") or []:
        effect = str(taint["effect"])
        own = {"key": str(taint["key"]), "value": str(taint.get("value") or ""), "effect": _EFFECTS.get(effect, effect)}
        if own not in taints:
            taints.append(own)
    return taints


def _capacity(
    record: Record,
    config: Mapping[str, Any],
    machine: MachineType,
    accelerator: str | None,
    count: int,
    catalog: Catalog,
    *,
    is_capacity: bool,
) -> dict[str, str]:
    disk = _integer(config.get("diskSizeGb"), DEFAULT_DISK_GB)
    room = allocatable(machine, disk)
    amounts = {
        "cpu": str(machine.vcpus) if is_capacity else f"{room.cpu_millis}m",
        "memory": f"{math.floor(kernel_memory_mib(machine)) if is_capacity else room.memory_mib}Mi",
        "ephemeral-storage": f"{disk}Gi" if is_capacity else f"{math.floor(room.ephemeral_gib * 1024)}Mi",
        "pods": str(_integer(record.get("maxPodsPerNode"), DEFAULT_PODS)),
    }
    if accelerator is not None:
        amounts[catalog.accelerators[accelerator].resource_name] = str(count)
    return amounts


def _bound(scaling: Mapping[str, Any], side: str, zones: int, default: int) -> int:
    if scaling.get(f"total{side.title()}NodeCount") is not None:
        return _integer(scaling[f"total{side.title()}NodeCount"], default)
    value = scaling.get(f"{side}NodeCount")
    return default if value is None else _integer(value, default) * zones


def _integer(value: object, default: int) -> int:
    """An integer: numbers arrive from Pulumi as floats."""
    return default if value is None else int(float(str(value)))
