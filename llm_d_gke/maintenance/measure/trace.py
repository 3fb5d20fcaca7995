"""The prompts of a trace: groups with a common beginning, and popularity by Zipf's law."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

_WORDS = ("time", "year", "people", "way", "day", "man", "thing", "life", "world", "school", "state", "hand")


@dataclass(frozen=True)
class Trace:
    """Group of each prompt, in the order in which they are sent, and words of the common beginnings."""

    groups: tuple[int, ...]
    words: int

    @classmethod
    def drawn(cls, groups: int, exponent: float, prompts: int, words: int, seed: int) -> Trace:
        """Draw by Zipf's law: the frequency of the group of rank r is r ** -exponent times that of the first."""
        chance = random.Random(seed)  # noqa: S311 - a workload, no secret
        weights = [(rank + 1) ** -exponent for rank in range(groups)]
        return cls(tuple(chance.choices(range(groups), weights, k=prompts)), words)

    def prompt(self, number: int) -> str:
        """A prefix shared by the group, and a question of this prompt only."""
        group = self.groups[number]
        words = random.Random(group)  # noqa: S311
        beginning = " ".join(words.choice(_WORDS) for _ in range(self.words))
        return f"group {group}: {beginning} Question {number}?"

    def partition(self, parts: int) -> dict[int, int]:
        """The replica of each group for a router that knows the trace: no prefix twice, the same load everywhere."""
        load = [0] * parts
        assigned: dict[int, int] = {}
        for group, count in Counter(self.groups).most_common():
            assigned[group] = load.index(min(load))
            load[assigned[group]] += count
        return assigned
