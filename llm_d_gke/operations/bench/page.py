"""A run as one HTML page: no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from llm_d_gke.operations.bench.compare import Difference
from llm_d_gke.operations.bench.result import BenchResult, Quantiles, StageResult

_STYLE = """
:root { color-scheme: light dark; --line: #2a78d6; --other: #8a8a8a }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #8884 }
th:first-child, td:first-child { text-align: left }
.scroll { overflow-x: auto }
svg { width: 100%; max-width: 30rem; height: auto }
svg text { font: 12px system-ui, sans-serif; fill: currentColor }
"""
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 480, 240, 56, 32


def page(result: BenchResult, differences: Sequence[Difference] = ()) -> str:
    """The whole page."""
    title = f"{result.scenario} on {result.stack}"
    body = "\n".join([*_body(result), *_service(result), *_against(differences)])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _body(result: BenchResult) -> Iterator[str]:
    yield f"<h1>{escape(result.scenario)} on {escape(result.stack)}</h1>"
    yield f"<p>{escape(result.model)}, {escape(result.target)}, by {escape(result.tool)}.</p>"
    yield "<ul>" + "".join(f"<li>{escape(remark)}</li>" for remark in result.remarks) + "</ul>"
    yield '<div class="scroll"><table><thead><tr>'
    names = (
        "in flight",
        "requests",
        "failed",
        "requests/s",
        "estimate",
        "first token, median",
        "95 %",
        "estimate",
        "per token, median",
        "95 %",
        "estimate",
        "prompt tokens cached",
    )
    yield "".join(f"<th>{name}</th>" for name in names) + "</tr></thead><tbody>"
    for stage in result.stages:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in _cells(stage)) + "</tr>"
    yield "</tbody></table></div>"
    yield _chart(result, "Requests a second", lambda stage: stage.requests_per_second, lambda stage: _of(stage, 0))
    yield _chart(
        result,
        "Time to first token, median, ms",
        lambda stage: _milliseconds(stage.time_to_first_token),
        lambda stage: _of(stage, 1),
    )
    yield _chart(
        result,
        "Time per output token, median, ms",
        lambda stage: _milliseconds(stage.time_per_output_token),
        lambda stage: _of(stage, 2),
    )


def _service(result: BenchResult) -> Iterator[str]:
    if not result.service:
        return
    yield "<h2>Picker and plain Service</h2>"
    yield "<p>The same requests over the same pods, each connection to one of them at random.</p>"
    names = (
        "in flight",
        "requests/s, picker",
        "Service",
        "first token, picker",
        "Service",
        "cached, picker",
        "Service",
    )
    rows = [
        (
            str(stage.concurrency),
            f"{stage.requests_per_second:.2f}",
            f"{plain.requests_per_second:.2f}",
            _number(_milliseconds(stage.time_to_first_token), "{:.1f} ms"),
            _number(_milliseconds(plain.time_to_first_token), "{:.1f} ms"),
            f"{stage.cached_share:.0%}",
            f"{plain.cached_share:.0%}",
        )
        for stage, plain in zip(result.stages, result.service, strict=True)
    ]
    yield _table(names, rows)


def _against(differences: Sequence[Difference]) -> Iterator[str]:
    if not differences:
        return
    yield "<h2>Against the earlier run</h2>"
    yield "<p>Medians; worse and better where their 95 % intervals do not meet.</p>"
    rows = [
        (
            f"{difference.figure}, {difference.concurrency} in flight",
            difference.text_of(difference.before),
            difference.text_of(difference.after),
            difference.verdict,
        )
        for difference in differences
    ]
    yield _table(("figure", "before", "now", "verdict"), rows)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cells(stage: StageResult) -> Iterator[str]:
    yield from (str(stage.concurrency), str(stage.requests), str(stage.failures))
    yield from (f"{stage.requests_per_second:.2f}", _number(_of(stage, 0), "{:.2f}"))
    for quantiles, index in ((stage.time_to_first_token, 1), (stage.time_per_output_token, 2)):
        yield _number(_milliseconds(quantiles), "{:.1f} ms")
        yield _number(None if quantiles is None else quantiles.p95 * 1000, "{:.1f} ms")
        yield _number(_of(stage, index), "{:.1f} ms")
    yield f"{stage.cached_share:.0%}"


def _of(stage: StageResult, index: int) -> float | None:
    """The estimate's rate, or one of its times in milliseconds."""
    estimate = stage.estimate
    if estimate is None:
        return None
    return (
        estimate.requests_per_second,
        estimate.time_to_first_token * 1000,
        estimate.time_per_output_token * 1000,
    )[index]


def _milliseconds(quantiles: Quantiles | None) -> float | None:
    return None if quantiles is None else quantiles.median * 1000


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


_Value = Callable[[StageResult], float | None]


def _chart(result: BenchResult, title: str, measured: _Value, estimated: _Value) -> str:
    """Bars of column stage: measured, and beside it the estimate."""
    rows = [(stage.concurrency, measured(stage), estimated(stage)) for stage in result.stages]
    largest = max((value for _, *values in rows for value in values if value is not None), default=0.0) or 1.0
    column = (_WIDTH - _LEFT) / len(rows)
    parts = [f'<text x="{_LEFT}" y="14">{escape(title)} (gray: estimate)</text>']
    for number, (concurrency, *values) in enumerate(rows):
        left = _LEFT + number * column
        for index, (value, color) in enumerate(zip(values, ("var(--line)", "var(--other)"), strict=True)):
            if value is None:
                continue
            height = (_HEIGHT - _BOTTOM - 36) * value / largest
            x, y = left + column * (0.15 + 0.35 * index), _HEIGHT - _BOTTOM - height
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{column * 0.3:.1f}" height="{height:.1f}" fill="{color}"/>'
                f'<text x="{x:.1f}" y="{y - 4:.1f}">{value:.3g}</text>'
            )
        parts.append(f'<text x="{left + column * 0.3:.1f}" y="{_HEIGHT - 12}">{concurrency}</text>')
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)} by requests in flight">'
        f"{''.join(parts)}</svg></figure>"
    )
