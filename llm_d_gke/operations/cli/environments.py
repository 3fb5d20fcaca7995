"""Commands for many stacks, and for their backup."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llm_d_gke.cli.options import Changes, Stack, argument, complete_stack, option, overrides


def fleet(
    stacks: Annotated[
        list[str] | None,
        argument(
            help="Names of stacks; by default all with a file in the project's folder.", autocompletion=complete_stack
        ),
    ] = None,
    folder: Annotated[
        Path | None, option("--folder", help="Folder with the stack files.", exists=True, file_okay=False)
    ] = None,
    jobs: Annotated[
        int | None, option("--jobs", "-j", min=1, help="Stacks at a time; by default one for each core.")
    ] = None,
) -> int:
    """Preview many stacks from nothing: verdict, resources, dollars. Exit status 2 if one is refused."""
    from llm_d_gke.operations.fleet.command import print_fleet

    return print_fleet(stacks or (), folder, jobs)


def review_stack(
    number: Annotated[int, argument(min=1, help="Number of the pull request.")],
    source: Annotated[str, option("--from", help="Stack to copy.", autocompletion=complete_stack)],
    hours: Annotated[float, typer.Option("--hours", min=0.1, max=720, help="Time to live.")] = 8,
    budget: Annotated[float, typer.Option("--budget", min=0, help="The most dollars for all of it.")] = 50,
) -> int:
    """Write Pulumi.pr-NUMBER.yaml for a pull request. Exit status 2 if it is refused or above the budget."""
    from llm_d_gke.operations.environments.command import print_review_stack

    return print_review_stack(number, source, hours, budget)


def expired_stacks(
    folder: Annotated[
        Path, typer.Argument(help="Folder with stack files of pull requests.", exists=True, file_okay=False)
    ],
) -> int:
    """Print the stacks of pull requests whose time to live is over, one a line."""
    from llm_d_gke.operations.environments.command import print_expired

    return print_expired(folder)


def backup_check(
    stack: Stack,
    config: Changes = None,
    location: Annotated[
        str | None, option("--location", help="Zone or region in which the stack is to be brought back.")
    ] = None,
) -> int:
    """List what has to be kept to bring a stack back elsewhere, and check that it is.

    Exit status 1 if something is missing, 2 if the stack is refused, here or in the other location, 3 if something
    could not be looked at.
    """
    from llm_d_gke.operations.backup.command import check_backup

    return check_backup(stack, overrides(config), location)
