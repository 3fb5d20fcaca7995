"""Names in requests: each leads to one model, or to several that share it by weight."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from llm_d_gke.planning import names
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.findings import Findings
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.planning.plan.routing import RequestNamePlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.planning.suggest import are_alike
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.models import ModelSettings
from llm_d_gke.settings.splits import SplitSettings

# A header carries the name, trimmed, to the route that matches it.
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")

_Path = tuple[str | int, ...]


def check_names(settings: StackSettings, findings: Findings) -> None:
    """Every name in requests, of a model, an alias or an adapter, leads to one model."""
    uses = _names_in_settings(settings)
    counts = Counter(name for _, name in uses)
    first: set[str] = set()
    for path, name in uses:
        # The first report of a name is enough, and a model's own name comes before what is added to it.
        if counts[name] > 1 and name not in first:
            first.add(name)
            same_path = _reported_path(path, [same_path for same_path, other in uses if other == name])
            own = same_path[2] == "servedName"
            within = len({same[:2] for same, other in uses if other == name}) == 1
            findings.error(
                "LLMD-NAME-TWICE",
                *same_path,
                value=name,
                rule="the model has this name already, from its id, servedName, aliases or adapters"
                if within
                else f"{counts[name]} models have this name, so a request with it would be ambiguous",
                fix="give each its own servedName" if own else "use a unique name",
            )
        if pattern_of(settings).routes_by_model and not _HEADER_VALUE.fullmatch(name):
            findings.error("LLMD-NAME-HEADER", *path, value=name)
    _check_spellings(settings, findings)


def _check_spellings(settings: StackSettings, findings: Findings) -> None:
    """Elements that a stack file was meant to change in its base, and that it adds under another spelling."""
    lists: list[tuple[_Path, str, list[str]]] = [
        (("models",), "id", [model.id for model in settings.models]),
        (("splits",), "name", [split.name for split in settings.splits]),
    ]
    for index, model in enumerate(settings.models):
        lists.append((("models", index, "adapters"), "name", [adapter.name for adapter in model.adapters]))
    for path, key, written in lists:
        for number, name in enumerate(written):
            other = next((earlier for earlier in written[:number] if are_alike(name, earlier)), None)
            if other is not None:
                findings.warning("LLMD-NAME-ALIKE", *path, number, key, value=name, other=other, list=path[-1], key=key)


def _names_in_settings(settings: StackSettings) -> list[tuple[_Path, str]]:
    """Every name that requests may give, with its setting."""
    uses: list[tuple[_Path, str]] = []
    for index, model in enumerate(settings.models):
        uses.append((("models", index, "servedName"), model.name))
        uses += [(("models", index, "aliases", number), alias) for number, alias in enumerate(model.aliases)]
        uses += [
            (("models", index, "adapters", number, "name"), adapter.name)
            for number, adapter in enumerate(model.adapters)
        ]
    uses += [(("splits", index, "name"), split.name) for index, split in enumerate(settings.splits)]
    return uses


def _reported_path(first: _Path, paths: list[_Path]) -> _Path:
    """Where to change a name with several uses: an addition rather than a model's own."""
    return next((path for path in paths if path[2] != "servedName"), first)


def plan_request_names(ctx: PlanContext, models: Sequence[ModelPlan]) -> tuple[RequestNamePlan, ...]:
    """Each model's name, then the shared names, with the pools behind them in the order of the models.

    To the model router a shared name is like any model's: the route divides it.
    """
    own = tuple(
        RequestNamePlan(
            key=f"{model.key}-names",
            name=model.served_name,
            others=model.other_names,
            aliases=tuple(settings.aliases),
            root=model.id,
            pools=((model.pool.name, 1),),
        )
        for model, settings in zip(models, ctx.settings.models, strict=True)
    )
    return (*own, *(_name_of_split(split, models) for split in _valid_splits(ctx)))


def _name_of_split(split: SplitSettings, models: Sequence[ModelPlan]) -> RequestNamePlan:
    slug = names.marked(names.slug(split.name), split.name, names.MODEL_LENGTH)
    weighted = [model for model in models if model.served_name in split.weights]
    return RequestNamePlan(
        key=f"{slug}-split",
        name=split.name,
        others=(),
        aliases=(),
        root=split.name,
        pools=tuple((model.pool.name, split.weights[model.served_name]) for model in weighted),
    )


def _valid_splits(ctx: PlanContext) -> tuple[SplitSettings, ...]:
    """The shared names, where the pattern has several models to share them; checked."""
    splits = ctx.settings.splits
    if splits and not pattern_of(ctx.settings).routes_by_model:
        ctx.error(
            "LLMD-SPLIT-PATTERN",
            "splits",
            value=", ".join(split.name for split in splits),
            pattern=ctx.settings.pattern,
        )
        return ()
    for index, split in enumerate(splits):
        _check_split(ctx, index, split)
    return splits


def _check_split(ctx: PlanContext, index: int, split: SplitSettings) -> None:
    path = ("splits", index, "weights")
    models = {model.name: model for model in ctx.settings.models}
    unknown = [name for name in split.weights if name not in models]
    for name in unknown:
        ctx.error("LLMD-SPLIT-NAME", *path, value=name, models=", ".join(models))
    if unknown:
        return
    if len(split.weights) < 2:
        ctx.error("LLMD-SPLIT-ONE", *path, value=next(iter(split.weights)), split=split.name)
    if not any(split.weights.values()):
        ctx.error("LLMD-SPLIT-ZERO", *path, value="all 0", split=split.name)
    used = [models[name] for name, weight in split.weights.items() if weight > 0]
    for model in used:
        if model.replicas == 0:
            ctx.error(
                "LLMD-SPLIT-NO-REPLICAS", *path, value=f"{model.name}: {split.weights[model.name]}", split=split.name
            )
    _check_lengths(ctx, path, split, used)


def _check_lengths(ctx: PlanContext, path: _Path, split: SplitSettings, used: list[ModelSettings]) -> None:
    lengths = {model.name: _length(ctx, model) for model in used}
    known_lengths = {length for length in lengths.values() if length is not None}
    if len(known_lengths) > 1:
        ctx.warning(
            "LLMD-SPLIT-LENGTHS",
            *path,
            value=", ".join(f"{name} {length}" for name, length in lengths.items()),
            split=split.name,
            shortest=min(known_lengths),
        )


def _length(ctx: PlanContext, model: ModelSettings) -> int | None:
    """Longest request in tokens, None where the catalog does not know the model."""
    catalog_model = ctx.catalog.find_model(model.id)
    return model.max_model_len or (catalog_model.context if catalog_model is not None else None)
