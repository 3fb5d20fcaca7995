"""The preflight on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from llm_d_gke.operations.preflight.google import Facts
from llm_d_gke.operations.preflight.needs import Needs
from llm_d_gke.planning.findings import Finding, Severity, report


def needs_tables(needs: Needs, console: Console) -> None:
    """All needs, for use without credentials."""
    quotas = _table("quota", "where", "now", "at most", "for", title=f"Quotas of project {needs.project}")
    for need in needs.quotas:
        quotas.add_row(need.quota.title, need.location or "everywhere", f"{need.now:g}", f"{need.maximum:g}", need.what)
    console.print(quotas)
    for title, names in (("APIs", needs.services), ("permissions", needs.permissions)):
        console.print(f"{title}:", style="bold")
        for name in names:
            console.print(f"  {name}")


def answers_table(needs: Needs, facts: Facts, console: Console) -> None:
    """Quotas with limits and usage, and APIs with their state."""
    quotas = _table("quota", "where", "limit", "used", "now", "at most", title=f"Quotas of project {needs.project}")
    for need in needs.quotas:
        limit = facts.limits.get((need.quota.title, need.location))
        quotas.add_row(
            need.quota.title,
            need.location or "everywhere",
            "?" if limit is None else f"{limit.limit:g}",
            "?" if limit is None or limit.used is None else f"{limit.used:g}",
            f"{need.now:g}",
            f"{need.maximum:g}",
        )
    console.print(quotas)
    off = [name for name in needs.services if facts.services.get(name) is False]
    console.print("APIs that `up` turns on: " + (", ".join(off) or "none, all are on"))


def verdict(findings: list[Finding], console: Console) -> None:
    if not findings:
        console.print("Nothing stands in the way.", style="green")
        return
    errors = any(finding.severity is Severity.ERROR for finding in findings)
    # A planning report says that nothing was created, which holds here as well.
    console.print(report(findings), style="red" if errors else "yellow", markup=False, highlight=False)


def _table(first: str, *columns: str, title: str) -> Table:
    """The first column is copied from here into the console of Google Cloud: it is folded, never cut."""
    table = Table(title=title)
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column)
    return table
