"""Names in requests that several models share by weight."""

from __future__ import annotations

from planning.context import Site
from planning.plan.routing import SplitPlan
from planning.plan.stack import ModelPlan
from settings.models import ModelSettings
from settings.splits import SplitSettings


def plan_splits(site: Site, models: tuple[ModelPlan, ...]) -> tuple[SplitPlan, ...]:
    """Each shared name with the pools behind it, in the order of the models."""
    if site.settings.splits and site.settings.pattern != "multi-model":
        site.findings.error(
            "splits",
            value=", ".join(split.name for split in site.settings.splits),
            rule=f"{site.settings.pattern} has one model: there is nothing to divide requests among",
            fix="use pattern: multi-model, or remove splits; models[].aliases are further names of one model",
        )
        return ()
    for index, split in enumerate(site.settings.splits):
        _check(site, index, split)
    return tuple(
        SplitPlan(
            name=split.name,
            models=tuple(
                (model.served_name, model.pool.name, split.weights[model.served_name])
                for model in models
                if model.served_name in split.weights
            ),
        )
        for split in site.settings.splits
    )


def _check(site: Site, index: int, split: SplitSettings) -> None:
    path = ("splits", index, "weights")
    known = {model.name: model for model in site.settings.models}
    unknown = [name for name in split.weights if name not in known]
    for name in unknown:
        site.findings.error(
            *path,
            value=name,
            rule="no model of this stack has this name: a split is among models, not among aliases or adapters",
            fix=f"use names of models: {', '.join(known)}",
        )
    if unknown:
        return
    if len(split.weights) < 2:
        site.findings.error(
            *path,
            value=next(iter(split.weights)),
            rule="a split has two or more sides",
            fix=f"add another model, or make {split.name} one of the model's aliases",
        )
    if not any(split.weights.values()):
        site.findings.error(
            *path,
            value="all 0",
            rule=f"nobody would answer requests for {split.name}: the load balancer would refuse them (500)",
            fix="give a model a weight",
        )
    used = [known[name] for name, weight in split.weights.items() if weight > 0]
    for model in used:
        if model.replicas == 0:
            site.findings.error(
                *path,
                value=f"{model.name}: {split.weights[model.name]}",
                rule=f"this share of the requests for {split.name} goes to a model without replicas",
                fix="give it replicas, or weight 0",
            )
    _check_lengths(site, path, split, used)


def _check_lengths(site: Site, path: tuple[str | int, ...], split: SplitSettings, used: list[ModelSettings]) -> None:
    lengths = {model.name: _length(site, model) for model in used}
    told = {length for length in lengths.values() if length is not None}
    if len(told) > 1:
        site.findings.warning(
            *path,
            value=", ".join(f"{name} {length}" for name, length in lengths.items()),
            rule=f"requests for {split.name} that are longer than {min(told)} tokens are refused by some of its models",
            fix="give them the same maxModelLen",
        )


def _length(site: Site, model: ModelSettings) -> int | None:
    """Longest request in tokens, None where the catalogue does not know the model."""
    known = site.catalog.find_model(model.id)
    return model.max_model_len or (known.context if known is not None else None)
