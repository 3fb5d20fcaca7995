"""Times with more replicas than the minimum: their number, and starts and ends that belong together."""

from __future__ import annotations

import datetime
import functools
import heapq
from itertools import islice, pairwise

from llm_d_gke.planning.findings import Findings
from llm_d_gke.settings.autoscaling import AutoscalingSettings, CronSchedule

# Two years from a Monday on, so that each day of a leap year and each turn of a year is in them.
_FIRST_DAY, _DAYS = datetime.date(2028, 1, 3), 731
# Bounds the time for windows of minutes. Wrong ones are found among the first.
_MOST_TIMES = 20_000


def check_windows(autoscaling: AutoscalingSettings, path: tuple[str | int, ...], findings: Findings) -> None:
    """Findings about windows that KEDA refuses, that have no effect, or that last longer or shorter than they read."""
    for number, window in enumerate(autoscaling.windows):
        place = (*path, number)
        if not autoscaling.minimum < window.replicas <= autoscaling.maximum:
            findings.error(
                "LLMD-AUTOSCALING-WINDOW",
                *place,
                "replicas",
                case="replicas",
                value=window.replicas,
                minimum=autoscaling.minimum,
                maximum=autoscaling.maximum,
            )
        if window.start == window.end:
            findings.error("LLMD-AUTOSCALING-WINDOW", *place, "end", case="empty", value=window.end)
        elif (effect := _unpaired(window.start, window.end)) is not None:
            findings.warning("LLMD-AUTOSCALING-WINDOW-PAIRS", *place, "end", value=window.end, effect=effect)


# Two years of times take longer than the rest of a plan, and some commands plan a stack many times.
@functools.lru_cache(maxsize=64)
def _unpaired(start: str, end: str) -> str | None:
    """What the first start or end without a partner leads to; None if they alternate.

    KEDA keeps no record of a start: it is inside a window while the next end comes no later than the next start
    (kedacore/keda pkg/scalers/cron_scaler.go).
    """
    starts, ends = CronSchedule.of(start), CronSchedule.of(end)
    times = heapq.merge(
        ((time, "start") for time in starts.times(_FIRST_DAY, _DAYS)),
        ((time, "end") for time in ends.times(_FIRST_DAY, _DAYS)),
    )
    for (earlier, kind), (later, next_kind) in pairwise(islice(times, _MOST_TIMES)):
        period = f"from {_name(earlier)} to {_name(later)}"
        if earlier == later:
            return f"a start and an end fall on {_name(later)}, and KEDA counts the time before them as inside"
        if kind == next_kind == "end":
            return f"no start lies between two ends, so that the window's replicas stay {period} as well"
        if kind == next_kind:
            return f"no end lies between two starts, so that the window is not open {period}"
    return None


def _name(time: datetime.datetime) -> str:
    return f"{time:%A %H:%M}"
