"""Allocatable resources of a GKE Standard node: its size minus the reservations for kernel, kubelet and eviction.

Formulas: "Plan GKE Standard node sizes" (cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes), 2026-11-21.
Its example of a node with 4 vCPU, 16 GiB and a disk of 100 GB prints allocatable cpu 3920m, memory 13498416Ki and
ephemeral-storage 47060071478; the two constants below that have no formula there are read off that example.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from llm_d_gke.catalog.schema import MachineType

# Shared-core machines reserve a fixed share, whatever they are called with.
SHARED_CORE = frozenset({"e2-micro", "e2-small", "e2-medium"})
SHARED_CORE_RESERVED_MILLIS = 1060

EVICTION_MEMORY_MIB = 100

# Firmware and kernel take their part before the kubelet sees any memory: 16 GiB arrive as 16327114Ki.
KERNEL_SHARE = 0.0269

# A disk of 100 GB arrives as a file system of 98831908Ki: Container-Optimized OS keeps its own partitions.
SYSTEM_PARTITIONS_GIB = 5.75


@dataclass(frozen=True)
class Allocatable:
    """Room for pods on one node: CPU in thousandths of a vCPU, memory in MiB, ephemeral storage (boot disk) in GiB."""

    cpu_millis: int
    memory_mib: int
    ephemeral_gib: float


def allocatable(machine: MachineType, boot_disk_gb: int) -> Allocatable:
    """Room for pods on a node of this machine type with a boot disk of `boot_disk_gb`; no figure is below zero."""
    capacity_mib = kernel_memory_mib(machine)
    memory = capacity_mib - _reserved_memory_mib(machine.memory_gib) - EVICTION_MEMORY_MIB
    return Allocatable(
        cpu_millis=max(0, machine.vcpus * 1000 - _reserved_cpu_millis(machine)),
        memory_mib=max(0, math.floor(memory)),
        ephemeral_gib=max(0.0, round(_ephemeral_gib(boot_disk_gb), 2)),
    )


def kernel_memory_mib(machine: MachineType) -> float:
    """The node's memory *capacity* as the kubelet reports it, in MiB."""
    return machine.memory_gib * 1024 * (1 - KERNEL_SHARE)


def _reserved_cpu_millis(machine: MachineType) -> int:
    """6 % of the first core, 1 % of the second, 0.5 % of the third and fourth, 0.25 % of every further one."""
    if machine.name in SHARED_CORE:
        return SHARED_CORE_RESERVED_MILLIS
    tiers = ((1, 60.0), (1, 10.0), (2, 5.0), (math.inf, 2.5))
    return math.ceil(_tiered(machine.vcpus, tiers))


def _reserved_memory_mib(memory_gib: float) -> float:
    """25 % of the first 4 GiB, 20 % of 4 more, 10 % of 8 more, 6 % of 112 more, 2 % above; 255 MiB below 1 GiB."""
    if memory_gib < 1:
        return 255
    tiers = ((4, 0.25), (4, 0.20), (8, 0.10), (112, 0.06), (math.inf, 0.02))
    return _tiered(memory_gib, tiers) * 1024


def _ephemeral_gib(disk: float) -> float:
    """The file system less 10 % for eviction and the reservation: min(50 %, 6 GiB + 35 %, 100 GiB) of the disk."""
    capacity = disk - SYSTEM_PARTITIONS_GIB
    return capacity - 0.10 * capacity - min(0.50 * disk, 6 + 0.35 * disk, 100)


def _tiered(amount: float, tiers: tuple[tuple[float, float], ...]) -> float:
    """Sum over tiers of (the part of `amount` inside the tier) x (the tier's rate)."""
    total = 0.0
    for width, rate in tiers:
        inside = min(amount, width)
        total += inside * rate
        amount -= inside
    return total


# Of the node's ephemeral storage, what its model servers may fill before the kubelet evicts them.
EPHEMERAL_SHARE = 0.9
