"""The panels as one HTML page: no script, nothing fetched."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llm_d_gke.operations.dashboard.prometheus import PanelData, Series
from llm_d_gke.operations.templates import render
from llm_d_gke.operations.templates.drawing import Drawing, Shape, line, text

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 360, 180, 64, 22, 10
_DASH = 3  # width of a single point
_UNITS = {"1": "", "1/s": " /s", "s": " s"}
# Classes `color-0` and so on of page.css.
_COLORS = 6


@dataclass(frozen=True, kw_only=True)
class _LegendLine:
    """A series below its chart: its color, its name, and its latest value with the unit."""

    color: int
    name: str
    last: str


@dataclass(frozen=True, kw_only=True)
class _Panel:
    """A panel with its chart, or the reason why there is none."""

    title: str
    chart: Drawing | None
    legend: tuple[_LegendLine, ...]
    problem: str


@dataclass(frozen=True, kw_only=True)
class AlertLine:
    """An alert with its state in words, and the kind of state that gives it a color."""

    title: str
    state: str
    kind: Literal["firing", "pending", "quiet", "unknown"]


def page(
    title: str,
    remark: str,
    panels: Sequence[PanelData],
    end: float,
    seconds: float,
    *,
    alerts: Sequence[AlertLine] = (),
    refresh: int = 0,
) -> str:
    """The whole page. `refresh`: seconds after which a browser loads it again, 0 for never."""
    return render(
        Path(__file__).with_name("page.html.jinja"),
        title=title,
        remark=remark,
        alerts=alerts,
        panels=[_panel(panel, end, seconds) for panel in panels],
        refresh=refresh,
    )


def _panel(data: PanelData, end: float, seconds: float) -> _Panel:
    drawn = [series for series in data.series if series.points]
    legend = (
        _LegendLine(
            color=number % _COLORS, name=series.name or "all", last=format_value(series.points[-1][1], data.panel.unit)
        )
        for number, series in enumerate(drawn)
    )
    return _Panel(
        title=data.panel.title,
        chart=_chart(data, drawn, end, seconds) if drawn else None,
        legend=tuple(legend),
        problem=data.problem or "No value in this time.",
    )


def _chart(data: PanelData, drawn: Sequence[Series], end: float, seconds: float) -> Drawing:
    largest = max(value for series in drawn for _, value in series.points) or 1.0
    floor = _HEIGHT - _BOTTOM

    def at(moment: float, value: float) -> tuple[float, float]:
        return _LEFT + (_WIDTH - _LEFT) * (1 - (end - moment) / seconds), floor - value / largest * (floor - _TOP)

    shapes: list[Shape] = []
    for value in (0.0, 0.5 * largest, largest):
        _, level = at(end, value)
        shapes.append(line("grid", (_LEFT, level), (_WIDTH, level)))
        shapes.append(text("axis", _LEFT - 6, level + 4, _axis(value, data.panel.unit), "end"))
    for number, series in enumerate(drawn):
        points = [at(*point) for point in series.points]
        if len(points) == 1:  # whose line would be invisible
            points.insert(0, (points[0][0] - _DASH, points[0][1]))
        shapes.append(line(f"curve color-{number % _COLORS}", *points))
    first, last = (time.strftime("%H:%M:%S", time.gmtime(moment)) for moment in (end - seconds, end))
    shapes.append(text("axis", _LEFT, _HEIGHT - 4, first))
    shapes.append(text("axis", _WIDTH, _HEIGHT - 4, f"{last} UTC", "end"))
    label = f"{data.panel.title} over the last {seconds / 60:g} minutes"
    return Drawing(width=_WIDTH, height=_HEIGHT, label=label, shapes=tuple(shapes))


def _axis(value: float, unit: str) -> str:
    """A value at the axis: of seconds below one with its unit, which the title does not name."""
    return format_value(value, unit) if unit == "s" and value else _short(value)


def _short(value: float) -> str:
    # Left of an axis there is room for five figures, or for three with a unit.
    return f"{value:.0e}" if 0 < abs(value) < 0.001 else f"{value:.3g}"


def format_value(value: float, unit: str) -> str:
    """A value with the unit of its metric: `12.5 /s`; seconds below one in milliseconds."""
    # From 0.9995 s on, three figures of milliseconds would be written as 1e+03.
    if unit == "s" and abs(value) < 0.9995:
        return f"{value * 1000:.3g} ms"
    return f"{_short(value)}{_UNITS.get(unit, f' {unit}')}"
