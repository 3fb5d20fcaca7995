"""Two runs of one scenario side by side: what got worse, better, or cannot be distinguished."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llm_d_gke.operations.bench.result import BenchError, BenchResult, StageResult, share_interval

Verdict = Literal["worse", "better", "same", "unknown"]

FAILED = "failed requests"
_WORDS: dict[Verdict, str] = {
    "worse": "WORSE (95 % intervals do not meet)",
    "better": "better (95 % intervals do not meet)",
    "same": "no difference shown",
    "unknown": "too few requests to tell",
}
_TIMES = (
    ("time_to_first_token", "time to first token"),
    ("time_per_output_token", "time per output token"),
    ("request_latency", "time to the last token"),
)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One figure of one stage. `before` and `after` are medians in seconds, or shares of failures.

    The verdict is `worse` or `better` where the 95 % intervals do not meet, `unknown` where one run has too few values
    for an interval.
    """

    concurrency: int
    figure: str
    before: float
    after: float
    verdict: Verdict

    def __str__(self) -> str:
        return (
            f"{self.figure}: {self.text_of(self.before)} before, {self.text_of(self.after)} now: {_WORDS[self.verdict]}"
        )

    def text_of(self, value: float) -> str:
        return f"{value:.1%}" if self.figure == FAILED else f"{value * 1000:.1f} ms"


def read_earlier(file: Path, result: BenchResult) -> dict[str, Any]:
    """An earlier `result.json` of the same scenario. Raises BenchError for a file that cannot be compared.

    The stages of a result that has none yet are not compared.
    """
    try:
        earlier: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        facts = {key: earlier[key] for key in ("scenario", "model", "place")}
        stages = [(stage["concurrency"], stage["requests"]) for stage in earlier["stages"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else "is no report of make bench"
        raise BenchError(f"{file} {why}: give the result.json of an earlier run with --against") from None
    for key, now in (("scenario", result.scenario), ("model", result.model), ("place", result.place)):
        if facts[key] != now:
            raise BenchError(
                f"{file} was measured with {key} {facts[key]}, this run with {now}: only runs of one kind can be"
                " compared"
            )
    if result.stages and stages != [(stage.concurrency, stage.requests) for stage in result.stages]:
        raise BenchError(f"{file} has other stages of scenario {result.scenario}: measure it again")
    return earlier


def differences(earlier: dict[str, Any], result: BenchResult) -> tuple[Difference, ...]:
    """Every figure of every stage."""
    return tuple(
        difference
        for before, after in zip(earlier["stages"], result.stages, strict=True)
        for difference in _of_stage(before, after)
    )


def _of_stage(before: dict[str, Any], after: StageResult) -> Iterator[Difference]:
    for field, figure in _TIMES:
        old, new = before.get(field), getattr(after, field)
        if not old or new is None:
            continue
        yield Difference(
            concurrency=after.concurrency,
            figure=figure,
            before=old["median"],
            after=new.median,
            verdict=_verdict((old.get("low"), old.get("high")), (new.low, new.high)),
        )
    yield Difference(
        concurrency=after.concurrency,
        figure=FAILED,
        before=before["failures"] / before["requests"],
        after=after.failures / after.requests,
        verdict=_verdict(
            share_interval(before["failures"], before["requests"]), share_interval(after.failures, after.requests)
        ),
    )


def _verdict(before: tuple[float | None, float | None], after: tuple[float | None, float | None]) -> Verdict:
    (old_low, old_high), (low, high) = before, after
    if old_low is None or old_high is None or low is None or high is None:
        return "unknown"
    if low > old_high:
        return "worse"
    return "better" if high < old_low else "same"
