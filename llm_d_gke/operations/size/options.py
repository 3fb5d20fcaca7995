"""Ways to serve a model: each machine of the catalog, with each number of accelerators per replica that it allows."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llm_d_gke.catalog import Accelerator, Catalog, MachineType, Model
from llm_d_gke.catalog.schema import Provisioning, region_of
from llm_d_gke.operations.size.load import Load, SizeError
from llm_d_gke.planning.findings import Finding, Findings, errors_in
from llm_d_gke.planning.parallelism.packing import fewest_nodes
from llm_d_gke.planning.plan.estimates import CapacityPlan, MemoryVerdict
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.planner import plan_with_findings
from llm_d_gke.planning.setting_errors.words import region_meant
from llm_d_gke.planning.sizing.capacity import MAX_REPLICAS
from llm_d_gke.planning.suggest import nearest_place
from llm_d_gke.settings import StackSettings

# The default location, because the catalog has the most prices for it.
_PREFERRED_REGION = "us-central1"


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """One machine type in one zone, and how many of its accelerators a replica takes."""

    accelerator: Accelerator
    machine: MachineType
    per_node: int
    tensor_parallel: int
    zone: str

    @property
    def devices(self) -> int:
        """Devices of a node as the engine counts them."""
        return self.per_node * self.accelerator.devices_per_chip

    @property
    def replica(self) -> str:
        """Accelerators of one replica: `2 L4`, or `2 of 4 T4` where a node has more of them attached."""
        chip = self.accelerator.title.partition(" (")[0].removeprefix("TPU ").partition(" ")[0]
        count = self.tensor_parallel // self.accelerator.devices_per_chip
        part = f" of {self.per_node}" if self.machine.is_attachable and count < self.per_node else ""
        return f"{count}{part} {chip}"

    def nodes(self, replicas: int) -> int:
        return fewest_nodes([self.tensor_parallel] * replicas, self.devices)


@dataclass(frozen=True, kw_only=True)
class Option:
    """The replicas and cost of a model on one kind of hardware. `settings` is a stack file without project and token.

    `monthly_usd` is what the whole stack costs a month, by way of buying accelerators, where a price is known; of the
    ways in `lower_bounds` another part has none.
    """

    hardware: Hardware
    settings: Mapping[str, Any]
    memory: MemoryVerdict
    capacity: CapacityPlan
    replicas: int
    nodes: int
    monthly_usd: Mapping[str, float]
    lower_bounds: frozenset[str]
    per_million_tokens: float | None
    warnings: tuple[Finding, ...]

    @property
    def has_small_host(self) -> bool:
        """Whether the host may have too little memory for the engine's processes."""
        return any(warning.id == "LLMD-HOST-MEMORY" for warning in self.warnings)

    @property
    def is_marginal(self) -> bool:
        """Whether a start may fail for want of the accelerators' memory."""
        return self.memory.status == "marginal"

    @property
    def marks(self) -> str:
        """Signs of the table for what may fail."""
        return ("~" if self.is_marginal else "") + ("!" if self.has_small_host else "")

    @property
    def reference_usd(self) -> float:
        """The month at the price of on-demand nodes, or of the cheapest other way where none is sold on demand."""
        return self.monthly_usd.get("on-demand", min(self.monthly_usd.values(), default=math.inf))

    @property
    def reference_way(self) -> str | None:
        """How the accelerators are bought at the price of `reference_usd`; None where no price is known."""
        if "on-demand" in self.monthly_usd:
            return "on-demand"
        return min(self.monthly_usd, key=lambda way: self.monthly_usd[way], default=None)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A machine that cannot serve the model, and the first reason."""

    hardware: Hardware
    reason: str


def compare_hardware(
    catalog: Catalog,
    model: Model,
    load: Load,
    location: str | None = None,
    max_model_len: int | None = None,
    config: str | None = None,
    accelerators: Collection[str] | None = None,
) -> tuple[list[Option], list[Refusal]]:
    """The best option of each machine, cheapest first, and the machines that cannot serve the model.

    `location` is a zone, a region or the start of several regions' names, in which each machine is taken where it is
    cheapest; without one, where its price is known. `config` is the place of the model's own config.json, for the stack
    file. `accelerators` are the names of those to compare; None: all. Raises SizeError for a location without any
    accelerator.
    """
    zones = None if location is None else zones_in(catalog, location)
    options: list[Option] = []
    refusals: list[Refusal] = []
    needed: dict[tuple[str, int], int] = {}
    for machine_hardware in _machines(catalog, zones, accelerators):
        sized: list[Option] = []
        refused: Refusal | None = None
        for hardware in machine_hardware:
            result = _plan(catalog, model, load, hardware, max_model_len, config, needed)
            if isinstance(result, Option):
                sized.append(result)
            else:
                refused = result
        if sized:
            options.append(min(sized, key=_cost))
        elif refused is not None:
            refusals.append(refused)
    return sorted(
        options, key=lambda option: (option.reference_usd, option.nodes, option.hardware.machine.name)
    ), refusals


def _cost(option: Option) -> tuple[bool, float, int, int]:
    """The order of a machine's options: those that its host surely holds before cheaper ones."""
    return option.has_small_host, option.reference_usd, option.nodes, option.replicas


