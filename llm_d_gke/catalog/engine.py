"""Typed access to engine.yaml: what each version of vLLM takes for itself, and how fast it is measured to be."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Literal

from .engine_memory import (
    EncoderBeside,
    FusedExperts,
    KvPages,
    RecurrentModels,
    SamplerWarmUp,
    SparseMla,
    UnifiedMemory,
    Video,
    VideoFrames,
)
from .engine_reports import FieldReport, OtherModels, OwnParsers, Parsers, StartReports
from .engine_speed import Speed
from .reading import reader
from .schema import AttentionKind, Entry, Source
from .versions import version_numbers


class NonTorchMemory(Entry):
    """What CUDA context, cuBLAS and NCCL take outside of torch's allocator, GiB per rank, by how ranks are joined.

    vLLM's start-up log calls it "non-torch memory". The figures are fits to such logs.
    """

    one_rank: float  # one GPU for each replica, or each data-parallel rank
    pipeline: float  # one rank per stage
    nvlink: float  # tensor parallel
    pcie: float  # tensor parallel
    pcie_pair: float | None = None  # two ranks of cards without access to each other's memory; None: as others


class GraphReserve(Entry):
    """What vLLM estimates for CUDA graphs of all captured sizes, and reserves before the KV cache. A fit to its logs.

    `base_gib` and `layer_gib` for each layer, GiB per rank (profile_cudagraph_memory of v1/worker/gpu_model_runner.py).
    """

    base_gib: float
    layer_gib: float
    shared_pool: bool = False  # `base_gib` is of the largest size, and less with a smaller one
    recurrent_outputs: float = 0.0  # outputs of each recurrent layer that it counts for every token of a batch
    recurrent_outputs_from: float = 0.0  # compute capability from which they are counted,
    recurrent_outputs_below: float = 99.0  # and below which
    recurrent_sm12_gib: float = 0.0  # beside them, models with quantized weights on compute capability 12.x


class VersionBand(Entry):
    """How versions of vLLM from `since` up to the next band's divide the memory of a GPU while they start."""

    since: str
    default_utilization: float  # of --gpu-memory-utilization
    sampler_bytes: float  # peak of the sampler's dummy run, bytes per (sequence x vocabulary entry)
    flashinfer_sampler_bytes: float | None = None  # the same where FlashInfer samples, which is not the default
    graphs_reserved: bool  # `graphs` is taken off before the KV cache; otherwise graphs use what is left free
    batches_in_flight: int  # whose tokens a sliding window keeps beside itself (max_in_flight_tokens)
    # How the log's "GPU KV cache size" follows from blocks, for models with several kinds of attention: tokens in one
    # group's share of the blocks, or the longest request times the maximum concurrency.
    logged_tokens: Literal["blocks", "concurrency"]
    graphs: GraphReserve
    non_torch: NonTorchMemory
    calibrated: Literal["fully", "partly"]  # whether start-up logs settle every constant, or some
    sources: tuple[str, ...]


class Compilation(Entry):
    """What kernels that torch.compile times take beside the embedding, GiB."""

    since: str
    gib: float
    again_since: str
    again_from: float  # compute capability from which Model Runner V2 has the embedding once more outside torch
    again_before: str
    again_tied_rows: int  # dense models with tied embeddings have it on older cards, too, with this many sequences


class CapturedGraphs(Entry):
    """CUDA graphs captured after the KV cache is allocated, GiB."""

    base_gib: float
    layer_gib: float
    experts_layer_gib: float
    latent_layer_gib: float  # latent attention, and gpt-oss
    sizes: int  # sizes captured when the figures above were read


class DefaultBatch(Entry):
    """Defaults of `vllm serve` on GPUs of at least this memory (get_batch_defaults in engine/arg_utils.py)."""

    from_gib: float  # as CUDA reports the card's memory
    tokens: int  # --max-num-batched-tokens
    sequences: int  # --max-num-seqs
    since: str = "0"  # version


class ModelRunnerV2WarmUp(Entry):
    """Bytes per (sequence x vocabulary entry) of Model Runner V2's warm-up: refused below one, sure from the other."""

    refused_bytes: float
    passed_bytes: float


