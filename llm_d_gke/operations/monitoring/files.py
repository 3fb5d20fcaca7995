"""A stack's alerts and dashboard as files: rules of Prometheus, and a dashboard of Grafana."""

from __future__ import annotations

from typing import Any

from llm_d_gke.planning.plan.platform import AlertPlan, DashboardPlan, MonitoringPlan

# Grafana's grid has 24 columns; three panels share a row.
_COLUMNS, _WIDTH, _HEIGHT = 3, 8, 8
# Grafana's names of the units of metrics.yaml.
_UNITS = {"s": "s", "1/s": "reqps", "1": "short"}


def rules_of(plan: MonitoringPlan) -> dict[str, Any]:
    """Recording and alerting rules in the format of Prometheus' rule files."""
    recordings = [{"record": rule.record, "expr": rule.query} for rule in plan.recordings]
    groups = [
        {"name": "llm-d-recording", "rules": recordings},
        {"name": "llm-d-alerts", "rules": [_alert(alert) for alert in plan.alerts]},
    ]
    return {"groups": [group for group in groups if group["rules"]]}


def _alert(plan: AlertPlan) -> dict[str, Any]:
    return {
        "alert": plan.name,
        "expr": plan.query,
        "for": f"{plan.duration_seconds}s",
        "labels": {"severity": plan.severity.lower()},
        "annotations": annotations_of(plan),
    }


def annotations_of(plan: AlertPlan) -> dict[str, str]:
    return {"summary": plan.title, "description": plan.text}


def grafana_of(plan: DashboardPlan) -> dict[str, Any]:
    """A dashboard in Grafana's JSON model, with a variable for the data source."""
    source = {"type": "prometheus", "uid": "${datasource}"}
    panels = [
        {
            "id": number + 1,
            "type": "timeseries",
            "title": panel.title,
            "datasource": source,
            "gridPos": {
                "x": number % _COLUMNS * _WIDTH,
                "y": number // _COLUMNS * _HEIGHT,
                "w": _WIDTH,
                "h": _HEIGHT,
            },
            "fieldConfig": {"defaults": {"unit": _UNITS[panel.unit]}, "overrides": []},
            "targets": [{"refId": "A", "datasource": source, "expr": panel.query}],
        }
        for number, panel in enumerate(plan.panels)
    ]
    variable = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "title": plan.title,
        "schemaVersion": 39,
        "editable": True,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": [variable]},
        "panels": panels,
    }
