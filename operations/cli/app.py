"""The whole command line in one value."""

from __future__ import annotations

import typer

from cli.exits import REFUSED
from cli.run import Failure, add_command, new_app
from operations.cli import judge
from rehearsal import cli as rehearsal_cli

_JUDGE = "Judge a stack before anything is created"


def explain_error(error: Exception) -> Failure | None:
    """What to print of an error of any command. None for a defect."""
    from operations.explain.errors import FieldError

    if isinstance(error, FieldError):
        return Failure(str(error), REFUSED)
    return rehearsal_cli.explain(error)


def build_app() -> typer.Typer:
    app = new_app("Plan, judge, rehearse and explain llm-d stacks on GKE. Exit status 2 means: refused.")
    for command in (judge.report, judge.compare, judge.preflight, judge.explain):
        add_command(app, command, explain_error, panel=_JUDGE)
    app.add_typer(rehearsal_cli.app)
    return app
