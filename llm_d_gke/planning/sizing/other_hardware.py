"""The cheapest hardware of the catalog that holds a model which the stack's own does not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from llm_d_gke.catalog.schema import Accelerator, MachineType
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.parallelism.sharding import shares
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.setting_errors.values import flow
from llm_d_gke.planning.sizing.memory import EngineOptions, EngineRun, engine_run, judge
from llm_d_gke.planning.sizing.prices import prices_of
from llm_d_gke.settings.models import ModelSettings


@dataclass(frozen=True, kw_only=True)
class _Node:
    accelerator: Accelerator
    machine: MachineType
    per_node: int


def certainly_fits(run: EngineRun) -> bool:
    """Whether weights and the longest request fit beyond the estimate's error. Start-up memory depends on settings."""
    verdict = judge(run)
    return verdict.status == "fits" or (verdict.status == "marginal" and verdict.limit == "warm-up")


def cheapest_hardware(served: ServedModel, run: EngineRun, *, without: str | None = None) -> str | None:
    """Settings of the cheapest machine of the same kind that holds the model, as the words of a fix.

    `without` is an accelerator to leave out. Machines that the stack's zone is known not to have are left out, too.
    Those without a price come last, smallest first.
    """
    ctx = served.ctx
    options = (option for option in _nodes(ctx, run.kind) if option.accelerator.name != without)
    fits: dict[tuple[str, int], bool] = {}
    for node in sorted(options, key=lambda option: _price_and_size(ctx, option)):
        for tensor_parallel in _sizes(run, node):
            key = (node.accelerator.name, tensor_parallel)
            if key not in fits:
                fits[key] = _fits(run, served.settings, node.accelerator, tensor_parallel)
            if fits[key]:
                return _setting_text(ctx, run, node, tensor_parallel)
    return None


def _nodes(ctx: PlanContext, kind: str) -> Iterator[_Node]:
    zones = ctx.zones or (ctx.settings.location,)
    for accelerator in ctx.catalog.accelerators.values():
        if accelerator.kind != kind or any(accelerator.offered_in(zone) is False for zone in zones):
            continue
        for machine in ctx.catalog.machines_for(accelerator.name):
            if machine.accelerator_share < 1 or machine.arm:
                continue
            for per_node in machine.counts_of(accelerator.name):
                yield _Node(accelerator=accelerator, machine=machine, per_node=per_node)


def _sizes(run: EngineRun, node: _Node) -> list[int]:
    """Tensor-parallel sizes to try, smallest first.

    A TPU's pod takes all chips of its machine, and replicated heads work for some models only: the present size.
    """
    devices = node.per_node * node.accelerator.devices_per_chip
    if node.accelerator.kind == "tpu":
        return [devices] if devices == run.tensor_parallel else []
    return [size for size in range(run.tensor_parallel, devices + 1) if shares(run.model, size)]


def _fits(run: EngineRun, settings: ModelSettings, accelerator: Accelerator, tensor_parallel: int) -> bool:
    other = engine_run(
        run.model,
        accelerator,
        run.version,
        EngineOptions(
            max_model_len=run.max_model_len,
            max_num_seqs=settings.max_num_seqs,
            tensor_parallel=tensor_parallel,
            dtype=settings.dtype,
            quantization=settings.quantization,
        ),
    )
    return other is not None and certainly_fits(other)


def _price_and_size(ctx: PlanContext, option: _Node) -> tuple[float, float, str]:
    attached = (option.accelerator.name, option.per_node) if option.machine.is_attachable else None
    price = prices_of(ctx).machine(option.machine.name, ctx.region, "on-demand", attached)
    memory = (
        (option.accelerator.usable_gib or option.accelerator.nominal_gib)
        * option.per_node
        * option.accelerator.devices_per_chip
    )
    return math.inf if price is None else price.hourly, memory, option.machine.name


def _setting_text(ctx: PlanContext, run: EngineRun, node: _Node, tensor_parallel: int) -> str:
    accelerator, machine = node.accelerator, node.machine
    group: dict[str, str | int] = {"type": accelerator.name}
    if machine.is_attachable:
        group["perNode"] = node.per_node
    elif machine != ctx.catalog.default_machine(accelerator.name):
        group["machineType"] = machine.name
    hardware = f"accelerator.type: {accelerator.name}" if len(group) == 1 else f"accelerator: {flow(group)}"
    if tensor_parallel == run.tensor_parallel:
        return hardware
    return f"{hardware} and tensorParallel: {tensor_parallel}"
