"""Scorers: which of the candidates is best, each from 0 to 1."""

from typing import Literal, Self

from pydantic import Field, model_validator

from llm_d_gke.planning.picker_config.parameters.base import (
    AtLeastOne,
    Count,
    Duration,
    Nanoseconds,
    NotNegative,
    Parameters,
    PluginName,
    Positive,
    Share,
    Strict,
    Text,
)


class CharacterBlocks(Parameters):
    """Prefix scorer that counts characters, four to a token."""

    auto_tune: bool = True
    block_size: AtLeastOne = 64
    max_prefix_blocks_to_match: AtLeastOne = 256
    lru_capacity_per_server: AtLeastOne = 31250


class ModelBlocks(Parameters):
    """Approximate prefix cache of v1.4, which counts tokens."""

    auto_tune: bool = True
    block_size_tokens: AtLeastOne = 16
    max_prefix_blocks_to_match: Count = 256
    lru_capacity_per_server: AtLeastOne = 31250


class TokenBlocks(ModelBlocks):
    """Approximate prefix cache of v1.5: the scorer hands its parameters to the producer it makes."""

    max_prefix_tokens_to_match: Count = 0


class PrefixMatch(Parameters):
    """Reads matches of a producer. Without its name the scorer creates one with defaults."""

    prefix_match_info_producer_name: PluginName | None = None
    match_length_weight: Share = 0
    match_length_scale_tokens: AtLeastOne = 8192


class Load(Parameters):
    threshold: AtLeastOne = 128


class RequestTimeout(Parameters):
    request_timeout: Duration = "2m"


class TokenLoad(Parameters):
    queue_threshold_tokens: AtLeastOne = 4194304


class NamedTokenLoad(TokenLoad):
    in_flight_load_producer_name: PluginName | None = None


class NoHit(Parameters):
    prefix_plugin_name: PluginName = "prefix-cache-scorer"
    lru_size: AtLeastOne = 1024


class NamedNoHit(Parameters):
    prefix_plugin_type: str = ""
    prefix_plugin_name: str = ""
    lru_size: AtLeastOne = 1024
    prefix_match_info_producer_name: PluginName | None = None


class Latency(Parameters):
    """Headroom below the request's objectives; without predictions a composite of load and prefix."""

    ttft_weight: NotNegative = 0.8
    tpot_weight: NotNegative = 0.2
    headroom_selection_strategy: Literal["least", "most"] = "least"
    composite_kv_weight: NotNegative = Field(default=1, alias="compositeKVWeight")
    composite_queue_weight: NotNegative = 1
    composite_prefix_weight: NotNegative = 1


class NamedLatency(Latency):
    latency_prediction_info_producer_name: PluginName | None = None
    prefix_match_info_producer_name: PluginName | None = None


class LatencyScorer(Parameters):
    """The one plugin that predicted and scored before they were parted, as of v1.4."""

    sampling_mean: Positive = 1000
    max_sampled_tokens: Count = 0
    slo_buffer_factor: Positive = Field(default=1, alias="sloBufferFactor")
    neg_headroom_ttft_weight: NotNegative = Field(default=0.8, alias="negHeadroomTTFTWeight")
    neg_headroom_tpot_weight: NotNegative = Field(default=0.2, alias="negHeadroomTPOTWeight")
    headroom_ttft_weight: NotNegative = Field(default=0.8, alias="headroomTTFTWeight")
    headroom_tpot_weight: NotNegative = Field(default=0.2, alias="headroomTPOTWeight")
    headroom_selection_strategy: Literal["least", "most", "composite-least", "composite-most", "composite-only"] = (
        "least"
    )
    composite_kv_weight: NotNegative = Field(default=1, alias="compositeKVWeight")
    composite_queue_weight: NotNegative = 1
    composite_prefix_weight: NotNegative = 1
    epsilon_explore_sticky: Share = 0.01
    epsilon_explore_neg: Share = 0.01
    affinity_gate_tau: Share = 0.8
    affinity_gate_tau_global: Share = 0.99
    context_ttl: Nanoseconds = Field(default=300_000_000_000, alias="contextTTL")
    selection_mode: Literal["linear", "max"] = "linear"
    streaming_mode: bool = True
    endpoint_role_label: str = ""


class PredictedLatency(LatencyScorer):
    """As of v1.5."""

    affinity_max_ttft_penalty_ms: NotNegative = Field(default=5000, alias="affinityMaxTTFTPenaltyMs")


class EmbeddingsCache(Parameters):
    producer_name: PluginName | None = None


class HeaderLabel(Parameters):
    header_name: Text
    label_key: Text


class FixedRange(Strict):
    min: float
    max: float


class AdaptiveRange(Strict):
    """The range of the candidates' own values."""


class Normalization(Strict):
    fixed_range: FixedRange | None = None
    adaptive_range: AdaptiveRange | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.fixed_range is None) == (self.adaptive_range is None):
            raise ValueError("needs either fixedRange or adaptiveRange")
        return self


class ScoringAlgorithm(Strict):
    type: Literal["linear_lower_is_better", "linear_higher_is_better"]
    normalization: Normalization


class AttributeScorer(Parameters):
    attribute_key: Text
    algorithm: ScoringAlgorithm


class TopologyScorer(Parameters):
    topology_producer_name: PluginName | None = None


class ActiveRequests(Parameters):
    """`request_timeout` is taken and ignored: in-flight requests are counted elsewhere."""

    request_timeout: str = ""
    idle_threshold: Count = 0
    max_busy_score: Share = 1
    in_flight_load_producer_name: PluginName | None = None
