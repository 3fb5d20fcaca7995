"""Findings on a terminal: every one in full."""

from __future__ import annotations

from collections.abc import Iterable

from llm_d_gke.cli.text import count, wrapped
from llm_d_gke.planning.findings import Finding, Severity


def findings_text(findings: Iterable[Finding]) -> str:
    """All findings in full, errors before warnings."""
    ordered = sorted(findings, key=lambda finding: finding.severity is not Severity.ERROR)
    return "\n\n".join(wrapped(_marked(finding)) for finding in ordered)


def refusal_text(findings: Iterable[Finding]) -> str:
    """The number of errors, and all findings in full."""
    listed = list(findings)
    errors = sum(finding.severity is Severity.ERROR for finding in listed)
    return f"{count(errors, 'error')}, nothing was created:\n\n{findings_text(listed)}"


def _marked(finding: Finding) -> str:
    return str(finding) if finding.severity is Severity.ERROR else f"(warning) {finding}"