class ModelRunnerV2(Entry):
    """Model Runner V2: which models it is the default of since which version, and what its profile counts."""

    architectures: Mapping[str, str]  # since; "dense": every model without experts and without recurrent layers
    every_since: str  # from here on it is the default of every model
    methods: Mapping[str, str | None]  # of guessing, which it had not at first: since when it has
    sampler_bytes: Mapping[str, float]  # by the version since which they hold
    graphs_since: str  # before, its profile reserves nothing for CUDA graphs
    offloads_since: str  # before, it keeps every weight on the devices
    graphs: GraphReserve
    encoder_since: str  # before, its profile does not run a vision tower
    state_bytes: float  # counts of each sequence's tokens, per vocabulary entry, kept for penalties
    context_gib: float  # CUDA context, made before memory is first read
    state_counted_since: str  # before, its profile does not count them: they come out of what is left free
    non_torch_gib: float  # outside torch's allocator, one rank
    non_torch_pcie_gib: float  # of each of two ranks without NVLink
    experts_gib: float  # beside it with routed experts, once graphs are profiled
    experts_before: str  # from here on the profile keeps nothing of workspaces that grew
    warm_up: Mapping[str, ModelRunnerV2WarmUp]  # by the version since which they hold


class Adapters(Entry):
    """What slots for LoRA adapters take beside the thin matrices of the layers."""

    vocabulary: tuple[str, ...]  # architectures whose embedding and head take adapters too
    graphs: float  # of the graphs with adapters, as a multiple of the graphs without


class TpuStates(Entry):
    """Versions of the TPU back end whose layout of recurrent layers' states was read."""

    since: str
    prefixes_since: str  # with prefix caching a state is kept at block boundaries, of which the share was not read


class EstimateErrors(Entry):
    """Stated errors: shares for `weights*`, `activation_uncalibrated` and `activation_compressed`, GiB for the rest."""

    weights: float
    weights_quantized: float
    non_torch_one_rank: float
    non_torch_parallel: float
    activation: float
    activation_moe: float
    activation_encoder: float  # with batches up to `encoder_tokens`, and in proportion beyond
    encoder_tokens: int
    activation_encoder_known: float
    unified_memory_gib: float  # with a vision tower, whose processes take the host's memory too
    unified_memory_text_gib: float
    activation_model_runner_v2: float  # Model Runner V2, whose profile was never logged
    activation_uncalibrated: float
    activation_compressed: float  # share, of attention to compressed keys
    graphs_gib: float  # of the estimate that vLLM reserves
    graphs_recurrent_gib: float  # likewise, of models with recurrent layers
    windows_gib: float  # a guest of Windows, which takes part of the card
    tpu_gib: float
    tpu_experts: float  # share of weights
    smallest_gib: float  # no verdict is trusted closer than this: the same flags passed and failed on one T4
    smallest_plain_gib: float  # likewise, of a dense model for text on one GPU
    settled_since: str  # version: before, FlashInfer's sampler is taken where it is installed


class Metrics(Entry):
    """Time series in one scrape of a pod, for the price of monitoring."""

    series: Mapping[str, int]  # by kind of pod: server, picker
    sources: tuple[str, ...]


class AllToAll(Entry):
    """A way for data-parallel ranks to exchange tokens, as `--all2all-backend` names it."""

    rdma: bool  # moves tokens from GPU to GPU over RDMA network cards
    privileged: bool  # on GKE: opens GPU-initiated connections, which the driver gives to privileged containers only
    tokens: int | None  # that each rank sends at most at once, into buffers for all experts; None: no such buffers


