"""A start-up log of vLLM as a row: settings from its arguments and its configuration, figures from its memory lines."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

_NUMBER = r"(-?[\d,]+(?:\.\d+)?)"

# Arguments of `vllm serve` that a row has, by their name in "non-default args".
_ARGUMENTS = {
    "model": "model",
    "model_tag": "model",
    "tensor_parallel_size": "tensorParallel",
    "pipeline_parallel_size": "pipelineParallel",
    "data_parallel_size": "dataParallel",
    "enable_expert_parallel": "expertParallel",
    "dtype": "dtype",
    "quantization": "quantization",
    "kv_cache_dtype": "kvCacheDtype",
    "gpu_memory_utilization": "gpuMemoryUtilization",
    "max_model_len": "maxModelLen",
    "max_num_batched_tokens": "maxNumBatchedTokens",
    "max_num_seqs": "maxNumSeqs",
    "block_size": "blockSize",
    "enforce_eager": "eager",
    "language_model_only": "textOnly",
    "enable_prefix_caching": "prefixCaching",
}

# Fields of the line "Initializing a V1 LLM engine (v0.19.0) with config: model='...', ...".
_CONFIGURED = {
    "model": "model",
    "max_seq_len": "maxModelLen",
    "dtype": "dtype",
    "quantization": "quantization",
    "kv_cache_dtype": "kvCacheDtype",
    "tensor_parallel_size": "tensorParallel",
    "pipeline_parallel_size": "pipelineParallel",
    "data_parallel_size": "dataParallel",
    "enforce_eager": "eager",
    "enable_prefix_caching": "prefixCaching",
}

# With one figure per rank, the largest counts for usage and the smallest for remaining memory.
_LARGEST = {
    "weightsGib": (rf"[Mm]odel loading took {_NUMBER} GiB", rf"model weights take {_NUMBER} ?GiB"),
    "activationGib": (
        rf"torch peak memory increase (?:is )?{_NUMBER} ?GiB",
        rf"PyTorch activation peak memory takes {_NUMBER} ?GiB",
    ),
}
_SMALLEST = {
    "availableGib": (rf"Available KV cache memory: {_NUMBER} GiB",),
    "kvTokens": (rf"KV cache size: {_NUMBER} tokens",),
    "kvBlocks": (
        rf"# (?:GPU|TPU|CUDA) blocks: {_NUMBER}",
        rf"num_gpu_blocks is: {_NUMBER}",
        rf"Init kv-cache .*num_blocks={_NUMBER}",
    ),
    "concurrency": (rf"Maximum concurrency for [\d,]+ tokens per request: {_NUMBER}x",),
}
_FAILURES = (
    r"(To serve at least one request with the model'?s max seq len[^\n]*)",
    r"(No available memory for the cache blocks[^\n]*)",
    r"(The model's max seq len [^\n]*)",
    r"(Free memory on device[^\n]*is less than desired[^\n]*)",
    r"(max_num_seqs[^\n]*exceeds[^\n]*)",
    r"(CUDA out of memory[^\n]*)",
    r"(RESOURCE_EXHAUSTED[^\n]*)",
    r"(RuntimeProgramAllocationFailure[^\n]*)",
    r"(Engine core initialization failed[^\n]*)",
)


def read_log(text: str) -> dict[str, Any]:
    """The row of one start. Fields that the log does not state are left out."""
    row: dict[str, Any] = {}
    version = re.search(r"(?:vLLM API server version|LLM engine \(v|\bversion) ?v?(\d+\.\d+(?:\.\d+)?)", text)
    if version is not None:
        row["version"] = version[1]
    row |= _configured(text)
    row |= _arguments(text)
    memory = re.search(rf"on device[^(\n]*\({_NUMBER}/{_NUMBER} GiB\)", text) or re.search(
        rf"total_gpu_memory \(({_NUMBER[1:-1]})GiB\)", text
    )
    if memory is not None:
        row["memory_gib"] = _value(memory[memory.lastindex or 1])
    share = re.search(rf"[Dd]esired GPU memory utilization (?:is )?\({_NUMBER}", text)
    if share is not None:
        row.setdefault("gpuMemoryUtilization", _value(share[1]))
    batch = re.search(r"max_num_batched_tokens[=:] ?(\d+)", text)
    if batch is not None:
        row.setdefault("maxNumBatchedTokens", int(batch[1]))
    for fields, choose in ((_LARGEST, max), (_SMALLEST, min)):
        for name, patterns in fields.items():
            values = [_value(match) for pattern in patterns for match in re.findall(pattern, text)]
            if values:
                row[name] = choose(values)
    failure = next((match[1] for pattern in _FAILURES if (match := re.search(pattern, text)) is not None), None)
    if "Application startup complete" in text:
        row["ran"] = True
    elif failure is not None:
        row |= {"ran": False, "reason": failure.strip()[:300]}
    return row


def _arguments(text: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    match = re.search(r"non-default args: (\{.*\})", text)
    if match is None:
        return arguments
    try:
        literal = ast.literal_eval(match[1])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return arguments
    if not isinstance(literal, Mapping):
        return arguments
    for name, field in _ARGUMENTS.items():
        if literal.get(name) is not None:
            arguments[field] = literal[name]
    speculative = literal.get("speculative_config")
    if isinstance(speculative, Mapping) and isinstance(speculative.get("num_speculative_tokens"), int):
        arguments["speculativeTokens"] = speculative["num_speculative_tokens"]
    return arguments


def _configured(text: str) -> dict[str, Any]:
    line = re.search(r"Initializing an? (?:V\d )?LLM engine[^\n]*with config: ([^\n]*)", text)
    settings: dict[str, Any] = {}
    for name, field in _CONFIGURED.items():
        match = re.search(rf"(?:^|[ ,]){name}=('[^']*'|[^,\s]+)", line[1]) if line is not None else None
        if match is None:
            continue
        value = match[1].strip("'").removeprefix("torch.")
        if value in ("None", "auto"):
            continue
        settings[field] = {"True": True, "False": False}.get(value, int(value) if value.isdigit() else value)
    return settings


def _value(text: str) -> float:
    number = float(text.replace(",", ""))
    return int(number) if number == int(number) and "." not in text else number
