"""KV cache of attention to compressed keys (DeepSeek V4): several caches for each layer, which share pages.

Follows vLLM 0.23.0 to 0.28.0, v1/core/kv_cache_utils.py (_get_kv_cache_groups_uniform_groups), and 0.30.0
(_get_packed_kv_cache_groups); pages of vllm/models/deepseek_v4 (attention.py, compressor.py) and
v1/attention/backends/mla/sparse_swa.py. A start of DeepSeek-V4-Flash states 6.66 GiB for 30,000 tokens (0.22), which
agrees to the digit; one with an index in MXFP4, which is not described here, agrees by hand (13.94 requests, 0.26.0).
"""

from __future__ import annotations

import math
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

    A window of 0 is none: all tokens stay.
    """

    block_bytes: int
    kinds: tuple[tuple[int, int, int], ...]


def compressed_pages(run: EngineRun, stage_share: float) -> Pages:
    """How the caches of one pipeline stage are grouped. Layers of several groups share the pages of the largest one."""
    groups = [group for group in run.model.attention if group.compression is not None]
    counts = [math.ceil(group.layers * stage_share - 1e-9) for group in groups]
    windows = sum(counts) + (run.draft.layers if run.draft is not None else 0)
    shrunk = [(group, count) for group, count in zip(groups, counts, strict=True) if _ratio(group) > 1]
    repeats = _least_padding([windows, *(count for _, count in shrunk)], max(count for _, count in shrunk))
    split = -(-windows // repeats)
    kinds = [(BLOCK, 0, 1), (_WINDOW_BLOCK, groups[0].window or 0, split)]
    for group, count in shrunk:
        ratio = _ratio(group)
        kinds.append((_STATE_BLOCKS[ratio], ratio * _overlap(ratio), -(-count // repeats)))
    if load_engine().has(run.version, load_engine().packed_pages_since):
        widest = max(
            sum(count * sum(_page(group)) for group, count in shrunk),
            -(-windows // split) * _aligned(_WINDOW_BLOCK * _KEY_BYTES),
            *(count * _states(run, group) for group, count in shrunk),
        )
        return Pages(widest, tuple(kinds))
    most = max(-(-windows // split), *(count for _, count in shrunk))
    return Pages(most * sum({size for group, _ in shrunk for size in _page(group)}), tuple(kinds))


def profile_gib(run: EngineRun) -> float:
    """What the profile's widest layer takes beside the usual: residual streams twice, queries and outputs.

    Heads are padded to 64 or 128 (FlashMLA), and every token visits its experts in 16 bits. Read in
    vllm/models/deepseek_v4/nvidia of 0.26.0; no log prints the peak.
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


def _states(run: EngineRun, group: Attention) -> int:
    """Bytes of a layer's compressors: keys and scores of the tokens that are not compressed yet, in 32 bits."""
    form = group.compression
    if form is None or form.ratio == 1:
        return 0
    widths = (run.model.head_dim, form.index_dim)
    unit_bytes = 2 * _overlap(form.ratio) * 4 * _STATE_BLOCKS[form.ratio]
    return sum(_aligned(unit_bytes * width) for width in widths if width)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _least_padding(counts: list[int], least: int) -> int:
    """The size of a group that pads the counts least; the larger of two that pad as much (vLLM `_approximate_gcd`)."""
    return min(range(least, max(counts) + 1), key=lambda size: (sum(-count % size for count in counts), -size))
