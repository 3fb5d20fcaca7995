"""Managed collection of a stack: its Prometheus, and what pods need to read it as on GKE."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from llm_d_gke.kube import Kube, KubeError, Manifest
from llm_d_gke.kube.informer import Informer
from llm_d_gke.nested import value_at
from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.load_balancer import konnectivity
from llm_d_gke.rehearsal.monitoring.google_apis import HOST, PROXY_PORT, GoogleApis, ask_prometheus
from llm_d_gke.rehearsal.monitoring.prometheus import Prometheus, address
from llm_d_gke.rehearsal.monitoring.scrape_config import SCRAPE_SECONDS, ClusterLabels, prometheus_config
from llm_d_gke.rehearsal.paths import StackPaths, difference, record_difference
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Cloud

log = logging.getLogger(__name__)

API, KIND = "monitoring.googleapis.com/v1", "PodMonitoring"
_HTTPS = 443


class ManagedCollection:
    """Scrapes the PodMonitorings of a cluster from the moment that something reads metrics.

    A program that needs them (KEDA's operator) or `make dashboard` is that something: most rehearsals need no
    Prometheus. `resolve` finds the process behind the name and port of a Service.
    """

    def __init__(
        self,
        paths: StackPaths,
        kube: Kube,
        pods: Informer,
        monitorings: Informer,
        executable: Callable[[], Path],
        resolve: konnectivity.Resolve,
    ) -> None:
        self._paths = paths
        self._kube = kube
        self._pods = pods
        self._monitorings = monitorings
        self._resolve = resolve
        self._prometheus = Prometheus(paths, executable)
        self._cloud = Cloud(0, {})
        self._apis: GoogleApis | None = None
        self._tls_port = 0
        self._close_proxy: Callable[[], None] | None = None
        self._seen: object = None
        self._configuration: dict[str, object] = {}

    def reconcile(self, cloud: Cloud) -> None:
        """Keep Prometheus running with the current targets, where metrics are read."""
        self._cloud = cloud
        if not self._paths.prometheus.is_dir() or cloud.cluster is None:
            return
        pods, monitorings = self._pods.all(), self._monitorings.all()
        seen = (
            [(item["metadata"]["uid"], item["metadata"]["resourceVersion"]) for item in monitorings],
            [
                (pod["metadata"]["uid"], value_at(pod, "status", "podIP"), value_at(pod, "status", "phase"))
                for pod in pods
            ],
        )
        if seen != self._seen:
            labels = ClusterLabels(
                project=str(cloud.cluster.get("project") or ""),
                location=str(cloud.cluster["location"]),
                cluster=str(cloud.cluster["name"]),
            )
            self._configuration = prometheus_config(monitorings, pods, labels, self._find)
            self._seen = seen
        record_difference(self._paths, difference("prometheus", seconds=SCRAPE_SECONDS))
        self._prometheus.reconcile(self._configuration, cloud.block)

    def environment(self, namespace: str, account: str) -> Mapping[str, str]:
        """Variables with which a program of a pod reads metrics from Google's address as this service account."""
        self._paths.prometheus.mkdir(parents=True, exist_ok=True)
        host, port = address(self._cloud.block)
        if self._apis is None:
            pki = Certificates(self._paths.cluster / "pki")
            apis = GoogleApis(pki, host, ask_prometheus(f"http://{host}:{port}"), lambda: self._cloud)
            self._tls_port = apis.start()
            self._apis = apis
            self._close_proxy = konnectivity.serve_pods((host, PROXY_PORT), self._behind)
        return self._apis.environment(namespace, account)

    def stop(self) -> None:
        if self._close_proxy is not None:
            self._close_proxy()
        if self._apis is not None:
            self._apis.stop()
        self._prometheus.stop()

    def _behind(self, host: str, port: int) -> int | None:
        if (host, port) == (HOST, _HTTPS):
            return self._tls_port
        return self._resolve(host, port)

    def _find(self, kind: str, namespace: str, name: str) -> Manifest | None:
        try:
            return self._kube.find("v1", kind, name, namespace)
        except KubeError as error:
            log.warning("%s %s: %s", kind, name, error)
            return None
