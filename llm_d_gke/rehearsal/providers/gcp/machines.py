"""Google's rules for machine types, accelerators and TPU topologies. The catalog lists which exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from llm_d_gke import catalog
from llm_d_gke.google_types import RESOURCE_POLICY
from llm_d_gke.rehearsal.providers.gcp.kinds import ResourceContext, refusal
from llm_d_gke.rehearsal.providers.properties import Properties
from llm_d_gke.rehearsal.providers.requests import Refused

DEFAULT_MACHINE: Final = "e2-medium"


@dataclass(frozen=True)
class Machine:
    """A machine type, as far as the rules need it. `attachable` has the possible counts by accelerator."""

    name: str
    topologies: Mapping[str, int]
    accelerator: str | None
    count: int
    attachable: Mapping[str, tuple[int, ...]]


def machine_of(config: Mapping[str, Any]) -> Machine:
    """The catalog's machine type. Raises Refused for an unknown one."""
    name = config.get("machineType", DEFAULT_MACHINE)
    entries = catalog.load()
    machine_entry = entries.machines.get(name)
    if machine_entry is not None:
        labels = {key: entries.accelerators[key].node_label_value for key in machine_entry.attachable}
        built_in = (
            entries.accelerators[machine_entry.accelerator].node_label_value if machine_entry.accelerator else None
        )
        attachable = {labels[key]: tuple(counts) for key, counts in machine_entry.attachable.items()}
        return Machine(name, machine_entry.topologies, built_in, machine_entry.accelerator_count, attachable)
    if name.partition("-")[0] in {machine.family for machine in entries.machines.values() if machine.accelerator}:
        raise refusal(f"Machine type with name '{name}' does not exist")
    raise Refused(f"the rehearsal has no machine type '{name}': it makes nodes from the catalog's, add it there")


def check_machine(context: ResourceContext, inputs: Properties, config: Mapping[str, Any], zones: list[str]) -> None:
    machine = machine_of(config)
    guests = config.get("guestAccelerators") or []
    topology = (inputs.get("placementPolicy") or {}).get("tpuTopology")
    for guest in guests:
        _check_guest(machine, guest)
    if machine.topologies:
        _check_topology(context, machine, inputs, topology, zones)
    elif topology:
        raise refusal(f"TPU topology '{topology}' cannot be used with machine type '{machine.name}', which has no TPU")
    accelerators = {guest["type"] for guest in guests} | ({machine.accelerator} if machine.accelerator else set())
    for accelerator in sorted(accelerators):
        _check_zones(context, accelerator, zones)


def _check_guest(machine: Machine, guest: Mapping[str, Any]) -> None:
    kind, count = guest["type"], guest["count"]
    if machine.accelerator:
        if kind != machine.accelerator or count != machine.count or machine.topologies:
            raise refusal(
                f"Accelerator type '{kind}' x {count} does not go with machine type '{machine.name}', "
                f"which has {machine.count} x {machine.accelerator} built in"
            )
    elif kind not in machine.attachable:
        attachable = ", ".join(sorted(machine.attachable)) or "none: T4 and its like need an n1 machine"
        raise refusal(
            f"Accelerator type '{kind}' cannot be attached to machine type '{machine.name}' (attachable: {attachable})"
        )
    elif count not in machine.attachable[kind]:
        raise refusal(
            f"{count} x '{kind}' cannot be attached to machine type '{machine.name}' "
            f"(it takes {list(machine.attachable[kind])})"
        )


def _check_topology(
    context: ResourceContext, machine: Machine, inputs: Properties, topology: str | None, zones: list[str]
) -> None:
    placement, scaling = inputs.get("placementPolicy") or {}, inputs.get("autoscaling") or {}
    if topology is None and placement.get("policyName"):
        _, policy = context.need(RESOURCE_POLICY, placement["policyName"], "resource policy")
        topology = (policy.get("workloadPolicy") or {}).get("acceleratorTopology")
    if topology is None:
        if 1 not in machine.topologies.values():
            raise refusal(f"Machine type '{machine.name}' needs a TPU topology, one of {sorted(machine.topologies)}")
        return
    hosts = machine.topologies.get(topology)
    if hosts is None:
        raise refusal(
            f"TPU topology '{topology}' does not match machine type '{machine.name}', "
            f"which offers {sorted(machine.topologies)}"
        )
    if hosts == 1:
        raise refusal(
            "TPU topology can't be specified with single-host TPU slice pool; please remove the tpu_topology from the "
            "node pool creation request"
        )
    if len(zones) != 1:
        raise refusal(f"A multi-host TPU slice lives in one zone, the pool has {len(zones)}")
    if scaling.get("totalMaxNodeCount"):
        raise refusal("Maximum node count 0 is not valid: a multi-host TPU slice takes limits per zone, not totals")
    if scaling.get("locationPolicy") == "ANY":
        raise refusal("Invalid autoscaling: a multi-host TPU slice takes no location policy ANY")
    counts = {key: inputs[key] for key in ("nodeCount", "initialNodeCount") if inputs.get(key)}
    counts |= {"autoscaling.maxNodeCount": scaling["maxNodeCount"]} if scaling else {}
    for key, count in counts.items() or {"nodeCount": 0}.items():
        if count != hosts:
            raise refusal(
                f"TPU topology '{topology}' on '{machine.name}' is a slice of exactly {hosts} nodes; {key} is {count}"
            )


def _check_zones(context: ResourceContext, label: str, zones: list[str]) -> None:
    """Refuse a zone without the accelerator. Where the catalog's list is incomplete, only record it."""
    for accelerator in catalog.load().accelerators.values():
        missing = [zone for zone in zones if zone not in accelerator.zones]
        if accelerator.node_label_value != label or not missing or not accelerator.zones:
            continue
        zones_text = f"{', '.join(missing)} (known: {', '.join(accelerator.zones)})"
        if accelerator.zones_complete:
            raise refusal(f"Accelerator type '{label}' does not exist in zone {zones_text}")
        context.passes(f"the catalog does not know whether {label} is offered in {zones_text}")
