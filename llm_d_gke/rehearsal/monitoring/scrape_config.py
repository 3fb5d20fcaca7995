"""Prometheus' configuration for the PodMonitorings of a cluster, as GKE's managed collection reads them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from llm_d_gke.kube import Manifest, Manifests

# Seconds between two scrapes. A PodMonitoring's own interval is one for months of data.
SCRAPE_SECONDS = 2

# (kind, namespace, name) -> the object
Find: TypeAlias = Callable[[str, str, str], Manifest | None]

_DONE = ("Succeeded", "Failed")

# llm-d-inference-sim v0.10.2 (pkg/llm-d-inference-sim/metrics.go) names these counters without the suffix that vLLM's
# have, so that panels and rules would find nothing. Of vLLM's own names none matches.
_NAMED_AS_VLLM = {
    "source_labels": ["__name__"],
    "regex": "(vllm:prefix_cache_(?:hits|queries))",
    "target_label": "__name__",
    "replacement": "${1}_total",
}


@dataclass(frozen=True, kw_only=True)
class ClusterLabels:
    """Labels that managed collection gives to every series of a cluster."""

    project: str
    location: str
    cluster: str

    def as_mapping(self) -> dict[str, str]:
        return {"project_id": self.project, "location": self.location, "cluster": self.cluster}


def prometheus_config(monitorings: Manifests, pods: Manifests, labels: ClusterLabels, find: Find) -> dict[str, Any]:
    """The configuration file: one job for each endpoint of each PodMonitoring.

    Series have the labels of managed collection: project_id, location, cluster, namespace, job (the PodMonitoring's
    name), instance (`pod:port`), pod and container.
    """
    ordered = sorted(monitorings, key=lambda item: (item["metadata"]["namespace"], item["metadata"]["name"]))
    jobs = [
        _job(monitoring, index, endpoint, pods, labels, find)
        for monitoring in ordered
        for index, endpoint in enumerate(monitoring["spec"]["endpoints"])
    ]
    return {"global": {"scrape_interval": f"{SCRAPE_SECONDS}s"}, "scrape_configs": jobs}


def _job(
    monitoring: Manifest, index: int, endpoint: Mapping[str, Any], pods: Manifests, labels: ClusterLabels, find: Find
) -> dict[str, Any]:
    namespace, name = monitoring["metadata"]["namespace"], monitoring["metadata"]["name"]
    job: dict[str, Any] = {
        "job_name": f"{namespace}/{name}/{index}",
        "metrics_path": endpoint.get("path") or "/metrics",
        "scheme": endpoint.get("scheme") or "http",
        "static_configs": [
            {"targets": [target], "labels": labels.as_mapping() | {"namespace": namespace, "job": name} | own}
            for target, own in _targets(monitoring, endpoint["port"], pods)
        ],
        "metric_relabel_configs": [_NAMED_AS_VLLM],
    }
    if (endpoint.get("tls") or {}).get("insecureSkipVerify"):
        job["tls_config"] = {"insecure_skip_verify": True}
    secret = (((endpoint.get("authorization") or {}).get("credentials") or {}).get("secret")) or {}
    token = _token(find("Secret", namespace, secret["name"]), secret["key"]) if secret else None
    if token is not None:
        job["authorization"] = {"type": "Bearer", "credentials": token}
    return job


def _targets(monitoring: Manifest, port: str | int, pods: Manifests) -> Iterator[tuple[str, dict[str, str]]]:
    """Address and labels of each pod that the PodMonitoring selects and that has the port."""
    selector = (monitoring["spec"].get("selector") or {}).get("matchLabels") or {}
    for pod in sorted(pods, key=lambda item: str(item["metadata"]["name"])):
        metadata, status = pod["metadata"], pod.get("status") or {}
        own = metadata.get("labels") or {}
        chosen = metadata["namespace"] == monitoring["metadata"]["namespace"] and selector.items() <= own.items()
        if not chosen or not status.get("podIP") or status.get("phase") in _DONE:
            continue
        for container, number in _ports(pod, port):
            yield (
                f"{status['podIP']}:{number}",
                {"instance": f"{metadata['name']}:{port}", "pod": metadata["name"], "container": container},
            )


def _ports(pod: Manifest, port: str | int) -> Iterator[tuple[str, int]]:
    """Container and number of a port by its name or number. Sidecars are init containers."""
    spec = pod["spec"]
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        for entry in container.get("ports") or []:
            if port in (entry.get("name"), entry["containerPort"]):
                yield container["name"], entry["containerPort"]


def _token(secret: Manifest | None, key: str) -> str | None:
    """A value of a Secret. None while its controller has not written it: the scrape then fails as on GKE."""
    value = ((secret or {}).get("data") or {}).get(key)
    return None if value is None else base64.b64decode(value).decode()
