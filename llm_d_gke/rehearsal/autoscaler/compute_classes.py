"""Node pools that GKE creates from ComputeClasses, in the form of the cloud's records.

GKE creates a pool when pods of a class wait and no pool of an earlier choice can have more nodes, and deletes it when
it is empty. Here every choice is a pool of zero nodes from the beginning, and the first one always has capacity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from llm_d_gke.catalog import Catalog
from llm_d_gke.kube import Manifest
from llm_d_gke.rehearsal.autoscaler.node_pools import Pool, created_record, guest_accelerators, pools
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Record

COMPUTE_CLASS = ("cloud.google.com/v1", "ComputeClass")
LABEL = "cloud.google.com/compute-class"


def class_pools(
    classes: Iterable[Manifest], records: Iterable[Record], catalog: Catalog, cluster: Record | None
) -> list[Pool]:
    """The cluster's recorded node pools, and one for each priority of each compute class.

    Raises UnknownMachineError.
    """
    own = list(records)
    created = [record for item in classes for record in _records(item, catalog, cluster or {})]
    every = pools([*own, *created], catalog, cluster)
    ranks = [*([0] * len(own)), *(int(record["rank"]) for record in created)]
    return [replace(pool, rank=rank) for pool, rank in zip(every, ranks, strict=True)]


def _records(item: Manifest, catalog: Catalog, cluster: Record) -> Iterator[dict[str, Any]]:
    spec, name = item["spec"], item["metadata"]["name"]
    if not (spec.get("nodePoolAutoCreation") or {}).get("enabled"):
        return
    config = spec.get("nodePoolConfig") or {}
    zones = ((spec.get("priorityDefaults") or {}).get("location") or {}).get("zones")
    for rank, priority in enumerate(spec["priorities"]):
        storage, gpu = priority.get("storage") or {}, priority.get("gpu")
        taints = [{"key": LABEL, "value": name, "effect": "NO_SCHEDULE"}]
        if priority.get("spot"):
            taints.append({"key": "cloud.google.com/gke-spot", "value": "true", "effect": "NO_SCHEDULE"})
        node: dict[str, Any] = {
            "machineType": priority.get("machineType") or _tpu_machine(priority, catalog),
            "diskSizeGb": storage.get("bootDiskSize"),
            "diskType": storage.get("bootDiskType"),
            "spot": priority.get("spot"),
            "labels": {**(config.get("nodeLabels") or {}), LABEL: name},
            "taints": taints,
        }
        if gpu:
            driver = gpu.get("driverVersion")
            node["guestAccelerators"] = guest_accelerators(gpu["type"], gpu["count"], driver)
        pool = f"nap-{name}-{hashlib.sha256(f'{name}/{rank}'.encode()).hexdigest()[:8]}"
        own = _reserved_zones(priority) or (priority.get("location") or {}).get("zones") or zones
        yield created_record(pool, cluster, node, own or ()) | {"rank": rank}


def _reserved_zones(priority: Manifest) -> list[str]:
    specific = (priority.get("reservations") or {}).get("specific") or []
    return [zone for reservation in specific for zone in reservation.get("zones") or ()]


def _tpu_machine(priority: Manifest, catalog: Catalog) -> str:
    """The machine type of a TPU slice of one host, which a class names by type, count and topology."""
    tpu = priority.get("tpu") or {}
    for machine in catalog.machines.values():
        accelerator = catalog.accelerators.get(machine.accelerator or "")
        if (
            accelerator is not None
            and accelerator.node_label_value == tpu.get("type")
            and machine.accelerator_count == tpu.get("count")
            and machine.topologies.get(str(tpu.get("topology"))) == 1
        ):
            return machine.name
    return f"TPU {tpu}"
