"""`python -m operations.report STACK [--out FILE] [-c PATH=VALUE]...`"""

from __future__ import annotations

from cli.run import leave, run_command
from operations.cli.app import explain_error
from operations.cli.judge import report

if __name__ == "__main__":
    leave(run_command(report, explain_error, "python -m operations.report"))
