"""Tables of the catalog for a terminal of 80 columns."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.table import Table

from llm_d_gke.catalog import Catalog, download_gib
from llm_d_gke.catalog import load as load_catalog
from llm_d_gke.catalog.schema import Provisioning, region_of
from llm_d_gke.cli.drawing import drawn
from llm_d_gke.cli.exits import DONE, REFUSED
from llm_d_gke.operations.catalog_tables.kind import Kind
from llm_d_gke.planning.setting_errors.words import region_meant
from llm_d_gke.planning.suggest import letters, nearest
from llm_d_gke.wording import wrapped

Row = tuple[str, ...]
_WAYS: tuple[Provisioning, ...] = ("on-demand", "spot")
_PRICED = "Dollars an hour of a whole machine, in its cheapest region; - where it is not sold so, or no price is known."
_NOTES = {
    Kind.MODELS: "GiB: of the weights, to download. context: tokens.",
    Kind.ACCELERATORS: f"{_PRICED} Of an accelerator: its cheapest machine.",
    Kind.MACHINES: f"{_PRICED} With one accelerator where up to several are attached.",
}
# Columns of numbers.
_RIGHT = ("GiB", "context", "vCPUs", "zones", "on-demand", "spot")


def print_catalog(kind: Kind, search: str | None) -> int:
    """Print the entries of one kind in which every word of `search` occurs. Return the exit status."""
    every = tables(load_catalog())
    head, rows = every[kind]
    words = (search or "").lower().split()
    matching = [row for row in rows if _holds(row, words)]
    if kind is Kind.ZONES:
        # `t4` also occurs in us-west4-c.
        matching = [row for row in matching if all(re.search(rf"\b{re.escape(word)}", _line(row)) for word in words)]
    elif not matching:
        # `qwen-3-8b` is in Qwen3-8B, once their signs count for nothing.
        spelled = [text for word in words if (text := letters(word))]
        matching = [row for row in rows if spelled and all(text in letters(row[0]) for text in spelled)]
    if not matching:
        close = nearest(search or "", {part for row in rows for part in (row[0], *re.split("[/_-]", row[0]))}, 0.75)
        if kind is Kind.ZONES:
            close = region_meant(search or "") or close
        # Accelerators are looked for among models, which are listed without KIND.
        elsewhere = [other for other, (_, listed) in every.items() if any(_holds(row, words) for row in listed)]
        question = f". Did you mean {close}?" if close is not None else ""
        if elsewhere:
            question = f". There are {elsewhere[0]} with it: make catalog KIND={elsewhere[0]} FIND='{search}'"
        print(wrapped(f"no {kind} with {search!r}; {len(rows)} without a search{question}"))
        return REFUSED
    # `qwen 3` also occurs in Qwen2.5-3B and Qwen-32B.
    together = re.compile("[-_. ]?".join(map(re.escape, words)) + r"(?!\d)")
    matching.sort(key=lambda row: together.search(row[0].lower()) is None)
    print(_text(head, matching))
    if note := _NOTES.get(kind):
        print(wrapped(f"\n{note}"))
    return DONE


def _holds(row: Row, words: Sequence[str]) -> bool:
    return all(word in _line(row) for word in words)


def _line(row: Row) -> str:
    return " ".join(row).lower()


def tables(catalog: Catalog) -> dict[Kind, tuple[Row, list[Row]]]:
    makers: dict[Kind, tuple[Row, Callable[[Catalog], Iterator[Row]]]] = {
        Kind.MODELS: (("model", "GiB", "context", "license"), _models),
        Kind.ACCELERATORS: (("accelerator", "name", "memory", "zones", "on-demand", "spot"), _accelerators),
        Kind.ZONES: (("zone", "accelerators"), _zones),
        Kind.MACHINES: (("machine", "vCPUs", "memory", "accelerators", "on-demand", "spot"), _machines),
        Kind.RELEASES: (("release", "GPU engine", "TPU engine", "runs locally"), _releases),
    }
    return {kind: (head, list(make(catalog))) for kind, (head, make) in makers.items()}


def _models(catalog: Catalog) -> Iterator[Row]:
    for model in catalog.models.values():
        size = download_gib(model)
        digits = 1 if size < 100 else 0
        yield model.id, f"{size:,.{digits}f}", f"{model.context:,}", "gated" if model.gated else "open"


def _accelerators(catalog: Catalog) -> Iterator[Row]:
    for accelerator in catalog.accelerators.values():
        machines = catalog.machines_for(accelerator.name)
        prices = [
            _lowest_price(price for machine in machines for price in _prices(catalog, machine.name, way))
            for way in _WAYS
        ]
        memory = f"{accelerator.nominal_gib:g} GB"
        yield accelerator.name, accelerator.title, memory, str(len(accelerator.zones)), *prices


def _zones(catalog: Catalog) -> Iterator[Row]:
    offered: defaultdict[str, list[str]] = defaultdict(list)
    for accelerator in catalog.accelerators.values():
        for zone in accelerator.zones:
            offered[zone].append(accelerator.name)
    for zone in sorted(offered):
        yield zone, ", ".join(offered[zone])


def _machines(catalog: Catalog) -> Iterator[Row]:
    for machine in catalog.machines.values():
        if machine.accelerator is not None:
            accelerators = f"{machine.accelerator_count * machine.accelerator_share:g} {machine.accelerator}"
        else:
            accelerators = (
                ", ".join(f"up to {max(counts)} {name}" for name, counts in machine.attachable.items()) or "-"
            )
        memory = f"{machine.memory_gib:g} GiB"
        prices = [_lowest_price(_prices(catalog, machine.name, way)) for way in _WAYS]
        yield machine.name, str(machine.vcpus), memory, accelerators, *prices


def _releases(catalog: Catalog) -> Iterator[Row]:
    for release in catalog.releases.values():
        gpu, tpu = release.engine.gpu, release.engine.tpu
        yield (
            release.name,
            "-" if gpu is None else str(gpu.version),
            "-" if tpu is None else str(tpu.version),
            release.substitute_pickers[0] if release.substitute_pickers else "its own",
        )


def _prices(catalog: Catalog, machine: str, way: Provisioning) -> Iterator[float]:
    """Prices in all regions of a whole machine, with one accelerator where they are attached. None if not sold so."""
    entry = catalog.machines[machine]
    if way == "on-demand" and not entry.on_demand_ok:
        return
    attached = next(((name, min(counts)) for name, counts in entry.attachable.items()), None)
    regions = {region_of(zone) for accelerator in catalog.accelerators.values() for zone in accelerator.zones}
    for region in regions:
        price = catalog.prices.machine(machine, region, way, attached)
        if price is not None:
            yield price.hourly


def _lowest_price(prices: Iterable[float]) -> str:
    lowest = min(prices, default=None)
    return "-" if lowest is None else f"${lowest:,.2f}"


def _text(head: Row, rows: Iterable[Row]) -> str:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, name in enumerate(head):
        # A broken number would be read as two.
        number = name in _RIGHT
        table.add_column(name, overflow="fold", no_wrap=index == 0 or number, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    return drawn(table)
