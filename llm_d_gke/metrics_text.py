"""Reads the text that a server's /metrics returns (Prometheus' exposition format)."""

from __future__ import annotations

import re


def total(metrics: str, name: str) -> float:
    """The sum of a metric over its labels, 0 where it does not occur."""
    pattern = rf"^{re.escape(name)}(?:\{{[^\n]*\}})? ([0-9.eE+-]+)"
    return sum(float(value) for value in re.findall(pattern, metrics, re.MULTILINE))
