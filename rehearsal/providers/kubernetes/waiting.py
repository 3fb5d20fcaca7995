"""Parses `pulumi.com/waitFor`: `condition=Programmed`, `jsonpath={.status.phase}=Bound`, or a JSON array of them.

A verdict is None for a ready object, else a sentence on what is missing.
Syntax and meaning: pulumi-kubernetes provider/pkg/{jsonpath,await/condition}, 2026-07.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jsonpath

from rehearsal.providers.kubernetes.objects import metadata
from rehearsal.providers.requests import Refused

Verdict: TypeAlias = str | None
Expectation: TypeAlias = Callable[[Mapping[str, Any]], Verdict]

# Without the library's extensions, which the real provider does not have.
_RFC_9535 = jsonpath.JSONPathEnvironment(strict=True)


def parse(annotation: str) -> Expectation:
    """All expressions of the annotation, in order. Raises Refused for an invalid one."""
    expectations = [_parse_one(expression) for expression in _expressions(annotation)]
    if not expectations:
        raise Refused("at least one condition must be specified")

    def first_unmet(manifest: Mapping[str, Any]) -> Verdict:
        return next((verdict for expected in expectations if (verdict := expected(manifest)) is not None), None)

    return first_unmet


def _expressions(annotation: str) -> list[str]:
    try:
        values = json.loads(annotation)
    except ValueError:
        return [annotation]
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
        return values
    return [annotation]


def _parse_one(expression: str) -> Expectation:
    if expression.startswith("jsonpath="):
        return _parse_path(expression)
    if expression.startswith("condition="):
        kind, _, status = expression.removeprefix("condition=").partition("=")
        return condition(kind, status or "True")
    raise Refused(f'expected a "jsonpath=" or "condition=" prefix, got {expression!r}')


def _parse_path(expression: str) -> Expectation:
    match = re.fullmatch(r"jsonpath=\{\s*(.*?)\s*\}(?:=(.*))?", expression)
    if match is None:
        raise Refused(f"the format is jsonpath={{.path}}=value or jsonpath={{.path}}, got {expression!r}")
    text, wanted = match.group(1), match.group(2)
    if wanted is not None and (wanted == "" or "=" in wanted.replace("==", "")):
        raise Refused(f"{expression!r} needs one value after the braces")
    try:
        path = _RFC_9535.compile(text if text.startswith("$") else f"${text}")
    except jsonpath.JSONPathError as error:
        raise Refused(f"{{{text}}} is no JSONPath: {str(error).splitlines()[0]}") from error

    def expected(manifest: Mapping[str, Any]) -> Verdict:
        if _is_stale(manifest):
            return "its controller has not seen the last change"
        found = path.findall(manifest)
        if not found:
            return f"{{{text}}} selects nothing so far"
        if isinstance(found[0], Mapping | list):
            if wanted is None:
                return None
            raise Refused(f"{{{text}}} is not a single value: {found[0]}")
        value = _shown(found[0])
        return None if wanted in (None, value) else f"{{{text}}} is {value}, not {wanted} yet"

    return expected


def condition(kind: str, wanted: str = "True") -> Expectation:
    """Expect a condition of the current generation with this status."""

    def expected(manifest: Mapping[str, Any]) -> Verdict:
        for found in conditions(manifest):
            if str(found.get("type")).lower() != kind.lower():
                continue
            if _observed(found, _observed(manifest.get("status") or {}, None)) < _generation(manifest):
                return f"{kind} is of an earlier generation"
            if str(found.get("status")).lower() == wanted.lower():
                return None
            why = ": ".join(str(found[key]) for key in ("reason", "message") if found.get(key))
            return f"{kind} is {found.get('status')}, not {wanted} yet" + (f" ({why})" if why else "")
        return f"it has no condition {kind} so far"

    return expected


def conditions(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = (manifest.get("status") or {}).get("conditions") or []
    return [item for item in found if isinstance(item, Mapping)]


def _is_stale(manifest: Mapping[str, Any]) -> bool:
    return _observed(manifest.get("status") or {}, None) < _generation(manifest)


def _generation(manifest: Mapping[str, Any]) -> float:
    return float(metadata(manifest).get("generation") or 0)


def _observed(holder: Mapping[str, Any], otherwise: float | None) -> float:
    """The observed generation. A missing one makes nothing stale."""
    observed = holder.get("observedGeneration")
    if observed is not None:
        return float(observed)
    return float("inf") if otherwise is None else otherwise


def _shown(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
