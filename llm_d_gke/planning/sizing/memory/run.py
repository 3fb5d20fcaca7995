"""One engine as vLLM would start it: every default that depends on card or version already filled in."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeVar

from llm_d_gke.catalog.engine import VersionBand, load_engine
from llm_d_gke.catalog.parameters import Parameters, count_parameters
from llm_d_gke.catalog.schema import Accelerator, DraftLayers, Interconnect, Model, Part, Quantization
from llm_d_gke.planning.engine_support.deployment import default_length

_Figure = TypeVar("_Figure")

_BYTES = {"half": 2, "float16": 2, "bfloat16": 2, "float32": 4}

# Blocks that an index chooses are blocks of the cache (vllm/models/minimax_m3/common/sparse_attention.py of 0.30.0).
_INDEXED_BLOCK = 128

_SMALL_BATCH = (8.0, 12.1)

# Pages of all requests together, and tokens of a page of latent attention, on TPUs.
_TPU_PAGES = 1024 * 1024 // 2 // 4
_TPU_LATENT_PAGE = 1024

# Each slot for an adapter takes memory of the device whether it is used or not.
LORA_SLOTS = 8

# What `--quantization` does to a checkpoint that is not quantized: vLLM converts on the fly with these methods. fp8
# keeps one scale per tensor; bitsandbytes stores 4-bit weights with block scales (0.53 bytes per weight in logs); the
# scales of the others are in vLLM's docs/features/quantization/online.md (0.26.0).
_ON_LOADING = {
    "fp8": Quantization(method="fp8", bits=8),
    "fp8_per_tensor": Quantization(method="fp8", bits=8),
    "fp8_per_channel": Quantization(method="fp8", bits=8),
    "fp8_per_block": Quantization(method="fp8", bits=8, group=128 * 128, scale_bits=32),
    "mxfp8": Quantization(method="mxfp8", bits=8, group=32, scale_bits=8),
    "bitsandbytes": Quantization(method="bitsandbytes", bits=4, group=64, scale_bits=16),
}

# Cards without FP8 arithmetic take Marlin, which repeats the scale of a square block for each of its rows, in 16 bits
# (vLLM's quantization/utils/marlin_utils_fp8.py): Qwen3.5-35B-A3B-FP8 logs 34.71 GiB on A100, and 34.2 elsewhere.
_FP8_SINCE, _FP8_BLOCK = 8.9, 128


@dataclass(frozen=True, kw_only=True)
class _Options:
    """Options of `vllm serve` that decide an engine's memory, and mean the same on every card and version."""

    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    data_parallel: int = 1
    context_parallel: int = 1  # ranks that share the keys and values of each request: --decode-context-parallel-size
    expert_parallel: bool = False
    all_to_all: str | None = None
    dtype: str | None = None
    quantization: str | None = None
    experts_bits: int | None = None  # of the type that the TPU back end gives experts' weights as it loads them
    kv_cache_dtype: str | None = None
    prefix_caching: bool = True
    enforce_eager: bool = False
    asynchronous: bool = True  # the next batch is scheduled while one runs; --no-async-scheduling
    compiled: bool = False  # what torch.compile made before is on disk
    flashinfer_sampler: bool = False  # where the version does not take it by itself
    model_runner_v2: bool | None = None  # VLLM_USE_V2_MODEL_RUNNER; None: what the version takes for the model
    estimates_graphs: bool = True  # where the version can; VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS=0 leaves it out
    text_only: bool = False
    whole_tower: bool = False  # each rank has all of it: --mm-encoder-tp-mode data
    image_pixels: int | None = None  # of the largest image or frame, where --mm-processor-kwargs states it
    video: bool = True  # requests may have videos; --limit-mm-per-prompt switches them off
    speculative_tokens: int = 0
    draft: DraftLayers | None = None  # loaded for speculative decoding; None: tokens are guessed without layers
    draft_model: Model | None = None  # a whole model that guesses; its layers are of full attention, as the model's are
    lora_slots: int = 0
    lora_rank: int = 16
    block_size: int | None = None
    kv_cache_gib: float | None = None
    others_gib: float = 0.0  # what other processes use of the device
    offloaded_gib: float = 0.0  # of a device's weights of layers, which the host's memory keeps
    least_error_gib: float = 0.0  # of the memory left for the cache


