"""Lists every input of a plan leaf by leaf: the stack's settings, and the catalog facts that the plan may use."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ValidationError

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog import load as load_catalog
from llm_d_gke.catalog.engine import Engine, load_engine, use_engine
from llm_d_gke.catalog.price_entries import Price, PriceItem
from llm_d_gke.catalog.schema import Source
from llm_d_gke.nested import value_at
from llm_d_gke.operations.explain.alternatives import alternatives
from llm_d_gke.operations.explain.fields import MISSING
from llm_d_gke.planning import StackPlan
from llm_d_gke.planning.context import PlanContext, resolve_context
from llm_d_gke.planning.findings import Findings, path_of
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.planning.sequence import plan_once
from llm_d_gke.planning.serving.custom_models import with_own_models
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.leaves import display_text, leaves
from llm_d_gke.stackfile.model_files import ModelFile

# Facts have no pattern to meet: the first other value of a type will do, and one or two more.
_FACTS_TRIED = 3

# Fields of catalog entries that no plan depends on. Reports of starts, most of all facts, lead to findings only.
_WITHOUT_EFFECT = frozenset({"name", "id", "title", "note", "source", "sources", "unverified", "date", "start_reports"})


@dataclass(frozen=True, kw_only=True)
class StackInput:
    """Input of one stack: raw values without their namespace, and which came encrypted.

    `figures`: whether capacity and prices count, which outputs show and no resource depends on.
    """

    stack: str
    values: Mapping[str, Any]
    encrypted: frozenset[str]
    files: Mapping[str, ModelFile] = field(default_factory=dict)
    figures: bool = True

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog with the models of `files`."""
        settings = StackSettings.model_validate(self.values)
        return with_own_models(load_catalog(), settings, self.files, Findings())

    def plan(self, values: Mapping[str, Any] | None = None, catalog: Catalog | None = None) -> StackPlan | None:
        """The plan, even if findings forbid it. None if no plan can be made."""
        try:
            settings = StackSettings.model_validate(values if values is not None else self.values)
        except ValidationError:
            return None
        return plan_once(
            self.stack, settings, catalog or self.catalog, self.encrypted, Findings(), throughput=self.figures
        )


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A setting (`is_set` in the stack file, or a default) or a fact with its source. `value` is its present value."""

    name: str
    value: str
    is_set: bool = False
    source: str | None = None


@dataclass(frozen=True, kw_only=True)
class Input:
    """An origin with alternative values and the plans they lead to, likely ones first."""

    origin: Origin
    others: tuple[tuple[str, Change], ...] = field(repr=False)

    @property
    def is_fact(self) -> bool:
        """Whether the catalog holds the value, rather than the stack file."""
        return any(change.entry is not None for _, change in self.others)


@dataclass(frozen=True, kw_only=True)
class Change:
    """Another value for a setting, by its path, or for a fact, by the catalog's entry and the path inside it."""

    path: tuple[str | int, ...] = ()
    allowed_by: tuple[tuple[str | int, ...], ...] = ()
    entry: BaseModel | None = None
    value: Any = None


def plan_with(stack_input: StackInput, change: Change) -> StackPlan | None:
    if change.entry is None:
        values = copy.deepcopy(dict(stack_input.values))
        _set_at_path(values, change.path, change.value)
        for path in change.allowed_by:
            _set_at_path(values, path, True)
        return stack_input.plan(values)
    return plan_with_facts(stack_input, [change])


def plan_with_facts(stack_input: StackInput, changes: Sequence[Change]) -> StackPlan | None:
    """The plan with other values of several facts at once. None if no plan can be made with them."""
    entries: dict[int, tuple[BaseModel, BaseModel]] = {}
    for change in changes:
        if change.entry is not None:
            entry, changed = entries.get(id(change.entry), (change.entry, change.entry))
            entries[id(entry)] = (entry, _with_value(changed, change.path, change.value))
    full_catalog, engine = stack_input.catalog, load_engine()
    for entry, changed in entries.values():
        if isinstance(changed, Engine):
            engine = changed
        full_catalog = _catalog_with(full_catalog, entry, changed)
    try:
        with use_engine(engine):
            return stack_input.plan(catalog=full_catalog)
    except Exception:
        # A fact that cannot be true may break a plan anywhere; the next value will do.
        return None


