"""ScaledObject and TriggerAuthentication, `keda.sh/v1alpha1` (kedacore/keda v2.20.2): the fields this program sets."""

from typing import Annotated, Literal

from pydantic import Field

from llm_d_gke.components.custom_resources.base import Named, Part, Spec

# Holds the target at this number of replicas and deletes the HorizontalPodAutoscaler.
PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas"
# Raises a target without a replica to the minimum. KEDA does not where a trigger fails, as one does that reads metrics
# of the replicas themselves (RequestScale of pkg/scaling/executor/scale_scaledobjects.go).
FORCE_ACTIVATION = "autoscaling.keda.sh/force-activation"


class ScaleTarget(Part):
    api_version: str
    kind: str
    name: str


class ScalingPolicy(Part):
    type: Literal["Pods", "Percent"]
    value: Annotated[int, Field(ge=1)]
    period_seconds: Annotated[int, Field(ge=1, le=1800)]


class ScalingRules(Part):
    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)]
    policies: Annotated[list[ScalingPolicy], Field(min_length=1)]


class Behavior(Part):
    scale_up: ScalingRules
    scale_down: ScalingRules


class HorizontalPodAutoscalerConfig(Part):
    """Of the HorizontalPodAutoscaler that KEDA creates."""

    name: str
    behavior: Behavior


class Advanced(Part):
    horizontal_pod_autoscaler_config: HorizontalPodAutoscalerConfig


class Trigger(Part):
    type: Literal["prometheus", "cron"]
    name: str
    metadata: dict[str, str]
    metric_type: Literal["AverageValue", "Value"]
    authentication_ref: Named | None = None


class ScaledObjectSpec(Spec, api_version="keda.sh/v1alpha1", kind="ScaledObject"):
    scale_target_ref: ScaleTarget
    polling_interval: Annotated[int, Field(ge=1)]
    # Only before the last replica ends.
    cooldown_period: Annotated[int, Field(ge=0)]
    min_replica_count: Annotated[int, Field(ge=0)]
    max_replica_count: Annotated[int, Field(ge=1)]
    advanced: Advanced
    triggers: Annotated[list[Trigger], Field(min_length=1)]


class PodIdentity(Part):
    """The identity of KEDA's operator, by Workload Identity Federation."""

    provider: Literal["gcp"] = "gcp"


class TriggerAuthenticationSpec(Spec, api_version="keda.sh/v1alpha1", kind="TriggerAuthentication"):
    pod_identity: PodIdentity = Field(default_factory=PodIdentity)
