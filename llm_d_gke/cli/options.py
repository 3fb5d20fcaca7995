"""Arguments and options that several commands take. Each means the same everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from llm_d_gke.stackfile import PROJECT_ROOT, stack_names


def complete_stack(incomplete: str) -> list[str]:
    """Shell completion: names of stacks with this prefix."""
    return [name for name in stack_names(PROJECT_ROOT) if name.startswith(incomplete)]


def _check_changes(changes: list[str] | None) -> list[str]:
    for change in changes or ():
        path, equals, _ = change.partition("=")
        if not equals or not path:
            raise typer.BadParameter(f"{change!r} is not PATH=VALUE, as in models[0].replicas=2")
    return changes or []


Stack = Annotated[
    str,
    typer.Argument(
        help="Name of a stack file Pulumi.<stack>.yaml, in the project's folder or in examples/.",
        show_default=False,
        autocompletion=complete_stack,
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--config",
        "-c",
        metavar="PATH=VALUE",
        help="Change one setting for this run, in Pulumi's path syntax: models[0].replicas=2. May be repeated.",
        callback=_check_changes,
        show_default=False,
    ),
]

Project = Annotated[
    str | None,
    typer.Option(
        "--project",
        help="Google Cloud project. By default that of the stack file, or else of the credentials.",
        show_default=False,
    ),
]
OutFile = Annotated[
    Path | None, typer.Option("--out", "-o", help="File to write instead of printing.", show_default=False)
]


def overrides(changes: Iterable[str] | None) -> dict[str, str]:
    """`-c` options as values by path."""
    return {path: value for path, _, value in (change.partition("=") for change in changes or ())}
