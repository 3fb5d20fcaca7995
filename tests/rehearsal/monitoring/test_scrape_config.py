"""PodMonitorings as a configuration of Prometheus, with the labels of managed collection."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from llm_d_gke.catalog.metrics import load_metrics
from llm_d_gke.kube import Manifest
from llm_d_gke.rehearsal.monitoring.scrape_config import ClusterLabels, prometheus_config

LABELS = ClusterLabels(project="p", location="us-central1-a", cluster="llm-d-gpu")


def monitoring(*endpoints: dict[str, Any], name: str = "gemma-vllm", namespace: str = "llm-d") -> Manifest:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": "vllm"}}, "endpoints": list(endpoints)},
    }


def pod(name: str, *, address: str | None = "127.64.1.1", phase: str = "Running", **changes: Any) -> Manifest:
    metadata = {"name": name, "namespace": "llm-d", "labels": {"app": "vllm", "rank": "0"}} | changes
    ports = [{"name": "http", "containerPort": 8000}, {"name": "rank-1", "containerPort": 8001}]
    return {
        "metadata": metadata,
        "spec": {
            "initContainers": [{"name": "sidecar", "ports": [{"name": "proxy", "containerPort": 8200}]}],
            "containers": [{"name": "vllm", "ports": ports}],
        },
        "status": {"podIP": address, "phase": phase},
    }


def jobs(monitorings: list[Manifest], pods: list[Manifest], secrets: dict[str, Manifest] | None = None) -> list[Any]:
    by_name = secrets or {}
    config = prometheus_config(monitorings, pods, LABELS, lambda *key: by_name.get(key[-1]))
    jobs: list[Any] = config["scrape_configs"]
    return jobs


def test_series_carry_the_labels_of_managed_collection() -> None:
    [job] = jobs([monitoring({"port": "http", "interval": "15s"})], [pod("vllm-0")])
    [target] = job["static_configs"]
    assert target["targets"] == ["127.64.1.1:8000"]
    assert target["labels"] == {
        "project_id": "p",
        "location": "us-central1-a",
        "cluster": "llm-d-gpu",
        "namespace": "llm-d",
        "job": "gemma-vllm",
        "instance": "vllm-0:http",
        "pod": "vllm-0",
        "container": "vllm",
    }
    assert (job["metrics_path"], job["scheme"]) == ("/metrics", "http")


def test_counters_of_the_simulator_get_the_names_that_panels_read() -> None:
    """Prometheus anchors the expression, so that a name with the suffix stays as it is."""
    [job] = jobs([monitoring({"port": "http"})], [pod("vllm-0")])
    [rule] = job["metric_relabel_configs"]
    metrics = load_metrics().metrics
    for name in ("engine-cache-hits", "engine-cache-queries"):
        expected, [alias] = metrics[name].names["vllm"], metrics[name].aliases["vllm"]
        match = re.fullmatch(rule["regex"], alias)
        assert match is not None
        assert rule["replacement"].replace("${1}", match[1]) == expected
        assert re.fullmatch(rule["regex"], expected) is None


@pytest.mark.parametrize(
    "other",
    [
        pod("pending", address=None),
        pod("failed", phase="Failed"),
        pod("elsewhere", namespace="default"),
        pod("another", labels={"app": "epp"}),
    ],
    ids=["no address", "ended", "another namespace", "other labels"],
)
def test_other_pods_are_no_targets(other: Manifest) -> None:
    [job] = jobs([monitoring({"port": "http"})], [other])
    assert job["static_configs"] == []


def test_each_endpoint_is_a_job_whose_series_have_one_name() -> None:
    two = jobs([monitoring({"port": "http"}, {"port": "rank-1"})], [pod("vllm-0")])
    assert [job["job_name"] for job in two] == ["llm-d/gemma-vllm/0", "llm-d/gemma-vllm/1"]
    assert [job["static_configs"][0]["targets"] for job in two] == [["127.64.1.1:8000"], ["127.64.1.1:8001"]]
    assert {job["static_configs"][0]["labels"]["job"] for job in two} == {"gemma-vllm"}


@pytest.mark.parametrize(("port", "expected"), [("proxy", "127.64.1.1:8200"), (8001, "127.64.1.1:8001")])
def test_a_port_is_found_by_name_and_number_also_in_sidecars(port: str | int, expected: str) -> None:
    [job] = jobs([monitoring({"port": port})], [pod("vllm-0")])
    assert job["static_configs"][0]["targets"] == [expected]


def test_tls_and_token_are_those_of_the_endpoint() -> None:
    endpoint = {
        "port": "http",
        "scheme": "https",
        "tls": {"insecureSkipVerify": True},
        "authorization": {"type": "Bearer", "credentials": {"secret": {"name": "reader", "key": "token"}}},
    }
    secret = {"data": {"token": base64.b64encode(b"t0ken").decode()}}
    [job] = jobs([monitoring(endpoint)], [pod("vllm-0")], {"reader": secret})
    assert job["scheme"] == "https"
    assert job["tls_config"] == {"insecure_skip_verify": True}
    assert job["authorization"] == {"type": "Bearer", "credentials": "t0ken"}
    # Its controller has not filled it yet.
    [job] = jobs([monitoring(endpoint)], [pod("vllm-0")], {"reader": {"data": None}})
    assert "authorization" not in job
