"""Names in requests that several models share by weight."""

from __future__ import annotations

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.planning.plan.routing import SplitPlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.settings.models import ModelSettings
from llm_d_gke.settings.splits import SplitSettings


def plan_splits(ctx: PlanContext, models: tuple[ModelPlan, ...]) -> tuple[SplitPlan, ...]:
    """Each shared name with the pools behind it, in the order of the models."""
    if ctx.settings.splits and not pattern_of(ctx.settings).routes_by_model:
        ctx.findings.error(
            "LLMD-SPLIT-PATTERN",
            "splits",
            value=", ".join(split.name for split in ctx.settings.splits),
            rule=f"{ctx.settings.pattern} has one model, so there is nothing to divide requests among",
            fix="use pattern: multi-model, or remove splits; models[].aliases are further names of one model",
        )
        return ()
    for index, split in enumerate(ctx.settings.splits):
        _check(ctx, index, split)
    return tuple(
        SplitPlan(
            name=split.name,
            models=tuple(
                (model.served_name, model.pool.name, split.weights[model.served_name])
                for model in models
                if model.served_name in split.weights
            ),
        )
        for split in ctx.settings.splits
    )


def _check(ctx: PlanContext, index: int, split: SplitSettings) -> None:
    path = ("splits", index, "weights")
    models = {model.name: model for model in ctx.settings.models}
    unknown = [name for name in split.weights if name not in models]
    for name in unknown:
        ctx.findings.error(
            "LLMD-SPLIT-NAME",
            *path,
            value=name,
            rule="no model of this stack has this name: a split is among models, not among aliases or adapters",
            fix=f"use names of models: {', '.join(models)}",
        )
    if unknown:
        return
    if len(split.weights) < 2:
        ctx.findings.error(
            "LLMD-SPLIT-ONE",
            *path,
            value=next(iter(split.weights)),
            rule="a split divides requests among two or more models, and this one names a single model",
            fix=f"add another model, or make {split.name} one of the model's aliases",
        )
    if not any(split.weights.values()):
        ctx.findings.error(
            "LLMD-SPLIT-ZERO",
            *path,
            value="all 0",
            rule=f"all weights are 0, so no model would get the requests for {split.name}",
            fix="give a model a weight",
        )
    used = [models[name] for name, weight in split.weights.items() if weight > 0]
    for model in used:
        if model.replicas == 0:
            ctx.findings.error(
                "LLMD-SPLIT-NO-REPLICAS",
                *path,
                value=f"{model.name}: {split.weights[model.name]}",
                rule=f"this share of the requests for {split.name} goes to a model without replicas",
                fix="give it replicas, or weight 0",
            )
    _check_lengths(ctx, path, split, used)


def _check_lengths(
    ctx: PlanContext, path: tuple[str | int, ...], split: SplitSettings, used: list[ModelSettings]
) -> None:
    lengths = {model.name: _length(ctx, model) for model in used}
    known_lengths = {length for length in lengths.values() if length is not None}
    if len(known_lengths) > 1:
        ctx.findings.warning(
            "LLMD-SPLIT-LENGTHS",
            *path,
            value=", ".join(f"{name} {length}" for name, length in lengths.items()),
            rule=f"some models of {split.name} refuse requests longer than {min(known_lengths)} tokens",
            fix="give them the same maxModelLen",
        )


def _length(ctx: PlanContext, model: ModelSettings) -> int | None:
    """Longest request in tokens, None where the catalog does not know the model."""
    catalog_model = ctx.catalog.find_model(model.id)
    return model.max_model_len or (catalog_model.context if catalog_model is not None else None)
