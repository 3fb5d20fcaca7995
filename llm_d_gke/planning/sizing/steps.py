"""How long one step of an engine takes: a roofline by mechanism, with a few shares and latencies that were measured.

A step computes one token of every running sequence and a chunk of a prompt. It reads the weights its tokens meet (of
experts those that are asked) and the cached keys and values, computes its matrices and the attention of the prompt,
exchanges activations between tensor-parallel ranks, and spends a little on each layer, on each sequence and on
scheduling. Reading and computing of one matrix overlap; everything else follows one another.

The constants are in llm_d_gke/catalog/engine.yaml, fitted by `python -m llm_d_gke.maintenance.speed_check fit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_speed import SpeedConstants
from llm_d_gke.catalog.parameters import GIB, per_layer_tables
from llm_d_gke.catalog.schema import Accelerator
from llm_d_gke.planning.plan.estimates import Bound
from llm_d_gke.planning.sizing.memory import EngineRun
from llm_d_gke.planning.sizing.memory.kv_cache import Layers, layers_of
from llm_d_gke.planning.sizing.memory.weights import scratch_bytes, tower_bytes, weights_gib

_SHARPNESS = 4  # of the corner between reading and computing: at the corner a matrix takes 2 ** (1 / 4) times either


class StepTimes(Protocol):
    """Anything that knows how long a step takes. Seconds; `context` is the mean length of the running sequences."""

    name: str

    def step(self, decoding: float, context: float, chunk: float = 0.0, depth: float = 0.0) -> float:
        """One token of `decoding` sequences and `chunk` tokens of a prompt of which `depth` tokens are cached."""
        ...


@dataclass(frozen=True, slots=True)
class _Matrices:
    """Matrices of one kind on one rank: seconds in which all weights are read, and of computing for one token."""

    whole_seconds: float
    token_seconds: float
    expert_share: float = 1.0  # share of the experts that one token asks
    ranks: int = 1  # data-parallel ranks, all of which send tokens to the experts of this one

    def reading(self, tokens: float) -> float:
        """Seconds of reading the weights that a step's tokens meet."""
        if self.expert_share == 1:
            return self.whole_seconds
        return self.whole_seconds * float(1 - (1 - self.expert_share) ** max(1.0, tokens * self.ranks))

    def seconds(self, tokens: float) -> float:
        """Seconds of reading and computing, which overlap."""
        reading = self.whole_seconds if self.expert_share == 1 else self.reading(tokens)
        computing = tokens * self.token_seconds
        if reading > 4 * computing:
            return reading
        if computing > 4 * reading:
            return computing
        return float((reading**_SHARPNESS + computing**_SHARPNESS) ** (1 / _SHARPNESS))


