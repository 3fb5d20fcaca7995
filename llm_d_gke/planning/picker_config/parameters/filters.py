"""Filters: which replicas are candidates at all."""

from typing import Literal, Self

from pydantic import Field, model_validator

from llm_d_gke.planning.picker_config.parameters.base import (
    NotNegative,
    Parameters,
    PluginName,
    Positive,
    Share,
    Strict,
    Text,
)


class Requirement(Strict):
    """One requirement of a Kubernetes label selector."""

    key: Text
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class LabelSelector(Parameters):
    match_labels: dict[str, str] = {}
    match_expressions: tuple[Requirement, ...] = ()


class ByLabel(Parameters):
    label: Text
    valid_values: tuple[str, ...] = ()
    allows_no_label: bool = False

    @model_validator(mode="after")
    def _something_passes(self) -> Self:
        if not self.valid_values and not self.allows_no_label:
            raise ValueError("without validValues it would have to allow replicas without the label")
        return self


class PredictedPrefixAffinity(Parameters):
    """The gate reads times to first token that a latency predictor gives."""

    affinity_threshold: Share = 0.8
    exploration_probability: Share = 0.01
    max_ttft_penalty_ms: NotNegative = Field(default=5000, alias="maxTTFTPenaltyMs")


class PrefixAffinity(Parameters):
    affinity_threshold: Share = 0.8
    exploration_probability: Share = 0
    max_ttft_penalty_ms: NotNegative = Field(default=18000, alias="maxTTFTPenaltyMs")
    ttft_source: Literal["latencyPredictor", "prefillThroughput"] = "prefillThroughput"
    peak_prefill_throughput: Positive = 15928  # tokens per second of a 32B model on two H100
    prefix_match_info_producer_name: PluginName | None = None
    latency_prediction_info_producer_name: PluginName | None = None
    in_flight_load_producer_name: PluginName | None = None


class HeadroomTier(Parameters):
    epsilon_explore_neg: Share = 0.01


class NamedHeadroomTier(HeadroomTier):
    latency_prediction_info_producer_name: PluginName | None = None


class EncodedEndpointHeader(Strict):
    header: Text = "x-session-token"


class SessionSource(Strict):
    """Source of a session's name: a request header, or an attribute."""

    header: str = ""
    attribute: str = ""


class SessionId(Strict):
    sources: tuple[SessionSource, ...] = ()
    eviction_ttl_seconds: Positive = 300
    eviction_sweep_seconds: Positive = 10


class SessionAffinity(Parameters):
    """Filter and scorer alike."""

    strategy: Literal["encoded_endpoint_header", "session_id"] = "encoded_endpoint_header"
    encoded_endpoint_header_config: EncodedEndpointHeader = Field(default_factory=EncodedEndpointHeader)
    session_id_config: SessionId = Field(default_factory=SessionId)
    profile_name: str = ""


class Threshold(Strict):
    operator: Literal["LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual", "Equal", "NotEqual"]
    value: float


class ThresholdAlgorithm(Strict):
    type: Literal["threshold"]
    threshold: Threshold


class AttributeFilter(Parameters):
    attribute: Text
    on_missing: Literal["Pass", "Fail"] = "Pass"
    fallback_on_empty: bool = False
    algorithm: ThresholdAlgorithm


class TopologyFilter(Parameters):
    min_affinity: Literal["host", "rack", "zone", "region"] = "host"
    topology_producer_name: PluginName | None = None


class Cap(Strict):
    metric: Literal["active-requests", "running-requests", "waiting-queue", "kv-cache-utilization"]
    max_value: NotNegative


class UtilizationFilter(Parameters):
    conditions: tuple[Cap, ...] = Field(min_length=1)
    fallback_on_empty: bool = False
    in_flight_load_producer_name: PluginName | None = None


class ContextLength(Parameters):
    """Filter and scorer in one; the ranges are in a label of the pods."""

    label: Text = "llm-d.ai/context-length-range"
    enable_filtering: bool = False


class HeaderSelector(Strict):
    name: Text
    header_name: Text
    label_key: Text
    mode: Literal["strict", "prefer"]


class RequiredRoles(Strict):
    values: tuple[str, ...]


class RevisionGating(Strict):
    revision_label_key: str = "disaggregatedset.x-k8s.io/revision"
    role_label_key: str = "disaggregatedset.x-k8s.io/role"
    mode: Literal["sum", "max-role", "disabled"]
    require_roles: RequiredRoles | None = None


class RolloutScope(Strict):
    label_selector: str


class RolloutScreener(Parameters):
    """Which revision of a DisaggregatedSet a request may go to."""

    scope: RolloutScope
    header_selectors: tuple[HeaderSelector, ...] = ()
    revision_gating: RevisionGating | None = None
