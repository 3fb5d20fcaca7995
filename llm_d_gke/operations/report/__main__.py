"""`python -m llm_d_gke.operations.report STACK [--out FILE] [-c PATH=VALUE]...`"""

from __future__ import annotations

from llm_d_gke.cli.run import leave, run_command
from llm_d_gke.operations.cli.app import explain_error
from llm_d_gke.operations.cli.judge import report

if __name__ == "__main__":
    leave(run_command(report, explain_error, "python -m llm_d_gke.operations.report"))
