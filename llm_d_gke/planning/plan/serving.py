"""Model servers of one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from llm_d_gke.planning.plan.estimates import MemoryVerdict, Simulation
from llm_d_gke.planning.plan.pods import ConfigFilePlan, PodPlan, PortPlan


@dataclass(frozen=True, kw_only=True)
class LeaderWorkerPlan:
    """A replica of several pods that start and end together, one a host (LeaderWorkerSet).

    `size` counts pods, `ranks` the data-parallel engines in all of them: 1 is one engine over all pods. `workers` are
    those beside the leader, None where all run the same. Pods of one group share a value of the node label
    `exclusive_topology`, and no two groups do.
    """

    size: int
    ranks: int
    workers: PodPlan | None
    exclusive_topology: str | None


@dataclass(frozen=True, kw_only=True)
class ClaimTemplatePlan:
    """Devices that a pod takes besides what its containers request: all of a class that its node has."""

    name: str
    device_class: str


@dataclass(frozen=True, kw_only=True)
class TriggerPlan:
    """One of a ScaledObject's triggers. `metadata` is as KEDA's scaler of this kind reads it.

    `metric_type` as in a HorizontalPodAutoscaler: `AverageValue` divides the value by the target, `Value` scales the
    replicas by the ratio of both.
    """

    name: str
    kind: Literal["prometheus", "cron"]
    metadata: Mapping[str, str]
    metric_type: Literal["AverageValue", "Value"]


@dataclass(frozen=True, kw_only=True)
class ScalingSpeedPlan:
    """A scaling policy of a HorizontalPodAutoscaler: replicas (`Pods`) or `Percent` of them in a period."""

    kind: Literal["Pods", "Percent"]
    value: int
    period_seconds: int
    stabilization_seconds: int


@dataclass(frozen=True, kw_only=True)
class ScalingPlan:
    """What changes the number of replicas of one workload.

    `target` is the workload as (API version, kind, name). `paused`: no replica runs, whatever the triggers say.
    `idle_seconds` counts with a minimum of 0 only.
    """

    name: str
    target: tuple[str, str, str]
    minimum: int
    maximum: int
    paused: bool
    triggers: tuple[TriggerPlan, ...]
    polling_seconds: int
    idle_seconds: int
    up: ScalingSpeedPlan
    down: ScalingSpeedPlan


@dataclass(frozen=True, kw_only=True)
class ModelServerPlan:
    """The vLLM servers of one model in one role: a Deployment, or groups of pods."""

    name: str
    role: Literal["both", "decode", "prefill"]
    group: LeaderWorkerPlan | None = None
    claim_template: ClaimTemplatePlan | None = None
    service_account: str
    # With `scaling`: those of the first `up`.
    replicas: int
    scaling: ScalingPlan | None = None
    # What one replica runs on, as people say it: `1 x T4`.
    hardware: str
    pod: PodPlan
    selector: Mapping[str, str]
    # Of a group with one server only its leader answers requests.
    serving_selector: Mapping[str, str]
    serving_ports: tuple[PortPlan, ...]
    start_up_seconds: int
    # Spare nodes decide: without them a rolling update would wait for an accelerator that never comes.
    max_surge: int
    max_unavailable: int
    # Buckets that the pods read by their workload identity.
    buckets: tuple[str, ...] = ()
    # The file of the model's chat template, if the stack overrides it.
    chat_template: ConfigFilePlan | None = None
    workload_identity_secret: str | None
    # None where the catalog lacks the model or a figure of the accelerator.
    memory: MemoryVerdict | None
    latency: Simulation | None
    # What the servers answer, API and metrics alike.
    protocol: Literal["http", "https"] = "http"
    # A Service of type LoadBalancer that leads to these servers past the Gateway.
    direct_service: str | None
    # Annotations of that Service, which keep its load balancer inside the VPC, and the ranges that it accepts.
    direct_annotations: Mapping[str, str] = field(default_factory=dict)
    direct_sources: tuple[str, ...] = ()

    @property
    def wakes(self) -> bool:
        """Whether there may be no replica until a request comes."""
        return self.scaling is not None and self.scaling.minimum == 0

    @property
    def most_replicas(self) -> int:
        """Replicas that there can be at once."""
        return self.replicas if self.scaling is None or self.scaling.paused else self.scaling.maximum


@dataclass(frozen=True, kw_only=True)
class InferenceServicePlan:
    """The LLMInferenceService from which KServe creates a model's pool, picker and servers.

    Requests for the model are also accepted below `path`. `up` waits for `conditions` of its status.
    """

    name: str
    path: str
    uri: str
    model_name: str
    conditions: tuple[str, ...]
