"""Loads the YAML files of the catalog. The files use shorthands, which this module expands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from .catalog import Catalog
from .errors import CatalogError
from .pickers import Picker
from .price_entries import Price, PriceItem
from .prices import Prices, Rates
from .reading import problems, read_yaml
from .release import Release
from .schema import Accelerator, MachineType, Model, Provisioning, Source

FOLDER = Path(__file__).parent
_ORDER: tuple[Provisioning, ...] = ("on-demand", "spot", "flex-start", "reserved")

Tree = dict[str, Any]
Item = TypeVar("Item", bound=BaseModel)


def load_catalog(folder: Path = FOLDER) -> Catalog:
    """Read and validate every file of a catalog folder. Raises CatalogError."""
    files = {
        name: _read(folder, name) for name in ("accelerators", "machines", "models", "pickers", "prices", "releases")
    }
    sources = _sources(files)
    machines = _validated("machines", MachineType, _machines(files["machines"]))
    catalog = Catalog(
        accelerators=_validated("accelerators", Accelerator, _accelerators(files["accelerators"])),
        machines=machines,
        models=_validated("models", Model, _models(files["models"], sources)),
        pickers=_validated("pickers", Picker, _pickers(files["pickers"])),
        prices=_prices(files["prices"], sources, machines),
        sources=sources,
        releases=_validated("releases", Release, _releases(files["releases"])),
    )
    _check_references(catalog)
    return catalog


def _read(folder: Path, name: str) -> Tree:
    try:
        tree = read_yaml(folder / f"{name}.yaml")
    except (OSError, yaml.YAMLError) as error:
        raise CatalogError(f"{name}.yaml: {error}") from error
    if not isinstance(tree, dict):
        raise CatalogError(f"{name}.yaml: expected a mapping at the top")
    return tree


def _validated(file: str, kind: type[Item], entries: Iterable[tuple[str, Tree]]) -> dict[str, Item]:
    items: dict[str, Item] = {}
    for name, entry in entries:
        try:
            items[name] = kind.model_validate(entry)
        except ValidationError as error:
            raise CatalogError(f"{file}.yaml: {name}: {problems(error)}") from error
    return items


def _sources(files: Mapping[str, Tree]) -> dict[str, Source]:
    """All files' sources in one table. A key means the same in every file."""
    merged: dict[str, Source] = {}
    for file, tree in files.items():
        for key, source in _validated(file, Source, tree.get("sources", {}).items()).items():
            if merged.setdefault(key, source) != source:
                raise CatalogError(f"{file}.yaml: sources: {key}: another file gives this key another meaning")
    return merged


def _accelerators(tree: Tree) -> Iterator[tuple[str, Tree]]:
    for name, entry in tree["accelerators"].items():
        for region, text in entry["zones"].items():
            if not isinstance(text, str):
                raise CatalogError(
                    f"accelerators.yaml: {name}: zones: {region}: write letters, for example {region}: abc"
                )
        zones = tuple(f"{region}-{zone}" for region, text in entry["zones"].items() for zone in _zone_suffixes(text))
        yield name, {**entry, "name": name, "zones": zones}


def _zone_suffixes(text: str) -> Iterator[str]:
    """Zones of a region: "abc ai1a" is a, b, c and ai1a."""
    for part in text.split():
        yield from (part if part.isalpha() else [part])


def _machines(tree: Tree) -> Iterator[tuple[str, Tree]]:
    """A family's shared fields, then each machine's "vcpus, memory, accelerators, own fields"."""
    for family, entry in tree["families"].items():
        shared = {key: value for key, value in entry.items() if key != "machines"}
        for name, (vcpus, memory, *rest) in entry["machines"].items():
            own = rest.pop() if rest and isinstance(rest[-1], dict) else {}
            size = {"name": name, "family": family, "vcpus": vcpus, "memory_gib": memory}
            yield name, {**shared, **size, "accelerator_count": rest[0] if rest else 0, **own}


def _models(tree: Tree, sources: Mapping[str, Source]) -> Iterator[tuple[str, Tree]]:
    """Resolve `like`, and fill what most models share."""
    written: dict[str, Tree] = tree["models"]
    defaults = {"dtype": "bfloat16", "tied_embeddings": False, "gated": False}
    for name, entry in written.items():
        merged = entry
        while "like" in merged:
            base_name = merged["like"]
            if base_name not in written or base_name == name:
                raise CatalogError(f"models.yaml: {name}: like: no model {base_name}")
            # A commit is one of the base's own repository.
            base = {key: value for key, value in written[base_name].items() if key not in ("revision", "unpinned")}
            merged = {**base, **{key: value for key, value in merged.items() if key != "like"}}
        kind = "mla" if merged.get("mla") else "full"
        defaults["attention"] = [{"kind": kind, "layers": merged.get("layers")}]
        source = sources.get(merged.get("source", ""))
        yield name, {**defaults, "date": source and source.date, **merged, "id": name}


def _releases(tree: Tree) -> Iterator[tuple[str, Tree]]:
    for name, entry in tree.items():
        if name not in ("date", "sources"):
            yield name, {**entry, "name": name, "as_of": tree["date"]}


