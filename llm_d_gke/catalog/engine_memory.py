"""Parts of engine.yaml on some kinds of model: what they take while memory is profiled, and versions of it."""

from collections.abc import Mapping

from .schema import Entry


class Video(Entry):
    """The longest video of the profile, for versions that did not bound it."""

    architecture: str  # how its name begins
    before: str
    tokens: int
    widths: int  # outputs of the tower for each token, each as wide as the text model


class VideoFrames(Entry):
    """Vision towers that are profiled with the longest video: as many pairs of frames as the longest request holds."""

    architectures: tuple[str, ...]  # how their names begin
    tokens: int  # of the largest pair of frames
    most: int  # pairs
    gib: float  # of each pair


class EncoderBeside(Entry):
    """From when on the profile's text comes on top of the vision tower's peak."""

    capability: float
    since: str
    layers_only_since: str  # and neither the sampler nor what compilation takes


class RecurrentModels(Entry):
    """Models with recurrent layers: versions of what vLLM does with their states."""

    prefix_caching_since: str  # by default
    every_block_before: str  # Mamba2 states were kept at the end of every block, if prefixes are cached
    blocks_checked_since: str  # with CUDA graphs, more sequences than blocks end the start


class SamplerWarmUp(Entry):
    """Memory of the sampler's warm-up after the KV cache is allocated, bytes per (sequence x vocabulary entry)."""

    refused_bytes: float  # below it every start that was logged failed
    graphs_error_gib: float  # of the estimate of captured graphs: a start is refused only beyond it
    graphs_per_layer_gib: Mapping[str, float]  # by architecture: what graphs of V1 may take that are not reserved
    # What graphs of V1 may take beyond their fit with more than two ranks over PCIe: with recurrent layers, and for
    # each layer without.
    graphs_over_nccl_gib: float
    graphs_over_nccl_layer_gib: float
    passed_bytes: float  # from it on every start that was logged came through
    expert_tuning_gib: float  # kept by FlashInfer's tuning of experts, compute capability 10.0 and up
    expert_tuning_since: str
    small_card_bytes: float  # cards below `small_card_gib`: the one allocation that was seen to fail there
    small_card_gib: float
    small_card_graphs_gib: float  # error of the graphs there
    tpu_small_gib: float  # TPUs with less memory than this
    tpu_small_free_gib: float  # and less than this left free start for some models only


class SparseMla(Entry):
    """Latent attention that reads the tokens an indexer chose."""

    shared_index_since: str  # layers that reuse another one's choice have no indexer and no keys of their own
    standard_fp8_since: str  # compute capability 10.x keeps 8-bit caches without scales; before, as other cards do
    workspace_rows: int  # of the indexer's keys, for each token of the longest request
    logits_gib: float  # its scores, while layers run


class FusedExperts(Entry):
    """Workspaces of the routed experts of a layer."""

    kept_since: str  # before, they are freed with the layer
    part_tokens: int  # the most that were computed at once
    whole_batches_since: str  # from here on all tokens of a batch are
    marlin_below: float  # compute capability from which experts that alone are quantized have kernels of their own


class KvPages(Entry):
    """How blocks of layers that differ are made equally large."""

    slots_since: str  # of attention to compressed keys: a slot for each size of page; before, all sizes for every slot
    packed_since: str  # likewise: the widest group
    window_blocks_since: str  # layers with a window have blocks of their own
    window_block: int  # tokens of such a block, before it is made as large as the others


class UnifiedMemory(Entry):
    """What an accelerator that shares its host's memory has more outside torch's allocator, GiB."""

    text_gib: float
    vision_gib: float  # of a model with a vision tower