class FeatureVersions(Entry):
    """The version of vLLM from which on it can do something."""

    multi_node: str  # one engine over several hosts without Ray (--nnodes)
    rank_ports: str  # a port for each data-parallel rank, under one supervisor
    tpu_multi_host: str  # one engine over the hosts of a TPU slice, through Ray
    nixl_cache_kinds: str  # NixlConnector transfers caches of several kinds of layers (SupportsHMA)
    nixl_wider_prefill: str  # NixlConnector reads from more ranks than the decoding engine has
    nixl_capped_heads: str  # it expects that more ranks than key-value heads hold one head each
    nixl_state_layout: str  # it asks for convolution states by channel (VLLM_SSM_CONV_STATE_LAYOUT=DS)
    nixl_linear_states: str  # with that layout it takes states of linear attention, as well as Mamba's
    fp8_by_layer: str  # --quantization fp8 does not hold all weights in 16 bits on the device first
    graceful_shutdown: str  # running requests may end after SIGTERM (--shutdown-timeout)
    tpu_replicated_heads: str  # on TPU it repeats key-value heads for more chips than there are heads
    tpu_latent_attention: str  # on TPU it ends with latent attention, unless attention is data-parallel
    stated_yarn: str  # max_position_embeddings is the longest request of YaRN, and its factor does not multiply it


