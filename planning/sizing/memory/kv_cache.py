"""Layout of the KV cache on one rank: pages, blocks, and what one request takes of them.

Follows vLLM's v1/core/kv_cache_utils.py. Layers of one kind form groups of equal size that draw pages from one pool;
pages of cheaper kinds hold more tokens, so that all pages are equally large. Given the logged memory, tokens agree
within 0.05 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from catalog.parameters import GIB
from catalog.schema import Attention
from planning.sizing.memory.run import EngineRun
from planning.sizing.memory.weights import kv_heads_per_rank, stage_layers

Kind = Literal["full", "sliding", "chunked", "linear"]

# fp8_ds_mla keeps the rotary part in 16 bits; the models of the catalog that have it use plain fp8.
_TPU_LANES = 128


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

    @property
    def group_count(self) -> int:
        return sum(count for _, count, _, _ in self.groups)

    @property
    def block_bytes(self) -> int:
        """One block of the pool: a page for each layer of a group."""
        return self.page_bytes * self.group_layers

    def blocks(self, available_gib: float) -> int:
        return max(0, int(available_gib * GIB) // self.block_bytes)

    def blocks_per_request(self, length: int) -> int:
        """Blocks that a request of `length` tokens may hold at once."""
        total = 0
        for kind, count, tokens, window in self.groups:
            if kind == "full":
                each = -(-length // tokens)
            elif kind == "sliding":
                each = -(-min(window - 1 + self.in_flight_tokens, length) // tokens) + 1
            elif kind == "chunked":
                each = -(-min(window + self.in_flight_tokens, length) // tokens)
            else:
                each = self.state_blocks
            total += count * each
        return total

    def longest(self, blocks: int, most: int) -> int:
        """The longest request that fits into `blocks`, at most `most` tokens; 0 when none does."""
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.blocks_per_request(middle) <= blocks else (low, middle - 1)
        return low

    def tokens(self, blocks: int, length: int, rule: Literal["blocks", "concurrency"]) -> int:
        """Tokens as the start-up log prints them."""
        if self.group_count == 1 or rule == "blocks":
            return blocks // self.group_count * self.block_tokens
        return int(blocks / self.blocks_per_request(length) * length)


def layers_of(run: EngineRun, stage: int = 0) -> tuple[Layers, ...]:
    """Kinds of layers that store something, on one rank of a pipeline stage."""
    if run.kind == "tpu":
        # The TPU back end keeps every layer whole: windows save nothing there.
        tpu = [(group, group.layers - group.kv_shared) for group in run.model.attention]
        return tuple(Layers("full", stored, _token_bytes(run, group)) for group, stored in tpu if stored > 0)
    ctx = stage_layers(run.model.layers, run.pipeline_parallel)[stage]
    found = []
    for group in run.model.attention:
        # Which layers of a mixture fall on which stage is not in the catalog: an even share, rounded up.
        stored = -(-(group.layers - group.kv_shared) * ctx // run.model.layers)
        if stored <= 0:
            continue
        kind: Kind = "full" if group.kind == "mla" else group.kind
        if kind == "linear":
            found.append(Layers(kind, stored, state_bytes=_state_bytes(run, group)))
        else:
            found.append(Layers(kind, stored, _token_bytes(run, group), window=group.window or 0))
    return tuple(found)


def layout(run: EngineRun, stage: int = 0) -> Layout:
    """Groups and pages of one rank."""
    kinds = layers_of(run, stage)
    if run.kind == "tpu":
        return _whole(run, kinds)
    attention = [layers for layers in kinds if layers.kind != "linear"]
    largest = max((layers.token_bytes for layers in attention), default=0)
    block = run.kv_block()
    state = max((layers.state_bytes for layers in kinds), default=0)
    if state and largest:
        # A block of attention is made large enough to hold a linear layer's state, in steps of 16 tokens.
        block = max(block, -(-state // (16 * largest)) * 16)
    page = max(block * largest, state, 1)
    counts = [layers.count for layers in kinds]
    group = max(counts) if max(counts) < 1.5 * min(counts) else min(counts)
    return Layout(
        page_bytes=page,
        group_layers=group,
        block_tokens=block,
        groups=tuple(
            (k.kind, -(-k.count // group), page // k.token_bytes if k.token_bytes else 1, k.window) for k in kinds
        ),
        in_flight_tokens=run.band.in_flight * run.max_num_batched_tokens,
        # With prefix caching the state at the last block boundary is kept beside the running one.
        state_blocks=(2 if run.prefix_caching else 1) + run.speculative_tokens,
    )


def _whole(run: EngineRun, kinds: tuple[Layers, ...]) -> Layout:
    block = run.kv_block()
    per_token = sum(layers.count * layers.token_bytes for layers in kinds)
    return Layout(block * per_token, 1, block, (("full", 1, block, 0),), 0, 0)


def _token_bytes(run: EngineRun, group: Attention) -> int:
    """Bytes per token and layer on one rank."""
    model = run.model
    if group.kind == "mla" and model.mla is not None:
        # One latent vector for all heads: every rank keeps it whole.
        width = model.mla.kv_lora_rank + model.mla.qk_rope_head_dim
        return (_padded(width) if run.kind == "tpu" else width) * run.kv_bytes
    heads, head_dim = group.kv_heads or model.kv_heads, group.head_dim or model.head_dim
    if run.kind == "tpu":
        # Heads are padded up to a multiple of the ranks, their width to the matrix unit's 128 lanes.
        return 2 * -(-heads // run.tensor_parallel) * _padded(head_dim) * run.kv_bytes
    return 2 * kv_heads_per_rank(heads, run.tensor_parallel) * head_dim * run.kv_bytes


def _padded(width: int) -> int:
    return -(-width // _TPU_LANES) * _TPU_LANES


def _state_bytes(run: EngineRun, group: Attention) -> int:
    """One linear layer's state of one sequence: a float32 matrix per value head, and the convolution's last inputs."""
    state = group.linear
    if state is None:
        return 0
    values, keys = -(-state.value_heads // run.tensor_parallel), -(-state.key_heads // run.tensor_parallel)
    inputs = state.convolution - 1 + run.speculative_tokens
    convolution = inputs * (2 * keys * state.key_dim + values * state.value_dim) * 2
    return values * state.key_dim * state.value_dim * 4 + convolution
