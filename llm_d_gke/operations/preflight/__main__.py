"""`python -m llm_d_gke.operations.preflight STACK [--project ID]`"""

from __future__ import annotations

from llm_d_gke.cli.run import leave, run_command
from llm_d_gke.operations.cli.app import explain_error
from llm_d_gke.operations.cli.judge import preflight

if __name__ == "__main__":
    leave(run_command(preflight, explain_error, "python -m llm_d_gke.operations.preflight"))
