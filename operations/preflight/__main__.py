"""`python -m operations.preflight STACK [--project ID]`: what a stack asks of a project, and whether it will get it.

Ends with 0 when nothing stands in the way, 1 when something does, 2 when the stack itself is refused, and 3 when there
are no Google credentials: it then lists what will be asked for.
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from catalog import load
from operations.preflight import show
from operations.preflight.needs import Needs, needs_of
from planning import RefusedError, plan_raw
from planning.findings import errors_in
from stackfile import NAMESPACE, PROJECT_ROOT, StackFileError
from stackfile import load as load_stack
from stackfile.assumptions import ASSUMED_PROJECT, assume_unset
from stackfile.model_files import model_files

FINE, IN_THE_WAY, REFUSED, NO_CREDENTIALS = 0, 1, 2, 3


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m operations.preflight", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("stack")
    parser.add_argument("--project", help="project to ask; by default the stack file's, or that of the credentials")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError
    except ImportError:
        console.print("Google's client libraries are missing: pip install -r requirements-preflight.txt")
        return _without(options.stack, options.project, console)
    try:
        credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    except DefaultCredentialsError:
        console.print("No Google credentials here: run `gcloud auth application-default login` to have it checked.")
        return _without(options.stack, options.project, console)
    try:
        needs = needs_in(options.stack, options.project, project)
    except (RefusedError, StackFileError) as error:
        console.print(str(error), markup=False)
        return REFUSED
    return preflight(needs, credentials, console)


def needs_in(stack: str, project: str | None, fallback: str | None = None) -> Needs:
    """What a stack file asks for. Secrets are not read."""
    asked = {f"{NAMESPACE}:project": project} if project else None
    given = assume_unset(load_stack(PROJECT_ROOT, stack, asked))
    values = given.settings()
    if values["project"] == ASSUMED_PROJECT and fallback is not None:
        values["project"] = fallback
    return needs_of(plan_raw(stack, values, given.encrypted(), files=model_files(values)), load())


def preflight(needs: Needs, credentials: object, console: Console, host: str | None = None) -> int:
    """Ask, judge, show. `host` takes the place of googleapis.com."""
    from google.auth.credentials import Credentials

    from operations.preflight.check import findings_of
    from operations.preflight.google import ask, clients

    assert isinstance(credentials, Credentials)
    with Progress(SpinnerColumn(), TextColumn("asking for {task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("")
        facts = ask(needs, clients(credentials, host), lambda question: bar.update(task, description=question))
    findings = findings_of(needs, facts)
    show.answers_table(needs, facts, console)
    show.verdict(findings, console)
    return IN_THE_WAY if errors_in(findings) else FINE


def _without(stack: str, project: str | None, console: Console) -> int:
    try:
        needs = needs_in(stack, project)
    except (RefusedError, StackFileError) as error:
        console.print(str(error), markup=False)
        return REFUSED
    show.needs_tables(needs, console)
    return NO_CREDENTIALS


if __name__ == "__main__":
    sys.exit(main())
