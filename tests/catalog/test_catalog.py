"""The catalog's promises: entries fit together, figures agree with what was measured, bad data is refused."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from llm_d_gke.catalog import (
    Accelerator,
    Catalog,
    MachineType,
    Model,
    chips_of,
    count_parameters,
    download_gib,
    load,
    weights_gib,
)
from llm_d_gke.catalog.errors import CatalogError
from llm_d_gke.catalog.loading import FOLDER, load_catalog
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.catalog.schema import Provisioning, Quantization

LOGGED: list[dict[str, Any]] = read_yaml(Path(__file__).parent / "logged_weights.yaml")
SEEDS = (
    "google/gemma-2b-it",
    "Qwen/Qwen2.5-3B-Instruct",
    "microsoft/Phi-3-mini-4k-instruct",
    "mistralai/Mistral-7B-Instruct-v0.3",
    "google/gemma-2-9b-it",
    "meta-llama/Llama-3.1-8B-Instruct",
    "Qwen/Qwen2-0.5B",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


class TestHardware:
    def test_every_accelerator_has_a_machine_type(self, catalog: Catalog) -> None:
        without = [name for name in catalog.accelerators if not catalog.machines_for(name)]
        assert without == []

    def test_every_machine_type_holds_or_takes_a_known_accelerator(self, catalog: Catalog) -> None:
        for machine in catalog.machines.values():
            assert (machine.accelerator is None) == (machine.accelerator_count == 0), machine.name

    @pytest.mark.parametrize(
        ("machine", "topology"),
        [(m.name, topology) for m in load().machines.values() for topology in m.topologies],
    )
    def test_a_topology_has_the_chips_of_its_hosts(self, catalog: Catalog, machine: str, topology: str) -> None:
        assert chips_of(topology) == catalog.machines[machine].chips(topology)

    def test_every_tpu_machine_has_one_single_host_topology(self, catalog: Catalog) -> None:
        for machine in catalog.machines.values():
            if machine.accelerator is not None and catalog.accelerators[machine.accelerator].kind == "tpu":
                assert [hosts for hosts in machine.topologies.values() if hosts == 1] == [1], machine.name

    def test_only_tpu_machines_have_topologies(self, catalog: Catalog) -> None:
        for machine in catalog.machines.values():
            if machine.topologies:
                assert machine.accelerator is not None
                assert catalog.accelerators[machine.accelerator].vendor == "google", machine.name

    def test_no_device_reports_more_memory_than_its_chip_has(self, catalog: Catalog) -> None:
        """A v5p reports 95.74 GiB where its data sheet rounds to 95."""
        for accelerator in catalog.accelerators.values():
            if accelerator.usable_gib is not None:
                assert accelerator.usable_gib * accelerator.devices_per_chip <= accelerator.nominal_gib + 1, (
                    accelerator.name
                )
                assert accelerator.usable_gib * accelerator.devices_per_chip > 0.9 * accelerator.nominal_gib, (
                    accelerator.name
                )

    def test_cuda_capability_decides_the_formats(self, catalog: Catalog) -> None:
        for accelerator in catalog.accelerators.values():
            capability = accelerator.compute_capability
            assert (capability is None) == (accelerator.kind == "tpu"), accelerator.name
            if capability is not None:
                assert accelerator.bf16 == (capability >= 8.0), accelerator.name
                assert accelerator.fp8 == (capability >= 8.9), accelerator.name
            assert accelerator.fp8 == (accelerator.fp8_tflops is not None), accelerator.name
            assert accelerator.bf16 == (accelerator.bf16_tflops is not None), accelerator.name

    def test_zones_are_zones_and_regions_follow(self, catalog: Catalog) -> None:
        t4 = catalog.accelerators["nvidia-tesla-t4"]
        assert {"us-central1-a", "us-central1-f", "europe-west4-a"} <= set(t4.zones)
        assert "us-central1-z" not in t4.zones
        assert "us-central1" in t4.regions
        assert "europe-west4-a" in catalog.accelerators["tpu-v6e"].zones

    @pytest.mark.parametrize(
        ("accelerator", "zone", "offered"),
        [
            ("nvidia-tesla-t4", "us-central1-a", True),
            ("nvidia-tesla-t4", "us-east5-a", False),
            ("tpu-v6e", "us-south1-ai1b", True),
            ("nvidia-h100-80gb", "us-central1-a", True),
            ("nvidia-h100-80gb", "us-central1-f", None),
            ("nvidia-h100-80gb", "africa-south1-a", False),
            ("nvidia-rtx-pro-6000", "europe-west4-a", None),
            ("nvidia-rtx-pro-6000", "europe-west9-a", False),
        ],
    )
    def test_a_zone_is_refused_only_where_the_lists_say_so(
        self, catalog: Catalog, accelerator: str, zone: str, offered: bool | None
    ) -> None:
        assert catalog.accelerators[accelerator].offered_in(zone) is offered

    def test_a_list_without_zones_does_not_claim_to_be_complete(self, catalog: Catalog) -> None:
        assert [a.name for a in catalog.accelerators.values() if a.zones_complete and not a.zones] == []

    def test_machines_of_an_accelerator_come_smallest_first(self, catalog: Catalog) -> None:
        assert [m.name for m in catalog.machines_for("nvidia-l4")][:2] == ["g2-standard-4", "g2-standard-8"]
        assert [m.name for m in catalog.machines_for("tpu-v6e")] == [
            "ct6e-standard-1t",
            "ct6e-standard-4t",
            "ct6e-standard-8t",
        ]
        assert catalog.machines_for("nvidia-tesla-t4")[1].attachable == {"nvidia-tesla-t4": (1, 2, 4)}


class TestModels:
    def test_the_seeds_and_forty_more_are_there(self, catalog: Catalog) -> None:
        assert [name for name in SEEDS if name not in catalog.models] == []
        assert len(catalog.models) >= len(SEEDS) + 40

    @pytest.mark.parametrize("model", [m for m in load().models.values() if m.parameters], ids=lambda m: m.id)
    def test_computed_parameters_agree_with_the_published_count(self, model: Model) -> None:
        assert count_parameters(model).total == pytest.approx(model.parameters, rel=0.01)

    @pytest.mark.parametrize("row", LOGGED, ids=lambda row: row["id"])
    def test_weights_agree_with_start_up_logs(self, catalog: Catalog, row: dict[str, Any]) -> None:
        model = catalog.models[row["model"]]
        changes = {key: row[key] for key in ("dtype",) if key in row}
        if "quantization" in row:
            changes["quantization"] = TypeAdapter(Quantization).validate_python(row["quantization"])
        model = model.model_copy(update=changes)
        tower = model.vision_gib or 0.0  # most of it is on every rank
        rank = (weights_gib(model) - tower) / row.get("tensor", 1) + tower
        assert rank == pytest.approx(row["weights_gib"], rel=0.015 if model.quantization or tower else 0.01)

    @pytest.mark.parametrize(
        ("model", "bytes_per_token"),
        [
            ("google/gemma-2b-it", 18_432),
            ("Qwen/Qwen2.5-3B-Instruct", 36_864),
            ("meta-llama/Llama-3.1-8B-Instruct", 131_072),
            ("deepseek-ai/DeepSeek-V3", 70_272),
            ("moonshotai/Kimi-VL-A3B-Instruct", 31_104),
        ],
    )
    def test_key_value_bytes_follow_from_the_shape(self, catalog: Catalog, model: str, bytes_per_token: int) -> None:
        """At 2 bytes a value. Measured: 6.08 GiB held 86 sequences of 4096 tokens of gemma-2b."""
        entry = catalog.models[model]
        if entry.mla is not None:
            assert entry.layers * (entry.mla.kv_lora_rank + entry.mla.qk_rope_head_dim) * 2 == bytes_per_token
        else:
            assert entry.layers * 2 * entry.kv_heads * entry.head_dim * 2 == bytes_per_token

    def test_heads_can_be_grouped(self, catalog: Catalog) -> None:
        for model in catalog.models.values():
            assert model.attention_heads % model.kv_heads == 0, model.id

    def test_an_experts_layer_is_one_of_the_layers(self, catalog: Catalog) -> None:
        for model in catalog.models.values():
            if model.experts is not None:
                assert model.experts.layers <= model.layers, model.id
                assert model.experts.active <= model.experts.count, model.id

    def test_a_download_holds_at_least_the_weights(self, catalog: Catalog) -> None:
        for model in catalog.models.values():
            assert download_gib(model) >= weights_gib(model), model.id

    def test_quantization_shrinks_a_model(self, catalog: Catalog) -> None:
        plain = weights_gib(catalog.models["Qwen/Qwen3-14B"])
        assert weights_gib(catalog.models["Qwen/Qwen3-14B-AWQ"]) == pytest.approx(9.44, rel=0.03)  # as logged
        assert weights_gib(catalog.models["Qwen/Qwen3-14B-AWQ"]) < plain / 2

    def test_a_model_has_a_commit_or_says_why_not(self, catalog: Catalog) -> None:
        for model in catalog.models.values():
            assert (model.revision is None) is (model.unpinned is not None), model.id

    def test_ids_are_found_in_any_case(self, catalog: Catalog) -> None:
        assert catalog.find_model("GOOGLE/Gemma-2B-it") is catalog.models["google/gemma-2b-it"]
        assert catalog.find_model("google/gemma-2c-it") is None


class TestPrices:
    def test_every_price_is_dated_and_cited(self, catalog: Catalog) -> None:
        tables = (*catalog.prices.machines.values(), *catalog.prices.accelerators.values())
        prices = [price for table in tables for rates in table.values() for price in rates.values()]
        assert len(prices) > 100
        stamps = [(price.date, price.source) for price in prices]
        stamps += [(item.date, item.source) for item in catalog.prices.items.values()]
        for date, source in stamps:
            assert datetime.date(2024, 1, 1) < date <= datetime.date.today()
            assert source

    def test_a_t4_node_is_its_machine_and_its_gpu(self, catalog: Catalog) -> None:
        price = catalog.prices.machine("n1-standard-4", "us-central1", attached=("nvidia-tesla-t4", 1))
        assert price is not None
        assert price.hourly == pytest.approx(0.54, abs=0.001)
        two = catalog.prices.machine("n1-standard-4", "us-central1", attached=("nvidia-tesla-t4", 2))
        assert two is not None
        assert two.hourly - price.hourly == pytest.approx(0.35)
        assert two.date == datetime.date(2026, 8, 20)

    def test_a_tpu_machine_is_its_chips(self, catalog: Catalog) -> None:
        price = catalog.prices.machine("ct6e-standard-4t", "europe-west4")
        assert price is not None
        assert price.hourly == pytest.approx(4 * 2.97)
        flex = catalog.prices.machine("ct6e-standard-4t", "europe-west4", "flex-start")
        assert flex is not None
        assert flex.hourly == pytest.approx(4 * 1.35)

    def test_sizes_scale_with_a_listed_one(self, catalog: Catalog) -> None:
        eight = catalog.prices.machine("a2-highgpu-8g", "us-central1")
        two = catalog.prices.machine("a2-highgpu-2g", "us-central1")
        assert eight is not None
        assert two is not None
        assert eight.hourly == pytest.approx(4 * two.hourly)

    def test_a_dated_row_wins_over_a_scaled_one(self, catalog: Catalog) -> None:
        price = catalog.prices.machine("e2-standard-8", "us-central1")
        assert price is not None
        assert price.hourly == 0.26805

    @pytest.mark.parametrize(
        ("machine", "region", "attached"),
        [
            ("a4x-highgpu-4g", "us-central1", None),
            ("tpu7x-standard-4t", "us-east1", None),
            ("a4-highgpu-8g", "us-central1", None),
            ("n1-standard-4", "us-east5", ("nvidia-tesla-t4", 1)),
            ("n1-standard-4", "us-central1", ("nvidia-l4", 1)),
            ("no-such-machine", "us-central1", None),
        ],
    )
    def test_unknown_stays_unknown(
        self, catalog: Catalog, machine: str, region: str, attached: tuple[str, int] | None
    ) -> None:
        assert catalog.prices.machine(machine, region, attached=attached) is None

    def test_no_flex_start_price_is_made_up(self, catalog: Catalog) -> None:
        assert catalog.prices.machine("a3-highgpu-8g", "us-central1", "flex-start") is None

    def test_spot_is_never_dearer_than_on_demand(self, catalog: Catalog) -> None:
        for tables in (catalog.prices.machines, catalog.prices.accelerators):
            for name, table in tables.items():
                for region, rates in table.items():
                    if "spot" in rates and "on-demand" in rates:
                        assert rates["spot"].hourly < rates["on-demand"].hourly, f"{name} {region}"

    @pytest.mark.parametrize("region", ["us-central1", "europe-west4", "europe-west1"])
    def test_every_g2_has_both_prices_and_larger_ones_cost_more(self, catalog: Catalog, region: str) -> None:
        machines = [machine for machine in catalog.machines.values() if machine.family == "g2"]
        by_size = sorted(machines, key=lambda machine: (machine.accelerator_count, machine.vcpus))
        for way in ("on-demand", "spot"):
            hourly = [catalog.prices.machine(machine.name, region, way) for machine in by_size]
            prices = [price.hourly for price in hourly if price is not None]
            assert len(prices) == len(by_size) == 8
            assert prices == sorted(prices)

    def test_h200_and_one_h100_have_a_spot_price(self, catalog: Catalog) -> None:
        for machine in ("a3-ultragpu-8g", "a3-highgpu-1g"):
            for region in ("us-central1", "europe-west4"):
                price = catalog.prices.machine(machine, region, "spot")
                assert price is not None
                assert price.source

    @pytest.mark.parametrize(
        ("machine", "region", "way", "hourly", "date"),
        [
            ("a3-ultragpu-8g", "us-central1", "on-demand", 84.8069, "2026-09-23"),  # local SSDs are in Google's rate
            ("a3-ultragpu-8g", "us-central1", "reserved", 58.4719, "2026-09-23"),
            ("a3-ultragpu-8g", "us-east4", "on-demand", 83.492, "2026-10-13"),
            ("n1-highmem-16", "us-central1", "on-demand", 0.94642, "2026-11-29"),
            ("tpu7x-standard-4t", "us-central1", "on-demand", 48, "2026-09-17"),
            ("tpu7x-standard-4t", "us-central1", "flex-start", 24, "2026-09-17"),
        ],
    )
    def test_list_prices(
        self, catalog: Catalog, machine: str, region: str, way: Provisioning, hourly: float, date: str
    ) -> None:
        price = catalog.prices.machine(machine, region, way)
        assert price is not None
        assert (price.hourly, str(price.date)) == (hourly, date)


class TestSources:
    def test_unverified_figures_name_a_source_that_says_so(self, catalog: Catalog) -> None:
        hardware: list[Accelerator | MachineType] = [*catalog.accelerators.values(), *catalog.machines.values()]
        for entry in hardware:
            says_so = any(not catalog.sources[key].verified for key in entry.sources)
            assert says_so == bool(entry.unverified), entry.name

    def test_every_source_is_cited_with_its_date(self, catalog: Catalog) -> None:
        assert catalog.sources["xpk"].cited == (
            "github.com/AI-Hypercomputer/xpk system_characteristics.py at 367c838 (2026-06-25)"
        )


def _replace(file: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1))

    return edit


class TestBadData:
    @pytest.mark.parametrize(
        ("edit", "message"),
        [
            (_replace("models.yaml", "kv_heads: 8", "kv_head: 8"), r"models.yaml: \S+: .*kv_head"),
            (
                _replace("models.yaml", "layers: 21, window", "layers: 20, window"),
                "google/gemma-2-9b-it: .*do not add up to 42",
            ),
            (_replace("models.yaml", ", window: 2047", ""), "Phi-3-mini-4k-instruct: .*sliding attention lacks"),
            (_replace("models.yaml", "like: Qwen/Qwen3-4B\n", "like: Qwen/Qwen3-40B\n"), "no model Qwen/Qwen3-40B"),
            (_replace("models.yaml", "source: hub", "source: hob"), "no source hob|date"),
            (_replace("machines.yaml", "accelerator: nvidia-l4", "accelerator: nvidia-l5"), "no accelerator nvidia-l5"),
            (
                _replace("prices.yaml", "us-central1: 0.7068 / 0.2818", "us-central1: cheap"),
                "g2-standard-4: us-central1: 'cheap'",
            ),
            (_replace("prices.yaml", "a2-highgpu-1g:", "a2-highgpu-3g:"), "a2-highgpu-3g: no such machine type"),
            (
                _replace("accelerators.yaml", "unverified: [bandwidth_gbs]", "unverified: [bandwidth]"),
                "unverified: no field bandwidth",
            ),
            (_replace("accelerators.yaml", "sources:\n", "sources: [\n"), "accelerators.yaml: "),
            (
                _replace("accelerators.yaml", "    zones: {}", "    zones: {us-central1: [a]}"),
                r"accelerators.yaml: \S+: zones: us-central1: write letters",
            ),
        ],
    )
    def test_an_error_names_the_entry(self, tmp_path: Path, edit: Callable[[Path], None], message: str) -> None:
        folder = tmp_path / "catalog"
        shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        load_catalog(folder)
        edit(folder)
        with pytest.raises(CatalogError, match=message):
            load_catalog(folder)
