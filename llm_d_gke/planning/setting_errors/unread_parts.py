"""What is wrong in a stack file by itself, where its base or something else around its settings cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from llm_d_gke.catalog import load as load_catalog
from llm_d_gke.nested import value_at
from llm_d_gke.planning.findings import NAMESPACE, Finding, located, report
from llm_d_gke.planning.setting_errors.machine_fixes import with_better_fix
from llm_d_gke.planning.setting_errors.placeholders import placeholders, without_consequences
from llm_d_gke.planning.setting_errors.validation import from_validation
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.fields import merge_keys
from llm_d_gke.stackfile.paths import StackFileError, segments

# A map is merged with that of a base: these are wrong about it in any case.
_OF_ANY_MAP = ("LLMD-SETTING-UNKNOWN", "LLMD-SETTING-CHOICE", "LLMD-SETTING-TYPE")


def with_own_findings(error: StackFileError) -> str:
    """The error, and below it every finding about the stack file's own values that remains when it is fixed."""
    findings = own_findings(error)
    return f"{error}\n\n{report(findings, 'found in the stack file itself')}" if findings else str(error)


def own_findings(error: StackFileError) -> list[Finding]:
    """Findings about single values that stand in the stack file, with their places. None about what may be elsewhere.

    What the settings lack, values that only together are wrong, and elements that are merged by key are left out.
    """
    if error.own is None:
        return []
    values, encrypted = error.own.settings(), error.own.encrypted()
    findings = placeholders(values, encrypted)
    try:
        StackSettings.model_validate(values, by_alias=True, by_name=False)
    except ValidationError as refused:
        further = from_validation(refused, encrypted)
        findings = without_consequences(
            [*findings, *(with_better_fix(finding, values, load_catalog()) for finding in further)]
        )
    certain = [finding for finding in findings if _is_certain(finding, values)]
    return located(certain, error.own.place_of)


def _is_certain(finding: Finding, values: Mapping[str, Any]) -> bool:
    """Whether no value of a base, which the file's own replace, could change the finding."""
    first, *rest = segments(finding.path)
    path = (str(first).removeprefix(f"{NAMESPACE}:"), *rest)
    names = tuple(part for part in path if isinstance(part, str))
    value = value_at(values, *path)
    merged = merge_keys(StackSettings)
    if any(names[:length] in merged for length in range(len(path) + 1)) and (path != names or isinstance(value, list)):
        return False
    # Null removes the value of a base.
    if isinstance(value, Mapping):
        return finding.id in _OF_ANY_MAP and value.get("kind", "") is not None
    return value is not None
