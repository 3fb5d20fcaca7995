"""The valid parts of settings that are wrong elsewhere, so that one report has every finding."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from llm_d_gke.nested import value_at
from llm_d_gke.planning.findings import Finding, path_of
from llm_d_gke.planning.setting_errors.keys import written_as_path
from llm_d_gke.planning.setting_errors.validation import (
    EXAMPLE,
    corrected_keys,
    details_of,
    from_validation,
    location_of,
)
from llm_d_gke.planning.setting_errors.values import valid_example
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.fields import Path, Setting, choices_of, groups_of, keys_of, setting_of


@dataclass(frozen=True, kw_only=True)
class ValidParts:
    """Settings without their wrong parts.

    `left_out` are the paths whose own values are not in `settings`. `corrected` are those, as findings write them, that
    have the value of the finding's fix. `alternatives` are the same settings with each
    kind of every group that was left out: what only the default kind causes is no finding about the stack file.
    `stand_ins` are required settings that are missing or wrong, with another value in `settings`.
    """

    settings: StackSettings
    left_out: tuple[Path, ...]
    alternatives: tuple[StackSettings, ...]
    stand_ins: frozenset[str] = frozenset()
    corrected: frozenset[str] = frozenset()


# What other findings would be about the example, and not about the stack.
_DECISIVE = re.compile(r"llm-d:(location|models(\[\d+\]\.id)?|accelerator\.type|prefillAccelerator\.type)")
# A small open model on hardware that most zones have.
_STAND_INS: dict[str, Any] = {
    "location": "us-central1-a",
    "accelerator": {"type": "nvidia-l4"},
    "models": [{"id": "Qwen/Qwen3-0.6B", "maxModelLen": 2048}],
}


def valid_parts(
    values: Mapping[str, Any], error: ValidationError, findings: Sequence[Finding] = ()
) -> ValidParts | None:
    """The settings without the parts that pydantic refused. None if the rest is not valid either.

    A misspelled key is read as the intended one, if that makes settings: otherwise its default would be judged. A group
    that states its kind and lacks a required setting keeps its kind, with the setting's example. A value for which
    `findings` name another one is read as that, so that what refuses the other one is reported as well.
    """
    details = details_of(error)
    wrong = [location_of(detail["loc"]) for detail in details]
    for renamed in (corrected_keys(error), {}):
        valid = copy.deepcopy(dict(values))
        intended_paths = _read_as_intended(valid, renamed)
        inner = [] if (second := _error(valid)) is None else details_of(second)
        inside = [path for detail in inner if _is_below(path := location_of(detail["loc"]), intended_paths.values())]
        completed = [added for detail in details if (added := _complete(valid, detail)) is not None]
        # A required setting under a misspelled key is there now, unless its value is wrong, too.
        absent = [path for path in wrong if path not in intended_paths.values()]
        dropped = _drop(valid, [path for path in (*absent, *inside) if path not in completed])
        stand_ins = frozenset(name for name in _STAND_INS if not valid.get(name))
        valid.update({name: copy.deepcopy(_STAND_INS[name]) for name in stand_ins})
        corrected = _correct(valid, values, wrong, dropped, findings)
        dropped = [path for path in dropped if value_at(valid, *path) is None]
        settings = _settings(valid)
        if settings is not None:
            return ValidParts(
                corrected=corrected,
                settings=settings,
                left_out=(*completed, *dropped, *_possibly_meant(values, details), *((name,) for name in stand_ins)),
                alternatives=tuple(_alternatives(valid, dropped)),
                stand_ins=stand_ins,
            )
    return None


def findings_below_misspelled(
    values: Mapping[str, Any], error: ValidationError, encrypted: Collection[str]
) -> list[Finding]:
    """What is wrong inside of groups with misspelled keys, at the paths that the file gives them."""
    valid = copy.deepcopy(dict(values))
    intended_paths = _read_as_intended(valid, corrected_keys(error))
    second = _error(valid) if intended_paths else None
    if second is None:
        return []
    findings = []
    for finding in from_validation(second, encrypted):
        for written, intended in intended_paths.items():
            if written_as_path(str(written[-1])):
                continue  # Its value is not that of the group.
            inside = finding.path.removeprefix(path_of(*intended))
            if inside[:1] in (".", "["):
                findings.append(replace(finding, path=path_of(*written) + inside))
    return findings


def findings_after_fixes(
    values: Mapping[str, Any], error: ValidationError, findings: Sequence[Finding], encrypted: Collection[str]
) -> list[Finding]:
    """What would be wrong with the settings once they have the values that fixes name.

    pydantic compares the settings of a group only when each of them is valid.
    """
    fixed, fixes = _fixed(values, [location_of(detail["loc"]) for detail in details_of(error)], findings)
    second = _error(fixed) if fixes else None
    reported = {finding.path for finding in findings}
    return [f for f in from_validation(second, encrypted) if f.path not in reported] if second is not None else []


def _read_as_intended(values: dict[str, Any], renamed: Mapping[Path, str]) -> dict[Path, Path]:
    """Add each misspelled setting under its intended key. Return the new paths by the written ones."""
    intended_paths: dict[Path, Path] = {}
    for path, corrected in renamed.items():
        holder, key = _innermost_key(values, path) or ({}, None)
        if key == path[-1] and corrected not in holder:
            holder[corrected] = holder[key]
            intended_paths[path] = (*path[:-1], corrected)
    return intended_paths


def _correct(
    valid: dict[str, Any],
    values: Mapping[str, Any],
    wrong: Sequence[Path],
    dropped: Sequence[Path],
    findings: Sequence[Finding],
) -> frozenset[str]:
    """Put back what was dropped, with the values that fixes name. Return the paths at which the result is valid."""
    fixed, fixes = _fixed(values, wrong, findings)
    corrected = set()
    for above in dropped:
        holder, value = value_at(valid, *above[:-1]), value_at(fixed, *above)
        inside = {path_of(*path) for path in wrong if _is_below(path, (above,))}
        if not isinstance(holder, dict) or above[-1] in holder or value is None or not inside <= fixes.keys():
            continue
        holder[above[-1]] = value
        if _settings(valid) is None:
            del holder[above[-1]]
        else:
            corrected |= inside
    return frozenset(corrected)


def _fixed(
    values: Mapping[str, Any], wrong: Sequence[Path], findings: Sequence[Finding]
) -> tuple[dict[str, Any], Mapping[str, object]]:
    """The settings with the values that fixes name, and these by the paths of findings."""
    fixes = {finding.path: fix for finding in findings if (fix := _value_of(finding)) is not None}
    fixed = copy.deepcopy(dict(values))
    for path in wrong:
        fix, holder = fixes.get(path_of(*path)), value_at(fixed, *path[:-1])
        if fix is not None and isinstance(holder, dict) and path[-1] not in holder:
            holder[path[-1]] = fix
        elif fix is not None and value_at(fixed, *path) is not None:
            # `use kind: api-keys` is about one line of the group.
            if isinstance(fix, Mapping) and isinstance(holder[path[-1]], Mapping):
                fix = {**holder[path[-1]], **fix}
            holder[path[-1]] = fix
    return fixed, fixes


def _value_of(finding: Finding) -> object:
    """The value of a fix that says only `use VALUE`, or the example of a setting that is missing. None for others."""
    is_missing = finding.value == "(missing)"
    if is_missing and _DECISIVE.fullmatch(finding.path):
        return None
    text = finding.fix.removeprefix(EXAMPLE if is_missing else "use ")
    if text == finding.fix or (", " in text and text[:1] not in ("{", "[") and not is_missing):
        return None
    with suppress(yaml.YAMLError):
        value: object = yaml.safe_load(text)
        return next(iter(value.values())) if is_missing and isinstance(value, dict) else value
    return None


def _is_below(path: Path, parents: Iterable[Path]) -> bool:
    return any(path[: len(above)] == above for above in parents)


def _error(values: Mapping[str, Any]) -> ValidationError | None:
    try:
        StackSettings.model_validate(values, by_alias=True, by_name=False)
    except ValidationError as error:
        return error
    return None


def _settings(values: Mapping[str, Any]) -> StackSettings | None:
    with suppress(ValidationError):
        return StackSettings.model_validate(values, by_alias=True, by_name=False)
    return None


def _complete(values: dict[str, Any], detail: ErrorDetails) -> Path | None:
    """Fill in a setting that a group with a kind lacks, or write its text in the accepted form.

    Without it another default would be judged, such as keys of the stack file in place of those of a Secret. Returns
    the path, or None if this is another error.
    """
    setting = setting_of(detail["loc"], StackSettings)
    group = value_at(values, *setting.path[:-1])
    if detail["type"] not in ("missing", "string_pattern_mismatch"):
        return None
    if not isinstance(group, dict) or "kind" not in group:
        return None
    example = valid_example(setting, detail["input"] if detail["type"] == "string_pattern_mismatch" else None)
    if example is None:
        return None
    group[setting.path[-1]] = yaml.safe_load(example)
    return setting.path


def _possibly_meant(values: Mapping[str, Any], details: Sequence[ErrorDetails]) -> list[Path]:
    """Settings that an unknown key of a group with a kind may stand for: those of the group that are not written."""
    unknown = [setting_of(detail["loc"], StackSettings) for detail in details if detail["type"] == "extra_forbidden"]
    unwritten: list[Path] = []
    for setting in unknown:
        group = value_at(values, *setting.path[:-1])
        if isinstance(group, dict) and "kind" in group and setting.group is not None:
            unwritten += [(*setting.path[:-1], key) for key in keys_of(setting.group) if key not in group]
    return unwritten


def _alternatives(values: Mapping[str, Any], left_out: Sequence[Path]) -> list[StackSettings]:
    alternatives = []
    for path in left_out:
        setting = setting_of(path, StackSettings)
        for group in _examples(setting):
            changed = copy.deepcopy(dict(values))
            holder = value_at(changed, *path[:-1])
            if isinstance(holder, dict):
                holder[path[-1]] = group
            settings = _settings(changed)
            if settings is not None:
                alternatives.append(settings)
    return alternatives


def _examples(setting: Setting) -> list[object]:
    """One example of each kind of a group. Empty for anything without kinds."""
    if len(groups_of(setting.kind)) < 2:
        return []
    texts = [valid_example(setting, {"kind": kind}) for kind in choices_of(setting.kind)]
    return [yaml.safe_load(text) for text in texts if text is not None]


def _drop(values: dict[str, Any], locations: Sequence[Sequence[str | int]]) -> list[Path]:
    """Remove the value at each location, or the innermost existing part of it. Return the removed paths.

    An element goes together with its list: without it the others would be reported under wrong numbers.
    """
    # All are looked up before the first goes: afterwards a later location would end further up.
    wrong = [(_innermost_key(values, location), location) for location in locations]
    removed = []
    for innermost, location in wrong:
        if innermost is not None:
            holder, key = innermost
            holder.pop(key, None)
            removed.append(_path_to(location, key))
    return removed


def _path_to(location: Sequence[str | int], key: str | int) -> Path:
    """The location up to and including the last place of a key."""
    last = max(index for index, part in enumerate(location) if part == key)
    return tuple(location[: last + 1])


def _innermost_key(values: Any, location: Sequence[str | int]) -> tuple[dict[str | int, Any], str | int] | None:
    """The dictionary that is furthest along the location, and the key in it."""
    innermost = None
    for part in location:
        if isinstance(values, dict) and part in values:
            innermost = (values, part)
        elif not (isinstance(values, list) and isinstance(part, int) and part < len(values)):
            break
        values = values[part]
    return innermost
