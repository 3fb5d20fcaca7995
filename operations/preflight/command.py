"""Lists what a stack needs of a Google Cloud project, and checks whether the project has it."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from catalog import load
from cli.exits import DONE, FAILED, NO_CREDENTIALS
from operations.google_credentials import NoCredentialsError, default_credentials
from operations.preflight import show
from operations.preflight.needs import Needs, needs_of
from planning import plan_raw
from planning.findings import errors_in
from stackfile import NAMESPACE, PROJECT_ROOT
from stackfile import load as load_stack
from stackfile.assumptions import ASSUMED_PROJECT, assume_unset
from stackfile.model_files import model_files


def run_preflight(stack: str, changes: Mapping[str, str], project: str | None) -> int:
    """Query Google Cloud with the credentials of this machine. Without credentials, list the needs."""
    console = Console()
    try:
        credentials, own_project = default_credentials()
    except NoCredentialsError as reason:
        console.print(str(reason))
        return _list_needs(needs_in(stack, project, changes=changes), console)
    return ask_and_judge(needs_in(stack, project, own_project, changes=changes), credentials, console)


def needs_in(
    stack: str, project: str | None, fallback: str | None = None, *, changes: Mapping[str, str] | None = None
) -> Needs:
    """What a stack file needs. Secrets are not read.

    Raises RefusedError where the stack cannot be planned.
    """
    chosen = {f"{NAMESPACE}:project": project} if project else {}
    config = assume_unset(load_stack(PROJECT_ROOT, stack, {**(changes or {}), **chosen}))
    values = config.settings()
    if values["project"] == ASSUMED_PROJECT and fallback is not None:
        values["project"] = fallback
    return needs_of(plan_raw(stack, values, config.encrypted(), files=model_files(values)), load())


def ask_and_judge(needs: Needs, credentials: object, console: Console, host: str | None = None) -> int:
    """Ask Google Cloud, print the answers and the findings. `host` replaces googleapis.com."""
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
    return FAILED if errors_in(findings) else DONE


def _list_needs(needs: Needs, console: Console) -> int:
    show.needs_tables(needs, console)
    return NO_CREDENTIALS