def _pickers(tree: Tree) -> Iterator[tuple[str, Tree]]:
    """Plugins are grouped by kind and keyed by type. The value is empty, the shape of the parameters, or a whole entry.

    `like` takes another picker's entry, `without` leaves plugins of it out, and `plugins` then adds some.
    """
    pickers: dict[str, Tree] = {}
    for name, written in tree.items():
        if name in ("date", "sources"):
            continue
        entry = written
        plugins: dict[str, Tree] = {}
        if "like" in written:
            if written["like"] not in pickers:
                raise CatalogError(f"pickers.yaml: {name}: like: no picker {written['like']} before it")
            base = pickers[written["like"]]
            removed = set(written.get("without", ()))
            if removed - base["plugins"].keys():
                raise CatalogError(
                    f"pickers.yaml: {name}: without: {', '.join(sorted(removed - base['plugins'].keys()))}"
                )
            plugins = {key: plugin for key, plugin in base["plugins"].items() if key not in removed}
            entry = {**base, "plugins": {}} | {k: v for k, v in written.items() if k not in ("like", "without")}
        for kinds, group in entry["plugins"].items():
            for plugin, written in group.items():
                own = written if isinstance(written, dict) else {"parameters": written} if written else {}
                plugins[plugin] = {"type": plugin, "kinds": kinds.split("+"), "stability": entry["stability"], **own}
        pickers[name] = {**entry, "plugins": plugins}
        rest = {key: value for key, value in entry.items() if key != "stability"}
        yield name, {**rest, "name": name, "plugins": plugins}


def _prices(tree: Tree, sources: Mapping[str, Source], types: Mapping[str, MachineType]) -> Prices:
    machines = _rates(tree["machines"], sources)
    for name, (base, factor) in tree["multiples"].items():
        scaled = {
            region: {how: price.model_copy(update={"hourly": price.hourly * factor}) for how, price in rates.items()}
            for region, rates in machines[base].items()
        }
        machines[name] = {**scaled, **machines.get(name, {})}
    accelerators = _rates(tree["attached"], sources) | _rates(tree["chips"], sources)
    items = (
        (name, {**entry, "date": sources[entry["source"]].date, "source": sources[entry["source"]].citation})
        for name, entry in tree["items"].items()
    )
    return Prices(
        machines=machines, accelerators=accelerators, items=_validated("prices", PriceItem, items), types=types
    )


def _rates(table: Tree, sources: Mapping[str, Source]) -> dict[str, dict[str, Rates]]:
    """source -> name -> region -> "on-demand / spot / flex-start". The first source with a region applies."""
    rates_by_name: dict[str, dict[str, Rates]] = {}
    for key, names in table.items():
        source = sources.get(key)
        if source is None or source.date is None:
            raise CatalogError(f"prices.yaml: {key}: no such source, or it has no date")
        for name, regions in names.items():
            for region, text in regions.items():
                try:
                    hourly = [None if part.strip() == "-" else float(part) for part in str(text).split("/")]
                except ValueError as error:
                    raise CatalogError(f"prices.yaml: {name}: {region}: {text!r}: expected numbers and /") from error
                rates: Rates = {
                    how: Price(hourly=value, date=source.date, source=source.citation)
                    for how, value in zip(_ORDER, hourly, strict=False)
                    if value is not None
                }
                rates_by_name.setdefault(name, {}).setdefault(region, rates)
    return rates_by_name


def _check_references(catalog: Catalog) -> None:
    """Check references to other entries, which no single entry can check."""
    hardware: list[Accelerator | MachineType] = [*catalog.accelerators.values(), *catalog.machines.values()]
    for entry in hardware:
        for key in entry.sources:
            if key not in catalog.sources:
                raise CatalogError(f"{entry.name}: no source {key}")
        for field in entry.unverified:
            if field not in type(entry).model_fields:
                raise CatalogError(f"{entry.name}: unverified: no field {field}")
        doubtful = [key for key in entry.sources if not catalog.sources[key].verified]
        if doubtful and not entry.unverified:
            raise CatalogError(
                f"{entry.name}: unverified: list the figures that come from {', '.join(doubtful)}, which is not a"
                " verified source"
            )
        if entry.unverified and not doubtful:
            raise CatalogError(
                f"{entry.name}: sources: add the unverified source of {', '.join(entry.unverified)}, for example"
                " general"
            )
    for machine in catalog.machines.values():
        for accelerator in (machine.accelerator, *machine.attachable):
            if accelerator is not None and accelerator not in catalog.accelerators:
                raise CatalogError(f"machines.yaml: {machine.name}: no accelerator {accelerator}")
    for model in catalog.models.values():
        if model.source not in catalog.sources:
            raise CatalogError(f"models.yaml: {model.id}: no source {model.source}")
    for release in catalog.releases.values():
        if release.picker.build not in catalog.pickers:
            raise CatalogError(
                f"releases.yaml: {release.name}: picker.build: add an entry {release.picker.build} to pickers.yaml;"
                " `like:` takes the plugins of another one"
            )
        for substitute in release.substitute_pickers:
            if substitute not in catalog.releases or substitute == release.name:
                raise CatalogError(f"releases.yaml: {release.name}: substitute_pickers: no other release {substitute}")
    names = catalog.machines.keys() | catalog.accelerators.keys()
    for name in (*catalog.prices.machines, *catalog.prices.accelerators):
        if name not in names:
            raise CatalogError(f"prices.yaml: {name}: no such machine type or accelerator")
