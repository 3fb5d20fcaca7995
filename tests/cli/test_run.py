"""The output of a command that is interrupted, or whose file cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from llm_d_gke.cli.exits import INTERRUPTED
from llm_d_gke.cli.run import UNCHANGED, Failure, add_command, new_app, run_app


def change(stack: str) -> int:
    raise KeyboardInterrupt


def no_failure(error: Exception) -> Failure | None:
    return None


@pytest.mark.parametrize(
    ("interrupted", "advice"),
    [
        ("`make up STACK={stack}` continues", "interrupted: `make up STACK=gpu` continues"),
        (UNCHANGED, "interrupted: no stack was changed"),
    ],
)
def test_only_a_command_that_changes_a_stack_offers_to_continue(
    interrupted: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app: typer.Typer = new_app("A command line.")
    app.callback()(lambda: None)
    add_command(app, change, no_failure, interrupted=interrupted)
    assert run_app(app, "llmd", ["change", "gpu"]) == INTERRUPTED
    assert capsys.readouterr().err.strip() == advice


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (PermissionError(13, "Permission denied", "/stacks/Pulumi.a.yaml"), 1, "Give your account access to it"),
        (OSError(30, "Read-only file system", "/stacks/Pulumi.a.yaml"), 1, "Read-only file system"),
        (IsADirectoryError(21, "Is a directory", "rows"), 2, "rows cannot be used: Is a directory. Name another path."),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_sentence(
    error: OSError, status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def use(rows: Path) -> int:
        raise error

    app: typer.Typer = new_app("A command line.")
    app.callback()(lambda: None)
    add_command(app, use, no_failure)
    assert run_app(app, "llmd", ["use", "rows"]) == status
    assert sentence in " ".join(capsys.readouterr().err.split())