def _machines(
    catalog: Catalog, zones: frozenset[str] | None, accelerators: Collection[str] | None
) -> Iterator[list[Hardware]]:
    """Hardware by machine and accelerators of a node, fewest accelerators per replica first."""
    for accelerator in catalog.accelerators.values():
        if accelerators is not None and accelerator.name not in accelerators:
            continue
        for machine in catalog.machines_for(accelerator.name):
            # A part of a GPU is not sized: its share of memory and speed was never measured.
            if machine.accelerator_share != 1 or (machine.topologies and machine.default_topology is None):
                continue
            zone = _zone(catalog, accelerator, machine, zones)
            if zone is None:
                continue
            for per_node in machine.counts_of(accelerator.name):
                yield [
                    Hardware(accelerator=accelerator, machine=machine, per_node=per_node, tensor_parallel=tp, zone=zone)
                    for tp in _shares(accelerator, per_node)
                ]


def _shares(accelerator: Accelerator, per_node: int) -> list[int]:
    """Possible accelerator counts of one replica. On TPU, a replica takes a whole slice."""
    if accelerator.kind == "tpu":
        return [per_node * accelerator.devices_per_chip]
    return [2**power for power in range(per_node.bit_length()) if per_node % 2**power == 0]


def _zone(catalog: Catalog, accelerator: Accelerator, machine: MachineType, zones: frozenset[str] | None) -> str | None:
    """The zone with the lowest price among the requested ones, or the first zone of a region with a price."""

    def order(zone: str) -> tuple[float, float]:
        return (
            _hourly(catalog, accelerator, machine, zone, "on-demand") if machine.on_demand_ok else math.inf,
            _hourly(catalog, accelerator, machine, zone, "spot"),
        )

    def preferred(zone: str) -> tuple[bool, bool]:
        priced = math.isfinite(_hourly(catalog, accelerator, machine, zone, "on-demand"))
        return (not priced, region_of(zone) != _PREFERRED_REGION)

    if zones is None:
        return min(accelerator.zones, key=preferred, default=None)
    return min((zone for zone in accelerator.zones if zone in zones), key=order, default=None)


def _hourly(
    catalog: Catalog, accelerator: Accelerator, machine: MachineType, zone: str, provisioning: Provisioning
) -> float:
    """Dollars an hour of one machine, infinite where the price is not known."""
    attached = (accelerator.name, 1) if machine.is_attachable else None
    price = catalog.prices.machine(machine.name, region_of(zone), provisioning, attached)
    return math.inf if price is None else price.hourly


