"""Admission and flow control: which requests wait, in which order, and which are rejected."""

from typing import Literal, Self

from pydantic import Field, model_validator

from llm_d_gke.planning.picker_config.parameters.base import (
    AtLeastOne,
    Duration,
    NotNegative,
    Parameters,
    PluginName,
    Positive,
    Share,
)


class LatencyAdmitter(Parameters):
    latency_prediction_info_producer_name: PluginName | None = None


class ProbabilisticAdmitter(Parameters):
    queue_depth_threshold: AtLeastOne = 5
    kv_cache_util_threshold: Positive = 0.8
    power: Positive = 5
    k: Positive = 300


class Utilization(Parameters):
    queue_depth_threshold: AtLeastOne = 5
    kv_cache_util_threshold: float = Field(default=0.8, gt=0, le=1)
    metrics_staleness_threshold: Duration = "200ms"
    headroom: NotNegative = 0


class Concurrency(Parameters):
    max_concurrency: AtLeastOne = 100
    headroom: NotNegative = 0
    concurrency_mode: Literal["requests", "tokens"] = "requests"
    max_token_concurrency: AtLeastOne = 1_000_000


class NamedConcurrency(Parameters):
    max_concurrency: AtLeastOne = 100
    headroom: NotNegative = 0
    concurrency_mode: Literal["requests", "tokens", "hybrid"] = "requests"
    max_token_concurrency: AtLeastOne = 1_000_000
    in_flight_load_producer_name: PluginName | None = None


class StaticUsage(Parameters):
    threshold: Share = 1


class Holdback(Parameters):
    shape: Literal["linear"] = "linear"
    domain: Literal["rank", "value"] = "rank"
    min_ceiling: float = Field(ge=0, lt=1)
    max_ceiling: float = Field(default=1, gt=0, le=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_ceiling >= self.max_ceiling:
            raise ValueError("minCeiling must lie below maxCeiling")
        return self


class ProgramFairness(Parameters):
    strategy: Literal["las"] = "las"
    eviction_ttl_seconds: NotNegative = 3600
    eviction_sweep_seconds: Positive = 300
    las_weight_service: NotNegative = Field(default=0.8, alias="lasWeightService")
    las_weight_head_wait: NotNegative = Field(default=0.2, alias="lasWeightHeadWait")
    las_decay_factor: float = Field(default=0.99997, gt=0, le=1, alias="lasDecayFactor")
    las_half_life_seconds: NotNegative = Field(default=0, alias="lasHalfLifeSeconds")
