"""Lists what a stack needs of a Google Cloud project, and checks whether the project has it."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from llm_d_gke.catalog import load
from llm_d_gke.cli.exits import DONE, FAILED, NO_CREDENTIALS
from llm_d_gke.operations.google_credentials import NoCredentialsError, default_credentials
from llm_d_gke.operations.preflight import show
from llm_d_gke.operations.preflight.needs import Needs, needs_of
from llm_d_gke.planning import plan_raw
from llm_d_gke.planning.findings import errors_in
from llm_d_gke.stackfile import NAMESPACE, PROJECT_ROOT
from llm_d_gke.stackfile import load as load_stack
from llm_d_gke.stackfile.assumptions import ASSUMED_PROJECT, assume_unset
from llm_d_gke.stackfile.model_files import model_files


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

    from llm_d_gke.operations.preflight.check import findings_of
    from llm_d_gke.operations.preflight.google import ask, clients

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
