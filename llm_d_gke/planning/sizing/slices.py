"""The smallest larger slice of a stack's TPU that holds a model which its own does not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.schema import MachineType
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.engine_support.tpu import shares_heads
from llm_d_gke.planning.parallelism.sharding import shares
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.sizing.memory import EngineRun
from llm_d_gke.planning.sizing.other_hardware import serves, size_text


def larger_slice(served: ServedModel, run: EngineRun, run_of: Callable[[ServedModel], EngineRun | None]) -> str | None:
    """Settings of the smallest slice with more chips that surely serves the model, as the words of a fix.

    A slice of one host is named by its machine type, unless the stack file names a topology. A slice of several hosts
    needs as many nodes for each replica, and serves models whose servers do both prefill and decode.
    """
    ctx, model = served.ctx, run.model
    for machine, topology, hosts in _slices(ctx):
        chips = machine.accelerator_count * hosts
        devices = chips * ctx.accelerator.devices_per_chip
        if devices <= run.tensor_parallel or not shares(model, devices):
            continue
        if not shares_heads(model, served.version, devices):
            continue
        if hosts > 1 and (ctx.role != "both" or not served.has(load_engine().features.tpu_multi_host)):
            continue
        place = replace(
            ctx, machine=machine, per_node=machine.accelerator_count, topology=topology, hosts=hosts, chips=chips
        )
        changed = replace(served, ctx=place)
        if served.settings.tensor_parallel is not None:
            changed = changed.with_settings(tensor_parallel=devices)
        if serves(changed, run_of):
            return _setting_text(ctx, place) + size_text(served, changed) + _nodes_text(served, hosts)
    return None


def _slices(ctx: PlanContext) -> Iterator[tuple[MachineType, str, int]]:
    """Machine type, topology and hosts of each slice, smallest first, each with the fewest hosts there are for it."""
    machines = [entry for entry in ctx.catalog.machines_for(ctx.accelerator.name) if entry.default_topology is not None]
    topologies = {topology for machine in machines for topology in machine.topologies}
    for topology in sorted(topologies, key=lambda name: (math.prod(map(int, name.split("x"))), name)):
        machine = min(
            (entry for entry in machines if topology in entry.topologies), key=lambda entry: entry.topologies[topology]
        )
        yield machine, topology, machine.topologies[topology]


def _setting_text(ctx: PlanContext, place: PlanContext) -> str:
    stated = ctx.settings.accelerator
    if place.hosts == 1 and stated.topology is None and place.topology == place.machine.default_topology:
        return f"accelerator.machineType: {place.machine.name}"
    is_other_machine = stated.machine_type not in (None, place.machine.name)
    return f"accelerator.topology: {place.topology}" + (
        f" and accelerator.machineType: {place.machine.name}" if is_other_machine else ""
    )


def _nodes_text(served: ServedModel, hosts: int) -> str:
    """The nodes that have to be allowed as well."""
    needed = hosts * served.settings.replicas
    bounded = served.ctx.settings.accelerator.nodes.max
    return f" and accelerator.nodes.max: {needed}" if hosts > 1 and needed > bounded else ""
