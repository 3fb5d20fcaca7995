"""Texts that were meant to be replaced: variables of shells and templates, and words that stand for a value."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from llm_d_gke.planning.findings import HIDDEN, Finding, path_of
from llm_d_gke.planning.setting_errors.values import valid_example
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.fields import Setting, groups_of, setting_below, tags_of

PLACEHOLDER = "LLMD-SETTING-PLACEHOLDER"

# ${NAME}, $NAME and %NAME% of shells, __NAME__ of scripts.
_VARIABLE = re.compile(r"\$\{[^}]*\}|\$[A-Z_][A-Z0-9_]+|%[A-Z_][A-Z0-9_]*%|__[A-Z][A-Z0-9_]*__")
# $(NAME) of make and Kubernetes, {{ name }} of Helm and Jinja, {name} of Python, <name> of documentation.
_MEANT_IN_PROGRAMS = re.compile(r"\$\(\w[\w.-]*\)|\{\{.*\}\}|\{[A-Za-z_]\w*\}|<[A-Za-z][\w .-]*>")
_WORD = re.compile(
    r"todo|tbd|fixme|placeholder|(?:change|replace|fill)[-_]?me(?:[-_]?in)?|(?:your|insert)[-_].+|.+[-_]here"
    r"|(?:.*[-_])?x{3,}(?:[-_].*)?",
    re.IGNORECASE,
)
# PROJECT_ID, as Google's documentation writes what a reader replaces.
_CAPITALS = re.compile(r"(?:[A-Z]+_)+(?:BUCKET|ID|KEY|NAME|NUMBER|PATH|PROJECT|REGION|TOKEN|ZONE)")
_ELLIPSIS = re.compile(r"\S*(?:\.{3}|…)\S*")


def placeholders(values: Mapping[str, object], encrypted: Collection[str] = ()) -> list[Finding]:
    """Findings about every text of the settings that holds a placeholder.

    `encrypted` names the top-level keys that came encrypted, of which no text is repeated. A secret may hold any sign:
    it counts only where all of it is a placeholder.
    """
    findings = []
    for path, text in _texts(values, ()):
        piece = _placeholder(text, in_program=_is_of_program(path))
        if piece is None:
            continue
        setting = _setting_at(values, path)
        if setting.kind is SecretStr and piece != text:
            continue
        hidden = setting.kind is SecretStr or setting.path[0] in encrypted
        # An id that stands for the reader's project is a placeholder again.
        is_project = setting.path == ("project",)
        example = None if is_project else valid_example(setting, None)
        statement = "is a variable, and a stack file is no template: nothing replaces it"
        if _VARIABLE.fullmatch(piece) is None and _MEANT_IN_PROGRAMS.fullmatch(piece) is None:
            statement = "stands for a value, and nothing replaces it"
        findings.append(
            Finding(
                id=PLACEHOLDER,
                path=path_of(*setting.path),
                value=HIDDEN if hidden else text if len(text) <= 80 else text[:77] + "...",
                rule=f"{'this text' if hidden else piece} {statement}",
                fix=f"write the value encrypted: pulumi config set --path --secret {path_of(*setting.path)}"
                if hidden
                else "write the value itself, the id of your project; look it up with: gcloud projects list"
                if is_project
                else f"write the value itself{f', for example {example}' if example else ''}",
            )
        )
    return findings


def without_consequences(findings: list[Finding]) -> list[Finding]:
    """The findings without those about the form or the meaning of a placeholder, which its own finding explains."""
    places = {finding.path for finding in findings if finding.id == PLACEHOLDER and finding.acknowledged is None}
    return [
        finding
        for finding in findings
        if finding.id == PLACEHOLDER or not {finding.path, f"{finding.path}.kind"} & places
    ]


def _texts(value: object, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every text at or below a place, with the keys and positions that lead to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _setting_at(value: Any, path: tuple[Any, ...]) -> Setting:
    """The setting that a path leads to."""
    setting = Setting(path=(), group=None, kind=StackSettings, whole=StackSettings)
    for step in path:
        if isinstance(value, Mapping):
            tag = value.get("kind")
            kind = next((group for group in groups_of(setting.kind) if tag in tags_of(group)), setting.kind)
            setting = setting_below(replace(setting, kind=kind), str(step))
        else:
            setting = setting_below(setting, step)
        value = value[step]
    return setting


def _is_of_program(path: tuple[Any, ...]) -> bool:
    """Whether the text goes to a program that has variables and templates of its own, or Kubernetes expands it."""
    return bool({"env", "extraArgs", "chatTemplate"} & set(path)) or path[:2] == ("picker", "config")


def _placeholder(text: str, *, in_program: bool) -> str | None:
    """The part of a text that was meant to be replaced."""
    match = _VARIABLE.search(text) or (None if in_program else _MEANT_IN_PROGRAMS.search(text))
    if match is not None:
        return match[0]
    if in_program or re.search(r"\s", text):
        # In a sentence these words mean what they say.
        return text if _WORD.fullmatch(text) else None
    if _ELLIPSIS.fullmatch(text):
        return text
    parts = re.split(r"[/:@.,=]", text)
    return next((part for part in parts if _WORD.fullmatch(part) or _CAPITALS.fullmatch(part)), None)
