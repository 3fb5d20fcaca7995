"""Starts `vllm` with forked processes. Runs in the engine's environment: `serve.py serve ARGUMENTS`.

On processors vLLM spawns the process of its engine, which then imports torch and vLLM again: half of the processor time
of a start. Its random weights are so small that an answer depends on the last token only, unless WEIGHTS_SEED names
others. Data-parallel ranks that share experts need two exchanges that vLLM has for accelerators only. This file imports
nothing of this project.
"""

from __future__ import annotations

import functools
import importlib
import multiprocessing
import os
import runpy
import signal
import sys
from multiprocessing.context import BaseContext
from types import SimpleNamespace
from typing import Any

# Of random weights.
_LARGEST = 0.25


def fork_processes() -> None:
    """Replace vLLM's choice of a start method, before the modules that import it by name."""

    def context() -> BaseContext:
        return multiprocessing.get_context("fork")

    importlib.import_module("vllm.utils.system_utils").get_mp_context = context  # type: ignore[attr-defined]
    # Otherwise a signal to the forked process would wake the event loop of its parent, whose descriptors it inherits.
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))


def draw_weights(seed: int) -> None:
    """Draw weights (`--load-format dummy`) with which an answer depends on the whole prompt, as a real model's does."""
    loader: Any = importlib.import_module("vllm.model_executor.model_loader.dummy_loader")
    drawn = functools.partial(loader.initialize_dummy_weights, low=-_LARGEST, high=_LARGEST, seed=seed)
    loader.initialize_dummy_weights = drawn


def serve_ranks() -> None:
    """Start the ranks of a pod as forks, and give them what `CpuCommunicator` of vLLM 0.26 to 0.32 does not implement.

    Each rank has a part of every expert: it gets the tokens of all ranks (all_gatherv), whose numbers differ, and the
    sums of its own ones (reduce_scatterv). Whole experts at single ranks end the kernel for processors of 0.26.
    """
    supervisor: Any = importlib.import_module("vllm.entrypoints.openai.dp_supervisor")
    supervisor.multiprocessing = SimpleNamespace(get_context=lambda _: multiprocessing.get_context("fork"))
    torch: Any = importlib.import_module("torch")

    def of_all(own: Any, group: Any, sizes: list[int]) -> Any:
        padded = torch.zeros((max(sizes), *own.shape[1:]), dtype=own.dtype)
        padded[: own.shape[0]] = own
        parts = [torch.empty_like(padded) for _ in sizes]
        torch.distributed.all_gather(parts, padded, group=group)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def all_gatherv(self: Any, input_: Any, dim: int = 0, sizes: list[int] | None = None) -> Any:
        assert dim == 0
        tensors = input_ if isinstance(input_, list) else [input_]
        own = sizes or [tensors[0].shape[0]] * self.world_size
        gathered = [of_all(tensor, self.device_group, own) for tensor in tensors]
        return gathered if isinstance(input_, list) else gathered[0]

    def reduce_scatterv(self: Any, input_: Any, dim: int = -1, sizes: list[int] | None = None) -> Any:
        assert dim == 0
        own = sizes or [input_.shape[0] // self.world_size] * self.world_size
        total = input_.float()
        torch.distributed.all_reduce(total, group=self.device_group)
        start = sum(own[: self.rank_in_group])
        return total[start : start + own[self.rank_in_group]].to(input_.dtype)

    communicator = importlib.import_module("vllm.distributed.device_communicators.cpu_communicator").CpuCommunicator
    communicator.all_gatherv, communicator.reduce_scatterv = all_gatherv, reduce_scatterv


if __name__ == "__main__":
    fork_processes()
    if "WEIGHTS_SEED" in os.environ:
        draw_weights(int(os.environ["WEIGHTS_SEED"]))
    if "--data-parallel-size" in sys.argv:
        serve_ranks()
    runpy.run_module("vllm.entrypoints.cli.main", run_name="__main__", alter_sys=True)
