"""The catalog's prices with the stack's own in their place."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from llm_d_gke.catalog.prices import OwnPrices, Prices
from llm_d_gke.catalog.schema import Provisioning
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.setting_errors.values import flow
from llm_d_gke.planning.suggest import nearest
from llm_d_gke.settings import accelerator as settings
from llm_d_gke.settings.prices import Rates


def billed(provisioning: settings.Provisioning) -> Provisioning:
    """Queued nodes are sold as flex-start. A reservation costs what on-demand does: only a commitment is cheaper."""
    return "flex-start" if provisioning == "queued" else provisioning


def check_prices(ctx: PlanContext) -> None:
    """A price of something that the catalog does not know is an error."""
    own = ctx.settings.prices
    if own is None:
        return
    names: dict[str, tuple[Mapping[str, Rates | float], Collection[str]]] = {
        "machines": (own.machines, ctx.catalog.machines),
        "accelerators": (own.accelerators, ctx.catalog.accelerators),
        "items": (own.items, ctx.catalog.prices.items),
    }
    for group, (own_prices, accepted) in names.items():
        for name in own_prices:
            if name not in accepted:
                ctx.error(
                    "LLMD-PRICE-NAME",
                    "prices",
                    group,
                    name,
                    value=_price_text(own_prices[name]),
                    fix=_other_name(name, group, accepted),
                )


def prices_of(ctx: PlanContext) -> Prices:
    """Prices of the stack's region, without those of items that the catalog does not know."""
    stack_prices, catalog_prices = ctx.settings.prices, ctx.catalog.prices
    if stack_prices is None:
        return catalog_prices
    own = OwnPrices(
        region=ctx.region,
        date=stack_prices.date,
        source=stack_prices.source,
        machines={name: _rates(rates) for name, rates in stack_prices.machines.items()},
        accelerators={name: _rates(rates) for name, rates in stack_prices.accelerators.items()},
        items={name: usd for name, usd in stack_prices.items.items() if name in catalog_prices.items},
    )
    return catalog_prices.replaced(own)


def _rates(rates: Rates) -> Mapping[Provisioning, float]:
    by_way: dict[Provisioning, float | None] = {
        "on-demand": rates.on_demand,
        "spot": rates.spot,
        "flex-start": rates.flex_start,
        "reserved": rates.reserved,
    }
    return {way: usd for way, usd in by_way.items() if usd is not None}


def _price_text(price: Rates | float) -> str:
    return flow(price if isinstance(price, float) else price.model_dump(by_alias=True, exclude_unset=True))


def _other_name(name: str, group: str, accepted: Collection[str]) -> str:
    close = nearest(name, accepted)
    if group == "items":
        return f"use one of {', '.join(accepted)}"
    return f"did you mean {close}?" if close else f"use a name that make catalog KIND={group} lists"
