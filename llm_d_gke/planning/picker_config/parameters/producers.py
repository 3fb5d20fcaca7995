"""Producers: they collect data on the request and the replicas before filters and scorers run."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from llm_d_gke.planning.picker_config.parameters.base import (
    AtLeastOne,
    Count,
    Duration,
    Nanoseconds,
    NotNegative,
    Parameters,
    PluginName,
    Port,
    Positive,
    Share,
    Strict,
    Text,
)


class ApproximatePrefix(Parameters):
    """Estimated cache content of a replica, from the requests sent to it. Blocks below 64 tokens are raised to 64."""

    auto_tune: bool = True
    block_size_tokens: AtLeastOne = 16
    max_prefix_blocks_to_match: Count = 2048
    max_prefix_tokens_to_match: Count = 131072
    lru_capacity_per_server: AtLeastOne = 31250


class BurstPrefix(Parameters):
    window_duration_ms: AtLeastOne = 100
    max_per_replica: int = Field(default=-1, ge=-1)
    block_size_tokens: AtLeastOne = 64
    max_prefix_tokens_to_match: Count = 0
    min_colocate_blocks: Count = 0
    max_batch_size: int = Field(default=1000, ge=-1)
    balance_by: Literal["requests", "tokens"] = "requests"


class TokenProcessor(Strict):
    """`block_size` is the deprecated name."""

    block_size: AtLeastOne | None = None
    block_size_tokens: AtLeastOne = 16
    hash_seed: str = ""


class InMemoryIndex(Strict):
    size: AtLeastOne = 100_000_000
    pod_cache_size: AtLeastOne = 10


class CostAwareIndex(Strict):
    size: Text = "2GiB"


class RedisIndex(Strict):
    address: Text = "redis://127.0.0.1:6379"


class BlockIndex(Strict):
    in_memory_config: InMemoryIndex | None = None
    redis_config: RedisIndex | None = None
    cost_aware_memory_config: CostAwareIndex | None = None
    enable_metrics: bool = False
    metrics_logging_interval: Nanoseconds = 0


class CacheTier(Strict):
    name: Text
    weight: NotNegative


class Indexer(Strict):
    kv_block_index_config: BlockIndex = Field(default_factory=BlockIndex)
    kv_cache_backend_configs: tuple[CacheTier, ...] = (
        CacheTier(name="gpu", weight=1.0),
        CacheTier(name="cpu", weight=0.8),
    )


class PodDiscovery(Strict):
    pod_label_selector: str = "llm-d.ai/inference-serving=true"
    pod_namespace: str = ""
    socket_port: Port = 5557
    replay_socket_port: int = 0


class KvEvents(Strict):
    """Events of the engines: the picker dials each pod, or listens at `zmq_endpoint`."""

    zmq_endpoint: str = ""
    topic_filter: str = "kv@"
    concurrency: AtLeastOne = 4
    engine_type: Literal["vllm", "sglang"] = "vllm"
    discover_pods: bool = True
    pod_discovery_config: PodDiscovery = Field(default_factory=PodDiscovery)


class PrecisePrefix(Parameters):
    """Actual cache content of each replica, from the events of its engine. Needs tokens of a token-producer."""

    token_processor_config: TokenProcessor = Field(default_factory=TokenProcessor)
    indexer_config: Indexer = Field(default_factory=Indexer)
    kv_events_config: KvEvents = Field(default_factory=KvEvents)
    speculative_indexing: bool = False
    speculative_ttl: Duration = Field(default="2s", alias="speculativeTTL")


class OldIndexer(Indexer):
    """`tokenizers_pool_config` is parsed and no more used."""

    tokenizers_pool_config: dict[str, Any] | None = None


class PreciseWrapper(PrecisePrefix):
    """Producer and scorer in one."""

    indexer_config: OldIndexer = Field(default_factory=OldIndexer)


class HuggingFaceTokenizer(Strict):
    enabled: bool = True
    hugging_face_token: str = ""
    tokenizers_cache_dir: str = ""


class LocalTokenizer(Strict):
    auto_discovery_dir: str = ""
    auto_discovery_tokenizer_file_name: str = ""
    model_tokenizer_map: dict[str, str] = {}


class SocketTokenizer(Strict):
    socket_file: Text


class TokenizersPool(Strict):
    workers_count: AtLeastOne = 5
    min_prefix_overlap_ratio: Share = 0.8
    local: LocalTokenizer | None = None
    uds: SocketTokenizer | None = None
    hf: HuggingFaceTokenizer | None = None


class PrefixStore(Strict):
    cache_size: AtLeastOne = 500_000
    block_size: AtLeastOne = 256


class OlderTokenProcessor(Strict):
    block_size: AtLeastOne = 16
    hash_seed: str = ""


class OlderRedis(RedisIndex):
    backend_type: str = ""
    enable_rdma: bool = Field(default=False, alias="enableRDMA")


class OlderBlockIndex(Strict):
    in_memory_config: InMemoryIndex | None = None
    redis_config: OlderRedis | None = None
    valkey_config: OlderRedis | None = None
    cost_aware_memory_config: CostAwareIndex | None = None
    enable_metrics: bool = False
    metrics_logging_interval: Nanoseconds = 0


class IndexerWithTokenizers(Strict):
    """Indexer of v0.4, which tokenizes prompts itself."""

    prefix_store_config: PrefixStore = Field(default_factory=PrefixStore)
    token_processor_config: OlderTokenProcessor = Field(default_factory=OlderTokenProcessor)
    kv_block_index_config: OlderBlockIndex = Field(default_factory=OlderBlockIndex)
    tokenizers_pool_config: TokenizersPool = Field(default_factory=TokenizersPool)
    kv_cache_backend_configs: tuple[CacheTier, ...] = ()


class ListeningEvents(Strict):
    """Events of v0.4: engines dial the picker."""

    zmq_endpoint: Text = "tcp://*:5557"
    topic_filter: str = "kv@"
    concurrency: AtLeastOne = 4


class PreciseScorer(Parameters):
    """Index and scorer in one."""

    indexer_config: IndexerWithTokenizers = Field(default_factory=IndexerWithTokenizers)
    kv_events_config: ListeningEvents = Field(default_factory=ListeningEvents)


class SpeculativeScorer(Parameters):
    """Index and scorer of the scheduler v0.7.1.

    The library llm-d-kv-cache v0.7.1 defines the content of the three groups. Its source was not read. They pass
    unchecked, but for the model's name and the socket of a tokenizer server, without which the picker was seen to end.
    """

    token_processor_config: dict[str, Any] = {}
    indexer_config: dict[str, Any] = {}
    kv_events_config: dict[str, Any] = {}
    speculative_indexing: bool = False
    speculative_ttl: Duration = Field(default="2s", alias="speculativeTTL")

    @model_validator(mode="after")
    def _model_and_tokenizer(self) -> Self:
        pool = self.indexer_config.get("tokenizersPoolConfig")
        server = pool.get("uds") if isinstance(pool, dict) else None
        if not isinstance(pool, dict) or not pool.get("modelName") or not isinstance(server, dict):
            raise ValueError(
                "indexerConfig.tokenizersPoolConfig needs modelName, and uds with a tokenizer server's socket"
            )
        if not server.get("socketFile"):
            raise ValueError(
                "indexerConfig.tokenizersPoolConfig.uds needs socketFile, where a tokenizer server listens"
            )
        return self


class SocketTokens(Parameters):
    """Tokens from a tokenizer service on a Unix socket; what the socket's group holds passes unchecked."""

    uds_tokenizer_config: dict[str, Any] = {}
    model_name: Text


