"""Prices that replace those of the catalog: contract prices, or prices that are not published."""

import datetime
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from llm_d_gke.settings.base import Settings, form, listed_once, refusal

Usd = Annotated[float, Field(ge=0, le=10_000)]


class Rates(Settings):
    """Dollars an hour, by provisioning model. Prices that are not set come from the catalog."""

    on_demand: Annotated[Usd | None, Field(description="Pay as you go.")] = None
    spot: Annotated[Usd | None, Field(description="May be taken away at any time.")] = None
    flex_start: Annotated[Usd | None, Field(description="Dynamic Workload Scheduler, flex-start.")] = None
    reserved: Annotated[Usd | None, Field(description="With a committed-use discount, the commitment's share.")] = None

    @model_validator(mode="after")
    def _any(self) -> Self:
        if not self.model_fields_set:
            raise refusal(
                "LLMD-PRICE-EMPTY",
                "no price is given",
                "set onDemand, spot, flexStart or reserved, for example onDemand: 0.71",
            )
        return self


def _not_in_future(day: datetime.date) -> datetime.date:
    # A day of any time zone.
    if day > datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1):
        raise refusal(
            "LLMD-PRICE-DATE",
            "prices are dated by the day on which they were read, and this day is to come",
            "use the day on which the prices were read",
        )
    return day


class PriceSettings(Settings):
    """Prices in US dollars that replace the catalog's, in the region of the stack."""

    date: Annotated[
        datetime.date,
        AfterValidator(_not_in_future),
        Field(description="Day of these prices; printed beside every figure they go into."),
    ]
    source: Annotated[
        str, Field(min_length=1, max_length=200, description="Source of the prices.", examples=["our contract of 2026"])
    ] = "the stack's own"
    machines: Annotated[
        Mapping[str, Rates],
        Field(description="Whole machine and hour, by machine type; without attached accelerators."),
    ] = {}
    accelerators: Annotated[
        Mapping[str, Rates],
        Field(description="One attached GPU, or one TPU chip with its share of the host, and hour."),
    ] = {}
    items: Annotated[
        Mapping[str, Usd],
        Field(description="Everything else, by the catalog's name of it: cluster, nat-gateway, hyperdisk-balanced ..."),
    ] = {}


class BudgetSettings(Settings):
    """A ceiling on what the stack may cost with every node pool at its largest."""

    max_monthly_usd: Annotated[
        float, Field(gt=0, le=100_000_000, description="US dollars a month of 730 hours.", examples=[5000])
    ]
    billing_account: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$",
            description="Billing account, in US dollars, that gets a budget of this amount: Google then reports"
            " spending of the stack's labels at notifyAt. It stops nothing.",
            examples=["012345-6789AB-CDEF01"],
            json_schema_extra=form("the id of a billing account: gcloud billing accounts list"),
        ),
    ] = None
    notify_at: Annotated[
        tuple[Annotated[float, Field(gt=0, le=10)], ...],
        listed_once(),
        Field(min_length=1, max_length=8, description="Shares of the amount at which spending is reported."),
    ] = (0.5, 0.9, 1.0)
