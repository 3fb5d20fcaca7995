"""Bytes of one token's keys and values in one head, by the type of the cache. Read in vLLM 0.26.0, 0.30.0 and 0.32.0.

v1/kv_cache_interface.py (AttentionSpec), utils/torch_utils.py (nvfp4_kv_cache_full_dim) and
model_executor/layers/quantization/turboquant/config.py (slot_size_aligned, get_boundary_skip_layers).
"""

from __future__ import annotations

from collections.abc import Mapping

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.planning.sizing.memory.run import EngineRun

# Bits of a key's and of a value's entry. Keys of fewer than 8 bits have a norm of 16, values a scale and an offset.
_ROTATED: Mapping[str, tuple[int, int]] = {
    "turboquant_k8v4": (8, 4),
    "turboquant_4bit_nc": (4, 4),
    "turboquant_k3v4_nc": (3, 4),
    "turboquant_3bit_nc": (3, 3),
}
_NORM, _OFFSETS = 2, 4
_PER_TOKEN_HEAD, _SCALE = "_per_token_head", 4
_NVFP4_WINDOWS_SINCE = "0.26"  # until then (sources of April 2026) windows kept 8 bits
# Layers at either end whose entries stay in 16 bits, in models without recurrent layers.
_PLAIN_ENDS = 2


def entry_bytes(run: EngineRun, head_dim: int, *, windowed: bool = False) -> int:
    """Bytes of keys and values together, with their scales.

    >>> [rotated_bytes(cache, 128) for cache in _ROTATED]
    [196, 134, 118, 102]
    """
    cache = run.kv_cache_dtype or ""
    if cache in _ROTATED:
        return rotated_bytes(cache, head_dim)
    if cache == "int4" + _PER_TOKEN_HEAD:
        return 2 * (head_dim // 2 + _SCALE)
    if cache.endswith(_PER_TOKEN_HEAD):
        return 2 * (head_dim * run.kv_bytes + _SCALE)
    packed = cache.startswith("nvfp4") and not cache.endswith("mla")
    if packed and (not windowed or load_engine().has(run.version, _NVFP4_WINDOWS_SINCE)):
        # Two numbers in a byte, and a scale of 8 bits for each 16 of them.
        return 2 * (head_dim // 2 + head_dim // 16)
    return 2 * head_dim * run.kv_bytes


def rotated_bytes(cache: str, head_dim: int) -> int:
    """Bytes of an entry of TurboQuant, an even number."""
    key_bits, value_bits = _ROTATED[cache]
    key, value = (-(-head_dim * bits // 8) for bits in (key_bits, value_bits))
    size = key + (_NORM if key_bits < 8 else 0) + value + _OFFSETS
    return size + size % 2


def keeps_rotated(run: EngineRun) -> bool:
    """Whether the cache is one of TurboQuant's."""
    return (run.kv_cache_dtype or "") in _ROTATED


def plain_layers(run: EngineRun, layers: int) -> int:
    """How many of a model's layers keep entries of 16 bits beside others of TurboQuant."""
    if run.recurrent or not keeps_rotated(run):
        return 0
    return 2 * min(_PLAIN_ENDS, layers // 2)
