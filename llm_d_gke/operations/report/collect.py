"""Collects the content of a stack report from a plan, its findings and its settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from typing import Any, TypeVar

from llm_d_gke.operations.report.facts import (
    WHENS,
    CapacityFacts,
    ChoiceFacts,
    CostFacts,
    MemoryFacts,
    ModelFacts,
    PlanFacts,
    PoolFacts,
    Segment,
    ServerFacts,
    SettingFacts,
    SpeedFacts,
    StackFacts,
)
from llm_d_gke.planning import Finding, StackPlan
from llm_d_gke.planning.findings import errors_in, path_of
from llm_d_gke.planning.plan.estimates import CapacityPlan, CostPlan, MemoryVerdict, SpeedEstimate, Total
from llm_d_gke.planning.plan.infrastructure import NodePoolPlan
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.leaves import leaves

Record = TypeVar("Record", bound=Any)


def facts_of(
    stack: str,
    plan: StackPlan | None,
    findings: Iterable[Finding],
    assumptions: Iterable[str] = (),
    settings: StackSettings | None = None,
) -> StackFacts:
    """The facts of a plan. A plan with errors is shown beside its findings."""
    listed = tuple(findings)
    return StackFacts(
        stack=stack,
        assumptions=tuple(assumptions),
        findings=listed,
        refused=bool(errors_in(listed)),
        plan=None if plan is None else _plan(plan),
        settings=() if settings is None else tuple(settings_of(settings)),
    )


def settings_of(settings: StackSettings) -> Iterator[SettingFacts]:
    """Every setting, without secrets."""
    for leaf in leaves(settings):
        yield SettingFacts(
            path=path_of(*leaf.path), value=leaf.display_text, default=leaf.is_default, replaces=leaf.replaces
        )


def _plan(plan: StackPlan) -> PlanFacts:
    return _record(
        PlanFacts,
        plan,
        cluster=plan.cluster.name,
        network=plan.network.network,
        gateway=plan.gateway.name,
        exposure="external" if plan.gateway.external else "internal",
        router=None if plan.router is None else plan.router.name,
        models=tuple(_model(model) for model in plan.models),
        pools=tuple(
            _pool(pool)
            for pool in (plan.cpu_pool, *plan.accelerator_pools)
            if not (pool.autopilot and not pool.accelerators_per_node)
        ),
        cost=_cost(plan.cost),
    )


def _record(kind: type[Record], source: object, **own: object) -> Record:
    """A record with the fields of `source` that have the same names, and fields of its own."""
    same = {field.name: getattr(source, field.name) for field in fields(kind) if field.name not in own}
    record: Record = kind(**same, **own)
    return record


def _model(model: ModelPlan) -> ModelFacts:
    return _record(
        ModelFacts,
        model,
        name=model.served_name,
        servers=tuple(_server(server) for server in model.servers),
        pool=model.pool.name,
        picker=model.picker.name,
        capacity=None if model.capacity is None else _capacity(model.capacity),
    )


def _server(server: ModelServerPlan) -> ServerFacts:
    memory = None if server.memory is None else _memory(server.memory)
    return _record(ServerFacts, server, replicas=server.most_replicas, least_replicas=server.replicas, memory=memory)


def _memory(verdict: MemoryVerdict) -> MemoryFacts:
    parts, cache = verdict.parts, max(0.0, verdict.available_gib)
    # Whatever vLLM's share holds beside weights and cache; graphs are part of it where the version reserves them.
    engine = max(0.0, verdict.requested_gib - parts.weights - verdict.available_gib)
    segments = (
        Segment(kind="weights", name="weights", gib=round(parts.weights, 2)),
        Segment(kind="engine", name="activations, runtime and graphs", gib=round(engine, 2)),
        Segment(kind="kv-cache", name="KV cache", gib=round(cache, 2)),
        Segment(
            kind="outside",
            name="left to start-up and others",
            gib=round(max(0.0, verdict.total_gib - verdict.requested_gib), 2),
        ),
    )
    return _record(
        MemoryFacts,
        verdict,
        total_gib=round(verdict.total_gib, 2),
        error_gib=round(verdict.error_gib, 2),
        margin_gib=round(verdict.margin_gib, 2),
        segments=segments,
        kv_tokens=verdict.replica_tokens,
        max_concurrency=round(verdict.replica_concurrency, 1),
    )


def _capacity(capacity: CapacityPlan) -> CapacityFacts:
    curve = tuple(_speed(point.speed, point.concurrency) for point in capacity.curve)
    return _record(
        CapacityFacts,
        capacity,
        method=capacity.alone.method,
        at_load=None if capacity.at_load is None else _speed(capacity.at_load),
        alone=_speed(capacity.alone, 1),
        full=_speed(capacity.full),
        within_objectives=None if capacity.within_objectives is None else _speed(capacity.within_objectives),
        curve=curve,
        stages=tuple(
            replace(stage, requests_per_second=round(stage.requests_per_second, 3)) for stage in capacity.stages
        ),
    )


def _speed(speed: SpeedEstimate, concurrency: float | None = None) -> SpeedFacts:
    # Little's law: in flight is rate times latency.
    in_flight = speed.latency * speed.requests_per_second if concurrency is None else concurrency
    return _record(
        SpeedFacts,
        speed,
        concurrency=round(in_flight, 2),
        time_to_first_token=round(speed.time_to_first_token, 4),
        time_per_output_token=round(speed.time_per_output_token, 5),
        requests_per_second=round(speed.requests_per_second, 3),
        output_tokens_per_second=round(speed.output_tokens_per_second, 1),
    )


def _pool(pool: NodePoolPlan) -> PoolFacts:
    return _record(PoolFacts, pool, low=pool.min_nodes, high=pool.max_nodes)


def _cost(cost: CostPlan) -> CostFacts:
    totals = {when: cost.total(when) for when in WHENS}
    units = cost.units
    return _record(
        CostFacts,
        cost,
        hourly=totals,
        monthly={when: _monthly(total) for when, total in totals.items()},
        at_most_monthly=_monthly(cost.at_most),
        scaled_down_monthly=None if cost.scaled_down is None else _monthly(cost.scaled_down),
        choices=tuple(
            ChoiceFacts(title=f"{choice.machine_type} {choice.provisioning}", total=choice.total)
            for choice in cost.choices
        ),
        basis=None if units is None else units.basis,
        per_million={}
        if units is None
        else {"requests": units.requests, "tokens": units.tokens, "output tokens": units.output_tokens},
    )


def _monthly(total: Total) -> Total:
    return Total(total.monthly, total.unknown)
