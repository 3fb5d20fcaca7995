"""KV cache of attention to compressed keys (DeepSeek V4): several caches for each layer, which share pages.

Follows vLLM 0.22.1 to 0.28.0, v1/core/kv_cache_utils.py (_get_kv_cache_groups_uniform_groups), and 0.30.0
(_get_packed_kv_cache_groups); pages of vllm/models/deepseek_v4 (attention.py, compressor.py) and
v1/attention/backends/mla/sparse_swa.py. Starts of DeepSeek-V4-Flash state 6.66 GiB for 30,000 tokens (0.22) and
1,993,100 tokens in 10.29 GiB (0.25), which agree to the digit; an index in MXFP4 is not described here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.parameters import GIB
from llm_d_gke.catalog.schema import Attention
from llm_d_gke.planning.sizing.memory.run import EngineRun

BLOCK = 256  # tokens of a block of compressed keys
_WINDOW_BLOCK = 64
_STATE_BLOCKS = {4: 4, 128: 8}  # tokens whose state a compressor keeps in one page, by ratio
_OVERLAPPING = 4
_ALIGNMENT = 576
_KEY_BYTES = 584  # 448 in 8 bits, the rotary part in 16, and scales
_SCALE_BYTES = 4  # of an index key


@dataclass(frozen=True)
class Pages:
    """Caches of a stage's layers: bytes of a block of the pool, and (tokens of its block, window, groups) of each kind.

    A window of 0 is none: all tokens stay. `logged_bytes`: what a kind fills of a block, by which the log counts.
    """

    block_bytes: int
    kinds: tuple[tuple[int, int, int], ...]
    logged_bytes: tuple[int, ...] = ()


def compressed_pages(run: EngineRun, stage_share: float) -> Pages:
    """How the caches of one pipeline stage are grouped. Layers of several groups share the pages of the largest one."""
    groups = [group for group in run.model.attention if group.compression is not None]
    counts = [math.ceil(group.layers * stage_share - 1e-9) for group in groups]
    windows = sum(counts) + (run.draft.layers if run.draft is not None else 0)
    shrunk = [(group, count) for group, count in zip(groups, counts, strict=True) if _ratio(group) > 1]
    repeats = _least_padding([windows, *(count for _, count in shrunk)], max(count for _, count in shrunk))
    split = -(-windows // repeats)
    sizes = sorted({size for group, _ in shrunk for size in _page(group)})
    keys: Counter[int] = Counter()
    for group, count in shrunk:
        keys.update(_slots(_page(group), count))
    window = _aligned(_WINDOW_BLOCK * _KEY_BYTES)
    # Of each kind, layers of one group by the bytes of their pages.
    pages = [keys, Counter({window: -(-windows // split)})]
    kinds = [(BLOCK, 0, 1), (_WINDOW_BLOCK, groups[0].window or 0, split)]
    for group, count in shrunk:
        ratio = _ratio(group)
        kinds.append((_STATE_BLOCKS[ratio], ratio * _overlap(ratio), -(-count // repeats)))
        # States fill the smallest pages of keys that hold them.
        pages.append(_slots([min(size for size in sizes if size >= state) for state in _states(run, group)], count))
    of_kinds = tuple(sum(size * layers for size, layers in kind.items()) for kind in pages)
    engine = load_engine()
    if engine.has(run.version, engine.kv_pages.packed_since):
        return Pages(max(of_kinds), tuple(kinds))
    if engine.has(run.version, engine.kv_pages.slots_since):
        slots = pages[0]
        for kind in pages[1:]:
            slots |= kind
        return Pages(sum(size * layers for size, layers in slots.items()), tuple(kinds), of_kinds)
    return Pages(max(max(kind.values()) for kind in pages) * sum(sizes), tuple(kinds), of_kinds)


def profile_gib(run: EngineRun) -> float:
    """What the profile's widest layer takes beside the usual: residual streams twice, queries and outputs.

    Heads are padded to 64 or 128 (FlashMLA), and every token visits its experts in 16 bits. Read in
    vllm/models/deepseek_v4/nvidia of 0.26.0. No log of a release prints the peak: what is left of the share says 13 %
    more on RTX PRO 6000 (0.25) and 19 % on GH200 (0.22).
    """
    model = run.model
    streams = 2 * model.hidden * max(group.compression.streams for group in model.attention if group.compression)
    heads = 64 if model.attention_heads <= 64 * run.tensor_parallel else 128
    visited = 0
    if model.experts is not None:
        visited = model.experts.active * (model.hidden + 3 * model.experts.intermediate)
    width = streams + 2 * heads * model.head_dim + visited
    return run.max_num_batched_tokens * width * run.dtype_bytes / GIB


def compressed_row(group: Attention) -> tuple[int, int]:
    """Bytes that a layer reads for each token of its window, and for each token before."""
    form = group.compression
    if form is None or form.ratio == 1:
        return _KEY_BYTES, 0
    index = form.index_dim + _SCALE_BYTES if form.index_dim else 0
    return _KEY_BYTES, -(-(_KEY_BYTES + index) // form.ratio)


def _ratio(group: Attention) -> int:
    return group.compression.ratio if group.compression is not None else 1


def _overlap(ratio: int) -> int:
    """At a ratio of four, each key stands for twice as many tokens, so that neighbors overlap."""
    return 2 if ratio == _OVERLAPPING else 1


def _page(group: Attention) -> tuple[int, ...]:
    """Bytes of the pages of a layer's compressed keys and of its index. None where it has a window alone."""
    form = group.compression
    if form is None or form.ratio == 1:
        return ()
    keys = (_aligned(BLOCK // form.ratio * _KEY_BYTES),)
    index = (_aligned(BLOCK // form.ratio * (form.index_dim + _SCALE_BYTES)),) if form.index_dim else ()
    return keys + index


def _states(run: EngineRun, group: Attention) -> tuple[int, ...]:
    """Bytes of a layer's compressors: keys and scores of the tokens that are not compressed yet, in 32 bits."""
    form = group.compression
    if form is None or form.ratio == 1:
        return ()
    widths = (run.model.head_dim, form.index_dim)
    unit_bytes = 2 * _overlap(form.ratio) * 4 * _STATE_BLOCKS[form.ratio]
    return tuple(_aligned(unit_bytes * width) for width in widths if width)


def _slots(pages: Iterable[int], layers: int) -> Counter[int]:
    """Pages of `layers` layers with these pages each, by their bytes."""
    return Counter({size: number * layers for size, number in Counter(pages).items()})


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _least_padding(counts: list[int], least: int) -> int:
    """The size of a group that pads the counts least; the larger of two that pad as much (vLLM `_approximate_gcd`)."""
    return min(range(least, max(counts) + 1), key=lambda size: (sum(-count % size for count in counts), -size))
