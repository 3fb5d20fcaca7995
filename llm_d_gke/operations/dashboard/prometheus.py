"""What the Prometheus of a rehearsed stack answers: the lines of a query, and when it started."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from llm_d_gke.cli.exits import CommandError
from llm_d_gke.planning.plan.platform import DashboardPlan, PanelPlan

_ANSWER_SECONDS = 10.0
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


def client_of(base: str) -> httpx.Client:
    """A client of the Prometheus at `base` (`http://127.64.0.3:9090`)."""
    return httpx.Client(base_url=base, timeout=_ANSWER_SECONDS, trust_env=False)


def read_panels(client: httpx.Client, dashboard: DashboardPlan, end: float, seconds: float) -> tuple[PanelData, ...]:
    """All panels for the `seconds` before `end`. Raises DashboardError where Prometheus does not answer."""
    return tuple(_read_panel(client, panel, end, seconds) for panel in dashboard.panels)


def scraping_since(client: httpx.Client) -> str:
    """When Prometheus started, as `18:42:58 UTC`: no value is older. Empty if it does not say."""
    try:
        answer = client.get("/api/v1/status/runtimeinfo").json()
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
