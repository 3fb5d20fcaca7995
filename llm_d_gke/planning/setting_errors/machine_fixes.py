"""Better fixes for findings about accelerator and location, where the catalog knows what the stack file means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llm_d_gke.catalog import Catalog
from llm_d_gke.planning.alternatives import machine_of
from llm_d_gke.planning.findings import Finding
from llm_d_gke.planning.setting_errors.words import region_meant
from llm_d_gke.planning.zones import nearest_zones


def with_better_fix(finding: Finding, values: Mapping[str, Any], catalog: Catalog) -> Finding:
    """The finding with the fix that fits the other values of the stack file."""
    for improve in (_with_type_of_machine, _with_machine_of_count, _with_nearest_zone):
        finding = improve(finding, values, catalog)
    return finding


def _with_nearest_zone(finding: Finding, values: Mapping[str, Any], catalog: Catalog) -> Finding:
    """Where the location is a city or another cloud's region, the nearest zone with the stack's accelerator."""
    region = region_meant(finding.value) if finding.path == "llm-d:location" else None
    if region is None:
        return finding
    accelerator = values.get("accelerator")
    type_ = str(accelerator.get("type")) if isinstance(accelerator, Mapping) else ""
    accelerators = [catalog.accelerators[type_]] if type_ in catalog.accelerators else [*catalog.accelerators.values()]
    near = nearest_zones(region, {zone for entry in accelerators for zone in entry.zones})
    return replace(finding, fix=f"use {near[0] if near else region}")


def _with_type_of_machine(finding: Finding, values: Mapping[str, Any], catalog: Catalog) -> Finding:
    """Where accelerator.type is missing, the one that the machine type carries is the example."""
    accelerator = values.get("accelerator")
    machine = catalog.machines.get(str(accelerator.get("machineType"))) if isinstance(accelerator, Mapping) else None
    if finding.path != "llm-d:accelerator.type" or finding.value != "(missing)" or machine is None:
        return finding
    types = [machine.accelerator] if machine.accelerator is not None else [*machine.attachable]
    return replace(finding, fix=f"add it to the stack file: type: {types[0]}") if types else finding


def _with_machine_of_count(finding: Finding, values: Mapping[str, Any], catalog: Catalog) -> Finding:
    """Suggest the machine type for a count of accelerators, which other programs take as a setting."""
    accelerator = values.get("accelerator")
    if not finding.fix.endswith("accelerator.perNode?") and not finding.fix.endswith("mean perNode?"):
        return finding
    type_ = str(accelerator.get("type")) if isinstance(accelerator, Mapping) else ""
    count = int(finding.value) if finding.value.isdecimal() else 0
    machine = machine_of(catalog, type_, count) if type_ in catalog.accelerators else None
    return finding if machine is None else replace(finding, fix=f"use machineType: {machine}, which has {count}")
