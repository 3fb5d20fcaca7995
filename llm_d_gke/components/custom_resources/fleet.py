"""GKE's kinds for several clusters behind one Gateway: the fields that this program sets.

docs.cloud.google.com/kubernetes-engine/docs/how-to/setup-multicluster-inference-gateway (read 2026-11-28). The form of
AutoscalingMetric by pods is that of docs/how-to/expose-custom-metrics-autoscaling beside it (read 2026-11-29).
"""

from typing import Annotated, Literal

from pydantic import Field

from llm_d_gke.components.custom_resources.base import Enabled, Part, PolicyTarget, Spec
from llm_d_gke.components.custom_resources.gke_policies import BackendDefault
from llm_d_gke.components.custom_resources.inference_pool import Selector

IMPORT_GROUP = "networking.gke.io"
IMPORT_KIND = "GCPInferencePoolImport"

# Name under which servers' metric reaches the load balancer.
EXPORTED_METRIC = "kv-cache"


class Endpoint(Part):
    port: Annotated[int, Field(ge=1, le=65535)]
    path: str


class ExportedMetric(Part):
    """A metric that the endpoint serves, and its name for load balancing."""

    name: str
    export_name: str


class AutoscalingMetricSpec(Spec, api_version="autoscaling.gke.io/v1beta1", kind="AutoscalingMetric"):
    """Exports a metric of pods of the namespace, in the form of GKE before `PodAutoscalingMetricSpec`."""

    selector: Selector
    endpoints: Annotated[list[Endpoint], Field(min_length=1)]
    metrics: Annotated[list[ExportedMetric], Field(min_length=1)]


class Gauge(Part):
    """A metric that an endpoint serves, and its name for load balancing."""

    name: str
    prometheus_metric_name: str
    load_balancing: Enabled = Enabled(enabled=True)


class PodMetric(Part):
    gauge: Gauge


class ContainerMetrics(Part):
    endpoint: Endpoint
    metrics: Annotated[list[PodMetric], Field(min_length=1)]


class PodMetrics(Part):
    selector: Selector
    containers: Annotated[list[ContainerMetrics], Field(min_length=1)]


class MetricSource(Part):
    pod: PodMetrics


class PodAutoscalingMetricSpec(Spec, api_version="autoscaling.gke.io/v1beta1", kind="AutoscalingMetric"):
    """Exports a metric of pods of the namespace, in the form of newer versions of GKE."""

    metrics: Annotated[list[MetricSource], Field(min_length=1)]


class CustomMetric(Part):
    name: str
    dry_run: bool = False
    max_utilization_percent: Annotated[int, Field(ge=1, le=100)]


class FleetBackendDefault(BackendDefault):
    """Requests go to the nearest cluster until its servers' metric is above the limit."""

    balancing_mode: Literal["CUSTOM_METRICS"] = "CUSTOM_METRICS"
    traffic_duration: Literal["LONG"] = "LONG"
    custom_metrics: Annotated[list[CustomMetric], Field(min_length=1)]


class FleetBackendPolicySpec(Spec, api_version="networking.gke.io/v1", kind="GCPBackendPolicy"):
    target_ref: PolicyTarget
    default: FleetBackendDefault
