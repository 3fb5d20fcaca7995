"""What a log says about the machine, and about settings that it does not print: the accelerator, and the sequences."""

from __future__ import annotations

import re
from typing import Any

from llm_d_gke import catalog
from llm_d_gke.operations.logs_check.lines import load_lines

_HBM_OF_ONE = r"Init model \| hbm=\[\([\d.]+, ([\d.]+)\)"
_HBM_GIB = 0.05  # libtpu reports one device's memory to a hundredth
_CAPABILITY = r"[Dd]evice capability (\d+\.\d+)"

_LARGEST = 512  # of all sizes of CUDA graphs
_SMALL = (1, 2, 4)


def machine(text: str) -> dict[str, Any]:
    """Accelerator and compute capability, if the log names exactly one."""
    fields: dict[str, Any] = {}
    names = {name for name, pattern in load_lines().accelerators.items() if re.search(pattern, text)}
    if not names:
        names = _tpus_by_memory(text)
    if len(names) == 1:
        fields["accelerator"] = names.pop()
    capability = re.search(_CAPABILITY, text)
    if capability is not None:
        fields["capability"] = float(capability[1])
    return fields


def _tpus_by_memory(text: str) -> set[str]:
    limit = re.search(_HBM_OF_ONE, text)
    if limit is None:
        return set()
    return {
        name
        for name, accelerator in catalog.load().accelerators.items()
        if accelerator.kind == "tpu" and abs((accelerator.usable_gib or 0.0) - float(limit[1])) < _HBM_GIB
    }


def sequences(text: str) -> int | None:
    """--max-num-seqs as the captured CUDA graphs have it: whole graphs go up to it, others to twice as many tokens.

    None where both end at the largest size there is. Graphs of speculative decoding count otherwise.
    """
    if re.search(r"speculative_config=Spec|Loading drafter model", text):
        return None
    piecewise = re.search(r"PIECEWISE=\d+ \(largest=(\d+)\)", text)
    largest = int(piecewise[1]) if piecewise is not None else None
    configured = re.search(r"'max_cudagraph_capture_size': (\d+)", text)
    if largest is None and configured is not None:
        largest = int(configured[1]) or None
    if largest is not None and largest < _LARGEST:
        return max(1, largest // 2)
    whole = re.search(r"FULL=\d+ \(largest=(\d+)\)", text)
    if whole is not None:
        return int(whole[1]) if int(whole[1]) < _LARGEST else None
    counted = re.search(r"Capturing CUDA graphs \(decode, FULL\): +100%[^\n]*?(\d+)/\1\b", text)
    size = _graph_size(int(counted[1])) if counted is not None else _LARGEST
    return size if size < _LARGEST else None


def _graph_size(count: int) -> int:
    """The largest of `count` CUDA graph sizes: 1, 2, 4, then in steps of 8 up to 256, and of 16 beyond."""
    if count <= len(_SMALL):
        return _SMALL[max(0, count - 1)]
    steps = count - len(_SMALL)
    return 8 * steps if steps <= 32 else 256 + 16 * (steps - 32)
