"""Commands for a running stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from llm_d_gke.cli.options import Changes, Stack, argument, option, overrides
from llm_d_gke.operations.choices import OutputFormat, Target


def _check_headers(headers: list[str] | None) -> list[str]:
    for header in headers or ():
        name, colon, _ = header.partition(":")
        if not colon or not name.strip():
            raise typer.BadParameter(f"{header!r} is not NAME: VALUE, as in 'Authorization: Bearer abc'")
    return headers or []


def _by_name(headers: list[str] | None) -> dict[str, str]:
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in headers or ())}


def _complete_scenario(incomplete: str) -> list[str]:
    from llm_d_gke.operations.bench.scenario import scenarios

    return [name for name in scenarios() if name.startswith(incomplete)]


def _check_scenario(scenario: str) -> str:
    names = _complete_scenario("")
    if scenario not in names:
        raise typer.BadParameter(f"there is no scenario {scenario}: use {', '.join(names)}")
    return scenario


def _check_url(url: str | None) -> str | None:
    parts = urlsplit(url or "http://any")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise typer.BadParameter(
            f"{url!r} is no address of a server, as in http://10.0.0.5 or https://chat.example.com"
        )
    return url


_On = Annotated[
    Target | None,
    option(
        "--on", help="Look at the rehearsed stack or at GKE. By default the rehearsed one if it is up here, else GKE."
    ),
]

_Headers = Annotated[
    list[str] | None,
    option(
        "--header",
        "-H",
        metavar="NAME: VALUE",
        help="Header of every request to the endpoint, such as an API key. May be repeated.",
        callback=_check_headers,
    ),
]


def verify(
    stack: Stack,
    config: Changes = None,
    on: _On = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="How to print the results.")] = "table",
    requests: Annotated[
        int, typer.Option("--requests", min=2, help="Requests of the check that several models are told apart.")
    ] = 420,
    header: _Headers = None,
) -> int:
    """Check that a running stack does what its plan promises. Exit status 2 if it does not."""
    from llm_d_gke.operations.verify.command import run_verify

    return run_verify(
        stack,
        overrides(config),
        target=on,
        output=output,
        requests=requests,
        headers=_by_name(header),
    )


def diagnose(
    stack: Stack,
    config: Changes = None,
    on: _On = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    header: _Headers = None,
    words: Annotated[
        typer.FileText | None,
        option(
            "--words",
            metavar="FILE",
            help="File, or - for standard input, with what pulumi up, an event or a log said.",
            encoding="utf-8",
            errors="replace",
        ),
    ] = None,
) -> int:
    """Find out why a running stack does not serve: one cause and its fix. Reads only. Exit status 2 if there is one.

    With --words it says what printed words mean, and looks at no cluster.
    """
    from llm_d_gke.operations.diagnose.command import run_diagnose, run_words

    if words is not None:
        return run_words(stack, words.read(), as_json=json)
    return run_diagnose(stack, overrides(config), target=on, as_json=json, headers=_by_name(header))


def bench(
    stack: Stack,
    scenario: Annotated[
        str,
        argument(
            help="Load to send: quick, latency, throughput, load, stress or shared-prefix.",
            autocompletion=_complete_scenario,
            callback=_check_scenario,
        ),
    ],
    model: Annotated[str | None, option("--model", help="Name of the model in requests. By default the first.")] = None,
    tokenizer: Annotated[
        str | None,
        option("--tokenizer", help="Folder or repository. By default the model's, in a rehearsal a small one."),
    ] = None,
    out: Annotated[
        Path | None, option("--out", "-o", help="Folder of the result. By default bench/STACK-SCENARIO.")
    ] = None,
    url: Annotated[
        str | None, option("--url", help="Address to measure instead of the stack's own.", callback=_check_url)
    ] = None,
    header: _Headers = None,
    service: Annotated[
        bool, typer.Option("--service", help="Measure a plain Service over the same pods, too.")
    ] = False,
    job: Annotated[Path | None, option("--job", help="Write a Job for the cluster, and measure nothing here.")] = None,
    results: Annotated[
        Path | None,
        option("--results", help="Folder with the files of such a Job to read.", exists=True, file_okay=False),
    ] = None,
    against: Annotated[Path | None, option("--against", help="result.json of an earlier run to compare with.")] = None,
) -> int:
    """Measure a running stack under load. Exit status 2 if requests failed or a figure got worse."""
    from llm_d_gke.operations.bench.command import Load, read_job, run_bench, write_job

    load = Load(scenario=scenario, model=model, tokenizer=tokenizer, url=url, headers=_by_name(header))
    folder = out or Path("bench") / f"{stack}-{scenario}"
    if job is not None:
        return write_job(stack, load, folder, file=job)
    if results is not None:
        return read_job(stack, load, folder, results=results, against=against)
    return run_bench(stack, load, folder, service=service, against=against)


def dashboard(
    stack: Stack,
    minutes: Annotated[float, typer.Option("--minutes", min=1, help="How far the panels look back.")] = 5.0,
    out: Annotated[Path | None, option("--out", "-o", help="File to write once instead of serving the page.")] = None,
) -> int:
    """Serve a page with the metrics of a rehearsed stack, until Ctrl-C."""
    from llm_d_gke.operations.dashboard.command import show_dashboard

    return show_dashboard(stack, minutes, out)


def monitoring_files(
    stack: Stack,
    config: Changes = None,
    out: Annotated[
        Path | None, option("--out", "-o", help="Folder to write to; without it monitoring/STACK.", file_okay=False)
    ] = None,
) -> int:
    """Write a stack's alerts and dashboard as files for a Prometheus and a Grafana."""
    from llm_d_gke.operations.monitoring.command import write_monitoring_files

    return write_monitoring_files(stack, overrides(config), out or Path("monitoring") / stack)


def check_alerts() -> int:
    """Let promtool judge in every scenario which alerts fire. Exit status 1 if one does not as written."""
    from llm_d_gke.operations.monitoring.command import check_scenarios

    return check_scenarios()
