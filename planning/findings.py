"""Findings: what forbids a stack, or speaks against it. Four parts: where, what, which rule, how to fix."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

NAMESPACE = "llm-d"


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing wrong with a stack.

    `id` is the id of the rule that is broken, one of `planning.rules.RULES`. `path` is Pulumi's own
    (`llm-d:models[0].maxModelLen`), `value` what stands there, `rule` why it cannot be, `fix` what to write instead.
    """

    id: str
    path: str
    value: str
    rule: str
    fix: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.id}  {self.path} = {self.value}\n  {self.rule}\n  {self.fix}"


class RefusedError(Exception):
    """A stack that could not work. Carries every finding; nothing has been created."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(report(self.findings))


def report(findings: Sequence[Finding]) -> str:
    """All findings as one text, errors before warnings."""
    errors = [f for f in findings if f.severity is Severity.ERROR]
    warnings = [f for f in findings if f.severity is Severity.WARNING]
    head = f"{_count(len(errors), 'error')}, nothing was created:" if errors else _count(len(warnings), "warning") + ":"
    return "\n\n".join([head, *map(str, errors), *(f"(warning) {f}" for f in warnings)])


def path_of(*parts: str | int) -> str:
    """`("models", 0, "id")` as `llm-d:models[0].id`."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return f"{NAMESPACE}:{text}"


def from_validation(error: ValidationError, encrypted: Collection[str] = ()) -> list[Finding]:
    """Pydantic's errors as findings. What is or may be a secret is never repeated, a misspelt one neither.

    `encrypted` names the top-level keys that came encrypted.
    """
    return [_finding(detail, encrypted) for detail in details_of(error)]


def details_of(error: ValidationError) -> list[ErrorDetails]:
    """Pydantic's errors, less the consequences: a list whose elements are wrong also counts as too short."""
    details = error.errors(include_url=False)
    places = [detail["loc"] for detail in details]

    def has_wrong_parts(place: tuple[int | str, ...]) -> bool:
        return any(len(other) > len(place) and other[: len(place)] == place for other in places)

    return [detail for detail in details if detail["type"] != "too_short" or not has_wrong_parts(detail["loc"])]


def _finding(detail: ErrorDetails, encrypted: Collection[str]) -> Finding:
    location = location_of(detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    hidden = location[0] in encrypted or any(part in ("huggingFace", "registry") for part in location)
    shown = HIDDEN if hidden else _short(_without_secrets(detail["input"], location))
    value = "(missing)" if kind == "missing" else shown
    rule, fix = _explain(kind, detail["msg"], context)
    return Finding(id=rule_id(kind), path=path_of(*location), value=value, rule=rule, fix=fix)


# Types of errors (docs.pydantic.dev/latest/errors/validation_errors) by rule. Those left out are wrong types.
_RULE_IDS = {
    "extra_forbidden": "LLMD-SETTING-UNKNOWN",
    "missing": "LLMD-SETTING-MISSING",
    "literal_error": "LLMD-SETTING-CHOICE",
    "union_tag_invalid": "LLMD-SETTING-CHOICE",
    "union_tag_not_found": "LLMD-SETTING-KIND",
    "value_error": "LLMD-SETTING-CONFLICT",
    "string_pattern_mismatch": "LLMD-SETTING-FORM",
    "greater_than": "LLMD-SETTING-RANGE",
    "greater_than_equal": "LLMD-SETTING-RANGE",
    "less_than": "LLMD-SETTING-RANGE",
    "less_than_equal": "LLMD-SETTING-RANGE",
    "too_short": "LLMD-SETTING-RANGE",
    "too_long": "LLMD-SETTING-RANGE",
    "string_too_short": "LLMD-SETTING-RANGE",
    "string_too_long": "LLMD-SETTING-RANGE",
}


def rule_id(kind: str) -> str:
    """The rule that one of pydantic's errors breaks."""
    return _RULE_IDS.get(kind, "LLMD-SETTING-TYPE")


def _without_secrets(value: object, location: Sequence[str | int]) -> object:
    """The value with everything hidden that looks like a credential by its key or by its form."""
    if location and _SECRET_KEY.search(str(location[-1])):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: _without_secrets(item, (*location, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item, (*location, index)) for index, item in enumerate(value)]
    return HIDDEN if isinstance(value, str) and value.startswith("hf_") else value


HIDDEN = "(hidden)"
_SECRET_KEY = re.compile(r"(token|password|secret|api_?key)$", re.IGNORECASE)

_TAGS = {
    "hugging-face",
    "bucket",
    "volume-claim",
    "none",
    "certificate-manager",
    "pre-shared",
    "secret",
    "cert-manager",
}


def location_of(location: Sequence[str | int]) -> tuple[str | int, ...]:
    """Pydantic's location as the user wrote it: pydantic also names the member of a union, after the union's field."""
    before = (None, *location)
    return tuple(
        part
        for part, previous in zip(location, before, strict=False)
        if not (part in _TAGS and previous in ("source", "tls", "backendTls"))
    )


def _explain(kind: str, message: str, context: dict[str, Any]) -> tuple[str, str]:
    match kind:
        case "extra_forbidden":
            return "there is no such setting", "check the spelling against docs/settings.md, or remove it"
        case "missing":
            return (
                "this setting is required",
                "add it to the stack file, or run: pulumi config set --path '<path>' <value>",
            )
        case "literal_error" | "union_tag_invalid":
            expected = context.get("expected") or context.get("expected_tags")
            return "not one of the values allowed here", f"use {expected}"
        case "union_tag_not_found":
            return "it does not say which kind it is", "add kind, one of those in docs/settings.md"
        case "value_error":
            return str(context.get("error", message)), "change the values named above"
        case "string_type":
            return "must be text", 'write it in quotes: "..."'
        case _:
            return message[:1].lower() + message[1:], "give a value within the rule above"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def errors_in(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.ERROR]
