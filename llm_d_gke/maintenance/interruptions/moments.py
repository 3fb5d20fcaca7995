"""Random moments of an operation, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Operation = Literal["up", "destroy"]
Victim = Literal["engine", "command"]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When an operation is killed: `share` of its duration after its begin, from 0 to 1.

    `victim` is the engine alone (Pulumi's CLI), or the whole command: engine, language host, providers.
    """

    number: int
    operation: Operation
    victim: Victim
    share: float


def moments(total: int, seed: int) -> Iterator[Moment]:
    """Yields `total` moments: each operation and each victim in turn, the shares spread over the whole duration.

    The duration is divided into as many parts as an operation has moments, and each part holds one.
    """
    shares: Mapping[Operation, list[float]] = {
        "up": _spread((total + 1) // 2, seed),
        "destroy": _spread(total // 2, seed + 1),
    }
    for number in range(total):
        operation: Operation = "destroy" if number % 2 else "up"
        victim: Victim = "command" if number // 2 % 2 else "engine"
        yield Moment(number=number, operation=operation, victim=victim, share=shares[operation][number // 2])


def _spread(count: int, seed: int) -> list[float]:
    generator = random.Random(seed)  # noqa: S311 - moments, no secrets
    shares = [(part + generator.random()) / count for part in range(count)]
    generator.shuffle(shares)
    return shares
