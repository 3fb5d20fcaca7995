"""The shapes of the catalog: what each entry of the YAML files holds, in which unit.

Every model is frozen and refuses unknown keys, so that a typing error in the data is an error and not a silent default.
`None` means *unknown* (or, where the comment states it, *has none*): a reader must not replace it by a guess.
Memory is in GiB (2**30 bytes), bandwidth in GB/s (10**9), compute in dense TFLOP/s, prices in USD.
"""

import datetime
import math
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .checkpoint_traits import Trait

Vendor = Literal["nvidia", "google"]
Provisioning = Literal["on-demand", "spot", "flex-start", "reserved"]
# "none": a pure feed-forward layer, as most layers of Nemotron-H are.
AttentionKind = Literal["full", "sliding", "chunked", "linear", "mamba", "mla", "compressed", "none"]
# Parts of a model that quantization treats apart. "latent": projections into and out of the width experts work in.
Part = Literal["attention", "linear", "mlp", "shared", "latent", "experts", "lm_head", "per_layer"]
DType = Literal["bfloat16", "float16", "float32"]
Interconnect = Literal["nvlink", "pcie", "ici"]
DiskType = Literal["pd-balanced", "hyperdisk-balanced"]


class Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Source(Entry):
    """Where a figure was read, and when that source was written or read (`None`: the source carries no date)."""

    citation: str
    date: datetime.date | None = None
    verified: bool = True  # False: from general knowledge, no stored document confirms it

    @property
    def cited(self) -> str:
        """As text: "nvidia-smi listing of driver 580.95.05 (2026-11-21)"."""
        return self.citation if self.date is None else f"{self.citation} ({self.date.isoformat()})"


def region_of(location: str) -> str:
    """`us-central1-a` and `us-central1` both lie in `us-central1`."""
    return "-".join(location.split("-")[:2])


class AutopilotGpu(Entry):
    """What GKE Autopilot takes of one GPU type: GPUs a node can have, and the first GKE version with them."""

    counts: tuple[int, ...]
    since: str | None = None  # None: every version on offer


