"""The cheapest hardware of the catalog that holds a model which the stack's own does not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from llm_d_gke.catalog.schema import Accelerator, MachineType
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.engine_support.refusals import refusals_of
from llm_d_gke.planning.parallelism.sharding import shares
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.setting_errors.values import flow
from llm_d_gke.planning.sizing.known_failures import ended_starts
from llm_d_gke.planning.sizing.memory import EngineRun, judge
from llm_d_gke.planning.sizing.prices import prices_of


@dataclass(frozen=True, kw_only=True)
class Node:
    accelerator: Accelerator
    machine: MachineType
    per_node: int


def certainly_fits(run: EngineRun) -> bool:
    """Whether weights and the longest request fit beyond the estimate's error. Start-up memory depends on settings."""
    verdict = judge(run)
    return verdict.status == "fits" or (verdict.status == "marginal" and verdict.limit == "warm-up")


def cheapest_hardware(
    served: ServedModel,
    run: EngineRun,
    run_of: Callable[[ServedModel], EngineRun | None],
    suits: Callable[[Accelerator], bool] = lambda _: True,
) -> str | None:
    """Settings of the cheapest machine of the same kind that serves the model, as the words of a fix.

    The engine has to start there by all that is known, and `run_of` the model there has to fit. Machines that the
    stack's zone or provisioning is known not to have are left out. Those without a price come last, smallest first.
    """
    ctx = served.ctx
    options = (option for option in _nodes(ctx, run.kind) if suits(option.accelerator))
    answers: dict[tuple[str, int], bool] = {}
    for node in sorted(options, key=lambda option: _price_and_size(ctx, option)):
        moved = _moved(served, node)
        for tensor_parallel in _sizes(run, node):
            stated = _stated_size(moved, run, tensor_parallel)
            # Machines with the same accelerators differ in how many a replica leaves.
            key = node.accelerator.name, stated or moved.parallelism.tensor
            if key not in answers:
                answers[key] = serves(_with_size(moved, stated), run_of)
            if answers[key]:
                return _setting_text(ctx, node) + size_text(served, _with_size(moved, stated))
    return None


def on_node(served: ServedModel, run: EngineRun, node: Node, tensor_parallel: int) -> ServedModel:
    """The model on another machine, with the settings that a fix names."""
    moved = _moved(served, node)
    return _with_size(moved, _stated_size(moved, run, tensor_parallel))


def _moved(served: ServedModel, node: Node) -> ServedModel:
    # A machine of TPUs is one slice of one host, as the present one has to be.
    ctx = served.ctx if node.accelerator.kind == "tpu" else replace(served.ctx, topology=None, hosts=1)
    return replace(served, ctx=replace(ctx, accelerator=node.accelerator, machine=node.machine, per_node=node.per_node))


def _stated_size(moved: ServedModel, run: EngineRun, tensor_parallel: int) -> int | None:
    """The number of devices that a fix has to state there; None where the default does."""
    by_default = moved.parallelism.tensor
    suffices = tensor_parallel == by_default or (
        tensor_parallel == run.tensor_parallel and shares(run.model, by_default)
    )
    return None if suffices else tensor_parallel


def _with_size(moved: ServedModel, stated: int | None) -> ServedModel:
    return moved if stated is None else moved.with_settings(tensor_parallel=stated)


def size_text(served: ServedModel, changed: ServedModel) -> str:
    """What a fix adds where another number of devices has to be stated."""
    size = changed.settings.tensor_parallel
    return f" and tensorParallel: {size}" if size != served.settings.tensor_parallel else ""


def serves(served: ServedModel, run_of: Callable[[ServedModel], EngineRun | None]) -> bool:
    """Whether the engine starts as the model is served, by all that is known, and certainly has the memory."""
    model, run = served.model, run_of(served)
    if model is None or run is None or not certainly_fits(run) or ended_starts(served):
        return False
    return not any(refusal.certain for refusal in refusals_of(served.deployment(model)))


def _nodes(ctx: PlanContext, kind: str) -> Iterator[Node]:
    zones = ctx.zones or (ctx.settings.location,)
    is_on_demand = ctx.settings.accelerator.provisioning == "on-demand"
    for accelerator in ctx.catalog.accelerators.values():
        if accelerator.kind != kind or not all(accelerator.offered_in(zone) for zone in zones):
            continue
        for machine in ctx.catalog.machines_for(accelerator.name):
            if machine.accelerator_share < 1 or machine.arm or (is_on_demand and not machine.on_demand_ok):
                continue
            for per_node in machine.counts_of(accelerator.name):
                yield Node(accelerator=accelerator, machine=machine, per_node=per_node)


def _sizes(run: EngineRun, node: Node) -> list[int]:
    """Tensor-parallel sizes to try, smallest first.

    A TPU's pod takes all chips of its machine, and replicated heads work for some models only: the present size.
    """
    devices = node.per_node * node.accelerator.devices_per_chip
    if node.accelerator.kind == "tpu":
        return [devices] if devices == run.tensor_parallel else []
    return [size for size in range(run.tensor_parallel, devices + 1) if shares(run.model, size)]


def _price_and_size(ctx: PlanContext, option: Node) -> tuple[float, float, str]:
    attached = (option.accelerator.name, option.per_node) if option.machine.is_attachable else None
    price = prices_of(ctx).machine(option.machine.name, ctx.region, "on-demand", attached)
    memory = (
        (option.accelerator.usable_gib or option.accelerator.nominal_gib)
        * option.per_node
        * option.accelerator.devices_per_chip
    )
    return math.inf if price is None else price.hourly, memory, option.machine.name


def _setting_text(ctx: PlanContext, node: Node) -> str:
    accelerator, machine = node.accelerator, node.machine
    group: dict[str, str | int] = {"type": accelerator.name}
    if machine.is_attachable:
        group["perNode"] = node.per_node
    elif machine != ctx.catalog.default_machine(accelerator.name):
        group["machineType"] = machine.name
    return f"accelerator.type: {accelerator.name}" if len(group) == 1 else f"accelerator: {flow(group)}"
