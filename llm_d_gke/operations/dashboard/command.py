"""Implements the command `dashboard`."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from llm_d_gke.cli.exits import DONE
from llm_d_gke.cli.files import write_file
from llm_d_gke.operations.dashboard.alerts import read_alerts
from llm_d_gke.operations.dashboard.page import page
from llm_d_gke.operations.dashboard.prometheus import DashboardError, client_of, read_panels, scraping_since
from llm_d_gke.operations.live_stack.find import open_stack
from llm_d_gke.operations.live_stack.metrics import prometheus_of
from llm_d_gke.operations.live_stack.stack import LiveStack, LiveStackError
from llm_d_gke.rehearsal.paths import StackPaths

_REFRESH_SECONDS = 5
# Every plan that asks for them has panels and alerts; a running stack need not have asked. Limits that it sets stay.
_OVERRIDES = {"llm-d:monitoring.dashboard": "true", "llm-d:monitoring.alerts.notificationChannels": "[]"}
_ON_GKE = (
    "On GKE the same panels are a dashboard of Cloud Monitoring: llm-d:monitoring.dashboard: true, then"
    " https://console.cloud.google.com/monitoring/dashboards"
)


def show_dashboard(stack: str, minutes: float, out: Path | None) -> int:
    """Serve the page, or write it once into `out`. Raises LiveStackError where the stack is not up here."""
    try:
        with (
            open_stack(stack, _OVERRIDES, "rehearsal") as live,
            client_of(prometheus_of(StackPaths(live.name), print)) as client,
        ):
            render = _renderer(client, live, minutes * 60)
            if out is None:
                return _serve(render)
            write_file(out, render(0))
            print(f"wrote {out}")
            return DONE
    except LiveStackError as error:
        raise LiveStackError(f"{error}\n{_ON_GKE}") from None


def _renderer(client: httpx.Client, live: LiveStack, seconds: float) -> Callable[[int], str]:
    dashboard = live.plan.monitoring.dashboard
    assert dashboard is not None, "the plan was made with monitoring.dashboard: true"
    since = scraping_since(client)
    remark = f"{live.looked_at}; Prometheus at {client.base_url}" + (
        f", whose first values are of {since}" if since else ""
    )

    def render(refresh: int) -> str:
        end = time.time()
        alerts = [state.line(end) for state in read_alerts(client, live.plan.monitoring.alerts, end)]
        panels = read_panels(client, dashboard, end, seconds)
        return page(dashboard.title, remark, panels, end, seconds, alerts=alerts, refresh=refresh)

    return render


def _serve(render: Callable[[int], str]) -> int:
    """Serve the page on a free port of this machine until Ctrl-C."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                status, text = HTTPStatus.OK, render(_REFRESH_SECONDS)
            except DashboardError as error:
                status, text = HTTPStatus.BAD_GATEWAY, str(error)
            self.send_response(status)
            self.send_header("Content-Type", f"text/{'html' if status is HTTPStatus.OK else 'plain'}; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
            """Requests are not logged: the page loads itself again every few seconds."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        print(f"the dashboard is at http://127.0.0.1:{server.server_port} until Ctrl-C", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return DONE
    return DONE
