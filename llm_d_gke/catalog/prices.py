"""Prices as data: what is not known stays None, so that a planner prints "unknown" and never a guess."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from .price_entries import Price, PriceItem
from .schema import MachineType, Provisioning

Rates = Mapping[Provisioning, Price]  # of one machine or accelerator in one region


@dataclass(frozen=True, kw_only=True)
class OwnPrices:
    """Prices of one region in place of the table's, in USD: by the hour, and of items by their unit."""

    region: str
    date: datetime.date
    source: str
    machines: Mapping[str, Mapping[Provisioning, float]]
    accelerators: Mapping[str, Mapping[Provisioning, float]]
    items: Mapping[str, float]


@dataclass(frozen=True)
class Prices:
    """Hourly prices in USD, by region: of whole machines, and of one attached GPU or one TPU chip."""

    machines: Mapping[str, Mapping[str, Rates]]
    accelerators: Mapping[str, Mapping[str, Rates]]
    items: Mapping[str, PriceItem]
    types: Mapping[str, MachineType]

    def machine(
        self,
        machine: str,
        region: str,
        provisioning: Provisioning = "on-demand",
        attached: tuple[str, int] | None = None,
    ) -> Price | None:
        """Price of one whole machine per hour, or None when any part of it is unknown.

        `attached` is an accelerator and its count for machine types that take one (n1). A TPU machine costs its chips.
        The date of a sum is the older of its parts.
        """
        listed = self.types.get(machine)
        if listed is not None and listed.accelerator is not None and listed.topologies:
            chip = self.accelerator(listed.accelerator, region, provisioning)
            return None if chip is None else chip.model_copy(update={"hourly": chip.hourly * listed.accelerator_count})
        base = self.machines.get(machine, {}).get(region, {}).get(provisioning)
        if base is None or attached is None:
            return base
        name, count = attached
        accelerator_price = self.accelerator(name, region, provisioning)
        if accelerator_price is None:
            return None
        sources = (
            base.source if base.source == accelerator_price.source else f"{base.source}; {accelerator_price.source}"
        )
        return Price(
            hourly=base.hourly + count * accelerator_price.hourly,
            date=min(base.date, accelerator_price.date),
            source=sources,
        )

    def accelerator(self, accelerator: str, region: str, provisioning: Provisioning = "on-demand") -> Price | None:
        """Price of one attached GPU or one TPU chip (its share of the host included) per hour."""
        return self.accelerators.get(accelerator, {}).get(region, {}).get(provisioning)

    def item(self, name: str) -> PriceItem | None:
        """Anything else with a price: the cluster fee, addresses, disks, traffic."""
        return self.items.get(name)

    def replaced(self, own: OwnPrices) -> Prices:
        """The same table with some prices of a region in place of what it holds. Raises KeyError on unknown items."""

        def laid_over(
            table: Mapping[str, Mapping[str, Rates]], rates: Mapping[str, Mapping[Provisioning, float]]
        ) -> dict[str, Mapping[str, Rates]]:
            merged = dict(table)
            for name, overrides in rates.items():
                new = {how: Price(hourly=usd, date=own.date, source=own.source) for how, usd in overrides.items()}
                base = merged.get(name, {})
                merged[name] = {**base, own.region: {**base.get(own.region, {}), **new}}
            return merged

        changed = {
            name: self.items[name].model_copy(update={"usd": usd, "date": own.date, "source": own.source, "note": None})
            for name, usd in own.items.items()
        }
        return Prices(
            machines=laid_over(self.machines, own.machines),
            accelerators=laid_over(self.accelerators, own.accelerators),
            items={**self.items, **changed},
            types=self.types,
        )
