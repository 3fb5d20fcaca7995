"""`python -m llm_d_gke COMMAND`: the whole command line. `bin/llmd COMMAND` is the same."""

from __future__ import annotations

from llm_d_gke.cli.run import leave, run_app
from llm_d_gke.operations.cli.app import build_app

if __name__ == "__main__":
    leave(run_app(build_app()))
