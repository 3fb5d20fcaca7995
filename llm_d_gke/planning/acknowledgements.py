"""Acknowledgements of warnings: which are matched, and which are wrong themselves."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from llm_d_gke.planning.findings import Finding, Findings, Severity
from llm_d_gke.planning.rules import RULES
from llm_d_gke.planning.suggest import nearest_rule
from llm_d_gke.settings import StackSettings

# Findings that only a preview of a running stack can have: planning alone cannot tell whether one is still needed.
_OF_A_RUNNING_STACK = frozenset(("LLMD-PREFLIGHT-DELETES",))


def acknowledge(settings: StackSettings, findings: Findings) -> None:
    """Mark acknowledged findings in `findings`, and add findings about acknowledgements that have no effect.

    An error whose rule can be acknowledged becomes a warning with the reason, which refuses nothing.
    """
    warned = {finding.id for finding in findings if _acknowledgeable(finding)}
    refused = {finding.id for finding in findings} - warned
    mark_acknowledged(settings, findings)
    counts = Counter(acknowledgement.id for acknowledgement in settings.acknowledge)
    for index, acknowledgement in enumerate(settings.acknowledge):
        path = ("acknowledge", index, "id")
        rule = RULES.get(acknowledgement.id)
        if rule is None:
            close = nearest_rule(acknowledgement.id)
            findings.error(
                "LLMD-ACKNOWLEDGE-UNKNOWN",
                *path,
                case="similar" if close else "unlike",
                value=acknowledgement.id,
                close=close,
            )
        elif (rule.severity == "error" and not rule.acknowledgeable) or acknowledgement.id in refused:
            findings.error("LLMD-ACKNOWLEDGE-ERROR", *path, value=acknowledgement.id)
        elif counts[acknowledgement.id] > 1 and acknowledgement != next(
            first for first in settings.acknowledge if first.id == acknowledgement.id
        ):
            findings.error("LLMD-ACKNOWLEDGE-TWICE", *path, value=acknowledgement.id)
        elif acknowledgement.id not in warned and acknowledgement.id not in _OF_A_RUNNING_STACK:
            findings.warning("LLMD-ACKNOWLEDGE-UNUSED", *path, value=acknowledgement.id)


def mark_acknowledged(settings: StackSettings, findings: Findings) -> None:
    """Mark what the settings acknowledge, without a look at the acknowledgements themselves."""
    reasons = {acknowledgement.id: acknowledgement.reason for acknowledgement in settings.acknowledge}
    findings[:] = [
        replace(finding, acknowledged=reasons[finding.id], severity=Severity.WARNING)
        if finding.id in reasons and _acknowledgeable(finding)
        else finding
        for finding in findings
    ]


def _acknowledgeable(finding: Finding) -> bool:
    return finding.severity is Severity.WARNING or RULES[finding.id].acknowledgeable