def _plan(
    catalog: Catalog,
    model: Model,
    load: Load,
    hardware: Hardware,
    max_model_len: int | None,
    config: str | None,
    siblings: dict[tuple[str, int], int],
) -> Option | Refusal:
    """Plan one replica to learn how many are needed, then that many.

    `siblings`: replicas that a machine with the same accelerators and tensor parallelism needed, and this one will too.
    """
    key = hardware.accelerator.name, hardware.tensor_parallel
    replicas = siblings.get(key, 1)
    settings = settings_of(model, load, hardware, replicas, max_model_len, config)
    plan = _planned(catalog, settings)
    if isinstance(plan, str):
        return Refusal(hardware=hardware, reason=plan)
    capacity = plan.models[0].capacity
    if capacity is None:
        return Refusal(hardware=hardware, reason="memory or speed is not known")
    needed = capacity.needed if load.rate is not None else 1
    if needed is None or needed > MAX_REPLICAS:
        return Refusal(hardware=hardware, reason=f"more than {MAX_REPLICAS} replicas would be needed")
    if needed != replicas:
        siblings[key] = needed
        settings = settings_of(model, load, hardware, needed, max_model_len, config)
        plan = _planned(catalog, settings)
        if isinstance(plan, str):
            return Refusal(hardware=hardware, reason=plan)
    memory, capacity = plan.models[0].servers[0].memory, plan.models[0].capacity
    if memory is None or capacity is None or capacity.at_load is None:
        return Refusal(hardware=hardware, reason="memory or speed is not known")
    units = plan.cost.units
    return Option(
        hardware=hardware,
        settings=settings,
        memory=memory,
        capacity=capacity,
        replicas=needed,
        nodes=hardware.nodes(needed),
        monthly_usd={
            way.provisioning: way.total.monthly for way in plan.cost.alternatives if way.accelerators is not None
        },
        lower_bounds=frozenset(way.provisioning for way in plan.cost.alternatives if way.total.unknown),
        per_million_tokens=units.tokens.usd
        if units is not None and "accelerator nodes" not in units.tokens.unknown
        else None,
        warnings=plan.warnings,
    )


def settings_of(
    model: Model,
    load: Load,
    hardware: Hardware,
    replicas: int,
    max_model_len: int | None = None,
    config: str | None = None,
) -> dict[str, Any]:
    """The settings of a stack that serves a model so, without project and token."""
    accelerator: dict[str, Any] = {"type": hardware.accelerator.name, "machineType": hardware.machine.name}
    if hardware.machine.is_attachable:
        accelerator["perNode"] = hardware.per_node
    if not hardware.machine.on_demand_ok:
        accelerator["provisioning"] = "spot"
    accelerator["nodes"] = {"min": 0, "max": max(1, hardware.nodes(replicas))}
    served: dict[str, Any] = {
        "id": model.id,
        **({"config": config} if config is not None else {}),
        "replicas": replicas,
        "tensorParallel": hardware.tensor_parallel,
        "maxModelLen": max_model_len or _length(model, load),
        "load": load.settings(),
    }
    if not hardware.accelerator.bf16 and model.dtype == "bfloat16":
        served["dtype"] = "half"
    if model.compressed:  # vLLM keeps such keys in no other type
        served["kvCacheDtype"] = "fp8"
    return {
        "location": hardware.zone,
        "pattern": "single-replica" if replicas == 1 else "prefix-cache",
        "accelerator": accelerator,
        # Opening the endpoint to the internet requires a decision on gateway.auth first.
        "gateway": {"exposure": "internal"},
        "models": [served],
    }


def _length(model: Model, load: Load) -> int:
    """Twice what the load needs, in steps of 1024 tokens, but not more than the model has been trained for."""
    needed = math.ceil(2 * (load.prompt + load.output) / 1024) * 1024
    return max(load.prompt + load.output, min(model.context, needed))


def _planned(catalog: Catalog, settings: Mapping[str, Any]) -> StackPlan | str:
    """The plan, or the reason why there is none."""
    complete = {**settings, "project": "sizing", "huggingFace": {"token": "hf_sizing"}}
    findings = Findings()
    plan = plan_with_findings(
        "sizing", StackSettings.model_validate(complete), catalog, frozenset({"huggingFace"}), findings
    )
    errors = errors_in(findings)
    if errors or plan is None:
        return errors[0].rule if errors else "no plan"
    return plan


def zones_in(catalog: Catalog, location: str) -> frozenset[str]:
    """The zones with accelerators in a zone, a region, or all regions that start with the text: `europe`, `us-east`.

    Upper and lower case are the same. Raises SizeError with the nearest region or zone if there is none.
    """
    zones = {zone for accelerator in catalog.accelerators.values() for zone in accelerator.zones}
    text = location.strip().lower()
    # us-east1 is a region, and not all of us-east10 to us-east19.
    matches = {zone for zone in zones if text in (zone, region_of(zone))} or {
        zone for zone in zones if text and region_of(zone).startswith(text)
    }
    if not matches:
        near = region_meant(text) or nearest_place(text, sorted({*map(region_of, zones), *zones}))
        hint = f"Did you mean {near}? " if near else ""
        raise SizeError(
            f"the catalog has no accelerator in a zone or region {location!r}. {hint}"
            "`make catalog KIND=zones` lists the zones."
        )
    return frozenset(matches)
