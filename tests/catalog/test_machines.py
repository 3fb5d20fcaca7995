"""Machine types have the size that GKE's cluster autoscaler schedules by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.catalog.reading import read_yaml
from tests.stacks import plan_of

_FILE = Path(__file__).with_name("autoscaler_machines.yaml")
_DOCUMENT: dict[str, Any] = read_yaml(_FILE)
TABLE: dict[str, dict[str, Any]] = _DOCUMENT["machines"]
CATALOG = catalog.load()
SSD_GIB = 375

# Families that the autoscaler's table does not have, or that carry system pods only.
UNLISTED = set(_DOCUMENT["unlisted"])


def test_every_accelerator_machine_is_compared() -> None:
    names = {machine.name for machine in CATALOG.machines.values() if machine.family not in UNLISTED}
    assert sorted(names - TABLE.keys()) == [], f"add a row to {_FILE.name}, or the family with a reason to unlisted"
    assert sorted(TABLE.keys() - names) == [], f"machines.yaml lacks them: remove their rows from {_FILE.name}"


@pytest.mark.parametrize("name", TABLE)
def test_a_node_has_the_size_that_the_autoscaler_expects(name: str) -> None:
    machine, row = CATALOG.machines[name], TABLE[name]
    size = {"cpus": machine.vcpus, "memory": machine.memory_gib, "threads_per_core": machine.threads_per_core}
    expected = {"cpus": row["cpus"], "memory": row["memory"], "threads_per_core": row.get("threads_per_core")}
    if row.get("disputed") is not None:
        assert size.pop(row["disputed"]) != expected.pop(row["disputed"])
    assert size == expected
    if "gpus" in row:
        assert machine.accelerator_count == row["gpus"]
    if "ssds" in row:
        assert machine.local_ssd_gib == row["ssds"] * SSD_GIB


def test_a_model_server_fits_the_largest_v6e_host() -> None:
    """Half of its listed vCPUs: a pod that requests three quarters of 360 would be pending on every node."""
    model = {"id": "Qwen/Qwen3-8B", "maxModelLen": 4096}
    plan = plan_of(
        "tpu", {"accelerator.machineType": "ct6e-standard-8t", "accelerator.topology": "2x4", "models": [model]}
    )
    [pool] = plan.accelerator_pools
    assert pool.threads_per_core == 1
    cpu = plan.models[0].servers[0].pod.requests["cpu"]
    assert int(cpu.removesuffix("m")) < 180_000
