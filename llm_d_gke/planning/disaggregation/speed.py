"""Estimates the speed of prefill and decode on separate servers, from the roofline of planning/sizing/speed.py.

Decode is not interrupted by other requests' prompts, which is the gain; the cache has to travel, a hop is added, and
fewer servers compute prompts, which is the loss. The smaller rate of the two stages is the rate of both.
Prompts queue as at one server of fixed service time per replica. No measurement of two stages was fitted to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.schema import Accelerator
from llm_d_gke.planning.plan.estimates import Bound, MemoryVerdict, SpeedEstimate
from llm_d_gke.planning.sizing.memory import EngineRun, judge
from llm_d_gke.planning.sizing.speed import Load, cache_bytes, estimate, prefill_seconds

# A queue of fixed service times is computed up to this share of busy time; beyond, prompts are what limits the rate.
_BUSIEST = 0.95

_MANY, _HALVINGS = 10**9, 24


@dataclass(frozen=True, kw_only=True)
class StageEngines:
    """Equal engines of one stage. `verdict` is the run's, where it is known already."""

    run: EngineRun
    accelerator: Accelerator
    replicas: int
    verdict: MemoryVerdict | None = None


@dataclass(frozen=True, kw_only=True)
class Split:
    """Both stages under requests of one length. Times in seconds, rates in requests a second over all replicas.

    `computing` is a prompt alone on one replica, `way` the time of a request for hops and for sending its cache.
    `prefill_rate` and `decode_rate` are what each stage could do beside an endlessly fast other one.
    """

    decode: StageEngines
    prompt: int
    output: int
    computing: float
    way: float
    prefill_rate: float
    decode_rate: float
    full: SpeedEstimate  # every batch of decode

    @property
    def limit(self) -> Literal["decode", "prefill"]:
        return "prefill" if self.prefill_rate < self.decode_rate else "decode"

    @property
    def most(self) -> float:
        """Requests in flight beyond which further ones only wait: the slower stage is full."""
        return self._in_flight(self._max_decoding)

    def at(self, concurrency: float) -> SpeedEstimate:
        """Speed with `concurrency` requests in flight over both stages, at least 1."""
        target = max(1.0, concurrency)
        full = self._in_flight(self._max_decoding, target) < target
        decoding = self._max_decoding
        if not full:
            decoding = _smallest_satisfying(decoding, lambda n: self._in_flight(n, target) >= target)
        return self._speed(decoding, target / self._rate(decoding), full=full)

    def at_rate(self, requests_per_second: float) -> SpeedEstimate | None:
        """Speed at this rate of requests; None when it is more than the slower stage serves."""
        if requests_per_second > min(self.prefill_rate, self.decode_rate):
            return None
        decoding = _smallest_satisfying(self._max_decoding, lambda n: self._rate(n) >= requests_per_second)
        return self._speed(decoding, self._in_flight(decoding) / self._rate(decoding), full=False)

    def _speed(self, decoding: float, latency: float, *, full: bool) -> SpeedEstimate:
        steps, rate = self._decode_speed(decoding), self._rate(decoding)
        limit: Bound = "prefill" if self.limit == "prefill" else self.full.bound
        return replace(
            steps,
            time_to_first_token=latency - self._decode_seconds(steps),
            latency=latency,
            requests_per_second=rate,
            output_tokens_per_second=rate * self.output,
            bound=limit if full else steps.bound,
        )

    def _decode_speed(self, decoding: float) -> SpeedEstimate:
        speed = _decode(self.decode, self.prompt, self.output, decoding)
        return self.full if speed is None else speed

    def _decode_seconds(self, steps: SpeedEstimate) -> float:
        return max(1, self.output - 1) * steps.time_per_output_token

    def _rate(self, decoding: float) -> float:
        """Requests per second by Little's law, with `decoding` requests in the decode stage."""
        return decoding / self._decode_seconds(self._decode_speed(decoding))

    @cached_property
    def _max_decoding(self) -> float:
        upper = self.full.batch * self.decode.replicas
        if self.decode_rate <= self.prefill_rate:
            return upper
        return _smallest_satisfying(upper, lambda n: self._rate(n) >= self.prefill_rate)

    def _in_flight(self, decoding: float, limit: float = math.inf) -> float:
        """Requests in both stages and in transfer, with `decoding` of them in decode."""
        rate = self._rate(decoding)
        busy = min(_BUSIEST, _BUSIEST * rate / self.prefill_rate)
        waiting = busy * self.computing / (2 * (1 - busy)) * (1 - 1 / max(1.0, limit))
        return decoding + rate * (self.way + self.computing + waiting)


def split_of(
    prefill: StageEngines, decode: StageEngines, prompt_tokens: int, output_tokens: int, *, rdma: bool
) -> Split | None:
    """Both stages together under an evenly spread load. None where `estimate` of one of them is None.

    An answer of one token counts as two: the prefill server computes the first, and the decoding one takes a step.
    """
    output_tokens = max(2, output_tokens)
    engine = load_engine().speed
    computing = prefill_seconds(prefill.run, prefill.accelerator, prompt_tokens)
    decode = replace(decode, verdict=decode.verdict or judge(decode.run))
    full = _decode(decode, prompt_tokens, output_tokens, _MANY)
    if computing is None or full is None or prefill.replicas < 1:
        return None
    cached = cache_bytes(decode.run, prompt_tokens)
    # Over RDMA each accelerator sends its part by itself; the network is the node's.
    transferred = cached if rdma else cached * decode.run.tensor_parallel
    sending = transferred / engine.transfer_bytes_per_second["rdma" if rdma else "network"]
    answering = max(1, output_tokens - 1) * full.time_per_output_token
    return Split(
        decode=decode,
        prompt=prompt_tokens,
        output=output_tokens,
        computing=computing,
        way=2 * engine.request_seconds[decode.run.kind] + sending,
        prefill_rate=_BUSIEST * prefill.replicas / computing,
        decode_rate=full.batch * decode.replicas / answering,
        full=full,
    )


def _smallest_satisfying(high: float, holds: Callable[[float], bool]) -> float:
    """The smallest positive number up to `high` from which on `holds` is true, by bisection."""
    low = 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _decode(stage: StageEngines, prompt: int, output: int, decoding: float) -> SpeedEstimate | None:
    load = Load(prompt, output, decoding, interrupted=False)
    return estimate(stage.run, stage.accelerator, load, stage.replicas, stage.verdict)
