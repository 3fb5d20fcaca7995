"""The metric catalog covers every release, and whatever the project reads is in it."""

from __future__ import annotations

import re
from pathlib import Path

from llm_d_gke.catalog import load
from llm_d_gke.catalog.metrics import ENGINE, load_metrics

ROOT = Path(__file__).resolve().parents[2]


def test_every_metric_has_a_name_in_every_release() -> None:
    prefixes = {release.picker.metric_prefix for release in load().releases.values()}
    for name, metric in load_metrics().metrics.items():
        assert set(metric.names) == ({ENGINE} if metric.of == "engine" else prefixes), name


def test_every_metric_that_the_tools_read_is_in_the_catalog() -> None:
    metric_names = {
        name
        for metric in load_metrics().metrics.values()
        for name in (*metric.names.values(), *(alias for aliases in metric.aliases.values() for alias in aliases))
    }
    suffixed = {f"{name}{suffix}" for name in metric_names for suffix in ("", "_bucket", "_sum", "_count")}
    read = {
        name
        for folder in ("operations/verify", "operations/diagnose", "planning", "components")
        for file in (ROOT / "llm_d_gke" / folder).rglob("*.py")
        for name in re.findall(r'"(vllm:[a-z_]+)', file.read_text(encoding="utf-8"))
    }
    assert "vllm:num_requests_running" in read
    assert sorted(read - suffixed) == []


def test_aliases_are_other_names() -> None:
    for name, metric in load_metrics().metrics.items():
        for exporter, aliases in metric.aliases.items():
            assert exporter in metric.names, name
            assert metric.names[exporter] not in aliases, name
