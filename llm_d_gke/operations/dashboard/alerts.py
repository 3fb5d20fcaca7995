"""Which alerts of a stack fire now: their queries, asked over the time for which a condition has to hold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from llm_d_gke.operations.dashboard.page import AlertLine
from llm_d_gke.operations.dashboard.prometheus import Series, read_series
from llm_d_gke.planning.plan.platform import AlertPlan

_LEAST_STEP = 2.0
_POINTS = 120


@dataclass(frozen=True, kw_only=True)
class AlertState:
    """An alert and the seconds for which its condition has held, None where it does not hold.

    They are at most those after which the alert fires. `problem` states why Prometheus refused the query.
    """

    alert: AlertPlan
    holding_seconds: float | None
    problem: str = ""

    @property
    def fires(self) -> bool:
        return self.holding_seconds is not None and self.holding_seconds >= self.alert.duration_seconds

    def line(self, end: float) -> AlertLine:
        """How the page shows it, at `end` in seconds since the epoch."""
        if self.problem:
            return AlertLine(title=self.alert.title, state=self.problem, kind="unknown")
        if self.fires:
            return AlertLine(title=self.alert.title, state=f"fires, {self.alert.severity.lower()}", kind="firing")
        if self.holding_seconds is None:
            return AlertLine(title=self.alert.title, state="quiet", kind="quiet")
        since = f"{time.strftime('%H:%M:%S', time.gmtime(end - self.holding_seconds))} UTC"
        after = f"{self.alert.duration_seconds / 60:g} min"
        return AlertLine(title=self.alert.title, state=f"holds since {since}, fires after {after}", kind="pending")


def read_alerts(client: httpx.Client, alerts: Sequence[AlertPlan], end: float) -> tuple[AlertState, ...]:
    """The state of each at `end`: those that fire first. Raises DashboardError where Prometheus does not answer."""
    states = [_read(client, alert, end) for alert in alerts]
    return tuple(sorted(states, key=lambda state: (not state.fires, state.holding_seconds is None)))


def _read(client: httpx.Client, alert: AlertPlan, end: float) -> AlertState:
    step = max(_LEAST_STEP, alert.duration_seconds / _POINTS)
    # Prometheus counts steps from the start, and the last one is to be at the end.
    steps = -(-alert.duration_seconds // step)
    lines, problem = read_series(client, alert.query, end - steps * step, end, step)
    seconds = [duration for line in lines if (duration := _duration(line, end, step)) is not None]
    return AlertState(alert=alert, holding_seconds=max(seconds, default=None), problem=problem)


def _duration(line: Series, end: float, step: float) -> float | None:
    """Seconds up to the end without a gap. None where the last step has no value."""
    since = end + step
    for moment, _ in reversed(line.points):
        if since - moment > 1.5 * step:
            break
        since = moment
    return end - since if since <= end else None