class Accelerator(Entry):
    """One kind of accelerator that GKE offers; all figures are per chip unless named otherwise."""

    name: str  # the catalog's key
    title: str  # what people call it: "T4", "TPU v6e (Trillium)"
    vendor: Vendor
    node_label_value: str  # of cloud.google.com/gke-accelerator (GPU) or cloud.google.com/gke-tpu-accelerator (TPU)
    nominal_gib: float  # the size on the data sheet (vendors write GB), per chip
    usable_gib: float | None  # what CUDA's total or libtpu reports, per *device*; None: no log seen
    bandwidth_gbs: float | None  # memory bandwidth
    bf16_tflops: float | None  # None: no bfloat16 in hardware (see `bf16`) or unknown
    fp16_tflops: float | None = None
    fp8_tflops: float | None = None  # None: no fp8 matrix unit, or unknown
    bf16: bool = True  # can run bfloat16 at all (CUDA compute capability 8.0 and up; every TPU)
    fp8: bool  # has fp8 matrix units (CUDA compute capability 8.9 and up; TPU v7x)
    compute_capability: float | None = None  # CUDA; None for TPUs
    devices_per_chip: int = 1  # devices the framework sees per chip: 2 on TPU v7x
    interconnect: Interconnect  # how accelerators of one machine (or TPU slice) reach each other
    link_gbs: float | None = None  # what one chip sends to the others of its machine (or slice), one direction
    zones: tuple[str, ...]  # where the *type* is offered; independent of capacity
    zones_complete: bool  # False: other zones may offer it too, so absence is a warning and not a refusal
    published_regions: tuple[str, ...] = ()  # regions that publish its machine types; empty: no such list
    minimum_gke_version: str | None = None  # Standard clusters; None: every version on offer
    autopilot: AutopilotGpu | None = None  # None: a TPU, or a GPU that Google does not list for Autopilot
    flex_start: bool = True  # False: not sold as flex-start
    flex_start_zones: tuple[str, ...] = ()  # where flex-start is sold; empty: no list names zones
    queued: bool = True  # False: no queued provisioning was seen to work
    workload_policy: bool = False  # pools of several hosts take a workload policy in place of compact placement
    sources: tuple[str, ...]  # keys into Catalog.sources
    unverified: tuple[str, ...] = ()  # fields above that come from general knowledge: no stored document confirms them
    note: str | None = None

    @model_validator(mode="after")
    def _kind_is_described(self) -> Self:
        if (self.interconnect == "ici") != (self.kind == "tpu"):
            raise ValueError("interconnect: ici is for TPUs, nvlink or pcie for GPUs")
        if (self.compute_capability is not None) != (self.kind == "gpu"):
            raise ValueError("compute_capability: a GPU needs it, a TPU has none")
        return self

    @property
    def kind(self) -> Literal["gpu", "tpu"]:
        return "gpu" if self.vendor == "nvidia" else "tpu"

    @property
    def resource_name(self) -> str:
        """The extended resource that a pod requests."""
        return "nvidia.com/gpu" if self.vendor == "nvidia" else "google.com/tpu"

    @property
    def label_key(self) -> str:
        """The node label that carries `node_label_value`."""
        return "cloud.google.com/gke-accelerator" if self.vendor == "nvidia" else "cloud.google.com/gke-tpu-accelerator"

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions with a known zone, or that publish its machine types."""
        return tuple(dict.fromkeys((*(region_of(zone) for zone in self.zones), *self.published_regions)))

    def offered_in(self, zone: str) -> bool | None:
        """Whether a zone offers this type: True, False, or None where the lists do not contain it."""
        if zone in self.zones:
            return True
        if self.zones_complete or (self.published_regions and region_of(zone) not in self.regions):
            return False
        return None


class MachineType(Entry):
    """One Compute Engine machine type, with the accelerators that are part of it or that can be attached."""

    name: str
    family: str  # "n1", "g2", "ct6e", ...
    vcpus: int  # that a node has
    memory_gib: float
    quota_vcpus: int = 0  # that a quota counts, where that is another number; 0: as many as the node has
    threads_per_core: int | None = None  # that the machine has to be started with; None: its own default
    accelerator: str | None = None  # built in; None for CPU machines and for n1, where it is attached
    accelerator_count: int = 0  # built-in chips; 0 for CPU machines
    accelerator_share: float = 1.0  # fractional G4: the part of one GPU this machine gets
    attachable: Mapping[str, tuple[int, ...]] = Field(default_factory=dict)  # n1: accelerator -> counts it takes
    topologies: Mapping[str, int] = Field(default_factory=dict)  # TPU: topology -> hosts (machines) of one slice
    arm: bool = False
    local_ssd_gib: int = 0  # bundled local SSD
    gke_before: str | None = None  # first GKE version that was seen to refuse its nodes
    boot_disk: DiskType  # newer families take Hyperdisk only
    placement: str | None = None  # topology of the workload policy that its pools take: one NVLink domain
    rdma: bool = False  # has RDMA network cards that need a network with an RDMA profile
    on_demand_ok: bool = True  # False: only spot, flex-start or reservations
    sources: tuple[str, ...]
    unverified: tuple[str, ...] = ()
    note: str | None = None

    @property
    def quota(self) -> int:
        """vCPUs that one machine takes of a quota."""
        return self.quota_vcpus or self.vcpus

    @property
    def is_attachable(self) -> bool:
        return bool(self.attachable)

    def counts_of(self, accelerator: str) -> tuple[int, ...]:
        """Accelerators per machine: the numbers that can be attached, or the built-in number."""
        return self.attachable.get(accelerator, (self.accelerator_count,))

    @property
    def default_topology(self) -> str | None:
        """The single-host topology of a TPU machine; None for everything else."""
        return next((name for name, hosts in self.topologies.items() if hosts == 1), None)

    def chips(self, topology: str) -> int:
        """Chips of a whole slice of this topology. Raises KeyError when the machine type does not offer it."""
        return self.topologies[topology] * self.accelerator_count


def chips_of(topology: str) -> int:
    """Product of a topology's dimensions: "2x2x4" is 16. Raises ValueError on anything that is not numbers and x."""
    return math.prod(int(part) for part in topology.split("x"))


class LinearState(Entry):
    """Recurrent state of one linear-attention layer (gated delta net), which takes the place of keys and values."""

    key_heads: int
    value_heads: int
    key_dim: int
    value_dim: int
    convolution: int  # kernel width
    state_bytes: int = 4  # of one number of the state: 2 where the configuration does not ask for float32 (Qwen3-Next)


