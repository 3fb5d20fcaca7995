"""`python -m operations.preflight STACK [--project ID]`"""

from __future__ import annotations

from cli.run import leave, run_command
from operations.cli.app import explain_error
from operations.cli.judge import preflight

if __name__ == "__main__":
    leave(run_command(preflight, explain_error, "python -m operations.preflight"))
