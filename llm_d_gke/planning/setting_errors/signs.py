"""Signs that look like those of the keyboard and are others: a wrong value then looks right in its own message."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from llm_d_gke.planning.findings import Finding, Severity


def with_signs_named(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, of which errors about a text with such a sign say which one it is."""
    return [_named(finding) if finding.severity is Severity.ERROR else finding for finding in findings]


def _named(finding: Finding) -> Finding:
    sign = next((sign for sign in finding.path + finding.value if _is_foreign(sign)), None)
    if sign is None:
        return finding
    name = unicodedata.name(sign, "an unknown sign").lower()
    return replace(finding, rule=f"{finding.rule}; one of its signs is a look-alike, U+{ord(sign):04X} ({name})")


def _is_foreign(sign: str) -> bool:
    """Whether a sign has no letter, digit or mark of the keyboard in it. Letters with accents have one."""
    return unicodedata.category(sign) != "Sc" and not unicodedata.normalize("NFKD", sign).encode("ascii", "ignore")
