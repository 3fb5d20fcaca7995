"""Acknowledgements of warnings: which are matched, and which are wrong themselves."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from planning.context import Findings
from planning.findings import Severity
from planning.rules import RULES
from planning.suggest import nearest
from settings import StackSettings


def acknowledge(settings: StackSettings, findings: Findings) -> None:
    """Mark acknowledged warnings in `findings`, and add findings about acknowledgements that have no effect."""
    reasons = {acknowledgement.id: acknowledgement.reason for acknowledgement in settings.acknowledge}
    warned = {finding.id for finding in findings if finding.severity is Severity.WARNING}
    refused = {finding.id for finding in findings if finding.severity is Severity.ERROR}
    findings[:] = [
        replace(finding, acknowledged=reasons.get(finding.id)) if finding.severity is Severity.WARNING else finding
        for finding in findings
    ]
    counts = Counter(acknowledgement.id for acknowledgement in settings.acknowledge)
    for index, acknowledgement in enumerate(settings.acknowledge):
        path = ("acknowledge", index, "id")
        rule = RULES.get(acknowledgement.id)
        if rule is None:
            close = nearest(acknowledgement.id, RULES)
            findings.error(
                "LLMD-ACKNOWLEDGE-UNKNOWN",
                *path,
                value=acknowledgement.id,
                rule="no rule has this id, so nothing would be acknowledged",
                fix=f"did you mean {close}?" if close else "copy the id from the warning; docs/findings.md lists all",
            )
        elif rule.severity == "error" or (acknowledgement.id in refused and acknowledgement.id not in warned):
            findings.error(
                "LLMD-ACKNOWLEDGE-ERROR",
                *path,
                value=acknowledgement.id,
                rule="this rule is an error: the stack could not work, whatever the reason",
                fix="remove the acknowledgement; docs/findings.md says how to satisfy the rule",
            )
        elif counts[acknowledgement.id] > 1 and acknowledgement != next(
            first for first in settings.acknowledge if first.id == acknowledgement.id
        ):
            findings.error(
                "LLMD-ACKNOWLEDGE-TWICE",
                *path,
                value=acknowledgement.id,
                rule="the rule is acknowledged above already, with another reason",
                fix="keep one of the two",
            )
        elif acknowledgement.id not in warned:
            findings.warning(
                "LLMD-ACKNOWLEDGE-UNUSED",
                *path,
                value=acknowledgement.id,
                rule="this stack has no such warning any more: the acknowledgement would hide a later one unseen",
                fix="remove it",
            )
