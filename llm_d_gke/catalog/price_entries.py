"""Prices as the catalog holds them, in USD."""

import datetime

from .schema import Entry


class Price(Entry):
    """`hourly` is USD per hour for the entry: a whole machine, or one accelerator."""

    hourly: float
    date: datetime.date
    source: str  # citation, ready to print


class PriceItem(Entry):
    """A price that is not a machine's, per `unit`: "hour", "gib", "gib-month", "month", "million samples"."""

    usd: float | None  # None: sources disagree or say nothing
    unit: str
    free: float = 0.0  # units that cost nothing (per month where the unit is not an hour)
    date: datetime.date
    source: str
    note: str | None = None