def _with_value(part: Any, path: Sequence[str | int], value: object) -> Any:
    """A copy of a catalog entry, or of a part of it, with another value at a path."""
    if not path:
        return value
    first, remaining = path[0], path[1:]
    if isinstance(part, BaseModel):
        return part.model_copy(update={str(first): _with_value(getattr(part, str(first)), remaining, value)})
    if isinstance(part, Mapping):
        return {**part, first: _with_value(part[first], remaining, value)}
    index = int(first)
    return (*part[:index], _with_value(part[index], remaining, value), *part[index + 1 :])


def _catalog_with(catalog: Catalog, entry: BaseModel, changed: BaseModel) -> Catalog:
    """The catalog with one entry replaced."""

    def replaced(table: Any) -> Any:
        if table is entry:
            return changed
        return {key: replaced(value) for key, value in table.items()} if isinstance(table, Mapping) else table

    if isinstance(entry, Engine):
        return catalog
    prices = catalog.prices
    if not isinstance(entry, Price | PriceItem):
        for name in ("accelerators", "machines", "models", "releases"):
            table = getattr(catalog, name)
            key = next((key for key, value in table.items() if value is entry), None)
            if key is not None:
                tables: dict[str, Any] = {name: {**table, key: changed}}
                return replace(catalog, **tables)
        return catalog
    parts = {field.name: replaced(getattr(prices, field.name)) for field in fields(prices)}
    return replace(catalog, prices=replace(prices, **parts))


def inputs(stack_input: StackInput, *, facts: bool = True) -> Iterator[Input]:
    """Settings first, then facts. The stack's name is an input as well."""
    settings = StackSettings.model_validate(stack_input.values)
    yield from _settings(settings, stack_input.values)
    if not facts:
        return
    full_catalog = stack_input.catalog
    ctx = resolve_context(
        stack_input.stack,
        settings,
        full_catalog,
        Findings(),
        transfers_kv_cache=pattern_of(settings).transfers_kv_cache,
    )
    if ctx is None:
        return
    entries: list[tuple[str, str, BaseModel]] = [
        ("accelerators", ctx.accelerator.name, ctx.accelerator),
        ("machines", ctx.machine.name, ctx.machine),
        ("releases", ctx.release.name, ctx.release),
    ]
    cpu = full_catalog.machines.get(settings.cpu_pool.machine_type)
    if cpu is not None:
        entries.append(("machines", cpu.name, cpu))
    own = {model.id: model.config for model in settings.models if model.config is not None}
    for model_id in dict.fromkeys(model.id for model in settings.models):
        model = full_catalog.find_model(model_id)
        if model_id in own and model is not None:
            yield from _facts(f"{own[model_id]} {model_id}", model, f"the stack file's config: {own[model_id]}")
        elif model is not None:
            entries.append(("models", model.id, model))
    entries.append(("engine", "", load_engine()))
    for file, name, entry in entries:
        yield from _facts(
            f"llm_d_gke/catalog/{file}.yaml {name}".rstrip(),
            entry,
            _source(full_catalog.sources, entry),
            full_catalog.sources,
        )
    for name, price in _prices(ctx, settings.cpu_pool.machine_type) if stack_input.figures else ():
        yield from _facts(f"llm_d_gke/catalog/prices.yaml {name}", price, f"{price.source} ({price.date})")


def _prices(ctx: PlanContext, cpu_machine: str) -> Iterator[tuple[str, Price | PriceItem]]:
    """The prices that this stack may use, in its region."""
    catalog_prices = ctx.catalog.prices
    tables = (
        (catalog_prices.machines, (ctx.machine.name, cpu_machine)),
        (catalog_prices.accelerators, (ctx.accelerator.name,)),
    )
    for table, names in tables:
        for name in dict.fromkeys(names):
            for provisioning, price in table.get(name, {}).get(ctx.region, {}).items():
                yield f"{name} {ctx.region} {provisioning}", price
    yield from catalog_prices.items.items()


