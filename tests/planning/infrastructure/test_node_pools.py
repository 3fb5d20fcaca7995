"""The accelerator pool's disk: what pods write onto it has to fit what GKE leaves of it."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.catalog import download_gib, load
from llm_d_gke.maintenance.fuzz.run import beyond_disk
from llm_d_gke.planning.allocatable import allocatable
from llm_d_gke.quantities import memory_mib
from llm_d_gke.stackfile import project_stacks
from tests.stacks import plan_of

L4: dict[str, Any] = {
    "location": "us-central1-c",
    "accelerator": {"type": "nvidia-l4", "machineType": "g2-standard-96"},
}
H100: dict[str, Any] = {"location": "us-central1-a", "accelerator": {"type": "nvidia-h100-80gb"}}


@pytest.mark.parametrize(
    ("place", "machine", "model", "tensor_parallel"),
    [
        ({}, "n1-standard-4", "google/gemma-2b-it", 1),
        (L4, "g2-standard-96", "Qwen/Qwen3-8B", 1),
        (H100 | {"accelerator.machineType": "a3-highgpu-8g"}, "a3-highgpu-8g", "Qwen/Qwen3-235B-A22B", 8),
    ],
)
def test_what_replicas_download_fits_what_gke_leaves_of_the_disk(
    place: dict[str, Any], machine: str, model: str, tensor_parallel: int
) -> None:
    """Each replica has its own copy, and the kubelet evicts what fills the disk beyond its share."""
    plan = plan_of("gpu", {**place, "models[0]": {"id": model, "maxModelLen": 1024, "tensorParallel": tensor_parallel}})
    [pool] = plan.accelerator_pools
    catalog_ = load()
    room = allocatable(catalog_.machines[machine], pool.disk_gib)
    sharing = pool.accelerators_per_node // tensor_parallel
    [server] = plan.models[0].servers
    limit = memory_mib(server.pod.limits["ephemeral-storage"]) / 1024
    [cache] = [volume.source["sizeLimit"] for volume in server.pod.volumes if volume.name == "cache"]
    # Kernels and graphs lie beside the weights.
    assert memory_mib(cache) / 1024 >= 1.1 * download_gib(catalog_.models[model]) + 2
    assert beyond_disk(plan) == []
    assert sharing * limit <= room.ephemeral_gib
    assert sharing * memory_mib(server.pod.requests["ephemeral-storage"]) / 1024 <= room.ephemeral_gib


@pytest.mark.parametrize("stack", project_stacks())
def test_no_pod_is_evicted_before_a_volume_is_full(stack: str) -> None:
    assert beyond_disk(plan_of(stack)) == []
