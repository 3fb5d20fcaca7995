"""The dashboard's page: every panel of the plan, drawn from what Prometheus answers, without anything fetched."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from llm_d_gke.operations.dashboard.alerts import read_alerts
from llm_d_gke.operations.dashboard.page import AlertLine, format_value, page
from llm_d_gke.operations.dashboard.prometheus import (
    DashboardError,
    PanelData,
    Series,
    client_of,
    read_panels,
    scraping_since,
)
from llm_d_gke.planning.plan.platform import AlertPlan, DashboardPlan, PanelPlan
from tests.command_line import llmd
from tests.operations.browser import look
from tests.stacks import plan_of

END, SECONDS = 1_000_000.0, 300.0
QUEUE = PanelPlan(title="Requests that wait, <by replica>", unit="1", query="sum by (pod) (waiting)")
LATENCY = PanelPlan(title="Time to first token", unit="s", query="wrong(")


class Answers:
    """A Prometheus that answers the queries of `results`, and refuses others."""

    def __init__(self) -> None:
        self.results: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[dict[str, str]] = []
        self.started = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith("/runtimeinfo"):
                    return self.answer({"data": {"startTime": outer.started}})
                arguments = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
                outer.asked.append(arguments)
                result = outer.results.get(arguments["query"])
                body: dict[str, Any] = {"status": "success", "data": {"result": result}}
                if result is None:
                    body = {"status": "error", "error": "parse error"}
                return self.answer(body, 200 if result is not None else 400)

            def answer(self, body: dict[str, Any], status: int = 200) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def prometheus() -> Iterator[Answers]:
    answers = Answers()
    yield answers
    answers.server.shutdown()
    answers.server.server_close()


def test_panels_hold_the_values_of_their_queries(prometheus: Answers) -> None:
    prometheus.results[QUEUE.query] = [
        {"metric": {"pod": "b"}, "values": [[END - 1, "2"], [END, "NaN"]]},
        {"metric": {"pod": "a"}, "values": [[END - 1, "3.5"]]},
    ]
    queue, latency = read_panels(
        client_of(prometheus.base), DashboardPlan(title="t", panels=(QUEUE, LATENCY)), END, SECONDS
    )
    assert queue.series == (
        Series(name="a", points=((END - 1, 3.5),)),
        # No number: a quantile without requests.
        Series(name="b", points=((END - 1, 2.0),)),
    )
    assert latency.problem == "parse error"
    assert float(prometheus.asked[0]["end"]) - float(prometheus.asked[0]["start"]) == SECONDS


def test_a_prometheus_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DashboardError, match="does not answer"):
        read_panels(client_of("http://127.0.0.1:1"), DashboardPlan(title="t", panels=(QUEUE,)), END, SECONDS)


def test_the_page_draws_lines_names_them_and_fetches_nothing() -> None:
    line = Series(name="<pod-0>", points=((END - 300, 0.0), (END, 4.0)))
    panels = (
        PanelData(panel=QUEUE, series=(line,)),
        PanelData(panel=LATENCY, series=(), problem="parse error"),
        PanelData(panel=LATENCY, series=()),
    )
    text = page("llm-d gpu", "the rehearsed stack", panels, END, SECONDS, refresh=5)
    # From the left lower corner of the chart to its right upper corner.
    assert 'd="M 64.0 158.0 L 360.0 10.0"' in text
    assert "&lt;pod-0&gt;: <span>4" in text
    assert "Requests that wait, &lt;by replica&gt;" in text
    assert "parse error" in text
    assert "No value in this time." in text
    assert '<meta http-equiv="refresh" content="5">' in text
    assert "refresh" not in page("t", "r", panels, END, SECONDS)
    for word in ("<script", "http:", "https:", "src=", "@import"):
        assert word not in text


def alert(name: str, duration: int = 300) -> AlertPlan:
    return AlertPlan(
        name=name, title=name.title(), query=name, duration_seconds=duration, severity="CRITICAL", text="why"
    )


def test_an_alert_fires_once_its_condition_has_held(prometheus: Answers) -> None:
    step = 300 / 120

    def values(first: float, last: float) -> list[list[Any]]:
        moments = [END - step * number for number in range(int(first / step), int(last / step) - 1, -1)]
        return [[moment, "1"] for moment in moments]

    prometheus.results = {
        "whole": [{"metric": {}, "values": values(300, 0)}],
        "late": [{"metric": {"pod": "a"}, "values": values(60, 0)}, {"metric": {"pod": "b"}, "values": values(100, 0)}],
        "over": [{"metric": {}, "values": values(300, 60)}],
        "broken": [{"metric": {}, "values": values(300, 200) + values(60, 0)}],
        "none": [],
        "instant": [{"metric": {}, "values": [[END, "1"]]}],
    }
    alerts = [alert(name, 0 if name == "instant" else 300) for name in (*prometheus.results, "wrong(")]
    states = {state.alert.name: state for state in read_alerts(client_of(prometheus.base), alerts, END)}
    seconds = {name: state.holding_seconds for name, state in states.items()}
    assert seconds == {
        "whole": 300,
        "instant": 0,
        "late": 100,
        "broken": 60,
        "over": None,
        "none": None,
        "wrong(": None,
    }
    assert [name for name, state in states.items() if state.fires] == ["whole", "instant"] == list(states)[:2]
    assert states["whole"].line(END).state == "fires, critical"
    assert states["late"].line(END).state == "holds since 13:45:00 UTC, fires after 5 min"
    assert states["none"].line(END).state == "quiet"
    assert states["wrong("].line(END).state == "parse error"
    requests = [answered for answered in prometheus.asked if answered["query"] == "whole"]
    assert float(requests[0]["end"]) - float(requests[0]["start"]) == 300


def test_a_single_point_is_a_dash() -> None:
    panel = PanelData(panel=QUEUE, series=(Series(name="a", points=((END, 4.0),)),))
    assert 'd="M 357.0 10.0 L 360.0 10.0"' in page("t", "r", (panel,), END, SECONDS)


def test_the_start_of_the_values_is_that_of_prometheus(prometheus: Answers) -> None:
    assert scraping_since(client_of(prometheus.base)) == ""
    prometheus.started = "2026-11-29T18:47:50.030698887Z"
    assert scraping_since(client_of(prometheus.base)) == "18:47:50 UTC"
    assert scraping_since(client_of("http://127.0.0.1:1")) == ""


def test_a_browser_shows_every_label(tmp_path: Path) -> None:
    """Of times below a second, whose labels have a unit: those of a real stack left their drawing."""
    line = Series(name="a", points=((END - 300, 0.0), (END, 0.2439)))
    alerts = (
        AlertLine(title="llm-d gpu: gemma-2b-it has no replica", state="fires, critical", kind="firing"),
        AlertLine(title="llm-d gpu: errors use up the budget 6 times too fast", state="quiet", kind="quiet"),
    )
    text = page("t", "r", (PanelData(panel=LATENCY, series=(line,)),), END, SECONDS, alerts=alerts)
    assert '<li class="firing">llm-d gpu: gemma-2b-it has no replica: <span>fires, critical' in text
    looked = look({"wide": (text, 1280), "narrow": (text, 420)}, tmp_path)
    assert looked.console == ()
    assert [(frame["beyond"], frame["lost"]) for frame in looked.frames.values()] == [([], [])] * 2


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [(0.0123, "s", "12.3 ms"), (0.9999, "s", "1 s"), (2.5, "s", "2.5 s"), (8.0, "1/s", "8 /s"), (3.0, "1", "3")],
)
def test_values_have_the_unit_of_their_metric(value: float, unit: str, expected: str) -> None:
    assert format_value(value, unit) == expected


def test_every_panel_of_a_plan_has_a_unit_that_the_page_knows() -> None:
    dashboard = plan_of("gpu", {"monitoring.dashboard": True}).monitoring.dashboard
    assert dashboard is not None
    assert {panel.unit for panel in dashboard.panels} <= {"1", "1/s", "s"}


def test_a_stack_that_is_not_rehearsed_is_named_with_the_two_places(capsys: pytest.CaptureFixture[str]) -> None:
    assert llmd("dashboard", "multi-model-tpu") == 1
    output = capsys.readouterr().err
    assert "make up STACK=multi-model-tpu" in output
    assert "console.cloud.google.com/monitoring" in output
