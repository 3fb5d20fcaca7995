"""Commands for many stacks, and for their backup."""

from __future__ import annotations

from typing import Annotated

import typer

from llm_d_gke.cli.options import Changes, Stack, overrides


def backup_check(
    stack: Stack,
    config: Changes = None,
    location: Annotated[
        str | None,
        typer.Option("--location", help="Zone or region in which the stack is to be brought back.", show_default=False),
    ] = None,
) -> int:
    """List what has to be kept to bring a stack back elsewhere, and check that it is.

    Exit status 1 if something is missing, 2 if the stack is refused, here or in the other location, 3 if something
    could not be looked at.
    """
    from llm_d_gke.operations.backup.command import check_backup

    return check_backup(stack, overrides(config), location)
