"""Commands that change the release of a stack, import existing resources, or take a stack out of Pulumi."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llm_d_gke.cli.options import Changes, Stack, argument, option, overrides
from llm_d_gke.operations.choices import Target

_On = Annotated[
    Target | None,
    option("--on", help="Change the rehearsed stack or the one on GKE. By default the rehearsed one if it is up here."),
]
_Plan = Annotated[
    bool, typer.Option("--plan", help="Only print the steps. Without a running stack nothing else is done.")
]


def _complete_release(incomplete: str) -> list[str]:
    from llm_d_gke.catalog import load

    return [name for name in load().releases if name.startswith(incomplete)]


def upgrade(
    stack: Stack,
    to: Annotated[
        str,
        argument(
            help="Release to change to: llmd catalog releases lists them.",
            autocompletion=_complete_release,
            metavar="RELEASE",
        ),
    ],
    config: Changes = None,
    plan: _Plan = False,
    on: _On = None,
    after: Annotated[
        str | None, option("--after", metavar="STEP", help="Go on after this step, which is done.")
    ] = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Begin although the stack may not serve: to go on after a failed step.")
    ] = False,
) -> int:
    """Plan the steps to another release, and run them where the stack runs, with a verification after each.

    `-c` holds for the stack after the upgrade: a GKE version, room for a surge. Exit status 1 if a step failed, 2 if
    the stack cannot have the release.
    """
    from llm_d_gke.operations.upgrades import command

    run = command.Run(target=on, only_plan=plan, after=after)
    return command.upgrade(stack, to, overrides(config), run, unverified=unverified)


def rollback(stack: Stack, config: Changes = None, plan: _Plan = False, on: _On = None) -> int:
    """Go back to the release before the last upgrade, also where that stopped in the middle."""
    from llm_d_gke.operations.upgrades import command

    run = command.Run(target=on, only_plan=plan)
    return command.rollback(stack, overrides(config), run)


def deletions(
    stack: Stack,
    preview: Annotated[
        Path,
        typer.Argument(
            help="Output of `pulumi preview --json`, - for standard input.",
            exists=True,
            dir_okay=False,
            readable=True,
            allow_dash=True,
        ),
    ],
    config: Changes = None,
) -> int:
    """Refuse a preview that would delete a kind, a volume claim, or a disk with data. Exit status 2 if it does."""
    from llm_d_gke.operations.upgrades.command import judge_preview

    return judge_preview(stack, preview, overrides(config))


def import_(
    stack: Stack,
    config: Changes = None,
    described: Annotated[
        Path | None,
        option(
            "--described",
            metavar="FILE",
            help="Output of `gcloud container clusters describe NAME --format=yaml`: then what differs is listed.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="File for `pulumi import`.", dir_okay=False)] = Path(
        "import.json"
    ),
) -> int:
    """Write the file with which `pulumi import` takes an existing cluster, its pools and its network into a stack.

    Exit status 2 if the next `up` would replace something. Asks nothing of Google and changes nothing.
    """
    from llm_d_gke.operations.import_cloud.command import write_import

    return write_import(stack, overrides(config), described, out)


def eject(
    stack: Stack,
    config: Changes = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder to write to.", file_okay=False)] = Path(
        "ejected"
    ),
) -> int:
    """Write a stack as gcloud commands, chart values and manifests that need neither this project nor Pulumi."""
    from llm_d_gke.operations.eject.command import eject_stack

    return eject_stack(stack, overrides(config), out)
