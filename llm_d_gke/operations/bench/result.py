"""inference-perf's figures of each stage with 95 % intervals, and the plan's estimate beside them.

The intervals assume no distribution of the times.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llm_d_gke.cli.exits import CommandError
from llm_d_gke.planning.plan.estimates import CapacityPlan, CurvePoint


class BenchError(CommandError):
    """Nothing was measured. The message holds the reason and the correction."""


@dataclass(frozen=True, kw_only=True)
class Quantiles:
    """Seconds. `low` and `high` are the 95 % interval of the median, None for too few requests."""

    median: float
    p95: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The plan's estimate at about the stage's requests in flight. Times in seconds. `error` is relative."""

    concurrency: int
    time_to_first_token: float
    time_per_output_token: float
    requests_per_second: float
    error: float | None


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """One stage. Times are of the requests that succeeded, None where none did."""

    concurrency: int
    requests: int
    failures: int
    seconds: float
    requests_per_second: float
    output_tokens_per_second: float
    prompt_tokens: float
    output_tokens: float
    cached_share: float
    time_to_first_token: Quantiles | None
    time_per_output_token: Quantiles | None
    request_latency: Quantiles | None
    estimate: Estimate | None


@dataclass(frozen=True, kw_only=True)
class BenchResult:
    """A whole run. `remarks` name results that cannot be compared with each other.

    `place` is `gke`, `rehearsal` or an address; `service` the same stages over a plain Service, empty where that was
    not measured. `cached_by_replica` are the shares of prompt tokens that replicas found in their prefix caches, empty
    where their own counters were not read.
    """

    stack: str
    model: str
    scenario: str
    place: str
    target: str
    tool: str
    stages: tuple[StageResult, ...]
    remarks: tuple[str, ...]
    service: tuple[StageResult, ...] = ()
    cached_by_replica: Mapping[str, float] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        return sum(stage.failures for stage in self.stages)

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"


def read_stages(folder: Path, capacity: CapacityPlan | None) -> tuple[StageResult, ...]:
    """The stages of a run in their order. Raises BenchError where the tool wrote none."""
    files = sorted(folder.glob("stage_*_lifecycle_metrics.json"), key=lambda file: int(file.name.split("_")[1]))
    if not files:
        raise BenchError(f"inference-perf wrote no result into {folder}: its own output says why")
    summaries = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    requests = _requests(folder, [int(figures["load_summary"]["count"]) for figures in summaries])
    return tuple(_stage(figures, own, capacity) for figures, own in zip(summaries, requests, strict=True))


def _requests(folder: Path, counts: Sequence[int]) -> list[list[dict[str, float]]]:
    """The times of single requests, by stage. Stages follow one another, and the tool does not number them here."""
    file = folder / "per_request_lifecycle_metrics.json"
    entries = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    entries.sort(key=lambda entry: entry["start_time"])
    stages = []
    for count in counts:
        own, entries = entries[:count], entries[count:]
        stages.append([entry["computed_metrics"] for entry in own if entry.get("computed_metrics")])
    return stages


def _stage(figures: dict[str, Any], requests: list[dict[str, float]], capacity: CapacityPlan | None) -> StageResult:
    load, good = figures["load_summary"], figures["successes"]
    latency, rates = good.get("latency") or {}, good.get("throughput") or {}
    prompts = good.get("prompt_tokens") or {}
    total, concurrency = prompts.get("total") or 0.0, int(load["concurrency"])
    return StageResult(
        concurrency=concurrency,
        requests=int(load["count"]),
        failures=int(figures["failures"]["count"]),
        seconds=figures["benchmark_time_seconds"],
        requests_per_second=rates.get("requests_per_sec") or 0.0,
        output_tokens_per_second=rates.get("output_tokens_per_sec") or 0.0,
        prompt_tokens=prompts.get("mean") or 0.0,
        output_tokens=_mean(good, "output_tokens", "output_len"),
        cached_share=(prompts.get("cached") or 0.0) / total if total else 0.0,
        time_to_first_token=_quantiles(latency, "time_to_first_token", requests),
        time_per_output_token=_quantiles(latency, "time_per_output_token", requests),
        request_latency=_quantiles(latency, "request_latency", requests),
        estimate=None if capacity is None else _estimate(capacity, concurrency),
    )


def _mean(figures: dict[str, Any], *names: str) -> float:
    """The mean of the first of these figures that the result has."""
    return next((figures[name].get("mean") for name in names if figures.get(name)), 0.0) or 0.0


def _quantiles(latency: dict[str, Any], name: str, requests: list[dict[str, float]]) -> Quantiles | None:
    figures = latency.get(name)
    if not figures:
        return None
    values = [value for request in requests if (value := request.get(name)) is not None]
    low, high = median_interval(values) or (None, None)
    return Quantiles(median=figures["median"], p95=figures["p95"], low=low, high=high)


def _estimate(capacity: CapacityPlan, concurrency: int) -> Estimate | None:
    """The point of the capacity curve that is nearest by ratio."""

    def distance(point: CurvePoint) -> float:
        return abs(math.log(point.concurrency / concurrency))

    point = min(capacity.curve, key=distance, default=None)
    if point is None:
        return None
    return Estimate(
        concurrency=point.concurrency,
        time_to_first_token=point.speed.time_to_first_token,
        time_per_output_token=point.speed.time_per_output_token,
        requests_per_second=point.speed.requests_per_second,
        error=capacity.error if capacity.measured else None,
    )


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
