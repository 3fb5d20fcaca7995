"""The output of an interrupted command."""

from __future__ import annotations

import pytest
import typer

from llm_d_gke.cli.exits import INTERRUPTED
from llm_d_gke.cli.run import Failure, add_command, new_app, run_app


def change(stack: str) -> int:
    raise KeyboardInterrupt


def no_failure(error: Exception) -> Failure | None:
    return None


@pytest.mark.parametrize(
    ("changes_stack", "advice"),
    [
        (True, "interrupted: `make up STACK=gpu` continues, `make down STACK=gpu` cleans up"),
        (False, "interrupted: no stack was changed"),
    ],
)
def test_only_a_command_that_changes_a_stack_offers_to_continue(
    changes_stack: bool, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app: typer.Typer = new_app("A command line.")
    app.callback()(lambda: None)
    add_command(app, change, no_failure, changes_stack=changes_stack)
    assert run_app(app, "llmd", ["change", "gpu"]) == INTERRUPTED
    assert capsys.readouterr().err.strip() == advice
