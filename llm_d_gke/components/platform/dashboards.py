"""Dashboard and alert policies of Cloud Monitoring."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_gcp as gcp

from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.options import child
from llm_d_gke.planning.plan.platform import AlertPlan, DashboardPlan, MonitoringPlan

# Cloud Monitoring's mosaic has 48 columns; three panels share a row.
_COLUMNS, _WIDTH, _HEIGHT = 3, 16, 14


class Dashboards(Component):
    """Shows and alerts on what the collectors scrape. Both read Managed Service for Prometheus, in PromQL."""

    def __init__(
        self, plan: MonitoringPlan, project: str, labels: Mapping[str, str], opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__("llm-d:monitoring:Dashboards", "dashboards", opts)
        options = child(self)
        if plan.dashboard is not None:
            gcp.monitoring.Dashboard(
                named("dashboard", options),
                project=project,
                dashboard_json=json.dumps(dashboard_of(plan.dashboard)),
                opts=options,
            )
        for alert in plan.alerts:
            _alert(alert, plan, project, labels, options)
        self.register_outputs({})


def dashboard_of(plan: DashboardPlan) -> dict[str, Any]:
    """A dashboard in the form of the Monitoring API (projects.dashboards)."""
    tiles = [
        {
            "xPos": number % _COLUMNS * _WIDTH,
            "yPos": number // _COLUMNS * _HEIGHT,
            "width": _WIDTH,
            "height": _HEIGHT,
            "widget": {
                "title": panel.title,
                "xyChart": {
                    "dataSets": [
                        {
                            "plotType": "LINE",
                            "timeSeriesQuery": {"prometheusQuery": panel.query, "unitOverride": panel.unit},
                        }
                    ]
                },
            },
        }
        for number, panel in enumerate(plan.panels)
    ]
    return {"displayName": plan.title, "mosaicLayout": {"columns": _COLUMNS * _WIDTH, "tiles": tiles}}


def _alert(
    alert: AlertPlan, plan: MonitoringPlan, project: str, labels: Mapping[str, str], opts: pulumi.ResourceOptions
) -> None:
    query = gcp.monitoring.AlertPolicyConditionConditionPrometheusQueryLanguageArgs(
        query=alert.query, duration=f"{alert.duration_seconds}s", evaluation_interval=f"{plan.evaluation_seconds}s"
    )
    gcp.monitoring.AlertPolicy(
        named(f"alert-{alert.name}", opts),
        project=project,
        display_name=alert.title,
        combiner="OR",
        severity=alert.severity,
        conditions=[
            gcp.monitoring.AlertPolicyConditionArgs(display_name=alert.title, condition_prometheus_query_language=query)
        ],
        documentation=gcp.monitoring.AlertPolicyDocumentationArgs(content=alert.text, mime_type="text/markdown"),
        notification_channels=list(plan.notification_channels),
        user_labels=dict(labels),
        opts=opts,
    )
