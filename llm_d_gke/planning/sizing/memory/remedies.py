"""Which single setting would make an engine fit, and at which value. Each is tried on the same model of memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llm_d_gke.planning.sizing.memory.judge import fits, judge
from llm_d_gke.planning.sizing.memory.run import EngineRun

_HIGHEST_UTILIZATION = 0.95
_LOWEST_UTILIZATION = 0.5
_FEWEST_SEQUENCES = 8
_SHORTEST = 512
# vLLM's own batches on small and on large devices (vllm/engine/arg_utils.py). What is above them was set.
_SMALL_BATCH, _LARGE_BATCH = 2048, 16384


@dataclass(frozen=True)
class Remedy:
    """A setting as the stack file names it, and a value with which the engine fits beyond doubt."""

    setting: str
    value: str

    def __str__(self) -> str:
        return f"{self.setting}: {self.value}"


def remedies(run: EngineRun, parallel: Sequence[int] = (), fp8_cache: bool = False) -> tuple[Remedy, ...]:
    """All settings that help, the least costly first. `parallel`: tensor-parallel sizes the node has room for."""
    candidates = (
        _utilization(run),
        _sequences(run),
        _batch(run),
        _length(run),
        _cache(run) if fp8_cache else None,
        _tensor_parallel(run, parallel),
    )
    return tuple(remedy for remedy in candidates if remedy is not None)


def _utilization(run: EngineRun) -> Remedy | None:
    """The value nearest to the present one, in steps of a hundredth."""
    highest = run.utilization_tested if run.kind == "tpu" else _HIGHEST_UTILIZATION
    # Room for the cache grows with the share: where the highest leaves too little, no other leaves enough.
    verdict = judge(run.with_utilization(highest))
    if verdict.limit not in ("warm-up", "states") and verdict.status != "fits":
        return None
    steps = range(round(_LOWEST_UTILIZATION * 100), round(highest * 100) + 1)
    for percent in sorted(steps, key=lambda step: abs(step / 100 - run.utilization)):
        if judge(run.with_utilization(percent / 100)).status == "fits":
            return Remedy("gpuMemoryUtilization", f"{percent / 100:.2f}")
    return None


def _sequences(run: EngineRun) -> Remedy | None:
    """Fewer sequences shrink the sampler's peak, which for large vocabularies is most of what is not weights."""
    if not fits(run, max_num_seqs=min(_FEWEST_SEQUENCES, run.max_num_seqs)):
        return None
    count = 1 << (run.max_num_seqs - 1).bit_length() - 1 if run.max_num_seqs > 1 else 0
    while count >= _FEWEST_SEQUENCES:
        if fits(run, max_num_seqs=count):
            return Remedy("maxNumSeqs", str(count))
        count //= 2
    return None


def _batch(run: EngineRun) -> Remedy | None:
    """Smaller batches shrink the activations. Only for a batch that was set, as they cost speed."""
    if run.max_num_batched_tokens <= _LARGE_BATCH:
        return None
    tokens = 1 << (run.max_num_batched_tokens - 1).bit_length() - 1
    while tokens >= max(_SMALL_BATCH, run.max_num_seqs):
        if fits(run, max_num_batched_tokens=tokens):
            return Remedy("maxNumBatchedTokens", str(tokens))
        tokens //= 2
    return None


def _length(run: EngineRun) -> Remedy | None:
    """The longest request that fits, in steps of 256."""
    low, high = _SHORTEST // 256, (run.max_model_len - 1) // 256
    if high < low or not fits(run, max_model_len=low * 256):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(run, max_model_len=middle * 256) else (low, middle - 1)
    return Remedy("maxModelLen", str(low * 256))


def _cache(run: EngineRun) -> Remedy | None:
    if run.kv_bytes > 1 and fits(run, kv_cache_dtype="fp8"):
        return Remedy("kvCacheDtype", "fp8")
    return None


def _tensor_parallel(run: EngineRun, sizes: Sequence[int]) -> Remedy | None:
    for size in sorted(size for size in sizes if size > run.tensor_parallel):
        if fits(run, tensor_parallel=size):
            return Remedy("tensorParallel", str(size))
    return None
