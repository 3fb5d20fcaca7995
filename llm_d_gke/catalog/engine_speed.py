"""Typed access to the part of engine.yaml that says how fast engines are measured to be."""

from collections.abc import Mapping
from typing import Literal

from .schema import AttentionKind, Entry

# GPUs before compute capability 8.0 have neither bfloat16 nor the attention kernels of the others.
Generation = Literal["gpu", "turing", "tpu"]


def generation(compute_capability: float | None) -> Generation:
    """Which constants of speed an accelerator has; TPUs have no compute capability."""
    if compute_capability is None:
        return "tpu"
    return "gpu" if compute_capability >= 8 else "turing"


class SpeedConstants(Entry):
    """Constants of the roofline in planning/sizing/steps.py for one kind of accelerator. Shares are of data sheets."""

    bandwidth_share: float  # of memory bandwidth
    matrix_share: float  # of dense FLOP/s in 16 bits
    matrix_share_fp8: float  # of dense FLOP/s in 8 bits
    matrix_share_unpacked: float  # of 16 bits, where quantized weights are unpacked first
    experts_share: float  # of the share above, for routed experts
    experts_reading_share: float  # of the memory bandwidth above, for routed experts
    attention_share: float  # of dense FLOP/s in 16 bits, attention of prompts
    layer_seconds: float  # small kernels of one layer
    experts_layer_seconds: float  # routing and sorting of one layer with experts
    experts_fp8_layer_seconds: float  # the same where activations become 8 bits on the way
    host_seconds: float  # scheduling, sampling and transfer of one step
    sequence_seconds: float  # the same for each sequence
    link_share: float  # of `link_gbs`, exchange between tensor-parallel ranks


class SpeedByGeneration(Entry):
    """Constants by generation of accelerators."""

    gpu: SpeedConstants
    turing: SpeedConstants
    tpu: SpeedConstants

    def of(self, generation: Generation) -> SpeedConstants:
        constants: SpeedConstants = getattr(self, generation)
        return constants


class HeldOutErrors(Entry):
    """Relative errors of the estimates of speed on published measurements that no constant was fitted to.

    They are medians, but `percentile_90`, the 90th percentile of times per output token and throughput together.
    """

    rows: int  # measurements
    time_to_first_token: float
    time_per_output_token: float
    throughput: float
    percentile_90: float

    @property
    def typical(self) -> float:
        """Error that half of the times per output token, and of the rates, stay within."""
        return max(self.time_per_output_token, self.throughput)


class Speed(Entry):
    """Constants of the estimates of speed in llm_d_gke/planning/sizing, and the errors of these estimates."""

    constants: SpeedByGeneration
    request_seconds: Mapping[str, float]  # what a request takes outside the engine, by kind of accelerator
    collective_seconds: Mapping[str, float]  # latency of one all-reduce, by interconnect
    all_to_all_seconds: float  # dispatch and combine of one layer with experts
    transfer_bytes_per_second: Mapping[str, float]  # of KV caches from prefill to decode, by way
    output_share: float  # of an answer's tokens, of which a running sequence keeps the cache on average
    held_out_errors: Mapping[str, HeldOutErrors]  # by method and kind: "roofline-gpu"
    measured: tuple[str, ...]  # accelerators that published measurements were found of
    # Kinds of attention in the rows held out, by kind of accelerator: the errors hold for models of these only.
    measured_attention: Mapping[str, tuple[AttentionKind, ...]]
    sources: tuple[str, ...]
