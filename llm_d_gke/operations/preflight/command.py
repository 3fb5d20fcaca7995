"""Lists what a stack needs of a Google Cloud project, and checks whether the project has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from llm_d_gke.catalog import load
from llm_d_gke.cli.exits import DONE, FAILED, NO_CREDENTIALS
from llm_d_gke.operations.google_cloud import NoCredentialsError, default_credentials
from llm_d_gke.operations.preflight.google import Facts
from llm_d_gke.operations.preflight.needs import Needs, QuotaNeed, needs_of
from llm_d_gke.planning import plan_config
from llm_d_gke.planning.findings import Finding, Severity, errors_in, report
from llm_d_gke.stackfile import NAMESPACE
from llm_d_gke.stackfile.assumptions import ASSUMED_PROJECT, load_assumed, shown_project
from llm_d_gke.wording import wrapped


def run_preflight(stack: str, changes: Mapping[str, str], project: str | None) -> int:
    """Query Google Cloud with the credentials of this machine. Without credentials, list the needs."""
    console = Console()
    try:
        credentials, own_project = default_credentials()
    except NoCredentialsError as reason:
        needs = needs_in(stack, project, changes=changes)
        console.print(str(reason))
        return _list_needs(needs, console)
    return ask_and_judge(needs_in(stack, project, own_project, changes=changes), credentials, console)


def needs_in(
    stack: str, project: str | None, fallback: str | None = None, *, changes: Mapping[str, str] | None = None
) -> Needs:
    """What a stack file needs. Secrets are not read.

    Raises RefusedError where the stack cannot be planned.
    """
    chosen = {f"{NAMESPACE}:project": project} if project else {}
    config = load_assumed(stack, {**(changes or {}), **chosen})
    if config.settings()["project"] == ASSUMED_PROJECT and fallback is not None:
        config = load_assumed(stack, {**(changes or {}), f"{NAMESPACE}:project": fallback})
    return needs_of(plan_config(stack, config), load())


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
    answers_table(needs, facts, console)
    verdict(findings, console)
    return FAILED if errors_in(findings) else DONE


def _list_needs(needs: Needs, console: Console) -> int:
    needs_tables(needs, console)
    return NO_CREDENTIALS


def needs_tables(needs: Needs, console: Console) -> None:
    """All needs, for use without credentials."""
    _print_quotas(needs, console, lambda need: f"now {need.now:g}, at most {need.maximum:g} {need.what}")
    for title, names in (("APIs", needs.services), ("permissions", needs.permissions)):
        console.print(f"{title}:", style="bold")
        for name in names:
            console.print(f"  {name}")


def answers_table(needs: Needs, facts: Facts, console: Console) -> None:
    """Quotas with limits and usage, and APIs with their state."""

    def text(need: QuotaNeed) -> str:
        limit = facts.limits.get((need.quota.title, need.location))
        has = "?" if limit is None else f"{limit.limit:g}"
        used = "?" if limit is None or limit.used is None else f"{limit.used:g}"
        return f"limit {has}, used {used}; now {need.now:g}, at most {need.maximum:g} {need.what}"

    _print_quotas(needs, console, text)
    off = [name for name in needs.services if facts.services.get(name) is False]
    console.print("APIs that `up` turns on: " + (", ".join(off) or "none, all are on"))


def verdict(findings: list[Finding], console: Console) -> None:
    if not findings:
        console.print("Nothing stands in the way.", style="green")
        return
    errors = any(finding.severity is Severity.ERROR for finding in findings)
    console.print(
        report(findings, "`up` would fail"), style="red" if errors else "yellow", markup=False, highlight=False
    )


def _print_quotas(needs: Needs, console: Console, text: Callable[[QuotaNeed], str]) -> None:
    """Each quota on a line of its own, to be copied into the console of Google Cloud, and its amounts below it."""
    console.print(f"Quotas of project {shown_project(needs.project)}", style="bold", highlight=False)
    for need in needs.quotas:
        amounts = wrapped(f"  {need.location or 'everywhere'}: {text(need)}")
        console.print(f"{need.quota.title}\n{amounts}", markup=False, highlight=False, soft_wrap=True)
