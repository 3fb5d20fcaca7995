"""`python -m operations.explain STACK 'Deployment/gemma-2b-it-vllm spec.replicas'`"""

from __future__ import annotations

from cli.run import leave, run_command
from operations.cli.app import explain_error
from operations.cli.judge import explain

if __name__ == "__main__":
    leave(run_command(explain, explain_error, "python -m operations.explain"))
