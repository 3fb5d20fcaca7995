"""A new accelerator is an edit of the catalog's YAML and nothing else, and a forgotten part of it is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_d_gke.catalog.catalog import Catalog
from llm_d_gke.catalog.errors import CatalogError
from llm_d_gke.catalog.loading import FOLDER, load_catalog
from llm_d_gke.catalog.quotas import load_quotas
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.planning import RefusedError, StackPlan, plan_raw
from tests.stacks import ENCRYPTED, values_of

GPU: dict[str, Any] = {
    "title": "Q1",
    "vendor": "nvidia",
    "node_label_value": "nvidia-made-up-label",
    "compute_capability": 9.5,
    "fp8": True,
    "interconnect": "pcie",
    "nominal_gib": 48,
    "usable_gib": 47.0,
    "bandwidth_gbs": 900,
    "bf16_tflops": 200,
    "sources": ["general"],
    "unverified": ["bandwidth_gbs"],
    "zones_complete": True,
    "zones": {"us-central1": "a"},
}
TPU: dict[str, Any] = {
    "title": "TPU q1",
    "vendor": "google",
    "node_label_value": "tpu-made-up-slice",
    "fp8": False,
    "interconnect": "ici",
    "nominal_gib": 32,
    "usable_gib": 31.0,
    "bandwidth_gbs": 1600,
    "bf16_tflops": 900,
    "sources": ["general"],
    "unverified": ["bandwidth_gbs"],
    "zones_complete": True,
    "zones": {"us-central1": "a"},
}
FAMILIES: dict[str, Any] = {
    "made-up": {
        "boot_disk": "hyperdisk-balanced",
        "accelerator": "nvidia-made-up",
        "sources": ["general"],
        "unverified": ["memory_gib"],
        "machines": {"made-up-standard-8": [8, 32, 1], "made-up-standard-16": [16, 64, 2]},
    },
    "ct-made-up": {
        "boot_disk": "hyperdisk-balanced",
        "accelerator": "tpu-made-up",
        "sources": ["general"],
        "unverified": ["memory_gib"],
        "machines": {"ct-made-up-standard-4t": [96, 384, 4, {"topologies": {"2x2": 1}}]},
    },
    # Attached to a machine without a built-in accelerator.
    "host-made-up": {
        "boot_disk": "pd-balanced",
        "attachable": {"nvidia-made-up": [1]},
        "sources": ["general"],
        "unverified": ["memory_gib"],
        "machines": {"host-made-up-standard-8": [8, 32]},
    },
}


def extended(folder: Path, change: Callable[[dict[str, Any], dict[str, Any]], None] = lambda *_: None) -> Catalog:
    """The project's catalog with the made-up entries, and a test's changes to accelerators and families."""
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    trees = {name: read_yaml(folder / f"{name}.yaml") for name in ("accelerators", "machines")}
    accelerators, families = trees["accelerators"]["accelerators"], trees["machines"]["families"]
    accelerators |= {"nvidia-made-up": dict(GPU), "tpu-made-up": dict(TPU)}
    families |= {name: dict(family) for name, family in FAMILIES.items()}
    change(accelerators, families)
    for name, tree in trees.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    return load_catalog(folder)


def plan_on(catalog: Catalog, accelerator: str, machine: str, stack: str = "gpu") -> StackPlan:
    changes = {
        "location": "us-central1-a",
        "accelerator.type": accelerator,
        "accelerator.machineType": machine,
        "models[0].dtype": None,
    }
    return plan_raw(stack, values_of(stack, changes), ENCRYPTED, catalog)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return extended(tmp_path_factory.mktemp("new") / "catalog")


class TestPlan:
    def test_a_gpu_gets_the_pool_of_its_family(self, catalog: Catalog) -> None:
        pool = plan_on(catalog, "nvidia-made-up", "made-up-standard-8").accelerator_pools[0]
        assert (pool.machine_type, pool.guest_accelerator) == ("made-up-standard-8", "nvidia-made-up-label")
        assert (pool.accelerators_per_node, pool.disk_type) == (1, "hyperdisk-balanced")

    def test_a_tpu_gets_the_pool_of_its_family(self, catalog: Catalog) -> None:
        pool = plan_on(catalog, "tpu-made-up", "ct-made-up-standard-4t", "tpu").accelerator_pools[0]
        assert (pool.machine_type, pool.guest_accelerator) == ("ct-made-up-standard-4t", None)
        assert (pool.accelerators_per_node, pool.disk_type) == (4, "hyperdisk-balanced")

    def test_an_attached_gpu_gets_the_disk_of_its_machine(self, catalog: Catalog) -> None:
        pool = plan_on(catalog, "nvidia-made-up", "host-made-up-standard-8").accelerator_pools[0]
        assert (pool.guest_accelerator, pool.disk_type) == ("nvidia-made-up-label", "pd-balanced")

    def test_memory_and_speed_are_estimated_from_its_entry(self, catalog: Catalog) -> None:
        (model,) = plan_on(catalog, "nvidia-made-up", "made-up-standard-8").models
        assert model.servers[0].memory is not None
        assert model.capacity is not None

    def test_one_of_unknown_memory_is_not_suggested_before_others(self, tmp_path: Path) -> None:
        def without_memory(accelerators: dict[str, Any], _: dict[str, Any]) -> None:
            accelerators["nvidia-made-up"] |= {"usable_gib": None, "nominal_gib": 400}

        catalog = extended(tmp_path / "catalog", without_memory)
        values = values_of("gpu", {"models[0].id": "google/gemma-2-2b-it", "models[0].dtype": None})
        with pytest.raises(RefusedError) as refused:
            plan_raw("gpu", values, ENCRYPTED, catalog)
        (fix,) = [finding.fix for finding in refused.value.findings if finding.id == "LLMD-ATTENTION-KERNEL"]
        assert fix.startswith("use accelerator: {type: nvidia-l4")

    def test_without_a_price_the_cost_is_unknown(self, catalog: Catalog) -> None:
        plan = plan_on(catalog, "nvidia-made-up", "made-up-standard-8")
        assert "no price known" in str(plan.cost)


class TestForgotten:
    @pytest.mark.parametrize(
        ("accelerator", "field", "message"),
        [
            ("nvidia-made-up", "interconnect", r"accelerators\.yaml: nvidia-made-up: interconnect"),
            ("nvidia-made-up", "compute_capability", r"nvidia-made-up: .*compute_capability: a GPU needs it"),
            ("nvidia-made-up", "bandwidth_gbs", r"nvidia-made-up: bandwidth_gbs"),
            ("tpu-made-up", "interconnect", r"tpu-made-up: interconnect"),
        ],
    )
    def test_a_field_of_an_accelerator(self, tmp_path: Path, accelerator: str, field: str, message: str) -> None:
        with pytest.raises(CatalogError, match=message):
            extended(tmp_path / "catalog", lambda accelerators, _: accelerators[accelerator].pop(field))

    def test_the_boot_disk_of_a_family(self, tmp_path: Path) -> None:
        with pytest.raises(CatalogError, match=r"machines\.yaml: made-up-standard-8: boot_disk"):
            extended(tmp_path / "catalog", lambda _, families: families["made-up"].pop("boot_disk"))

    def test_figures_without_a_verified_source_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(
            CatalogError, match="made-up-standard-8: unverified: list the figures that come from general"
        ):
            extended(tmp_path / "catalog", lambda _, families: families["made-up"].pop("unverified"))

    def test_its_quotas(self) -> None:
        with pytest.raises(CatalogError, match=r"quotas\.yaml: accelerators: nvidia-made-up"):
            load_quotas().of_accelerator("nvidia-made-up")

    def test_nothing_of_the_real_ones(self) -> None:
        assert set(load_quotas().accelerators) == set(load_catalog().accelerators)


def test_fixes_name_what_the_catalog_has(tmp_path: Path) -> None:
    """A better machine or accelerator appears in fixes without a change of the rule."""

    def alone(accelerators: dict[str, Any], _: dict[str, Any]) -> None:
        for name, entry in accelerators.items():
            if entry.get("fp8") and name != "nvidia-made-up":
                entry |= {"zones": {"us-west1": "a"}, "zones_complete": True}

    catalog = extended(tmp_path / "catalog", alone)
    values = values_of("gpu", {"models[0].quantization": "fp8"})
    fixes = [finding.fix for finding in plan_raw("gpu", values, ENCRYPTED, catalog).warnings]
    assert any("nvidia-made-up" in fix for fix in fixes), fixes
