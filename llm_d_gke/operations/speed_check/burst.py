"""Follows a burst of simultaneous requests step by step through vLLM's scheduler, because no steady state applies.

Each step advances every running sequence by a token and fills the rest of the batch with prompts, first come
first served, while the cache has room.
"""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass

from llm_d_gke.planning.sizing.steps import StepTimes


@dataclass(frozen=True, kw_only=True)
class Burst:
    """Equal requests at one engine: `fresh` tokens of each prompt are computed, `cached` ones are in the cache."""

    requests: int
    fresh: int
    cached: int
    output: int
    room: int  # sequences that run at once
    budget: int  # tokens of a step


@dataclass(frozen=True)
class BurstTimes:
    """Mean seconds to the first token and per further token, and seconds until the last reply ended."""

    first_token_seconds: float
    seconds_per_token: float
    seconds: float


def follow(burst: Burst, steps: StepTimes) -> BurstTimes:
    """Seconds that a burst takes, by step times."""
    further = max(1, burst.output - 1)
    running: deque[tuple[int, float]] = deque()  # the step each ends after, and when its first token came
    first_tokens: list[float] = []
    intervals: list[float] = []
    waiting, admitted, done = burst.requests, 0, 0
    remaining = 0  # tokens of the prompt in progress
    now, number = 0.0, 0
    while done < burst.requests:
        decoding = len(running)
        chunk, finished = 0, 0
        while (space := burst.budget - decoding - chunk) > 0:
            if remaining == 0:
                if waiting == 0 or admitted >= burst.room:
                    break
                waiting, admitted, remaining = waiting - 1, admitted + 1, burst.fresh
            processed = min(space, remaining)
            chunk, remaining = chunk + processed, remaining - processed
            finished += remaining == 0
        context = burst.fresh + burst.cached + further / 2
        # Nothing changes until the next answer ends, when no prompt is in progress.
        count = 1 if chunk or not running else max(1, running[0][0] - number)
        depth = burst.cached + max(0.0, burst.fresh - chunk) / 2 if chunk < burst.fresh else float(burst.cached)
        now += count * steps.step(decoding, context, chunk, depth)
        number += count
        for _ in range(finished):
            first_tokens.append(now)
            running.append((number + further, now))
        while running and running[0][0] <= number:
            _, first_token_seconds = running.popleft()
            intervals.append((now - first_token_seconds) / further)
            admitted, done = admitted - 1, done + 1
    return BurstTimes(statistics.fmean(first_tokens), statistics.fmean(intervals), now)
