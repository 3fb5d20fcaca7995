"""The clock of measurements, and medians of several runs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

from llm_d_gke.cli.markdown import print_row


def timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds that `work` takes by a clock."""
    began = clock()
    work()
    return clock() - began


# The columns of `print_median`.
MEDIAN_COLUMNS = ("median", "least", "runs")


def print_median(name: str, values: Sequence[float], unit: str = "s") -> None:
    """One row: the median and the least of several runs, and their number."""
    print_row(name, f"{statistics.median(values):.2f} {unit}", f"{min(values):.2f} {unit}", len(values))
