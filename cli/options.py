"""Arguments and options that several commands take. Each means the same everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

_ROOT = Path(__file__).resolve().parents[1]


def complete_stack(incomplete: str) -> list[str]:
    """Names of stacks that begin with what was typed."""
    files = (*_ROOT.glob("Pulumi.*.yaml"), *_ROOT.glob("examples/Pulumi.*.yaml"))
    names = sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)
    return [name for name in names if name.startswith(incomplete)]


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


def overrides(changes: Iterable[str] | None) -> dict[str, str]:
    """`-c` options as values by path."""
    return {path: value for path, _, value in (change.partition("=") for change in changes or ())}
