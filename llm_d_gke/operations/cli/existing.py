"""Commands that import existing resources into a stack, or take a stack's resources out of Pulumi."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llm_d_gke.cli.options import Changes, Stack, overrides


def import_(
    stack: Stack,
    config: Changes = None,
    described: Annotated[
        Path | None,
        typer.Option(
            "--described",
            metavar="FILE",
            help="Output of `gcloud container clusters describe NAME --format=yaml`: then what differs is listed.",
            exists=True,
            dir_okay=False,
            show_default=False,
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
