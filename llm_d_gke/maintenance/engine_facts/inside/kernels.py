"""Shared memory of vLLM's own attention kernels, compiled for a card without one."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from .modules import error_text, first_module


def triton_shared_memory(question: Mapping[str, Any]) -> Any:
    """Bytes of shared memory that vLLM's own Triton attention needs, compiled for the card without one.

    The function that vLLM calls for each layer is called with tensors on the CPU; where it launches its kernel, the
    kernel is compiled for the card's capability, and Triton reports the shared memory of the program.
    """
    torch = importlib.import_module("torch")
    triton = importlib.import_module("triton")
    module = first_module(
        "vllm.v1.attention.ops.triton_unified_attention", "vllm.attention.ops.triton_unified_attention"
    )
    seen: list[int] = []
    for name, value in list(vars(module).items()):
        if isinstance(value, triton.runtime.jit.JITFunction) and name.startswith("kernel_unified_attention"):
            setattr(module, name, _Compiler(value, seen))
    rows = []
    for case in question["cases"]:
        del seen[:]
        row = {**case}
        try:
            module.unified_attention(**_attention_arguments(torch, case))
            row["bytes"] = max(seen)
        except Exception as error:
            row["unanswered"] = error_text(error)
        rows.append(row)
    return rows


class _Compiler:
    """Stands for a kernel: a launch compiles it and notes its bytes of shared memory."""

    def __init__(self, kernel: Any, seen: list[int]) -> None:
        self.kernel, self.seen = kernel, seen

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        def compile_only(*arguments: Any, **options: Any) -> None:
            self.seen.append(self.kernel.warmup(*arguments, grid=grid, **options).metadata.shared)

        return compile_only


def _attention_arguments(torch: Any, case: Mapping[str, Any]) -> dict[str, Any]:
    """Two sequences of four tokens, with blocks of 16 and one head of keys."""
    dtype, sequences, queries = getattr(torch, case["dtype"]), 2, case["queries_per_key"]
    query = torch.zeros(sequences * 4, queries, case["head"], dtype=dtype)
    cache = torch.zeros(8, 16, 1, case["head"], dtype=dtype)
    ones = torch.ones(1)
    return {
        "q": query,
        "k": cache,
        "v": cache.clone(),
        "out": torch.zeros_like(query),
        "cu_seqlens_q": torch.arange(0, sequences * 4 + 1, 4, dtype=torch.int32),
        "max_seqlen_q": 4,
        "seqused_k": torch.full((sequences,), 4, dtype=torch.int32),
        "max_seqlen_k": 4,
        "softmax_scale": 0.1,
        "causal": True,
        "window_size": (case["window"] - 1, 0) if case.get("window") else (-1, -1),
        "block_table": torch.zeros(sequences, 4, dtype=torch.int32),
        "softcap": case.get("softcap", 0.0),
        "q_descale": None,
        "k_descale": ones,
        "v_descale": ones,
        "sinks": torch.zeros(queries, dtype=dtype) if case.get("sink") else None,
    }
