"""Arguments and options that several commands take. Each means the same everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from llm_d_gke.stackfile import PROJECT_ROOT, stack_names


def option(*names: str, help: str, **more: Any) -> Any:  # noqa: A002 - typer's own name
    """An option whose default speaks for itself, so that the help does not print it."""
    return typer.Option(*names, help=help, show_default=False, **more)


def argument(*, help: str, **more: Any) -> Any:  # noqa: A002
    """The same for an argument."""
    return typer.Argument(help=help, show_default=False, **more)


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
    argument(
        help="Name of a stack file Pulumi.<stack>.yaml, in the project's folder or in examples/.",
        autocompletion=complete_stack,
    ),
]
Changes = Annotated[
    list[str] | None,
    option(
        "--config",
        "-c",
        metavar="PATH=VALUE",
        help="Change one setting for this run, in Pulumi's path syntax: models[0].replicas=2. May be repeated.",
        callback=_check_changes,
    ),
]

Project = Annotated[
    str | None,
    option("--project", help="Google Cloud project. By default that of the stack file, or else of the credentials."),
]
OutFile = Annotated[Path | None, option("--out", "-o", help="File to write instead of printing.")]


def overrides(changes: Iterable[str] | None) -> dict[str, str]:
    """`-c` options as values by path."""
    return {path.strip(): value.strip() for path, _, value in (change.partition("=") for change in changes or ())}
