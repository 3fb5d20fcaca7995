"""From settings and catalog to a plan, or to every finding that forbids it. `sequence` plans what is valid."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog import load as load_catalog
from llm_d_gke.planning.acknowledgements import acknowledge, mark_acknowledged
from llm_d_gke.planning.findings import (
    NAMESPACE,
    Finding,
    Findings,
    RefusedError,
    Severity,
    errors_in,
    located,
    path_of,
)
from llm_d_gke.planning.independent_findings import Judge, independent_findings, is_independent
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.repetitions import without_repetitions
from llm_d_gke.planning.rules import RULES
from llm_d_gke.planning.sequence import plan_once
from llm_d_gke.planning.serving.custom_models import with_own_models
from llm_d_gke.planning.setting_errors.machine_fixes import with_better_fix
from llm_d_gke.planning.setting_errors.placeholders import placeholders, without_consequences
from llm_d_gke.planning.setting_errors.signs import with_signs_named
from llm_d_gke.planning.setting_errors.valid_parts import findings_after_fixes, findings_below_misspelled, valid_parts
from llm_d_gke.planning.setting_errors.validation import corrected_keys, from_validation, type_findings
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import StackConfig
from llm_d_gke.stackfile.model_files import ModelFile, model_files

# Top-level keys of a stack file, none of which is checked for plain secrets.
_ANY_KEY = frozenset(field.alias or name for name, field in StackSettings.model_fields.items())


def plan_stack(stack: str, settings: StackSettings | Mapping[str, Any], catalog: Catalog | None = None) -> StackPlan:
    """Check settings that a program holds, and plan the stack that they describe.

    `stack` is in the names of everything that is created. `settings` are typed, or a mapping with the keys of a stack
    file, without their `llm-d:`. `models[].config` and `chatTemplate` are paths from the working directory. Whether
    secrets were encrypted is not checked, since they come from no file. Raises
    `RefusedError` with every finding; those that refuse nothing are in the plan's `warnings`. Raises `TypeError` for a
    name that is empty or no text, and for settings of another type.
    """
    if not isinstance(stack, str) or not stack:
        advice = "give it one" if stack == "" else "write it in quotes"
        raise TypeError(f"the name of a stack is a text such as 'chat', not {stack!r}: {advice}")
    try:
        if isinstance(settings, StackSettings):
            values = settings.model_dump(by_alias=True)
            files, earlier = model_files(values, Path.cwd()), placeholders(values)
            result = plan(stack, settings, catalog or load_catalog(), _ANY_KEY, files, earlier)
        else:
            files = model_files(settings, Path.cwd()) if isinstance(settings, Mapping) else {}
            result = plan_raw(stack, settings, _ANY_KEY, catalog, files)
    except RefusedError as refused:
        raise RefusedError([_of_a_program(finding) for finding in refused.findings]) from None
    return replace(result, warnings=tuple(_of_a_program(finding) for finding in result.warnings))


def _of_a_program(finding: Finding) -> Finding:
    """The finding with a fix for settings that no stack file holds, which `pulumi config` does not set."""
    fix = re.sub(
        rf"(run: )?pulumi config set (--\S+ )*{NAMESPACE}:(\S+)( \$\([^)]*\)| \S+)?",
        r"set \3 in the program's settings",
        finding.fix,
    )
    rule = re.sub(r"YAML reads this( value)? as (a \w+)(, not)?(?: as)?", r"this\1 is \2\3", finding.rule)
    return replace(
        finding,
        rule=rule.replace("the stack file has", "the program's settings have"),
        fix=fix.replace("the stack file", "the program's settings").replace(f"{NAMESPACE}:", ""),
    )


def plan_config(stack: str, config: StackConfig) -> StackPlan:
    """Check and plan a stack as its file configures it. Raises `RefusedError` with every finding.

    Findings have their places in the stack file.
    """
    values = config.settings()
    try:
        plan = plan_raw(stack, values, config.encrypted(), files=model_files(values))
    except RefusedError as refused:
        raise RefusedError(located(refused.findings, config.place_of)) from None
    return replace(plan, warnings=tuple(located(plan.warnings, config.place_of)))


def plan_raw(
    stack: str,
    values: Mapping[str, Any],
    encrypted: frozenset[str] = frozenset(),
    catalog: Catalog | None = None,
    files: Mapping[str, ModelFile] = MappingProxyType({}),
) -> StackPlan:
    """Check configuration as given and plan it.

    `encrypted` names the top-level keys that came encrypted; `files` are configurations of models that the stack file
    asked to read, by model. Raises `RefusedError` with every finding: of the settings
    themselves, and of the plan as far as the rest of the settings still makes one.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"settings of stack {stack} are StackSettings or a mapping such as {{'project': 'my-project'}}")
    full_catalog = catalog or load_catalog()
    # A program's settings were never in a file, so that only what is a secret by its name is hidden.
    hidden = frozenset[str]() if encrypted is _ANY_KEY else encrypted
    unreplaced = placeholders(values, hidden)
    try:
        settings = StackSettings.model_validate(values, by_alias=True, by_name=False)
    except ValidationError as error:
        findings = [with_better_fix(finding, values, full_catalog) for finding in from_validation(error, hidden)]
        findings += findings_below_misspelled(values, error, hidden)
        findings += findings_after_fixes(values, error, findings, hidden)
        findings = without_consequences([*unreplaced, *findings])

        def judge(settings: StackSettings, collected: Findings) -> None:
            own_catalog = with_own_models(full_catalog, settings, files, collected)
            plan_with_findings(stack, settings, own_catalog, encrypted, collected)

        further = _findings_of_valid_parts(values, error, findings, judge)
        raise RefusedError(with_signs_named(without_repetitions([*findings, *further]))) from None
    return plan(stack, settings, full_catalog, encrypted, files, [*type_findings(values), *unreplaced])