class MambaState(Entry):
    """Recurrent state of one Mamba2 layer (Nemotron-H, Granite 4)."""

    heads: int
    head_dim: int
    state: int  # numbers kept for each channel
    groups: int  # of inputs that share a projection
    convolution: int  # kernel width
    state_bytes: int = 2  # of one number of the state: 4 for float32 in the configuration, otherwise as the cache
    chunk: int = 256  # tokens of one kernel step; with prefix caching blocks are a multiple of it


class Indexer(Entry):
    """Chooses what is read: tokens, by keys in 8 bits (DeepSeek V3.2), or blocks, by keys as cached (MiniMax M3)."""

    heads: int
    dim: int
    layers: int  # that have one; others use the choice of an earlier layer


class Compression(Entry):
    """Attention to a window of tokens, and to keys that stand for `ratio` tokens each (DeepSeek V4)."""

    ratio: int  # 1: the window alone; 4: chosen by an index
    query_rank: int  # width of the compressed queries
    output_groups: int  # into which heads are joined,
    output_rank: int  # each projected down to this width
    index_heads: int = 0
    index_dim: int = 0
    streams: int = 1  # residual streams that are mixed before and after each part of a layer


class RotaryTable(Entry):
    """One table of sines and cosines that is loaded beside the weights: a row of `width` numbers for each position."""

    positions: int
    width: int


class PerLayerEmbedding(Entry):
    """A second embedding with a separate vector for each layer (Gemma 4 E2B, E4B)."""

    vocabulary: int
    width: int


class Attention(Entry):
    """A group of layers that attend alike. Fields that are None are the model's own."""

    kind: AttentionKind
    layers: int
    window: int | None = None  # sliding: tokens seen; chunked: tokens per chunk
    kv_heads: int | None = None  # only where it differs from the model's
    head_dim: int | None = None  # only where it differs from the model's
    kv_shared: int = 0  # layers of this group that reuse another layer's keys and values and store none
    keys_are_values: bool = False  # one projection gives both; both are still stored, and GPUs load it twice
    linear: LinearState | None = None
    mamba: MambaState | None = None
    indexer: Indexer | None = None
    compression: Compression | None = None

    @property
    def sparse_latent(self) -> bool:
        """Whether an indexer chooses tokens of latent attention."""
        return self.kind == "mla" and self.indexer is not None

    @property
    def recurrent(self) -> bool:
        """Whether the layers keep one state in place of keys and values of every token."""
        return self.kind in ("linear", "mamba")


class Mla(Entry):
    """Multi-head latent attention: one compressed vector per token and layer in place of keys and values."""

    kv_lora_rank: int
    q_lora_rank: int | None  # None: queries are not compressed
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int


class Experts(Entry):
    count: int  # routed experts per MoE layer
    active: int  # routed experts per token
    intermediate: int  # width of one routed expert
    layers: int  # MoE layers; the others are dense with Model.intermediate
    shared_intermediate: int = 0  # width of all shared experts of a layer together; 0: none
    latent: int | None = None  # width in which routed experts work, where it is not the model's (Nemotron 3 Super)


class Quantization(Entry):
    method: str  # vLLM's name: "fp8", "compressed-tensors", "awq", "gptq", "mxfp4"
    bits: float  # per quantized weight, without scales
    group: int | None = None  # weights that share one scale; None: per tensor or channel
    scale_bits: int = 16  # of each group's scale
    zero_point_bits: int = 0  # of each group's zero point
    experts_only: bool = False  # gpt-oss: only the experts' weights are quantized
    sparse: bool = False  # two of four weights are left out, besides
    integers: bool = False  # activations are computed in integers of 8 bits, as the weights (W8A8)
    kv_cache: bool = False  # the checkpoint carries scales for an fp8 KV cache
    traits: tuple[Trait, ...] = ()  # what else versions refuse of it
    # Bits per weight, scales included, of parts that are stored otherwise: what `ignore` lists, and mixed checkpoints.
    parts: Mapping[Part, float] = Field(default_factory=dict)

    @property
    def is_nvfp4(self) -> bool:
        """Four-bit floats with a scale of 8 bits for each 16 of them."""
        return self.bits == 4 and self.group == 16 and self.scale_bits == 8

    def stored_bits(self, part: Part, plain: float) -> float:
        """Bits that one weight of a part takes with its scales. `plain`: bits of what is not quantized."""
        if part in self.parts:
            return self.parts[part]
        if part in ("lm_head", "per_layer") or (self.experts_only and part != "experts"):
            return plain
        return self.bits + ((self.scale_bits + self.zero_point_bits) / self.group if self.group else 0.0)