@dataclass(frozen=True, kw_only=True)
class EngineOptions(_Options):
    """Arguments of `vllm serve` that decide on memory. None is the default for accelerator, model and version."""

    max_model_len: int | None = None
    utilization: float | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class EngineRun(_Options):
    """All inputs of one engine's memory estimate. `total_gib` is the size that CUDA or libtpu reports per device."""

    model: Model
    version: str
    kind: Literal["gpu", "tpu"]
    interconnect: Interconnect
    total_gib: float
    max_model_len: int
    utilization: float
    max_num_seqs: int
    max_num_batched_tokens: int
    capability: float | None = None  # CUDA compute capability
    utilization_tested: float = 1.0  # TPU: the highest that left room for compiled programs

    @property
    def expert_ranks(self) -> int:
        """Accelerators that share the routed experts of a layer: data-parallel ranks keep one set among all of them."""
        return self.tensor_parallel * self.data_parallel

    @cached_property
    def attention_ranks(self) -> int:
        """Devices of one engine that attend for other requests each: all of them with latent attention on TPU.

        tpu_inference layers/common/sharding.py (0.19.0, 0.26.0 and 0.29.0) takes it for one key-value head, so that
        all of tensor parallelism becomes the mesh axis attn_dp.
        """
        engine = load_engine()
        latent = self.kind == "tpu" and self.model.one_vector
        return self.tensor_parallel if latent and engine.has(self.version, engine.features.tpu_latent_attention) else 1

    @property
    def dense_parallel(self) -> int:
        """Devices that divide attention, dense feed-forward layers and shared experts among them."""
        return self.tensor_parallel // self.attention_ranks

    @cached_property
    def sequences(self) -> int:
        """Sequences that one engine runs at once."""
        return self.max_num_seqs * self.attention_ranks

    @cached_property
    def band(self) -> VersionBand:
        """Constants of this version."""
        return load_engine().band(self.version)

    @cached_property
    def parameters(self) -> Parameters:
        """The model's parameters by part."""
        return count_parameters(self.model)

    @cached_property
    def figures(self) -> dict[tuple[str, int], Any]:
        """What `once` has computed, by name and stage."""
        return {}

    def once(self, name: str, stage: int, compute: Callable[[], _Figure]) -> _Figure:
        """A figure of a stage, computed by the first call: estimates of speed ask for the same ones many times."""
        key = (name, stage)
        if key not in self.figures:
            self.figures[key] = compute()
        figure: _Figure = self.figures[key]
        return figure

    def with_utilization(self, utilization: float) -> EngineRun:
        """The same engine with another share of memory, on which no part of it depends: what is computed is shared."""
        changed = copy.copy(self)
        object.__setattr__(changed, "utilization", utilization)
        return changed

    @property
    def dtype_bytes(self) -> int:
        """Bytes per weight that is not quantized. vLLM loads float32 checkpoints in 16 bits unless --dtype is set."""
        return _BYTES.get(self.dtype or "auto", 2)

    @property
    def quantized(self) -> Quantization | None:
        """How the linear layers are stored on the device; None: in `dtype`."""
        return self.model.quantization or _ON_LOADING.get(self.quantization or "")

    @property
    def converts_to_fp8(self) -> bool:
        """Whether weights of 16 bits become fp8 while they are loaded."""
        return self.model.quantization is None and self.quantization == "fp8"

    def stored_bytes(self, part: Part) -> float:
        """Bytes of one weight of a part on the device, with its scales."""
        quantization, plain = self.quantized, 8.0 * self.dtype_bytes
        if part == "experts" and self.experts_bits is not None:
            return self.experts_bits / 8
        if quantization is None or part == "per_layer":
            return self.dtype_bytes
        if self.kind == "tpu" and quantization.group and quantization.scale_bits == 16:
            # Scales of 16 bits are kept in 32 on TPUs.
            quantization = quantization.model_copy(update={"scale_bits": 32})
        in_blocks = quantization.bits == 8 and quantization.group == _FP8_BLOCK**2
        if self.kind == "gpu" and in_blocks and self.capability is not None and self.capability < _FP8_SINCE:
            quantization = quantization.model_copy(update={"group": _FP8_BLOCK, "scale_bits": 16})
        return quantization.stored_bits(part, plain) / 8

    @property
    def recurrent(self) -> bool:
        """Whether some layers keep a state in place of keys and values."""
        return self.model.recurrent

    @cached_property
    def drafting(self) -> EngineRun | None:
        """The draft model as the engine loads it, over the same ranks."""
        if self.draft_model is None:
            return None
        return replace(
            self,
            model=self.draft_model,
            draft_model=None,
            draft=None,
            speculative_tokens=0,
            quantization=None,
            lora_slots=0,
            text_only=True,
        )

    @cached_property
    def uses_model_runner_v2(self) -> bool:
        """Whether Model Runner V2 runs this model. Where it lacks the method of guessing, V1 does by default."""
        engine = load_engine()
        if self.model_runner_v2 is not None and engine.has(self.version, min(engine.model_runner_v2.sampler_bytes)):
            # use_v2_model_runner of vllm/config/vllm.py, 0.22.1 to 0.31.0: the variable decides first.
            return self.model_runner_v2
        dense = self.model.experts is None and not self.recurrent
        if self.speculative_tokens > 0 and self.draft is None:
            method = "ngram" if self.draft_model is None else "draft_model"
            if not engine.model_runner_v2_guesses(self.version, method):
                return False
        return engine.defaults_to_model_runner_v2(self.version, self.model.architecture, dense=dense)

    @property
    def in_flight_tokens(self) -> int:
        """Tokens of batches that run at once, which a sliding window keeps beside itself (max_concurrent_batches)."""
        stages = self.pipeline_parallel
        if self.band.batches_in_flight == 1:
            batches = 1
        elif self.asynchronous and (self.uses_model_runner_v2 or stages == 1):
            batches = stages + 1
        else:
            batches = stages
        return batches * self.max_num_batched_tokens

    @property
    def reserves_graphs(self) -> bool:
        """Whether an estimate of CUDA graphs is subtracted before the KV cache; otherwise they use the free rest."""
        engine = load_engine()
        profiled = not self.uses_model_runner_v2 or engine.has(self.version, engine.model_runner_v2.graphs_since)
        return self.estimates_graphs and self.band.graphs_reserved and profiled and not self.enforce_eager

    @property
    def kv_bytes(self) -> int:
        """Bytes per number in the KV cache. Quantized weights leave it at 16 bits unless the checkpoint has scales.

        Types of fewer than 8 bits count as 8 where no whole entry is meant (`cache_entries`).
        """
        if self.kv_cache_dtype in ("bfloat16", "float16"):
            return 2
        if self.kv_cache_dtype not in (None, "auto"):
            return 1
        quantization = self.model.quantization
        return 1 if quantization is not None and quantization.kv_cache else self.dtype_bytes

    @property
    def sampled_rows(self) -> int:
        """Sequences of the sampler's dummy run."""
        return min(self.max_num_seqs, self.max_num_batched_tokens)

    @property
    def has_encoder(self) -> bool:
        return self.model.vision_language and not self.text_only

    def kv_block(self) -> int:
        """Tokens of a block of ordinary attention.

        TPUs divide the longest request by 16 up to 8192 tokens, and keep the page tables of all requests together small
        (tpu_inference layers/vllm/backends/flash_attn.py, get_page_size and get_min_page_size; flash_attn_mla.py).
        """
        if self.block_size is not None:
            return self.block_size
        if self.kind == "gpu":
            indexed = self.model.mla is None and any(group.indexer is not None for group in self.model.attention)
            return _INDEXED_BLOCK if indexed else 16
        if self.model.mla is not None:
            return _TPU_LATENT_PAGE
        by_length = 16 if self.max_model_len > 8192 else min(256, max(16, _next_power_of_two(self.max_model_len) // 16))
        pages = max(1, _TPU_PAGES // self.max_num_seqs)
        return max(by_length, _next_power_of_two(-(-self.max_model_len // pages)))


def _next_power_of_two(number: int) -> int:
    """The smallest power of two that is not below a number."""
    return 1 << max(0, number - 1).bit_length()


_DEFAULTS = EngineOptions()


def engine_run(
    model: Model, accelerator: Accelerator, version: str, options: EngineOptions = _DEFAULTS, *, share: float = 1.0
) -> EngineRun | None:
    """Fill in vLLM's defaults. `share` is the part of the device a fractional machine gets.

    None when no log shows what the accelerator's memory is for CUDA, and on TPUs where the layout of compressed keys or
    states was not read (the latter before 0.22, and with prefix caching since 0.29).
    """
    engine = load_engine()
    if accelerator.usable_gib is None:
        return None
    if accelerator.kind == "tpu" and model.compressed:
        return None
    if (
        accelerator.kind == "tpu"
        and model.recurrent
        and not engine.lays_out_states(version, prefix_caching=options.prefix_caching)
    ):
        return None
    total = accelerator.usable_gib * share
    tokens, sequences = _default_batch(accelerator, total, version)
    tokens = options.max_num_batched_tokens or tokens
    filled_in = {
        "max_model_len": options.max_model_len or default_length(model, version),
        "utilization": options.utilization or engine.band(version).default_utilization,
        "max_num_seqs": options.max_num_seqs or min(sequences, tokens),
        "max_num_batched_tokens": tokens,
    }
    return EngineRun(
        model=model,
        version=version,
        kind=accelerator.kind,
        interconnect=accelerator.interconnect,
        total_gib=total,
        capability=accelerator.compute_capability,
        utilization_tested=engine.tpu_utilization_tested.get(accelerator.name, 1.0),
        **(vars(options) | filled_in),
    )


def _default_batch(accelerator: Accelerator, total_gib: float, version: str) -> tuple[int, int]:
    """vLLM's default number of tokens and of sequences in a batch, which go by the memory of a device."""
    engine = load_engine()
    # A100 has the memory of larger cards and the compute of smaller ones: vLLM gives it the small batch.
    # GB10 shares the host's memory: NVML does not say how much it is, and vLLM takes it for a small card.
    # TPUs do not say either.
    size = 0.0 if accelerator.kind == "tpu" or accelerator.compute_capability in _SMALL_BATCH else total_gib
    batch = next(batch for batch in engine.batches if size >= batch.from_gib and engine.has(version, batch.since))
    return batch.tokens, batch.sequences