def _source(sources: Mapping[str, Source], entry: BaseModel) -> str | None:
    keys = getattr(entry, "sources", None) or ((entry.source,) if hasattr(entry, "source") else ())
    if isinstance(keys, Mapping):
        return None
    return "; ".join(sources[key].cited for key in keys if key in sources) or None


def _settings(settings: StackSettings, raw: Mapping[str, Any]) -> Iterator[Input]:
    for leaf in leaves(settings):
        # `extraArgs` need `allowExtraArgs`, which has no effect by itself.
        allowing = type(leaf.group).model_fields.get(f"allow_{leaf.name}")
        allowed = () if allowing is None else ((*leaf.path[:-1], allowing.alias or ""),)
        yield Input(
            origin=Origin(
                name=path_of(*leaf.path),
                value=leaf.display_text,
                is_set=value_at(raw, *leaf.path, default=MISSING) is not MISSING,
            ),
            others=tuple(
                (display_text(other), Change(path=leaf.path, value=other, allowed_by=allowed))
                for other in (*_other_names(leaf.path, leaf.value), *alternatives(leaf.info.annotation, leaf.value))
            ),
        )


def _other_names(path: tuple[str | int, ...], value: object) -> Iterator[str]:
    """Other values of settings that name an entry of the catalog: any other text would make no plan."""
    full_catalog = load_catalog()
    match path:
        case ("location",):
            yield from ("us-east1-c", "europe-west4-a", "us-central1")
        case ("release",):
            yield from (name for name in full_catalog.releases if name != value)
        case ("accelerator", "type"):
            yield from (name for name in full_catalog.accelerators if name != value)
        case ("accelerator" | "cpuPool", "machineType"):
            yield from (name for name in full_catalog.machines if name != value)
        case ("models", _, "id"):
            yield from itertools.islice((name for name in full_catalog.models if name != value), 3)


def _facts(
    where: str, entry: BaseModel, source: str | None, sources: Mapping[str, Source] | None = None
) -> Iterator[Input]:
    """Leaf by leaf, each with the source of the innermost part that names one of `sources`."""

    def walk(
        part: BaseModel, path: tuple[str | int, ...], source: str | None, sources: Mapping[str, Source]
    ) -> Iterator[Input]:
        own = getattr(part, "sources", None)
        sources = own if isinstance(own, Mapping) else sources
        source = _source(sources, part) or source
        for name, info in type(part).model_fields.items():
            if name in _WITHOUT_EFFECT:
                continue
            value, below = getattr(part, name), (*path, name)
            if isinstance(value, BaseModel):
                yield from walk(value, below, source, sources)
            elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
                for index, item in enumerate(value):
                    yield from walk(item, (*below, index), source, sources)
            else:
                yield _fact(where, entry, below, value, info.annotation, source)
                for key, figure in value.items() if isinstance(value, Mapping) else ():
                    if isinstance(figure, int | float):
                        yield _fact(where, entry, (*below, key), figure, type(figure), source)

    yield from walk(entry, (), source, sources or {})


def _fact(
    where: str, entry: BaseModel, path: tuple[str | int, ...], value: object, annotation: object, source: str | None
) -> Input:
    *above, last = path
    inside = isinstance(last, str) and isinstance(_value_at_path(entry, above), Mapping)
    name = _path_text(above) + f"[{last}]" if inside else _path_text(path)
    return Input(
        origin=Origin(name=f"{where} {name}", value=display_text(value), is_set=True, source=source),
        others=tuple(
            (display_text(alternative), Change(entry=entry, path=path, value=_frozen(alternative)))
            for alternative in itertools.islice(alternatives(annotation, value), _FACTS_TRIED)
        ),
    )


def _value_at_path(part: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        part = getattr(part, str(step)) if isinstance(part, BaseModel) else part[step]
    return part


def _path_text(path: Sequence[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _set_at_path(values: Any, path: tuple[str | int, ...], value: object) -> None:
    target = values
    for part, following in itertools.pairwise(path):
        if isinstance(target, list):
            target = target[int(part)]
        else:
            target = target.setdefault(part, [] if isinstance(following, int) else {})
    target[path[-1]] = value
