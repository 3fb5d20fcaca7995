"""Values of a panel over time, from the Prometheus API."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from llm_d_gke.planning.plan.platform import DashboardPlan, PanelPlan

_ANSWER_SECONDS = 10.0
# Points of a line: more than a panel has pixels for are not asked for.
_POINTS = 120


class DashboardError(Exception):
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
    with httpx.Client(base_url=base, timeout=_ANSWER_SECONDS, trust_env=False) as client:
        return tuple(_panel(client, panel, end, seconds) for panel in dashboard.panels)


def _panel(client: httpx.Client, panel: PanelPlan, end: float, seconds: float) -> PanelData:
    step = max(1.0, seconds / _POINTS)
    arguments = {"query": panel.query, "start": f"{end - seconds:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
    try:
        answer = client.get("/api/v1/query_range", params=arguments).json()
    except (httpx.HTTPError, ValueError) as error:
        raise DashboardError(f"the stack's Prometheus does not answer: {error}") from None
    if answer.get("status") != "success":
        return PanelData(panel=panel, series=(), problem=str(answer.get("error", "no reason given")))
    lines = tuple(_series(result) for result in answer["data"]["result"])
    return PanelData(panel=panel, series=tuple(sorted(lines, key=lambda line: line.name)))


def _series(result: Mapping[str, Any]) -> Series:
    values: Sequence[tuple[float, str]] = result["values"]
    points = tuple((float(moment), float(text)) for moment, text in values)
    name = ", ".join(str(value) for _, value in sorted(result["metric"].items()))
    return Series(name=name, points=tuple(point for point in points if math.isfinite(point[1])))