class Engine(Entry):
    """The whole of engine.yaml."""

    sources: Mapping[str, Source]
    bands: tuple[VersionBand, ...]  # newest first
    newest: str  # of the versions of vLLM whose source was read
    graphs: CapturedGraphs
    model_runner_v2: ModelRunnerV2
    tool_calls: tuple[Parsers, ...]  # the first whose expression is found counts
    reasoning: tuple[Parsers, ...]
    own_tool_parsers: tuple[OwnParsers, ...]
    own_reasoning_parsers: tuple[OwnParsers, ...]
    other_models: tuple[OtherModels, ...]
    short_options: Mapping[str, str]
    histogram_families: tuple[str, ...]  # whose bounds --custom-histogram-buckets may set
    dropped_options: Mapping[str, str]  # option -> the first version without it
    earlier_options: tuple[str, ...]  # of versions before every table, which none of the tables has
    instead_of: Mapping[str, str]  # option that is gone -> what serves instead: an option, and what to write in it
    late_options: Mapping[str, tuple[str, ...]]  # version -> options of a later table that it is the last to lack
    parser_packages: Mapping[str, str]  # parser or quantization -> Python package it needs and vLLM does not require
    adapters: Adapters
    compile: Compilation
    warm_up: SamplerWarmUp
    encoder_gib: Mapping[str, float]  # peak of the profile's vision tower, by the beginning of the architecture
    encoder_beside_text: EncoderBeside
    unified_memory: UnifiedMemory
    video: Video
    video_frames: VideoFrames
    recurrent_models: RecurrentModels
    sparse_mla: SparseMla
    fused_experts: FusedExperts
    kv_pages: KvPages
    rejection_bytes: float  # of V1's sampler with a draft, beside `sampler_bytes`
    flashinfer_gib: float  # its buffer (VLLM_FLASHINFER_WORKSPACE_BUFFER_SIZE)
    batches: tuple[DefaultBatch, ...]  # largest first
    tpu_utilization_tested: Mapping[str, float]  # highest --gpu-memory-utilization that left room there, by accelerator
    tpu_states: TpuStates
    tpu_missing_layers: tuple[AttentionKind, ...]
    untransferred_states: Mapping[str, tuple[str, ...]]
    chat_templates: Mapping[str, tuple[str, ...]]  # by the first version that finds them
    field_reports: tuple[FieldReport, ...]
    start_reports: StartReports
    errors: EstimateErrors
    speed: Speed
    all_to_all: Mapping[str, AllToAll]
    architectures: Mapping[str, str]  # first version with them, where it lies between two tables
    turing: Mapping[str, str]  # by quantization method or format, the first version for capability 7.5
    features: FeatureVersions
    metrics: Metrics

    def band(self, version: str) -> VersionBand:
        """Constants of a version; versions older than the oldest band are taken as it."""
        release = version_numbers(version)
        return next((band for band in self.bands if version_numbers(band.since) <= release), self.bands[-1])

    def has(self, version: str, since: str) -> bool:
        """Whether a version has a feature that was added in another version."""
        return version_numbers(version) >= version_numbers(since)

    def lacks(self, version: str, option: str) -> bool:
        """Whether an option of a table came later than a version before it, as far as was read."""
        return any(option in options and self.has(last, version) for last, options in self.late_options.items())

    def covers(self, version: str) -> bool:
        """Whether the figures were read from, or checked on, versions around this one."""
        return (
            version_numbers(self.bands[-1].since) <= version_numbers(version)
            and version_numbers(version)[:2] <= version_numbers(self.newest)[:2]
        )

    def states_yarn(self, version: str) -> bool:
        """Whether a model's max_position_embeddings has to be the length that YaRN stretches it to."""
        return self.has(version, self.features.stated_yarn)

    def transfers_kinds(self, version: str) -> bool:
        """Whether NIXL's connector transfers sliding windows and recurrent states as separate kinds of layers."""
        return self.has(version, self.features.nixl_cache_kinds)

    def transfers_from_wider(self, version: str) -> bool:
        """Whether NIXL's connector takes a cache that was computed by more ranks than decode it."""
        return self.has(version, self.features.nixl_wider_prefill)

    def transfers_to_capped(self, version: str) -> bool:
        """Whether NIXL's connector knows that a rank has one key-value head at least."""
        return self.has(version, self.features.nixl_capped_heads)

    def asks_for_state_layout(self, version: str) -> bool:
        """Whether NIXL's connector fails with recurrent states in vLLM's default layout."""
        return self.has(version, self.features.nixl_state_layout)

    def transfers_linear_states(self, version: str) -> bool:
        """Whether NIXL's connector takes the states of Gated DeltaNet: not in the first versions that divide states."""
        return not self.asks_for_state_layout(version) or self.has(version, self.features.nixl_linear_states)

    def lays_out_states(self, version: str, *, prefix_caching: bool) -> bool:
        """Whether the layout of recurrent states by the TPU back end is established."""
        figures, has = self.tpu_states, self.has
        return has(version, figures.since) and not (prefix_caching and has(version, figures.prefixes_since))

    def defaults_to_model_runner_v2(self, version: str, architecture: str, *, dense: bool) -> bool:
        """Whether Model Runner V2 is a model's default. `dense`: the model has neither experts nor recurrent layers."""
        since = self.model_runner_v2.architectures.get(architecture)
        starts = [self.model_runner_v2.every_since, *([since] if since is not None else [])]
        if dense:
            starts.append(self.model_runner_v2.architectures["dense"])
        return any(self.has(version, start) for start in starts)

    def model_runner_v2_guesses(self, version: str, method: str) -> bool:
        """Whether Model Runner V2 has a method of guessing. Without it a version takes V1 by default."""
        methods = self.model_runner_v2.methods
        since = methods.get(method, "0")
        return since is not None and self.has(version, since)

    def model_runner_v2_sampler(self, version: str) -> float:
        """Bytes per (sequence x vocabulary entry) of its profile."""
        figures = self.model_runner_v2.sampler_bytes
        return figures[self._newest(figures, version)]

    def model_runner_v2_warm_up(self, version: str) -> ModelRunnerV2WarmUp:
        """Memory of the warm-up of Model Runner V2 after the KV cache is allocated."""
        figures = self.model_runner_v2.warm_up
        return figures[self._newest(figures, version)]

    def _newest(self, versions: Iterable[str], version: str) -> str:
        """The newest of some versions that is not after another; the oldest, where all are."""
        ordered = sorted(versions, key=version_numbers)
        return next((since for since in reversed(ordered) if self.has(version, since)), ordered[0])


_IN_USE: ContextVar[Engine | None] = ContextVar("engine", default=None)


def load_engine() -> Engine:
    """The facts of engine.yaml, read once. Raises pydantic's ValidationError naming the field."""
    return _IN_USE.get() or _read_engine()


@contextlib.contextmanager
def use_engine(engine: Engine) -> Iterator[None]:
    """Let `load_engine` return other facts inside the context: what a plan would be if they were true."""
    token = _IN_USE.set(engine)
    try:
        yield
    finally:
        _IN_USE.reset(token)


_read_engine = reader(Engine, "engine.yaml")
