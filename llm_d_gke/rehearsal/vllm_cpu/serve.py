"""Starts `vllm` with forked processes. Runs in the engine's environment: `serve.py serve ARGUMENTS`.

On processors vLLM spawns the process of its engine, which then imports torch and vLLM again: half of the processor time
of a start. It imports nothing of this project.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import runpy
import signal
from multiprocessing.context import BaseContext


def fork_processes() -> None:
    """Replace vLLM's choice of a start method, before the modules that import it by name."""

    def context() -> BaseContext:
        return multiprocessing.get_context("fork")

    importlib.import_module("vllm.utils.system_utils").get_mp_context = context  # type: ignore[attr-defined]
    # Otherwise a signal to the forked process would wake the event loop of its parent, whose descriptors it inherits.
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))


if __name__ == "__main__":
    fork_processes()
    runpy.run_module("vllm.entrypoints.cli.main", run_name="__main__", alter_sys=True)
