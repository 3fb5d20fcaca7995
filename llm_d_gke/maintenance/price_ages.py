"""Prints how old the prices of each stack are: `python -m llm_d_gke.maintenance.price_ages [--days N]`.

A stack's price is as old as the oldest price in it (catalog/prices.yaml has a date for each source). Exit status 1
if one is older than that many days. The nightly workflow runs it: prices move, and nothing else would say so.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Iterator
from pathlib import Path

from llm_d_gke.planning import RefusedError, plan_config
from llm_d_gke.stackfile import PROJECT_ROOT
from llm_d_gke.stackfile.assumptions import load_assumed
from llm_d_gke.stackfile.project import own_stacks


def price_ages(root: Path, today: datetime.date) -> Iterator[tuple[str, int | None]]:
    """Yields each stack of a folder with the age of its oldest price in days, None without any price or plan."""
    for stack in own_stacks(root):
        config = load_assumed(stack, root=root)
        try:
            date = plan_config(stack, config).cost.date
        except RefusedError:
            date = ""
        yield stack, (today - datetime.date.fromisoformat(date)).days if date else None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=180, help="the age above which a price counts as old")
    options = parser.parse_args(arguments)
    old = 0
    for stack, days in price_ages(PROJECT_ROOT, datetime.datetime.now(datetime.UTC).date()):
        text = "no price is known" if days is None else f"oldest price {days} days old"
        is_old = days is not None and days > options.days
        old += is_old
        print(f"{stack}: {text}{': look at catalog/prices.yaml' if is_old else ''}")
    return int(old > 0)


if __name__ == "__main__":
    sys.exit(main())
