"""Wrong stack files, as the tables of this folder hold them: at least one for each rule, with its finding."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

from llm_d_gke.catalog import load
from llm_d_gke.planning import Finding, RefusedError, plan_raw
from llm_d_gke.planning.findings import Findings, Severity
from llm_d_gke.stackfile.model_files import ModelFile
from tests.stacks import ENCRYPTED, values_of

GATED = "google/gemma-2b-it"


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A change of a stack file, and the finding: id, path without namespace, value, parts of its rule and fix."""

    name: str
    id: str
    path: str
    value: str
    rule: str
    fix: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    stack: str = "gpu"
    encrypted: frozenset[str] = ENCRYPTED
    severity: Severity = Severity.ERROR
    # Changes of the catalog, by model or accelerator: for rules that nothing in it breaks.
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    # What was read of models that the stack file describes itself.
    files: Mapping[str, ModelFile] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The path with its namespace, which a setting of a provider brings along."""
        return self.path if self.path.startswith(("gcp:", "kubernetes:")) else f"llm-d:{self.path}"

    def findings(self) -> list[Finding]:
        return [*self._planned[0]]

    def calls(self) -> frozenset[tuple[str, int]]:
        """File and line of the calls that added the findings, and of the functions around them."""
        return self._planned[1]

    @cached_property
    def _planned(self) -> tuple[tuple[Finding, ...], frozenset[tuple[str, int]]]:
        with _noted_calls() as calls:
            findings = findings_of(self.stack, self.changes, self.encrypted, self.facts, self.files)
        return tuple(findings), frozenset(calls)


@contextmanager
def _noted_calls() -> Iterator[set[tuple[str, int]]]:
    calls: set[tuple[str, int]] = set()

    def noting(method: Callable[..., None]) -> Callable[..., None]:
        def note(self: Findings, *arguments: str | int, **texts: Any) -> None:
            caller: Any = sys._getframe(1)
            # A context and a served model pass their findings on, within two functions each.
            for _ in range(5):
                calls.add((Path(caller.f_code.co_filename).name, caller.f_lineno))
                caller = caller.f_back
            method(self, *arguments, **texts)

        return note

    with (
        mock.patch.object(Findings, "error", noting(Findings.error)),
        mock.patch.object(Findings, "warning", noting(Findings.warning)),
    ):
        yield calls


def findings_of(
    stack: str,
    changes: Mapping[str, Any] | None = None,
    encrypted: frozenset[str] = ENCRYPTED,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    files: Mapping[str, ModelFile] | None = None,
) -> list[Finding]:
    """Every finding about a changed stack, warnings included."""
    catalog_ = load()
    if facts:
        cards = {name: facts[name] for name in facts if name in catalog_.accelerators}
        models = {name: facts[name] for name in facts if name not in cards}
        catalog_ = replace(
            catalog_,
            models={**catalog_.models, **_changed(catalog_.models, models)},
            accelerators={**catalog_.accelerators, **_changed(catalog_.accelerators, cards)},
        )
    try:
        return list(plan_raw(stack, values_of(stack, changes), encrypted, catalog_, files or {}).warnings)
    except RefusedError as refused:
        return list(refused.findings)


def _changed(entries: Mapping[str, Any], facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: entries[name].model_copy(update=dict(changed)) for name, changed in facts.items()}


def errors_of(
    stack: str, changes: Mapping[str, Any] | None = None, encrypted: frozenset[str] = ENCRYPTED
) -> list[Finding]:
    return [f for f in findings_of(stack, changes, encrypted) if f.severity is Severity.ERROR]


# Two mistakes that cannot occur separately.
TOGETHER: Mapping[str, frozenset[str]] = {"two models of one name": frozenset({"llm-d:models"})}
