"""Layout of the KV cache on one rank: pages, blocks, and what one request takes of them.

Follows vLLM's v1/core/kv_cache_utils.py. Layers of one kind form groups of equal size that draw pages from one pool;
pages of cheaper kinds hold more tokens, so that all pages are equally large. Given the logged memory, tokens agree
within 0.05 %.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Literal

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.parameters import GIB
from llm_d_gke.catalog.schema import Attention
from llm_d_gke.planning.sizing.memory.cache_entries import entry_bytes, plain_layers
from llm_d_gke.planning.sizing.memory.compressed import BLOCK, compressed_pages, compressed_row
from llm_d_gke.planning.sizing.memory.run import EngineRun
from llm_d_gke.planning.sizing.memory.weights import index_layers, kv_heads_per_rank, stage_layers

Kind = Literal["full", "sliding", "chunked", "linear"]

# Sparse latent attention in fp8 keeps the rotary part in 16 bits, and scales: fp8_ds_mla in vLLM's
# v1/kv_cache_interface.py.
_SPARSE_FP8_BYTES = 656
_TPU_LANES, _TPU_WORD = 128, 4  # lanes; bytes
# 512 numbers of 4 bits, 64 of 8, 32 scales; on capability 10.x (v1/attention/backends/mla/flashmla_sparse.py, 0.32.0).
_SPARSE_FP4, _SPARSE_FP4_BYTES = "nvfp4_ds_mla", 352


@dataclass(frozen=True)
class Layers:
    """Layers of one kind: `token_bytes` per token and layer on one rank; `state_bytes` per sequence for linear ones."""

    kind: Kind
    count: int
    token_bytes: int = 0
    window: int = 0
    state_bytes: int = 0


@dataclass(frozen=True)
class Layout:
    """How one rank's memory becomes blocks. `groups` are (kind, groups of it, tokens of its block, window)."""

    page_bytes: int  # one block of one layer
    group_layers: int
    block_tokens: int  # of the kind with the largest pages, which vLLM prints as the block size
    groups: tuple[tuple[Kind, int, int, int], ...]
    in_flight_tokens: int
    state_blocks: int  # of one sequence, per group of linear layers
    states_everywhere: bool = False  # a state is kept at the end of every block, so that prefixes can be taken up there
    states_apart_bytes: int = 0  # states of all sequences, set aside before blocks are counted
    logged_bytes: tuple[int, ...] = ()  # what each kind fills of a block

    @property
    def group_count(self) -> int:
        return sum(count for _, count, _, _ in self.groups)

    @property
    def block_bytes(self) -> int:
        """One block of the pool: a page for each layer of a group."""
        return self.page_bytes * self.group_layers

    def blocks(self, available_gib: float) -> int:
        return max(0, int(available_gib * GIB) - self.states_apart_bytes) // self.block_bytes

    def blocks_per_request(self, length: int) -> int:
        """Blocks that a request of `length` tokens may hold at once."""
        return sum(self._blocks_by_kind(length))

    def logged_blocks(self, length: int) -> int:
        """The same as the start-up log counts them: of kinds that fill blocks unequally, by their bytes."""
        if not self.logged_bytes:
            return self.blocks_per_request(length)
        kinds = zip(self._blocks_by_kind(length), self.logged_bytes, strict=True)
        return -(-sum(blocks * size for blocks, size in kinds) // self.logged_bytes[0])

    def _blocks_by_kind(self, length: int) -> list[int]:
        """Blocks that a request may hold of all groups of each kind."""
        blocks = []
        for kind, count, tokens, window in self.groups:
            if kind == "full":
                needed = -(-length // tokens)
            elif kind == "sliding":
                needed = -(-min(window - 1 + self.in_flight_tokens, length) // tokens) + 1
            elif kind == "chunked":
                needed = -(-min(window + self.in_flight_tokens, length) // tokens)
            elif self.states_everywhere:
                needed = -(-length // tokens) + self.state_blocks - 2
            else:
                needed = self.state_blocks
            blocks.append(count * needed)
        return blocks

    def longest(self, blocks: int, most: int) -> int:
        """The longest request that fits into `blocks`, at most `most` tokens; 0 when none does."""
        if self.blocks_per_request(most) <= blocks:
            return most
        return bisect_right(range(1, most), blocks, key=self.blocks_per_request)

    def tokens(self, blocks: int, length: int, rule: Literal["blocks", "concurrency"]) -> int:
        """Tokens as the start-up log prints them."""
        if self.group_count == 1 or rule == "blocks":
            return blocks // self.group_count * self.block_tokens
        return int(blocks / self.logged_blocks(length) * length)


def layers_of(run: EngineRun, stage: int = 0) -> tuple[Layers, ...]:
    """Kinds of layers that store something, on one rank of a pipeline stage."""
    if run.kind == "tpu":
        # The TPU back end keeps every layer whole: windows save nothing there.
        tpu = [(group, group.layers - group.kv_shared) for group in run.model.attention if group.kind != "none"]
        return tuple(
            Layers("linear", stored, state_bytes=_state_bytes(run, group))
            if group.recurrent
            else Layers("full", stored, _token_bytes(run, group))
            for group, stored in tpu
            if stored > 0
        )
    ours = stage_layers(run.model.layers, run.pipeline_parallel)[stage]
    last = stage == run.pipeline_parallel - 1
    groups = []
    for group in run.model.attention:
        # Which layers of a mixture fall on which stage is not in the catalog: an even share, rounded up.
        stored = -(-(group.layers - group.kv_shared) * ours // run.model.layers)
        if stored <= 0 or group.kind == "none":
            continue
        if group.kind == "compressed":  # how its pages are laid out is apart
            key, more = compressed_row(group)
            groups.append(Layers("sliding", stored, key, window=group.window or 0))
            groups.extend([Layers("full", stored, more)] if more else [])
            continue
        if run.draft is not None and last and group.kind == run.draft.attention:
            stored += run.draft.layers
        kind: Kind = "full" if group.kind == "mla" else "linear" if group.kind == "mamba" else group.kind
        if kind == "linear":
            groups.append(Layers(kind, stored, state_bytes=_state_bytes(run, group)))
        elif plain := min(stored, -(-plain_layers(run, run.model.layers) * group.layers // run.model.layers)):
            sizes = ((plain, replace(run, kv_cache_dtype="bfloat16")), (stored - plain, run))
            groups.extend(Layers(kind, n, _token_bytes(own, group), window=group.window or 0) for n, own in sizes if n)
        else:
            groups.append(Layers(kind, stored, _token_bytes(run, group), window=group.window or 0))
    return tuple(groups)


def layout(run: EngineRun, stage: int = 0) -> Layout:
    """Groups and pages of one rank."""
    return run.once("layout", stage, lambda: _layout(run, stage))


def _layout(run: EngineRun, stage: int) -> Layout:
    kinds = layers_of(run, stage)
    if run.kind == "tpu":
        return _tpu_recurrent_layout(run, kinds)
    if run.model.compressed:
        return _compressed(run, stage)
    if run.drafting is not None:
        return _tpu_recurrent_layout(run, (*kinds, *layers_of(run.drafting)))
    kinds = _in_one_group(kinds)
    attention = [layers for layers in kinds if layers.kind != "linear"]
    largest = max((layers.token_bytes for layers in attention), default=0)
    block = run.kv_block()
    state = max((layers.state_bytes for layers in kinds), default=0)
    mamba = any(group.kind == "mamba" for group in run.model.attention)
    everywhere = run.prefix_caching and mamba and not _aligns_states(run)
    if state and largest:
        # A block of attention is made large enough to hold a linear layer's state, in steps of 16 tokens, or of the
        # kernel's chunk where states are kept at every block.
        step = 16
        if everywhere:
            step = max((group.mamba.chunk for group in run.model.attention if group.mamba is not None), default=16)
        block = max(block, -(-state // (step * largest)) * step)
    page = max(*(_block_of(run, kind, block) * kind.token_bytes for kind in kinds), state, 1)
    # Each rank keeps its part of a request's tokens: max_memory_usage_bytes of v1/kv_cache_interface.py, 0.26.0.
    ranks = run.context_parallel if all(layers.kind == "full" for layers in kinds) else 1
    counts = [layers.count for layers in kinds]
    group = max(counts) if max(counts) < 1.5 * min(counts) else min(counts)
    return Layout(
        page_bytes=page,
        group_layers=group,
        block_tokens=block * ranks,
        groups=tuple((k.kind, -(-k.count // group), _tokens_of(run, k, block, page) * ranks, k.window) for k in kinds),
        in_flight_tokens=run.in_flight_tokens,
        # With prefix caching the state at the last block boundary is kept beside the running one.
        state_blocks=(2 if run.prefix_caching else 1) + run.speculative_tokens,
        states_everywhere=everywhere,
    )


def _in_one_group(kinds: tuple[Layers, ...]) -> tuple[Layers, ...]:
    """Layers that all keep every token, as one: a block has pages of each, however unequal (UniformTypeKVCacheSpecs).

    v1/core/kv_cache_utils.py of 0.19.1 and 0.30.0. Llama 3.1 70B with TurboQuant's cache logs 39,200 bytes for a token.
    """
    if len(kinds) < 2 or any(layers.kind != "full" for layers in kinds):
        return kinds
    return (Layers("full", 1, sum(layers.count * layers.token_bytes for layers in kinds)),)


def _block_of(run: EngineRun, kind: Layers, block: int) -> int:
    """Tokens of a block of one kind before all pages are made equally large: --block-size is not that of windows."""
    pages = load_engine().kv_pages
    of_its_own = kind.kind == "sliding" and load_engine().has(run.version, pages.window_blocks_since)
    return pages.window_block if of_its_own and not run.recurrent else block


def _tokens_of(run: EngineRun, kind: Layers, block: int, page: int) -> int:
    """Tokens of a page of one kind: as many times its own block as fit exactly, else one, padded."""
    if not kind.token_bytes:
        return block
    own = _block_of(run, kind, block)
    padded = load_engine().has(run.version, load_engine().kv_pages.window_blocks_since) and not run.recurrent
    if padded and page % (own * kind.token_bytes):
        return own
    return page // kind.token_bytes


def _compressed(run: EngineRun, stage: int) -> Layout:
    """Several caches of each layer, whose groups draw blocks from one pool."""
    share = stage_layers(run.model.layers, run.pipeline_parallel)[stage] / run.model.layers
    caches = compressed_pages(run, share)
    return Layout(
        page_bytes=caches.block_bytes,
        group_layers=1,
        block_tokens=BLOCK,
        groups=tuple(
            ("sliding" if window else "full", count, tokens, window) for tokens, window, count in caches.kinds
        ),
        in_flight_tokens=run.in_flight_tokens,
        state_blocks=0,
        logged_bytes=caches.logged_bytes,
    )


def _tpu_recurrent_layout(run: EngineRun, kinds: tuple[Layers, ...]) -> Layout:
    """TPUs keep attention whole, and states apart: one for each sequence and one more, as many as tokens are guessed.

    As _maybe_set_compact_mamba_num_blocks_override in tpu_inference runner/kv_cache_manager.py: `group` tensors are
    shared by a layer of every group, so that a request takes a block number for each group of recurrent layers too.
    """
    block = run.kv_block()
    states = [layers for layers in kinds if layers.kind == "linear"]
    attention = [layers for layers in kinds if layers.kind != "linear"]
    if states and attention:
        counts = [sum(layers.count for layers in part) for part in (attention, states)]
        group = max(counts) if max(counts) < 1.5 * min(counts) else min(counts)
        of_attention, of_states = (-(-count // group) for count in counts)
        largest = max(layers.state_bytes for layers in states)
        slots = run.max_num_seqs * (run.speculative_tokens + 1) + 1
        return Layout(
            page_bytes=of_attention * block * max(layers.token_bytes for layers in attention),
            group_layers=group,
            block_tokens=block,
            groups=(("full", of_attention, block, 0), ("linear", of_states, block, 0)),
            in_flight_tokens=0,
            state_blocks=1 + run.speculative_tokens,
            states_apart_bytes=group * of_states * slots * largest,
        )
    per_token = sum(layers.count * layers.token_bytes for layers in kinds)
    return Layout(block * per_token, 1, block, (("full", 1, block, 0),), 0, 0)


def _token_bytes(run: EngineRun, group: Attention) -> int:
    """Bytes per token and layer on one rank."""
    model = run.model
    if group.kind == "mla" and model.mla is not None:
        # One latent vector for all heads: every rank keeps it whole.
        width = model.mla.kv_lora_rank + model.mla.qk_rope_head_dim
        if group.indexer is None:
            return (_padded_to_lanes(width) if run.kind == "tpu" else width) * run.kv_bytes
        # The index has keys of 8 bits with a 32-bit scale for each 128 of them.
        index = (group.indexer.dim + 4 * -(-group.indexer.dim // 128)) * index_layers(run, group)
        main = _SPARSE_FP8_BYTES if run.kv_bytes == 1 and not _standard_fp8(run) else width * run.kv_bytes
        main = _SPARSE_FP4_BYTES if run.kv_cache_dtype == _SPARSE_FP4 else main
        return main + -(-index // group.layers)
    heads, head_dim = group.kv_heads or model.kv_heads, group.head_dim or model.head_dim
    if run.kind == "tpu":
        # Heads are padded up to a multiple of the ranks, their width to the matrix unit's 128 lanes, and a token's keys
        # and values together to words of 32 bits (get_kv_cache_shape of kernels/ragged_paged_attention/v3/kernel.py).
        word = _TPU_WORD // run.kv_bytes
        rows = word * -(-2 * -(-heads // run.tensor_parallel) // word)
        return rows * _padded_to_lanes(head_dim) * run.kv_bytes
    index = group.indexer.dim * group.indexer.layers * run.kv_bytes if group.indexer is not None else 0
    entry = entry_bytes(run, head_dim, windowed=group.kind != "full")
    return kv_heads_per_rank(heads, run.tensor_parallel) * entry + -(-index // group.layers)


def _aligns_states(run: EngineRun) -> bool:
    """Whether Mamba2 states are kept at the last block's end only, as those of gated delta nets are."""
    return load_engine().has(run.version, load_engine().recurrent_models.every_block_before)


def _standard_fp8(run: EngineRun) -> bool:
    """Whether 8-bit entries of sparse latent attention have neither scales nor a wider rotary part."""
    blackwell = int(run.capability or 0) == 10
    standard = load_engine().has(run.version, load_engine().sparse_mla.standard_fp8_since)
    return blackwell and standard and run.kv_cache_dtype != "fp8_ds_mla"


def _padded_to_lanes(width: int) -> int:
    return -(-width // _TPU_LANES) * _TPU_LANES


def _state_bytes(run: EngineRun, group: Attention) -> int:
    """One layer's state of one sequence: a matrix for each head, and the convolution's last inputs.

    As MambaStateShapeCalculator of vLLM's model_executor/layers/mamba/mamba_utils.py.
    """
    mamba, tensor = group.mamba, run.dense_parallel
    if mamba is not None:
        groups = mamba.groups + (0 if mamba.groups % tensor == 0 else tensor - mamba.groups)
        channels = -(-(mamba.heads * mamba.head_dim + 2 * groups * mamba.state) // tensor)
        inputs = mamba.convolution - 1 + run.speculative_tokens
        heads = -(-mamba.heads // tensor)
        return heads * mamba.head_dim * mamba.state * mamba.state_bytes + inputs * channels * run.dtype_bytes
    state = group.linear
    if state is None:
        return 0
    values, keys = -(-state.value_heads // run.dense_parallel), -(-state.key_heads // run.dense_parallel)
    inputs = state.convolution - 1 + run.speculative_tokens
    convolution = inputs * (2 * keys * state.key_dim + values * state.value_dim) * 2
    return values * state.key_dim * state.value_dim * state.state_bytes + convolution
