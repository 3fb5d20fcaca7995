"""Model servers of one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from planning.plan.estimates import MemoryVerdict, Simulation
from planning.plan.pods import ConfigFilePlan, PodPlan, PortPlan


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
class ModelServerPlan:
    """The vLLM servers of one model in one role: a Deployment, or groups of pods."""

    name: str
    role: Literal["both", "decode", "prefill"]
    group: LeaderWorkerPlan | None = None
    claim_template: ClaimTemplatePlan | None = None
    service_account: str
    replicas: int
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
    # The file of the model's chat template, where the stack has one of its own.
    chat_template: ConfigFilePlan | None = None
    workload_identity_secret: str | None
    # None where the catalog lacks the model or a figure of the accelerator.
    memory: MemoryVerdict | None
    latency: Simulation | None
    # What the servers answer, API and metrics alike.
    protocol: Literal["http", "https"] = "http"
    # A Service of type LoadBalancer that leads to these servers past the Gateway.
    direct_service: str | None
    # Annotations of that Service: they keep its load balancer inside the VPC.
    direct_annotations: Mapping[str, str] = field(default_factory=dict)


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
