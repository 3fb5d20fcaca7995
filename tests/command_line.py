"""The whole command line in this process, without a subprocess."""

from __future__ import annotations

from llm_d_gke.cli.run import run_app
from llm_d_gke.operations.cli.app import build_app


def llmd(*arguments: str) -> int:
    """The exit status of `llmd ARGUMENTS...`."""
    return run_app(build_app(), "llmd", arguments)
