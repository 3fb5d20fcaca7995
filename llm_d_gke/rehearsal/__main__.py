"""`python -m llm_d_gke.rehearsal {up,preview,status,endpoint,down,render} STACK`: the rehearsal's commands."""

from __future__ import annotations

from llm_d_gke.cli.run import leave, run_app
from llm_d_gke.rehearsal.cli import app

if __name__ == "__main__":
    leave(run_app(app, "python -m llm_d_gke.rehearsal"))