class Roofline:
    """Step times of one rank; pipeline stages work one after another on a token."""

    name = "roofline"

    def __init__(self, run: EngineRun, accelerator: Accelerator, constants: SpeedConstants) -> None:
        # A fractional machine has its part of the device's speed as of its memory.
        part = run.total_gib / (accelerator.usable_gib or run.total_gib) / accelerator.devices_per_chip
        plain = (accelerator.bf16_tflops or accelerator.fp16_tflops or 0.0) * 1e12 * part
        quantized = run.quantized
        eighth = quantized is not None and quantized.bits == 8 and accelerator.fp8_tflops is not None
        matrix = (accelerator.fp8_tflops or 0.0) * 1e12 * part if eighth else plain
        share = constants.matrix_share_fp8 if eighth else constants.matrix_share
        if quantized is not None and not eighth:
            share = constants.matrix_share_unpacked
        self._bandwidth = (accelerator.bandwidth_gbs or 0.0) * 1e9 * part * constants.bandwidth_share
        self._attention = plain * constants.attention_share
        self._constants = constants
        model, tensor = run.model, run.tensor_parallel
        parts, experts = run.parameters, model.experts
        stored = sum(weights_gib(run, stage) for stage in range(run.pipeline_parallel)) * GIB
        # Of tables only rows are read, and a vision tower runs for images only.
        stored -= per_layer_tables(model) * run.dtype_bytes / tensor
        stored -= tower_bytes(run) + scratch_bytes(run)
        head = (parts.lm_head or parts.embedding) * run.dtype_bytes / tensor
        stored -= parts.embedding * run.dtype_bytes / tensor + (head if parts.lm_head else 0.0)
        routed = parts.experts * run.stored_bytes("experts") / run.expert_ranks if experts else 0.0
        every = parts.attention + parts.linear + parts.mlp + parts.shared + parts.latent
        computing = 1 / (matrix * share)
        self._dense = _Matrices(max(0.0, stored - routed) / self._bandwidth, 2 * every / tensor * computing)
        head_flops = 2 * (parts.lm_head or parts.embedding) / tensor
        self._head = _Matrices(head / self._bandwidth, head_flops / (plain * constants.matrix_share))
        self._experts: _Matrices | None = None
        if experts is not None:
            active_share = experts.active / experts.count
            self._experts = _Matrices(
                routed / (self._bandwidth * constants.experts_reading_share),
                2 * parts.experts * active_share / tensor * computing / constants.experts_share,
                active_share,
                run.data_parallel,
            )
        self._attention_ranks = run.attention_ranks
        kinds = [layers for stage in range(run.pipeline_parallel) for layers in layers_of(run, stage)]
        self._kinds = kinds
        # Of the context in the latest call: a load has one.
        self._context, self._cache_read = -1.0, 0.0
        # A prompt is one rank's.
        heads = model.attention_heads * model.head_dim / run.dense_parallel
        self._attending = [(4.0 * heads * kind.count, kind.window) for kind in kinds if kind.token_bytes]
        self._fixed = _fixed_seconds(run, constants, fp8=eighth)
        link = (accelerator.link_gbs or 0.0) * 1e9 / accelerator.devices_per_chip
        sent = 2 * model.layers * model.hidden * run.dtype_bytes * 2 * (tensor - 1) / tensor
        self._exchanged = sent / (link * constants.link_share) if link else 0.0

    def step(self, decoding: float, context: float, chunk: float = 0.0, depth: float = 0.0) -> float:
        """One token of `decoding` sequences and `chunk` tokens of a prompt of which `depth` tokens are cached."""
        tokens = decoding + chunk
        seconds = self._dense.seconds(tokens) + self._head.seconds(decoding + min(chunk, 1.0))
        if self._experts is not None:
            seconds += self._experts.seconds(tokens)
        if decoding:
            seconds += decoding / self._attention_ranks * self._kv_seconds(context)
        if chunk:
            seconds += self._attention_seconds(chunk, depth)
        return seconds + self._fixed + tokens * self._exchanged + decoding * self._constants.sequence_seconds

    def bound(self, decoding: float) -> Bound:
        """What a step without prompts waits for."""
        tokens = max(1.0, decoding)
        reading = self._dense.reading(tokens) + self._head.reading(tokens)
        computing = tokens * self._dense.token_seconds
        if self._experts is not None:
            reading += self._experts.reading(tokens)
            computing += tokens * self._experts.token_seconds
        if self._fixed + decoding * self._constants.sequence_seconds > max(reading, computing):
            return "host"
        return "compute" if computing > reading else "memory bandwidth"

    def _kv_seconds(self, context: float) -> float:
        """Seconds in which one sequence's keys and values, or states, are read in a step."""
        if context != self._context:
            self._context, self._cache_read = (
                context,
                sum(read(kind, context) for kind in self._kinds) / self._bandwidth,
            )
        return self._cache_read

    def _attention_seconds(self, chunk: float, depth: float) -> float:
        """Seconds of attention between a chunk of a prompt and the `depth` tokens before it."""
        work = 0.0
        for flops, window in self._attending:
            seen = depth + chunk / 2
            work += flops * chunk * (min(seen, window) if window else seen)
        return work / self._attention


def _fixed_seconds(run: EngineRun, constants: SpeedConstants, *, fp8: bool) -> float:
    """Seconds of a step that do not depend on its tokens; `fp8`: experts compute in 8 bits."""
    model, speed = run.model, load_engine().speed
    seconds = constants.host_seconds + model.layers * constants.layer_seconds
    if model.experts is not None:
        layer_seconds = constants.experts_fp8_layer_seconds if fp8 else constants.experts_layer_seconds
        seconds += model.experts.layers * layer_seconds
        if run.data_parallel > 1:
            seconds += model.experts.layers * speed.all_to_all_seconds
    if run.tensor_parallel > 1:
        seconds += 2 * model.layers * speed.collective_seconds[run.interconnect]
    return seconds


def read(kind: Layers, context: float) -> float:
    """Bytes that one sequence of `context` tokens reads of the layers of one kind."""
    seen = min(context, kind.window) if kind.window else context
    return kind.count * (kind.state_bytes + kind.token_bytes * seen)
