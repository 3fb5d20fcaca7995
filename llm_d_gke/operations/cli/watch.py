"""Commands for a running stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llm_d_gke.cli.options import Changes, Stack, overrides
from llm_d_gke.operations.verify.format import Format, Where


def _check_headers(headers: list[str] | None) -> list[str]:
    for header in headers or ():
        name, colon, _ = header.partition(":")
        if not colon or not name.strip():
            raise typer.BadParameter(f"{header!r} is not NAME: VALUE, as in 'Authorization: Bearer abc'")
    return headers or []


_Where = Annotated[
    Where | None,
    typer.Option(
        "--on",
        help="Look at the rehearsed stack or at GKE. By default the rehearsed one if it is up here, else GKE.",
        show_default=False,
    ),
]


def verify(
    stack: Stack,
    config: Changes = None,
    on: _Where = None,
    format: Annotated[Format, typer.Option("--format", help="How to print the results.")] = Format.TABLE,  # noqa: A002
    requests: Annotated[
        int, typer.Option("--requests", min=2, help="Requests of the check that several models are told apart.")
    ] = 420,
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header",
            "-H",
            metavar="NAME: VALUE",
            help="Header of every request to the endpoint, such as an API key. May be repeated.",
            callback=_check_headers,
            show_default=False,
        ),
    ] = None,
) -> int:
    """Check that a running stack does what its plan promises. Exit status 2 if it does not."""
    from llm_d_gke.operations.verify.command import run_verify

    headers = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in header or ())}
    return run_verify(
        stack,
        overrides(config),
        place=on.place if on is not None else None,
        form=format,
        requests=requests,
        headers=headers,
    )


def diagnose(
    stack: Stack,
    config: Changes = None,
    on: _Where = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Find out why a running stack does not serve: one cause and its fix. Reads only. Exit status 2 if there is one."""
    from llm_d_gke.operations.diagnose.command import run_diagnose

    return run_diagnose(stack, overrides(config), place=on.place if on is not None else None, as_json=json)


def dashboard(
    stack: Stack,
    minutes: Annotated[float, typer.Option("--minutes", help="How far the panels look back.")] = 5.0,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write once instead of serving the page.", show_default=False),
    ] = None,
) -> int:
    """Serve a page with the metrics of a rehearsed stack, until Ctrl-C."""
    from llm_d_gke.operations.dashboard.command import show_dashboard

    return show_dashboard(stack, minutes, out)


def monitoring_files(
    stack: Stack,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.", file_okay=False)] = Path("monitoring"),
) -> int:
    """Write a stack's alerts and dashboard as files for a Prometheus and a Grafana."""
    from llm_d_gke.operations.monitoring.command import write_monitoring_files

    return write_monitoring_files(stack, out)


def check_alerts() -> int:
    """Let promtool judge in every scenario which alerts fire. Exit status 1 if one does not as written."""
    from llm_d_gke.operations.monitoring.command import check_scenarios

    return check_scenarios()
