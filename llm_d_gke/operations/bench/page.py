"""A run as one HTML page: no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from llm_d_gke.operations.bench.compare import Difference
from llm_d_gke.operations.bench.result import BenchResult, Estimate, Quantiles, StageResult
from llm_d_gke.operations.templates import render
from llm_d_gke.operations.templates.drawing import Drawing, Shape, rect, text

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 480, 240, 4, 32, 36


def page(result: BenchResult, differences: Sequence[Difference] = ()) -> str:
    """The whole page."""
    charts: tuple[Drawing, ...] = (
        _chart(
            result.stages,
            "Requests a second",
            measured=lambda stage: stage.requests_per_second,
            estimated=lambda estimate: estimate.requests_per_second,
        ),
        _chart(
            result.stages,
            "Time to first token, median, ms",
            measured=lambda stage: _milliseconds(stage.time_to_first_token),
            estimated=lambda estimate: estimate.time_to_first_token * 1000,
        ),
        _chart(
            result.stages,
            "Time per output token, median, ms",
            measured=lambda stage: _milliseconds(stage.time_per_output_token),
            estimated=lambda estimate: estimate.time_per_output_token * 1000,
        ),
    )
    # A single bar, always as high as its chart, shows nothing that the table does not say.
    if len(result.stages) == 1 and result.stages[0].estimate is None:
        charts = ()
    template = Path(__file__).with_name("page.html.jinja")
    return render(template, result=result, differences=differences, charts=charts)


def _chart(
    stages: Sequence[StageResult],
    title: str,
    *,
    measured: Callable[[StageResult], float | None],
    estimated: Callable[[Estimate], float],
) -> Drawing:
    """Two bars for each stage: the measured value, and beside it the estimate; one where no stage has an estimate."""
    values = [(measured(stage), None if stage.estimate is None else estimated(stage.estimate)) for stage in stages]
    largest = max((value for pair in values for value in pair if value is not None), default=0.0) or 1.0
    column, floor = (_WIDTH - _LEFT) / len(stages), _HEIGHT - _BOTTOM
    compared = any(stage.estimate is not None for stage in stages)
    shapes: list[Shape] = [text("heading", _LEFT, 14, f"{title} (gray: estimate)" if compared else title)]
    for number, (stage, pair) in enumerate(zip(stages, values, strict=True)):
        left = _LEFT + number * column
        # A label is no wider than its half of the column: beside a higher bar it would be covered.
        places = (0.26, 0.74) if compared else (0.5, 0.5)
        for place, style, value in zip(places, ("measured", "estimated"), pair, strict=True):
            if value is not None:
                x, height = left + column * place, (floor - _TOP) * value / largest
                shapes.append(rect(style, x - column * 0.18, floor - height, column * 0.36, height))
                shapes.append(text("bar", x, floor - height - 4, f"{value:.3g}"))
        shapes.append(text("axis", left + column * 0.5, _HEIGHT - 12, str(stage.concurrency)))
    return Drawing(width=_WIDTH, height=_HEIGHT, label=f"{title} by requests in flight", shapes=tuple(shapes))


def _milliseconds(quantiles: Quantiles | None) -> float | None:
    return None if quantiles is None else quantiles.median * 1000
