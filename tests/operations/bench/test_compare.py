"""A run against an earlier one: worse and better by intervals, and only runs of one kind."""

from __future__ import annotations

import json
import statistics
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from llm_d_gke.operations.bench.compare import differences, read_earlier
from llm_d_gke.operations.bench.page import page
from llm_d_gke.operations.bench.result import (
    LEAST,
    BenchError,
    BenchResult,
    Quantiles,
    StageResult,
    median_interval,
    share_interval,
)


def stage(times: list[float], failures: int = 0) -> StageResult:
    low, high = median_interval(times) or (None, None)
    quantiles = Quantiles(median=statistics.median(times), p95=max(times), low=low, high=high)
    return StageResult(
        concurrency=1,
        requests=len(times),
        failures=failures,
        seconds=1.0,
        requests_per_second=1.0,
        output_tokens_per_second=1.0,
        prompt_tokens=64,
        output_tokens=32,
        cached_share=0.0,
        time_to_first_token=quantiles,
        time_per_output_token=None,
        request_latency=None,
        estimate=None,
    )


def run(*measured: StageResult, **changes: str) -> BenchResult:
    result = BenchResult(
        stack="gpu",
        model="m",
        scenario="quick",
        place="rehearsal",
        target="t",
        tool="tool",
        stages=measured,
        remarks=(),
    )
    return replace(result, **changes)  # type: ignore[arg-type]


def written(folder: Path, result: BenchResult) -> Path:
    file = folder / "result.json"
    file.write_text(result.as_json(), encoding="utf-8")
    return file


def times(median: float, count: int = 100) -> list[float]:
    source = Random(count)  # noqa: S311 - nothing secret
    return [median * source.lognormvariate(0, 0.1) for _ in range(count)]


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        (times(0.100), times(0.150), "worse"),
        (times(0.150), times(0.100), "better"),
        # A bare number would call this a regression of 1 %.
        (times(0.100), [value * 1.01 for value in times(0.100)], "same"),
        (times(0.100, 5), times(0.150, 5), "unknown"),
    ],
    ids=["slower", "faster", "noise", "too few requests"],
)
def test_a_difference_is_what_the_intervals_of_both_runs_show(
    tmp_path: Path, before: list[float], now: list[float], verdict: str
) -> None:
    result = run(stage(now))
    first, _ = differences(read_earlier(written(tmp_path, run(stage(before))), result), result)
    assert first.figure == "time to first token"
    assert first.verdict == verdict


def test_more_failures_are_a_regression_once_they_are_too_many_for_chance(tmp_path: Path) -> None:
    earlier = written(tmp_path, run(stage(times(0.1))))
    for failures, verdict in ((1, "same"), (12, "worse")):
        result = run(stage(times(0.1), failures))
        assert differences(read_earlier(earlier, result), result)[-1].verdict == verdict


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scenario": "latency"}, "scenario quick, this run with latency"),
        ({"model": "another"}, "model m, this run with another"),
        ({"place": "gke"}, "place rehearsal, this run with gke"),
    ],
)
def test_runs_of_different_kinds_are_not_compared(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    earlier = written(tmp_path, run(stage(times(0.1))))
    with pytest.raises(BenchError, match=words):
        read_earlier(earlier, run(stage(times(0.1)), **changes))


def test_other_stages_are_not_compared(tmp_path: Path) -> None:
    earlier = written(tmp_path, run(stage(times(0.1))))
    with pytest.raises(BenchError, match="other stages"):
        read_earlier(earlier, run(stage(times(0.1, 50))))


def test_a_file_is_judged_before_the_run(tmp_path: Path) -> None:
    earlier = written(tmp_path, run(stage(times(0.1))))
    assert read_earlier(earlier, run())["scenario"] == "quick"
    with pytest.raises(BenchError, match=r"none\.json cannot be read \(No such file or directory\): give"):
        read_earlier(tmp_path / "none.json", run())


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"scenario": "quick"}), "[1"])
def test_a_file_that_is_no_report_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BenchError, match=r"other\.json is no report of make bench"):
        read_earlier(file, run(stage(times(0.1))))


def test_the_interval_of_a_median_holds_it_in_95_of_100_samples() -> None:
    source = Random(7)  # noqa: S311 - nothing secret
    covered = 0
    for _ in range(1000):
        interval = median_interval([source.expovariate(1.0) for _ in range(30)])
        assert interval is not None
        covered += interval[0] <= 0.6931 <= interval[1]
    assert 940 <= covered <= 990


def test_too_few_values_have_no_interval() -> None:
    assert median_interval([1.0] * (LEAST - 1)) is None
    # Ranks 1 and 6 of six values: 1 - 2 / 64 = 97 %.
    assert median_interval([3.0, 1.0, 2.0, 6.0, 5.0, 4.0]) == (1.0, 6.0)


def test_the_interval_of_a_share_stays_between_none_and_all() -> None:
    low, high = share_interval(0, 10)
    assert low == 0.0
    # Wilson 1927: z squared / (n + z squared).
    assert high == pytest.approx(0.2775, abs=0.0005)
    assert share_interval(0, 0) == (0.0, 1.0)


def test_the_page_shows_service_and_earlier_run(tmp_path: Path) -> None:
    slow = stage(times(0.15))
    result = run(slow)
    both = replace(result, service=(stage(times(0.3)),))
    compared = differences(read_earlier(written(tmp_path, run(stage(times(0.1)))), both), both)
    text = page(both, compared)
    assert "plain Service" in text
    assert "worse" in text
    assert "Service" not in page(result)
    assert "Prefix caches" not in page(result)
    by_replica = page(replace(result, cached_by_replica={"vllm-0": 0.8}))
    assert "<tr><td>vllm-0</td><td>80%</td></tr>" in by_replica
