"""The allocatable resources of a node match GKE's documentation."""

from __future__ import annotations

import pytest

from llm_d_gke.catalog.schema import MachineType
from llm_d_gke.planning.allocatable import allocatable


def machine(name: str = "e2-standard-4", vcpus: int = 4, memory_gib: float = 16) -> MachineType:
    return MachineType(
        name=name, family=name.split("-")[0], vcpus=vcpus, memory_gib=memory_gib, boot_disk="pd-balanced", sources=()
    )


def test_the_documented_example_comes_out() -> None:
    """4 vCPU, 16 GiB, 100 GB: cpu 3920m, memory 13498416Ki, ephemeral-storage 47060071478."""
    node = allocatable(machine(), 100)
    assert node.cpu_millis == 3920
    assert node.memory_mib == pytest.approx(13498416 / 1024, rel=0.002)
    assert node.ephemeral_gib == pytest.approx(47060071478 / 2**30, rel=0.002)


@pytest.mark.parametrize(
    ("vcpus", "reserved"),
    [(1, 60), (2, 70), (4, 80), (8, 90), (16, 110), (180, 520)],
)
def test_cpu_is_reserved_by_tiers(vcpus: int, reserved: int) -> None:
    assert allocatable(machine(vcpus=vcpus), 100).cpu_millis == vcpus * 1000 - reserved


def test_shared_core_machines_reserve_more_than_a_core() -> None:
    assert allocatable(machine("e2-medium", 2, 4), 100).cpu_millis == 940


@pytest.mark.parametrize(("memory", "reserved"), [(4, 1.0), (8, 1.8), (16, 2.6), (128, 9.32), (720, 21.16)])
def test_memory_is_reserved_by_tiers(memory: float, reserved: float) -> None:
    left = allocatable(machine(memory_gib=memory), 100).memory_mib
    assert left == pytest.approx((memory * (1 - 0.0269) - reserved) * 1024 - 100, abs=1)


def test_the_disk_reservation_is_the_least_of_three() -> None:
    assert allocatable(machine(), 20).ephemeral_gib == pytest.approx(0.9 * (20 - 5.75) - 10, abs=0.01)
    assert allocatable(machine(), 100).ephemeral_gib == pytest.approx(0.9 * (100 - 5.75) - 41, abs=0.01)
    assert allocatable(machine(), 500).ephemeral_gib == pytest.approx(0.9 * (500 - 5.75) - 100, abs=0.01)


def test_a_tiny_machine_has_nothing_left_rather_than_less_than_nothing() -> None:
    assert allocatable(machine(vcpus=1, memory_gib=0.25), 5).memory_mib == 0