class DraftLayers(Entry):
    """Layers for multi-token prediction in the checkpoint; loaded if speculative decoding uses them."""

    layers: int
    experts: bool  # their feed-forward part is a mixture as the model's own
    attention: AttentionKind = "full"
    separate: bool = False  # a head of EAGLE-3, a checkpoint of its own
    vocabulary: int = 32000  # of such a head: `draft_vocab_size` of most that are published


class Model(Entry):
    """One model of the Hub, as its config.json describes it."""

    id: str
    revision: str | None = None
    unpinned: Literal["cited-once", "not-cited"] | None = None  # why the catalog has no revision
    architecture: str  # config.json `architectures[0]`
    parameters: int | None = None  # as published; catalog.parameters.count_parameters computes it
    layers: int
    attention_heads: int
    kv_heads: int
    head_dim: int
    hidden: int
    intermediate: int  # width of a dense layer's feed-forward part
    vocabulary: int
    tied_embeddings: bool
    untied_at_top: bool = False  # config.json says so beside a text_config that ties them: JAX on TPUs reads that
    gated_mlp: bool = True  # three matrices (SwiGLU, GeGLU); False: two
    attention_bias: Literal["none", "qkv", "all"] = "none"  # which projections have a bias
    output_gate: bool = False  # queries carry a gate of the same size (Qwen3-Next)
    context: int  # tokens, as config.json gives it (before rope scaling by flags)
    stated_context: int | None = None  # YaRN: max_position_embeddings, where the stretched length is another
    original_context: int | None = None  # LongRoPE: tokens before it was extended, where vLLM starts by default
    dense_layers: int | None = None  # layers with a dense feed-forward part; None: all that have no experts
    wide_layers: int = 0  # of these, layers whose feed-forward part is twice as wide (Gemma 4 E2B, E4B)
    per_layer: PerLayerEmbedding | None = None
    rotary: tuple[RotaryTable, ...] | None = None  # None: one row per position of `context`, as wide as a head
    draft: DraftLayers | None = None
    dtype: DType  # of the stored weights
    gated: bool  # the Hub asks to accept a license, so a token is needed
    attention: tuple[Attention, ...]  # groups; their layers add up to `layers`
    mla: Mla | None = None
    experts: Experts | None = None
    quantization: Quantization | None = None
    vision_gib: float | None = None  # weights of the vision tower in GiB; None: has none, or (vision_language) unknown
    audio_gib: float = 0.0  # of those, the tower for sound
    vision_sharded: float = 0.5  # part of the tower that tensor parallelism divides; the rest is on every rank
    vision_heads: int | None = None  # of the tower's attention, which tensor parallelism divides; None: not known
    vision_language: bool = False  # takes images: an encoder budget is reserved unless switched off
    size_gib: float | None = None  # files to download; None: the weights' own size (catalog.parameters.weights_gib)
    tpu_tested: tuple[int, ...] | None = None  # tensor-parallel sizes seen running on TPU; None: none seen
    source: str  # key into Catalog.sources
    date: datetime.date  # of the source
    note: str | None = None

    @property
    def recurrent(self) -> bool:
        """Whether some layers keep a state in place of keys and values."""
        return any(group.recurrent for group in self.attention)

    @property
    def attention_kinds(self) -> frozenset[AttentionKind]:
        """Kinds of attention of its layers, those without any left out."""
        return frozenset(group.kind for group in self.attention if group.kind != "none")

    @property
    def compressed(self) -> bool:
        """Whether keys of several tokens are compressed into one."""
        return any(group.kind == "compressed" for group in self.attention)

    @property
    def one_vector(self) -> bool:
        """Whether vLLM counts its attention as latent: one cached vector of a token stands for all heads.

        `is_deepseek_mla` of vllm/transformers_utils/model_arch_config_convertor.py, which DeepSeek V4 is among.
        """
        return self.mla is not None or self.compressed

    @model_validator(mode="after")
    def _layers_add_up(self) -> Self:
        if sum(group.layers for group in self.attention) != self.layers:
            raise ValueError(f"the layers of the attention groups do not add up to {self.layers}")
        for group in self.attention:
            needed: dict[str, object] = {"mla": self.mla, "linear": group.linear, "mamba": group.mamba}
            needed |= {"sliding": group.window, "chunked": group.window}
            needed |= {"compressed": group.window and group.compression}
            if group.kind in needed and needed[group.kind] is None:
                raise ValueError(f"a group of {group.kind} attention lacks what describes it")
        return self
