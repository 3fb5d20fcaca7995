"""Nodes that Autopilot creates for pods, as node pools in the form of the cloud's records.

On GKE, Autopilot chooses machine types that Google does not publish for every pod. Here pods without accelerators share
nodes of one type, and pods with the same accelerator selectors share the smallest machine type that holds the largest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog.schema import Accelerator, MachineType
from llm_d_gke.kube import Manifest
from llm_d_gke.planning.allocatable import allocatable
from llm_d_gke.quantities import quantity
from llm_d_gke.rehearsal.autoscaler.node_pools import created_record, guest_accelerators
from llm_d_gke.rehearsal.autoscaler.pod_requests import requests
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Record

_GENERAL_MACHINE = "e2-standard-8"
# Disk of accelerator nodes in GB: what Autopilot gives is not published.
_DISK_GB = 400

_GPU, _TPU = "cloud.google.com/gke-accelerator", "cloud.google.com/gke-tpu-accelerator"
_COUNT = "cloud.google.com/gke-accelerator-count"
_SELECTORS = (
    _GPU,
    _TPU,
    _COUNT,
    "cloud.google.com/gke-tpu-topology",
    "cloud.google.com/gke-gpu-driver-version",
    "cloud.google.com/gke-spot",
    "topology.kubernetes.io/zone",
)


def autopilot_records(pods: Iterable[Manifest], catalog: Catalog, cluster: Record) -> list[dict[str, Any]]:
    """A pool for pods without accelerators, and pools for each combination of node selectors of the others."""
    groups: dict[tuple[tuple[str, str], ...], list[Manifest]] = {}
    for pod in pods:
        selector = pod["spec"].get("nodeSelector") or {}
        if _GPU in selector or _TPU in selector:
            key = tuple((name, str(selector[name])) for name in _SELECTORS if name in selector)
            groups.setdefault(key, []).append(pod)
    general = created_record("autopilot", cluster, {"machineType": _GENERAL_MACHINE})
    return [
        general,
        *(record for key, own in groups.items() for record in _accelerated(dict(key), own, catalog, cluster)),
    ]


def _accelerated(
    selector: Mapping[str, str], pods: list[Manifest], catalog: Catalog, cluster: Record
) -> Iterator[dict[str, Any]]:
    label = selector.get(_GPU) or selector.get(_TPU)
    entry = next((item for item in catalog.accelerators.values() if item.node_label_value == label), None)
    machine = None if entry is None else _machine(entry, selector, pods, catalog)
    if entry is None or machine is None:
        # The pods wait, as they do on GKE.
        return
    name = "autopilot-" + hashlib.sha256(repr(sorted(selector.items())).encode()).hexdigest()[:8]
    config: dict[str, Any] = {"machineType": machine.name, "diskSizeGb": _DISK_GB}
    if entry.kind == "gpu":
        driver = selector.get("cloud.google.com/gke-gpu-driver-version")
        config["guestAccelerators"] = guest_accelerators(label, int(selector.get(_COUNT, "1")), driver)
    config["spot"] = selector.get("cloud.google.com/gke-spot") == "true"
    zone = selector.get("topology.kubernetes.io/zone")
    yield created_record(name, cluster, config, [zone] if zone else ())


def _machine(
    accelerator: Accelerator, selector: Mapping[str, str], pods: list[Manifest], catalog: Catalog
) -> MachineType | None:
    """The smallest machine type with this number of accelerators, or this topology, that holds each of the pods."""
    count, topology = selector.get(_COUNT), selector.get("cloud.google.com/gke-tpu-topology")
    needed = [requests(pod) for pod in pods]
    for machine in catalog.machines_for(accelerator.name):
        counts = machine.counts_of(accelerator.name)
        if count is not None and int(count) not in counts:
            continue
        if topology is not None and machine.topologies.get(topology) != 1:
            continue
        room = allocatable(machine, _DISK_GB)
        if all(
            amounts.get("cpu", 0) <= quantity(f"{room.cpu_millis}m")
            and amounts.get("memory", 0) <= quantity(f"{room.memory_mib}Mi")
            for amounts in needed
        ):
            return machine
    return None
