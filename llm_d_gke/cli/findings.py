"""Findings on a terminal: every one in full."""

from __future__ import annotations

from collections.abc import Iterable

from llm_d_gke.planning.findings import Finding, Severity, labeled
from llm_d_gke.wording import count, wrapped


def findings_text(findings: Iterable[Finding]) -> str:
    """All findings in full: errors, warnings, and the acknowledged ones last."""
    ordered = sorted(findings, key=lambda f: (f.severity is not Severity.ERROR, f.acknowledged is not None))
    return "\n\n".join(wrapped(str(f) if f.severity is Severity.ERROR else labeled(f)) for f in ordered)


def refusal_text(findings: Iterable[Finding], *, reads_only: bool = False) -> str:
    """The number of errors, and all findings in full.

    A command that `reads_only` changes nothing in any case, and says of the stack that it is refused.
    """
    listed = list(findings)
    errors = sum(finding.severity is Severity.ERROR for finding in listed)
    consequence = "the stack is refused" if reads_only else "nothing was changed"
    return f"{count(errors, 'error')}, {consequence}:\n\n{findings_text(listed)}"
