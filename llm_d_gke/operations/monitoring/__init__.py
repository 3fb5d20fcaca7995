"""Dashboards and alerts of a stack for a Prometheus and a Grafana of the user's own, and promtool's tests of them.

All of it is in `command`; scenarios.yaml says which alerts fire when.
"""
