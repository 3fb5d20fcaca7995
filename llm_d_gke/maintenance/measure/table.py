"""Rows of the tables that measurements print, and the clock."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds that `work` takes by a clock."""
    began = clock()
    work()
    return clock() - began


def print_row(name: str, values: Sequence[float], unit: str = "s") -> None:
    """One row: the median and the least of several runs, and their number."""
    cells = (name, f"{statistics.median(values):.2f} {unit}", f"{min(values):.2f} {unit}", str(len(values)))
    print(f"| {' | '.join(cells)} |", flush=True)


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """The median of the ratios of pairs. Two sides that take turns meet the same load of the machine."""
    return statistics.median(
        numerator / denominator for numerator, denominator in zip(numerators, denominators, strict=True)
    )
