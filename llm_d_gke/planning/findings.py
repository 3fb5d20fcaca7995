"""Findings: errors and warnings about a stack. Each has four parts: path, value, rule, fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pydantic import SecretStr

from llm_d_gke.planning.rules import RULES
from llm_d_gke.settings.base import Settings
from llm_d_gke.settings.fields import field_of
from llm_d_gke.stackfile.paths import segments
from llm_d_gke.wording import LOGGED_WIDTH, count, plain_number, wrapped

NAMESPACE = "llm-d"


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing wrong with a stack.

    `id` is the id of the rule that is broken, one of `llm_d_gke.planning.rules.RULES`. `path` is Pulumi's own
    (`llm-d:models[0].maxModelLen`), `value` the present value, `rule` the reason, `fix` the correction. A
    warning that the stack file acknowledges has the reason it gives in `acknowledged`; `place` is file and line,
    where they are known.
    """

    id: str
    path: str
    value: str
    rule: str
    fix: str
    severity: Severity = Severity.ERROR
    acknowledged: str | None = None
    place: str | None = None

    def __str__(self) -> str:
        place = f"  ({self.place})" if self.place else ""
        text = f"{self.id}  {self.path} = {self.value}{place}\n  {self.rule}\n  {self.fix}"
        return text if self.acknowledged is None else f"{text}\n  acknowledged: {self.acknowledged}"


class RefusedError(Exception):
    """Raised for a stack that cannot work, with all findings. Nothing has been created.

    Its text has lines for a terminal of 80 columns, also as Pulumi prints it.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(wrapped(report(self.findings), LOGGED_WIDTH))


class Findings(list[Finding]):
    """Collects findings, each once. Planning continues after an error as long as further checks are possible.

    `rule_id` is an id of `llm_d_gke.planning.rules`, `path` the setting as a stack file nests it:
    `"gateway.limits.bodyBytes"`, `f"models[{index}].id"`; keys that may have dots are parts of their own. The texts are
    the rule's `message` and `hint`, or those of one `case` of it, filled in with `value` and further values by name; a
    call whose text depends on more than values gives `rule` or `fix` itself.
    """

    def error(self, rule_id: str, /, *path: str | int, value: object, **texts: Any) -> None:
        self._add(Severity.ERROR, rule_id, path, {"value": value, **texts})

    def warning(self, rule_id: str, /, *path: str | int, value: object, **texts: Any) -> None:
        self._add(Severity.WARNING, rule_id, path, {"value": value, **texts})

    def _add(self, severity: Severity, rule_id: str, path: tuple[str | int, ...], texts: Mapping[str, Any]) -> None:
        if rule_id not in RULES:
            raise LookupError(f"llm_d_gke/planning/rules has no rule {rule_id!r}")
        own, value = RULES[rule_id].texts(texts.get("case", "")), str(texts["value"])
        rule = texts.get("rule") or own.message.format(**texts)
        fix = texts.get("fix") or own.hint.format(**texts)
        finding = Finding(id=rule_id, path=path_of(*path), value=value, rule=rule, fix=fix, severity=severity)
        if finding not in self:
            self.append(finding)


def located(findings: Iterable[Finding], place_of: Callable[[str], str | None]) -> list[Finding]:
    """The findings with the places of their settings, as far as they are known."""
    return [replace(finding, place=finding.place or place_of(finding.path)) for finding in findings]


def report(findings: Sequence[Finding], consequence: str = "nothing was changed") -> str:
    """All findings as one text below their number. `consequence` is that of the errors."""
    errors = len(errors_in(findings))
    warnings = sum(finding.severity is Severity.WARNING and finding.acknowledged is None for finding in findings)
    head = f"{count(errors, 'error')}, {consequence}:" if errors else f"{count(warnings, 'warning')}:"
    return f"{head}\n\n{in_full(findings)}"


def in_full(findings: Iterable[Finding]) -> str:
    """Every finding: errors, warnings, and the acknowledged ones last."""
    ordered = sorted(findings, key=lambda f: (f.severity is not Severity.ERROR, f.acknowledged is not None))
    return "\n\n".join(map(labeled, ordered))


def labeled(finding: Finding) -> str:
    """A finding, with the word for what it is in front where it refuses nothing."""
    if finding.severity is Severity.ERROR:
        return str(finding)
    return f"({'warning' if finding.acknowledged is None else 'acknowledged'}) {finding}"


def path_of(*parts: str | int) -> str:
    """`("models", 0, "id")` or `("models[0].id",)` as `llm-d:models[0].id`. A key with another namespace keeps it.

    A later key with dots is in brackets and quotes, as `pulumi config set --path` takes it.
    """
    text = ""
    for part in parts:
        quoted = isinstance(part, str) and "." in part and text
        text += f"[{part}]" if isinstance(part, int) else f'["{part}"]' if quoted else f".{part}" if text else part
    return text if parts and ":" in str(parts[0]) else f"{NAMESPACE}:{text}"


def setting_value(settings: Settings, *path: str | int) -> object:
    """The value of a setting as a finding shows it: `true` for a flag, `(missing)` for none. `path` as of `path_of`."""
    first, *further = segments(path_of(*path))
    value: Any = settings
    for part in (str(first).partition(":")[2], *further):
        if isinstance(value, Settings):
            value = getattr(value, str(field_of(type(value), str(part))[0]))
        else:
            value = value.get(part) if isinstance(value, Mapping) else value[part]
        if value is None:
            return "(missing)"
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, float):
        return plain_number(value)
    return str(value).lower() if isinstance(value, bool) else value


def without_secrets(value: object, location: Sequence[str | int]) -> object:
    """The value with credentials hidden, which are recognized by their keys or their form."""
    if location and (_SECRET_KEY.search(str(location[-1])) or _is_client_key(location)):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: without_secrets(item, (*location, key)) for key, item in value.items()}
    if isinstance(value, list):
        previous = (None, *value)
        return [
            # The word after `--api-key` is as secret as the value of a key of that name.
            HIDDEN
            if isinstance(flag, str) and _SECRET_FLAG.fullmatch(flag)
            else without_secrets(item, (*location, index))
            for index, (flag, item) in enumerate(zip(previous, value, strict=False))
        ]
    if isinstance(value, str):
        flag, equals, _ = value.partition("=")
        if equals and _SECRET_FLAG.fullmatch(flag):
            return f"{flag}={HIDDEN}"
        return HIDDEN if value.startswith("hf_") else value
    return value


def _is_client_key(location: Sequence[str | int]) -> bool:
    """Whether a value is probably an API key that a client sends: a list has the place of its elements."""
    names = [str(part) for part in location if isinstance(part, str)]
    return "auth" in names[:-1] and names[-1].lower().endswith(("key", "keys"))


HIDDEN = "(hidden)"
_SECRET_KEY = re.compile(r"(token|password|secret|api_?keys?)$", re.IGNORECASE)
_SECRET_FLAG = re.compile(r"--?[a-z_-]*(token|password|secret|api[_-]?key)", re.IGNORECASE)


def errors_in(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.ERROR]
