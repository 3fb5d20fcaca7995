"""Commands that judge a stack before anything is created."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llm_d_gke.cli.options import Changes, OutFile, Project, Stack, argument, complete_stack, option, overrides

_ENDINGS = (".html", ".md", ".json")


def _check_ending(out: Path | None) -> Path | None:
    if out is not None and out.suffix not in _ENDINGS:
        raise typer.BadParameter(f"{out} must end with one of {', '.join(_ENDINGS)}")
    return out


def _check_fields(added: list[str] | None) -> list[str]:
    for field in added or ():
        name, equals, value = field.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise typer.BadParameter(f"{field!r} is not FIELD=VALUE, as in accelerator=nvidia-l4")
    return added or []


def report(
    stack: Stack,
    config: Changes = None,
    out: Annotated[
        Path | None,
        option(
            "--out",
            "-o",
            help="File to write: .html, .md or .json. By default the report is printed.",
            callback=_check_ending,
        ),
    ] = None,
) -> int:
    """Judge a stack: memory, speed, cost and every finding. Exit status 2 if it is refused."""
    from llm_d_gke.operations.report.command import write_report

    return write_report(stack, overrides(config), out)


def compare(
    before: Annotated[Path, typer.Argument(help="Checkout of the project before a change.", exists=True)],
    after: Annotated[Path, typer.Argument(help="Checkout after it.", exists=True)],
    out: OutFile = None,
) -> int:
    """Compare the verdicts on all stacks of two checkouts, as Markdown for a pull request.

    Each checkout plans its own stack files with its own program, without engine and credentials.
    Exit status 2 if a stack is refused after the change.
    """
    from llm_d_gke.operations.report.command import write_comparison

    return write_comparison(before, after, out)


def diff(
    before: Stack,
    after: Annotated[
        str, argument(help="The stack to compare it with.", autocompletion=complete_stack, metavar="OTHER")
    ],
    objects: Annotated[bool, typer.Option("--objects", help="Also every field of every rendered object.")] = False,
    out: OutFile = None,
) -> int:
    """Compare two stacks: settings, memory, speed, cost, findings and, with --objects, rendered objects.

    Exit status 2 if one of them is refused.
    """
    from llm_d_gke.operations.environments.command import print_difference

    return print_difference(before, after, with_objects=objects, out=out)


def explain(
    stack: Stack,
    field: Annotated[
        str,
        argument(
            help="Kind/name and the path of a field, as `render` writes them: 'Deployment/x spec.replicas'."
            " Or an output of the stack: 'outputs hourlyCost.running'."
        ),
    ],
    config: Changes = None,
) -> int:
    """Find out where the value of a field comes from: settings, facts with their sources, code."""
    from llm_d_gke.operations.explain.command import print_explanation

    return print_explanation(stack, field, overrides(config))


def preflight(stack: Stack, config: Changes = None, project: Project = None) -> int:
    """Ask Google Cloud whether a stack gets its quotas, zones, APIs, permissions and names.

    Exit status 1 if something is in the way, 2 if the stack is refused, 3 without Google credentials: then it lists
    what it would query.
    """
    from llm_d_gke.operations.preflight.command import run_preflight

    return run_preflight(stack, overrides(config), project)


def logs_check(
    rows: Annotated[Path, typer.Argument(help="JSON file with a list of starts.", exists=True, dir_okay=False)],
    out: Annotated[Path | None, option("--out", "-o", help="File for the judgment of each row.")] = None,
) -> int:
    """Judge the memory verdict on starts of vLLM that were logged. Exit status 2 if the file cannot be read."""
    from llm_d_gke.operations.logs_check.command import check_rows

    return check_rows(rows, out)


def logs_read(
    log: Annotated[Path, typer.Argument(help="Start-up log of vLLM.", exists=True, dir_okay=False)],
    add: Annotated[
        list[str] | None,
        typer.Option(
            "--add",
            metavar="FIELD=VALUE",
            help="A field that no log has, such as accelerator=nvidia-l4.",
            callback=_check_fields,
        ),
    ] = None,
    out: OutFile = None,
) -> int:
    """Turn a start-up log of vLLM into a row for `logs-check`."""
    from llm_d_gke.operations.logs_check.command import read_start

    return read_start(log, add or (), out)


def leftovers(
    stack: Stack,
    config: Changes = None,
    project: Project = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove what is certainly the stack's, after showing it and asking.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --remove: do not ask.")] = False,
) -> int:
    """Look in Google Cloud for what a destroyed stack left behind, with its price and the command that removes it.

    Exit status 1 if something is left or could not be queried, 3 without Google credentials.
    """
    from llm_d_gke.operations.leftovers.command import look_for_leftovers

    return look_for_leftovers(stack, overrides(config), project, remove=remove, yes=yes)


def destroy(
    stack: Stack,
    config: Changes = None,
    project: Project = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    unlock: Annotated[
        bool,
        typer.Option("--unlock", help="First take away the lock of an update that was killed, not of one that runs."),
    ] = False,
    despite_members: Annotated[
        bool, typer.Option("--despite-members", help="Also the config cluster of a fleet whose members are up.")
    ] = False,
) -> int:
    """Destroy a stack on GKE with the Pulumi of this machine, also what a killed update left, and look for leftovers.

    Exit status 1 if something is left or could not be queried, 3 without Google credentials.
    """
    from llm_d_gke.operations.teardown.command import destroy as destroy_stack

    return destroy_stack(stack, overrides(config), project, yes=yes, unlock=unlock, despite_members=despite_members)
