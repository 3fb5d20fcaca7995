"""The panels as one HTML page: no script, nothing fetched. Their values come from the Prometheus API."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import httpx

from llm_d_gke.cli.exits import CommandError
from llm_d_gke.operations.templates import render
from llm_d_gke.operations.templates.drawing import Drawing, Shape, line, text
from llm_d_gke.planning.plan.platform import DashboardPlan, PanelPlan

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


ANSWER_SECONDS = 10.0
# Points of a line: more than a panel has pixels for are not asked for.
_POINTS = 120


class DashboardError(CommandError):
    """There is nothing to show. The message holds the reason and the correction."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line: seconds since the epoch, and values. A gap has no point."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class PanelData:
    """A panel with its lines; `problem` states why Prometheus refused its query."""

    panel: PanelPlan
    series: tuple[Series, ...]
    problem: str = ""


def read_panels(base: str, dashboard: DashboardPlan, end: float, seconds: float) -> tuple[PanelData, ...]:
    """All panels for the `seconds` before `end`, from the Prometheus at `base` (`http://127.64.0.3:9090`)."""
    with httpx.Client(base_url=base, timeout=ANSWER_SECONDS, trust_env=False) as client:
        return tuple(_read_panel(client, panel, end, seconds) for panel in dashboard.panels)


def scraping_since(base: str) -> str:
    """When the Prometheus at `base` started, as `18:42:58 UTC`: no value is older. Empty if it does not say."""
    try:
        answer = httpx.get(f"{base}/api/v1/status/runtimeinfo", timeout=ANSWER_SECONDS, trust_env=False).json()
        # Nanoseconds are more digits than a date may have.
        return f"{datetime.fromisoformat(answer['data']['startTime'][:19]):%H:%M:%S} UTC"
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return ""


def _read_panel(client: httpx.Client, panel: PanelPlan, end: float, seconds: float) -> PanelData:
    lines, problem = read_series(client, panel.query, end - seconds, end, max(1.0, seconds / _POINTS))
    return PanelData(panel=panel, series=tuple(sorted(lines, key=lambda line: line.name)), problem=problem)


def read_series(
    client: httpx.Client, query: str, start: float, end: float, step: float
) -> tuple[tuple[Series, ...], str]:
    """The lines of a query, or why Prometheus refused it. Raises DashboardError where it does not answer."""
    arguments = {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
    try:
        answer = client.get("/api/v1/query_range", params=arguments).json()
    except (httpx.HTTPError, ValueError) as error:
        raise DashboardError(f"the stack's Prometheus does not answer: {error}") from None
    if answer.get("status") != "success":
        return (), str(answer.get("error", "no reason given"))
    return tuple(_series(result) for result in answer["data"]["result"]), ""


def _series(result: Mapping[str, Any]) -> Series:
    values: Sequence[tuple[float, str]] = result["values"]
    points = tuple((float(moment), float(text)) for moment, text in values)
    name = ", ".join(str(value) for _, value in sorted(result["metric"].items()))
    return Series(name=name, points=tuple(point for point in points if math.isfinite(point[1])))
