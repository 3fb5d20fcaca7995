"""`python -m rehearsal {up,preview,status,endpoint,down,render} STACK`: the rehearsal's part of the command line."""

from __future__ import annotations

from cli.run import leave, run_app
from rehearsal.cli import app

if __name__ == "__main__":
    leave(run_app(app, "python -m rehearsal"))
