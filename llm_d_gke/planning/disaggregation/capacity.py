"""Estimates the throughput of separate prefill and decode servers, which is the smaller of their two rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from llm_d_gke.planning.disaggregation.speed import Split, StageEngines, split_of
from llm_d_gke.planning.parallelism.rdma import uses_rdma
from llm_d_gke.planning.plan.estimates import CapacityPlan, MemoryVerdict, SpeedEstimate, StageRate
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.sizing.capacity import (
    MAX_REPLICAS,
    basis_of,
    curve_of,
    has_objectives,
    in_flight,
    keeps_objectives,
    lengths_of,
    plan_capacity,
    smallest_satisfying,
)
from llm_d_gke.planning.sizing.memory_check import run_of
from llm_d_gke.planning.sizing.speed import held_out_errors_of
from llm_d_gke.settings.workload import LoadSettings

Role = Literal["decode", "prefill"]


def plan_capacity_of(stages: Sequence[ServedModel], verdicts: Sequence[MemoryVerdict | None]) -> CapacityPlan | None:
    """Estimate of one model's servers, whether one stage does both or two share it. None as for `plan_capacity`."""
    if len(stages) == 1:
        return plan_capacity(stages[0], verdicts[0])
    engines = _engines(stages, verdicts)
    if engines is None:
        return None
    decode, prefill, rdma = engines
    lengths = lengths_of(stages[0], decode.run)
    split = None if lengths is None else split_of(prefill, decode, *lengths, rdma=rdma)
    if split is None:
        return None
    load = stages[0].settings.load
    at_load = _at_load(split, load, decode.replicas)
    needed = _needed(prefill, decode, split, load, rdma=rdma)
    capacity = CapacityPlan(
        prompt_tokens=split.prompt,
        output_tokens=split.output,
        replicas=decode.replicas,
        basis=basis_of(load, decode.replicas, split.prompt, split.output),
        is_rate=load.requests_per_second is not None,
        alone=split.at(1),
        full=split.at(split.most),
        at_load=at_load,
        needed=None,
        curve_points=lambda: curve_of(split.at, math.ceil(split.most)),
        error=split.full.error,
        typical_error=held_out_errors_of(split.decode.run.kind).typical,
        measured=False,
        stages=(
            _stage_rate("decode", decode, split.decode_rate, split, needed[0]),
            _stage_rate("prefill", prefill, split.prefill_rate, split, needed[1]),
        ),
    )
    _check(stages[0], capacity)
    return capacity


def _stage_rate(role: Role, stage: StageEngines, rate: float, split: Split, needed: int | None) -> StageRate:
    return StageRate(
        role=role, replicas=stage.replicas, requests_per_second=rate, limits=split.limit == role, needed=needed
    )


def _engines(
    stages: Sequence[ServedModel], verdicts: Sequence[MemoryVerdict | None]
) -> tuple[StageEngines, StageEngines, bool] | None:
    """Engines of decode and of prefill, and whether RDMA is between them."""
    engines = []
    for stage, verdict in zip(stages, verdicts, strict=True):
        run, replicas = run_of(stage), stage.settings.replicas
        if run is None or verdict is None or replicas < 1:
            return None
        engines.append(StageEngines(run=run, accelerator=stage.accelerator, replicas=replicas, verdict=verdict))
    return engines[0], engines[1], connected_by_rdma(stages)


def connected_by_rdma(stages: Sequence[ServedModel]) -> bool:
    return all(uses_rdma(stage.ctx, stage.parallelism) for stage in stages)


def _at_load(split: Split, load: LoadSettings, replicas: int) -> SpeedEstimate | None:
    """Speed at the stated load; None where it is a rate beyond what both stages serve."""
    rate = load.requests_per_second
    if rate is None:
        return split.at(in_flight(load, replicas))
    return split.at_rate(rate)


def _needed(
    prefill: StageEngines, decode: StageEngines, stage_split: Split, load: LoadSettings, *, rdma: bool
) -> tuple[int, int] | tuple[None, None]:
    """Replicas of decode and prefill for the stated load and objectives. None without both, or if none is enough.

    The number of decode servers is computed for the largest possible number of prefill servers.
    """
    if not _has_target(load):
        return None, None

    def meets_objectives(decoding: int, computing: int, *, first: bool) -> bool:
        split = split_of(
            replace(prefill, replicas=computing),
            replace(decode, replicas=decoding),
            stage_split.prompt,
            stage_split.output,
            rdma=rdma,
        )
        speed = _at_load(split, load, decode.replicas) if split is not None else None
        return keeps_objectives(speed, load, first=first)

    if load.requests_per_second is None and meets_objectives(decode.replicas, prefill.replicas, first=True):
        return decode.replicas, prefill.replicas
    decoding = smallest_satisfying(MAX_REPLICAS, lambda n: meets_objectives(n, MAX_REPLICAS, first=False))
    if decoding is None:
        return None, None
    computing = smallest_satisfying(MAX_REPLICAS, lambda n: meets_objectives(decoding, n, first=True))
    return (None, None) if computing is None else (decoding, computing)


def _has_target(load: LoadSettings) -> bool:
    return load.requests_per_second is not None or has_objectives(load)


def _check(decode: ServedModel, capacity: CapacityPlan) -> None:
    if not _has_target(decode.settings.load):
        return
    for stage in capacity.stages:
        if stage.needed is None:
            single = capacity.alone
            decode.warning(
                "LLMD-PD-LOAD",
                "load",
                value=capacity.basis,
                first_token_ms=single.time_to_first_token * 1000,
                later_token_ms=single.time_per_output_token * 1000,
            )
            return
        if stage.needed > stage.replicas:
            decode.warning(
                "LLMD-PD-REPLICAS",
                *(("prefill", "replicas") if stage.role == "prefill" else ("replicas",)),
                value=stage.replicas,
                basis=capacity.basis,
                needed=stage.needed,
                role=stage.role,
            )
