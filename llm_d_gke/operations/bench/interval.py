"""95 % confidence intervals that assume no distribution of the times."""

from __future__ import annotations

import math
from collections.abc import Sequence

_Z = 1.959964  # 97.5 % of the normal distribution
# Below six values no pair of order statistics holds the median with 95 %.
LEAST = 6


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the median by order statistics (the sign test turned round). None for too few values."""
    ordered = sorted(values)
    count = len(ordered)
    if count < LEAST:
        return None
    # The largest rank below which at most 2.5 % of a fair binomial lies.
    cumulative, rank = 0.0, 0
    for successes in range(count):
        cumulative += math.exp(
            math.lgamma(count + 1)
            - math.lgamma(successes + 1)
            - math.lgamma(count - successes + 1)
            - count * math.log(2)
        )
        if cumulative > 0.025:
            rank = successes
            break
    return ordered[max(rank - 1, 0)], ordered[min(count - rank, count - 1)]


def share_interval(successes: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if count == 0:
        return 0.0, 1.0
    share, square = successes / count, _Z * _Z
    middle = share + square / (2 * count)
    spread = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return max(0.0, (middle - spread) / (1 + square / count)), min(1.0, (middle + spread) / (1 + square / count))