class Renderer(Strict):
    """A vLLM that turns requests into tokens."""

    url: Text = "http://localhost:8000"
    timeout: Duration = "5s"
    mm_timeout: Duration = "30s"


class Resolution(Strict):
    width: AtLeastOne
    height: AtLeastOne


class ImageStatic(Strict):
    static_token: AtLeastOne


class ByFactor(Strict):
    factor: AtLeastOne


class ImageEstimate(Strict):
    mode: Literal["dynamic", "static"] = "dynamic"
    default_resolution: Resolution | None = None
    static: ImageStatic | None = None
    dynamic: ByFactor | None = None


class FrameStatic(Strict):
    num_tokens_per_frame: AtLeastOne


class TokensPerFrame(Strict):
    mode: Literal["dynamic", "static"] = "dynamic"
    static: FrameStatic | None = None
    dynamic: ByFactor | None = None


class Sampled(Strict):
    sample_fps: Positive = Field(default=2, alias="sampleFPS")
    temporal_patch_size: Count = 0


class Strided(Strict):
    default_source_fps: Positive = Field(default=24, alias="defaultSourceFPS")
    frame_stride: AtLeastOne = 1


class Frames(Strict):
    mode: Literal["sampled", "strided"] = "sampled"
    min_frames: Count = 0
    max_frames: Count = 0
    sampled: Sampled | None = None
    strided: Strided | None = None


