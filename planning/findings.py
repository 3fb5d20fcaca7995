"""Findings: what forbids a stack, or speaks against it. Four parts: where, what, which rule, how to fix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

NAMESPACE = "llm-d"


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing wrong with a stack.

    `path` is Pulumi's own (`llm-d:models[0].maxModelLen`), `value` what stands there, `rule` why it cannot be, `fix`
    what to write instead.
    """

    path: str
    value: str
    rule: str
    fix: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.path} = {self.value}\n  {self.rule}\n  {self.fix}"


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


def from_validation(error: ValidationError) -> list[Finding]:
    """Pydantic's errors as findings. Values below a secret are never repeated."""
    return [_finding(detail) for detail in error.errors(include_url=False)]


def _finding(detail: Any) -> Finding:
    location = tuple(part for part in detail["loc"] if not _is_union_tag(part, detail["loc"]))
    kind, context = detail["type"], detail.get("ctx", {})
    secret = any(part in ("token", "password", "huggingFace", "registry") for part in location)
    value = "(missing)" if kind == "missing" else "(hidden)" if secret else _short(detail["input"])
    rule, fix = _explain(kind, detail["msg"], context)
    return Finding(path=path_of(*location), value=value, rule=rule, fix=fix)


_TAGS = {
    "hugging-face",
    "bucket",
    "volume-claim",
    "none",
    "certificate-manager",
    "pre-shared",
    "secret",
}


def _is_union_tag(part: object, location: tuple[str | int, ...]) -> bool:
    """Pydantic names the member of a union in the location; a user never wrote it."""
    if part not in _TAGS:
        return False
    index = location.index(part)
    return index > 0 and location[index - 1] in ("source", "tls")


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