def plan(
    stack: str,
    settings: StackSettings,
    catalog: Catalog,
    encrypted: frozenset[str] = frozenset(),
    files: Mapping[str, ModelFile] = MappingProxyType({}),
    earlier: Sequence[Finding] = (),
) -> StackPlan:
    """The plan of one stack. Raises `RefusedError` when anything in it could not work.

    `earlier` are findings about the settings as they were written.
    """
    findings = Findings(earlier)
    full_catalog = with_own_models(catalog, settings, files, findings)
    result = plan_with_findings(stack, settings, full_catalog, encrypted, findings)
    acknowledge(settings, findings)
    findings[:] = without_repetitions(without_consequences(findings))
    if result is not None:
        result = replace(
            result, warnings=tuple(finding for finding in findings if finding.severity is Severity.WARNING)
        )
    if errors_in(findings) or result is None:
        raise RefusedError(with_signs_named(findings))
    return result


def plan_with_findings(
    stack: str, settings: StackSettings, catalog: Catalog, encrypted: frozenset[str], findings: Findings
) -> StackPlan | None:
    """The plan, with its findings collected in `findings`. None if too little is known for a plan."""
    result = plan_once(stack, settings, catalog, encrypted, findings)
    if result is None:
        further = independent_findings(
            settings,
            catalog,
            findings,
            lambda changed, collected: plan_once(stack, changed, catalog, encrypted, collected),
        )
        findings.extend(further)
    return result


def _findings_of_valid_parts(
    values: Mapping[str, Any], error: ValidationError, reported: Sequence[Finding], judge: Judge
) -> list[Finding]:
    """Findings of a plan of the valid parts of the settings, so that one report has every mistake."""
    valid = valid_parts(values, error, reported)
    if valid is None:
        return []

    def findings_of(settings: StackSettings) -> Findings:
        collected = Findings()
        judge(settings, collected)
        mark_acknowledged(settings, collected)
        return collected

    findings = findings_of(valid.settings)
    # Only findings that also hold for every other kind of a group that could not be read: the others follow from the
    # kind that stands in for it.
    others = [{(f.id, f.path) for f in findings_of(settings)} for settings in valid.alternatives] if findings else []
    # Values at, above or below a wrong value were judged without it, so a finding about them would report the same
    # mistake again. The same holds for what a wrong list of acknowledgements may acknowledge.
    unread = any(other.path.startswith(path_of("acknowledge")) for other in reported)
    # Where the value of a fix was judged in place of the wrong one, findings about it count.
    written = {other.path for other in reported} - valid.corrected
    places = {*written, *(path_of(*path) for path in valid.left_out)}
    # An unknown key whose own fix is complete is not judged again as the setting that it stands for.
    explained = {other.path for other in reported if "did you mean" not in other.fix}
    # A missing setting has the value of its example, and findings about that value are not about the stack.
    exemplary = tuple(other.path for other in reported if other.value == "(missing)")
    renamed = corrected_keys(error).items()
    places |= {path_of(*path[:-1], intended) for path, intended in renamed if path_of(*path) in explained}
    return [
        f
        for f in findings
        if not any(_are_nested(f.path, place) for place in places)
        and not f.path.startswith(exemplary)
        and is_independent(f, valid.stand_ins)
        and all((f.id, f.path) in other for other in others)
        and not (unread and f.severity is Severity.ERROR and RULES[f.id].acknowledgeable)
    ]


def _are_nested(first: str, other: str) -> bool:
    return first.startswith(other) or other.startswith(first)