class VideoEstimate(Strict):
    default_resolution: Resolution | None = None
    default_duration: Positive = 10
    tokens_per_frame: TokensPerFrame | None = None
    frames: Frames | None = None
    max_video_tokens: Count = 0


class Estimate(Strict):
    image: ImageEstimate | None = None
    video: VideoEstimate | None = None


class Tokens(Parameters):
    """Tokens of a request: by a vLLM, by a socket (deprecated), or estimated from characters."""

    model_name: str = ""
    vllm: Renderer | None = None
    estimate: Estimate | None = None
    uds_tokenizer_config: SocketTokenizer | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        real = self.vllm is not None or (bool(self.model_name) and self.uds_tokenizer_config is None)
        if sum((real, self.estimate is not None, self.uds_tokenizer_config is not None)) > 1:
            raise ValueError("takes one of vllm, estimate and udsTokenizerConfig")
        if (self.vllm is not None or self.uds_tokenizer_config is not None) and not self.model_name:
            raise ValueError("needs modelName, the model whose tokenizer it is")
        return self


class InflightLoad(Parameters):
    add_estimated_output_tokens: bool = False
    output_ratio: Positive = 1.5
    max_estimated_output_tokens: Count | None = None
    prefix_match_info_producer_name: PluginName | None = None
    sync_cross_replica_state: bool | None = None


class LatencyModel(Parameters):
    """Parameters of the latency predictor that every version has."""

    sampling_mean: Positive = 1000
    max_decode_token_samples_for_prediction: Count = 0
    slo_buffer_factor: Positive = Field(default=1, alias="sloBufferFactor")
    context_ttl: Nanoseconds = Field(default=300_000_000_000, alias="contextTTL")
    streaming_mode: bool = False
    endpoint_role_label: str = ""


class LatencyPrediction(LatencyModel):
    predict_in_prepare_data: bool = True


class NamedLatencyPrediction(LatencyModel):
    predict_in_produce: bool = True
    prefix_match_info_producer_name: PluginName | None = None
    in_flight_load_producer_name: PluginName | None = None
    use_encoder_cache_features: bool = False
    encoder_cache_match_info_producer_name: PluginName | None = None


class Embeddings(Parameters):
    cache_size_in_mb_per_server: AtLeastOne = Field(default=4096, alias="cacheSizeInMBPerServer")


class SessionName(Parameters):
    header_name: str = ""
    cookie_name: str = ""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.header_name) == bool(self.cookie_name):
            raise ValueError("needs either headerName or cookieName")
        return self


class PeerSource(Parameters):
    prefix_match_info_producer_name: PluginName | None = None
    min_cached_token_delta: AtLeastOne = 1
    prefill_profile_name: Text = "prefill"
