"""The data layer: sources of metrics and objects, and what is extracted from them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from llm_d_gke.planning.picker_config.parameters.base import Duration, Parameters, Port, Strict, Text

Path = Annotated[str, Field(pattern="^/")]


class Scrape(Parameters):
    scheme: Literal["http", "https"] = "http"
    path: Path = "/metrics"
    insecure_skip_verify: bool = True


class ScrapeWithTls(Scrape):
    """`port` None: that of the pool."""

    port: Port | None = None
    ca_cert_path: str = Field(default="", alias="caCertPath")
    client_cert_path: str = ""
    client_key_path: str = ""
    interval: Duration | None = None


class ScrapeClusters(ScrapeWithTls):
    scheme: Literal["http", "https"] = "https"


class ScrapeModelList(Scrape):
    """As the scheduler v0.7.1 reads it."""

    path: Path = "/v1/models"


class ScrapeModels(Parameters):
    scheme: Literal["http", "https"] = "http"
    path: Path = "/v1/models"
    insecure_skip_verify: bool = True
    ca_cert_path: str = Field(default="", alias="caCertPath")
    client_cert_path: str = ""
    client_key_path: str = ""
    interval: Duration | None = None


class ScrapeDevices(Parameters):
    scheme: Literal["http", "https"] = "http"
    path: Path = "/metrics"
    port: Port = 9400
    insecure_skip_verify: bool = True
    use_node_address: bool = False
    interval: Duration | None = None


class Watch(Parameters):
    group: str = ""
    version: Text
    kind: Text


class Engine(Strict):
    """Metric names of one engine."""

    name: Text
    queued_requests_spec: str = ""
    running_requests_spec: str = ""
    kv_usage_spec: str = ""
    lora_spec: str = ""
    cache_info_spec: str = ""
    cache_block_size_label_name: str = ""
    cache_num_blocks_label_name: str = ""
    cache_block_size_spec: str = ""
    cache_num_blocks_spec: str = ""


class Metrics(Parameters):
    engine_label_key: str = "llm-d.ai/engine-type"
    default_engine: str = "vllm"
    engine_configs: tuple[Engine, ...] = ()

    @model_validator(mode="after")
    def _default_is_known(self) -> Self:
        engines = (*self.built_in_engines(), *(engine.name for engine in self.engine_configs))
        if self.default_engine and self.default_engine not in engines:
            raise ValueError(f"defaultEngine {self.default_engine} is none of {', '.join(engines)}")
        return self

    @classmethod
    def built_in_engines(cls) -> tuple[str, ...]:
        """Engines whose metrics the picker knows (defaultEngineConfigs in extractor/metrics/factories.go)."""
        return ("vllm", "sglang", "trtllm-serve", "triton-tensorrt-llm")


class TwoEngineMetrics(Metrics):
    """As v1.4 knows engines, and calls the label."""

    engine_label_key: str = "inference.networking.k8s.io/engine-type"

    @classmethod
    def built_in_engines(cls) -> tuple[str, ...]:
        return ("vllm", "sglang")


class InferenceMetrics(Metrics):
    """As v1.5 calls the label."""

    engine_label_key: str = "inference.networking.k8s.io/engine-type"


class CustomMetric(Strict):
    attribute_key: Text
    metric_spec: Text


class EngineWithCustomMetrics(Engine):
    custom_metrics: tuple[CustomMetric, ...] = ()


class CustomMetrics(Parameters):
    engine_label_key: str = "llm-d.ai/engine-type"
    default_engine: str = "vllm"
    engine_configs: tuple[EngineWithCustomMetrics, ...] = ()


class ClusterMetrics(Parameters):
    kv_cache_utilization_metric: str = "llm_d_epp_average_kv_cache_utilization"
    queue_size_metric: str = "llm_d_epp_average_queue_size"


class TopologyLabels(Parameters):
    hostname: str = "kubernetes.io/hostname"
    rack: str = "topology.kubernetes.io/rack"
    zone: str = "topology.kubernetes.io/zone"
    region: str = "topology.kubernetes.io/region"


class FileDiscovery(Parameters):
    path: Text
    watch_file: bool = False


class AttributeKey(Strict):
    namespace: str = "envoy.lb"
    name: Text


class ReportedAttribute(Strict):
    """`expression` and `condition` in the Common Expression Language."""

    key: AttributeKey
    expression: Text
    condition: str = ""


class Reporter(Parameters):
    attributes: tuple[ReportedAttribute, ...] = Field(min_length=1, max_length=1)


class SessionHeaders(Parameters):
    additional_session_headers: tuple[str, ...] = ()
