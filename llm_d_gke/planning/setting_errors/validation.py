"""Findings about single settings: pydantic's errors in the words of a stack file."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence

from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from llm_d_gke.planning.findings import HIDDEN, NAMESPACE, Finding, Severity, path_of, without_secrets
from llm_d_gke.planning.rules import RULES
from llm_d_gke.planning.setting_errors.keys import ONE_ACCELERATOR, intended_key, unknown_key
from llm_d_gke.planning.setting_errors.provider_settings import is_of_provider, may_be_secret
from llm_d_gke.planning.setting_errors.values import expected, flow, listed, max_entries, meant_choice, valid_example
from llm_d_gke.planning.setting_errors.words import NO, WORDS_FOR_DEFAULT, choice_elsewhere, choice_here
from llm_d_gke.planning.suggest import nearest
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.fields import Path, Place, choices_of, groups_of, place_of

# Types of errors (docs.pydantic.dev/latest/errors/validation_errors) by rule. Those left out are wrong types.
_RULE_IDS = {
    "extra_forbidden": "LLMD-SETTING-UNKNOWN",
    "missing": "LLMD-SETTING-MISSING",
    "literal_error": "LLMD-SETTING-CHOICE",
    "union_tag_invalid": "LLMD-SETTING-CHOICE",
    "union_tag_not_found": "LLMD-SETTING-KIND",
    "string_pattern_mismatch": "LLMD-SETTING-FORM",
    **dict.fromkeys(
        (
            "greater_than",
            "greater_than_equal",
            "less_than",
            "less_than_equal",
            "too_short",
            "too_long",
            "string_too_short",
            "string_too_long",
        ),
        "LLMD-SETTING-RANGE",
    ),
}


def from_validation(error: ValidationError, encrypted: Collection[str] = ()) -> list[Finding]:
    """Pydantic's errors as findings. What is or may be a secret is never repeated, a misspelled one neither.

    `encrypted` names the top-level keys that came encrypted.
    """
    details = details_of(error)
    # A misspelled key is not reported as missing as well, because that is one mistake.
    explained = {(*path[:-1], intended) for path, intended in corrected_keys(error).items()}
    findings = []
    for detail in details:
        place = place_of(detail["loc"], StackSettings)
        if not (detail["type"] == "missing" and place.path in explained):
            findings.append(_finding(detail, place, encrypted))
    return findings


# A token of the Hugging Face Hub, and its place.
_TOKEN = re.compile(r"hf_[A-Za-z0-9]{16,}")
_TOKEN_PATH = ("huggingFace", "token")


def corrected_keys(error: ValidationError) -> dict[Path, str]:
    """Misspelled keys by path, with the probably intended key."""
    unknown = [place_of(d["loc"], StackSettings) for d in error.errors() if d["type"] == "extra_forbidden"]
    # A rate per minute is not read as one per second.
    return {
        place.path: intended
        for place in unknown
        if (intended := intended_key(place)) is not None and intended not in ("requestsPerMinute", "requestsPerSecond")
    }


def location_of(location: Sequence[str | int]) -> Path:
    """One of pydantic's locations as the path in the stack file."""
    return place_of(location, StackSettings).path


def details_of(error: ValidationError) -> list[ErrorDetails]:
    """Pydantic's errors, less the consequences: a list whose elements are wrong also counts as too short."""
    details = error.errors(include_url=False)
    places = [detail["loc"] for detail in details]

    def has_wrong_parts(place: tuple[int | str, ...]) -> bool:
        return any(len(other) > len(place) and other[: len(place)] == place for other in places)

    return [detail for detail in details if detail["type"] != "too_short" or not has_wrong_parts(detail["loc"])]


def _finding(detail: ErrorDetails, place: Place, encrypted: Collection[str]) -> Finding:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    hidden = place.path[0] in encrypted or any(part in ("huggingFace", "registry", "apiKeys") for part in place.path)
    # An unknown setting below auth may be a key.
    hidden = hidden or (kind == "extra_forbidden" and place.path[:2] == ("gateway", "auth"))
    hidden = hidden or may_be_secret(place.path)
    # A mirror is an address. One with a password in it has an @.
    hidden = hidden and (place.path[:2] != ("registry", "mirrors") or "@" in str(value))
    # The resource name of a secret is none.
    hidden = hidden and re.fullmatch(r"projects/[\w.:-]+/secrets/[\w/-]+", str(value)) is None
    text = HIDDEN if hidden else short(without_secrets(value, place.path))
    if kind in RULES:
        identifier, rule, fix = kind, str(context["rule"]), str(context["fix"])
    else:
        identifier = "LLMD-PROVIDER-SETTING" if is_of_provider(place.path) else _RULE_IDS.get(kind, "LLMD-SETTING-TYPE")
        rule, fix = _explain(kind, place, ("" if value else None) if hidden else value)
        if place.path[0] == "huggingFace" and _TOKEN.fullmatch(str(value)):
            rule = f"{rule}; this text looks like a token, in plain text, and everybody who reads the file could use it"
            fix = f"revoke it, and keep a new one encrypted: pulumi config set --path --secret {path_of(*_TOKEN_PATH)}"
    return Finding(
        id=identifier,
        path=path_of(*place.path),
        value="(missing)" if kind == "missing" else text,
        rule=rule,
        fix=fix,
    )


def _explain(kind: str, place: Place, value: object) -> tuple[str, str]:
    match kind:
        case "extra_forbidden":
            return unknown_key(place, value)
        case "missing":
            example = valid_example(place, None)
            line = f"{place.path[-1]}: {example}" if example else f"{place.path[-1]}: ..."
            full = f"{NAMESPACE}:{line}" if len(place.path) == 1 else line
            above = place.path[-2] if len(place.path) > 1 else None
            dash = ""
            if isinstance(above, int) and above > 0:
                dash = "; if these lines belong to the element above, remove their dash"
            about = f": {place.description.rstrip('.')}" if place.description else ""
            return f"this setting is required{about}", f"add it to the stack file, for example {full}{dash}"
        case "literal_error" | "union_tag_invalid":
            choices = choices_of(place.kind)
            grouped = isinstance(value, Mapping) and kind == "union_tag_invalid"
            choice = value.get("kind") if isinstance(value, Mapping) and grouped else value
            key = "kind: " if kind == "union_tag_invalid" else ""
            close = meant_choice(place, value) or (valid_example(place, value) if _is_number(value) else None)
            if kind == "union_tag_invalid":
                close = choice_here("kind", choice) or nearest(str(choice), map(str, choices))
            if isinstance(choice, list | tuple) and len(choice) == 1:
                close = meant_choice(place, choice[0])
            elsewhere = choice_elsewhere(str(place.path[-1]), choice)
            if elsewhere is not None:
                return f"{key}{flow(choice)} is not a choice here: it takes {listed(choices)}", elsewhere
            default = place.infos[0].default if place.infos else None
            # The example of an unknown kind of authentication is not none.
            usual = default if default in choices else next((kind for kind in choices if kind != "none"), choices[0])
            hint = f"use {key}{close}" if close is not None else f"use one of them, for example {key}{flow(usual)}"
            return f"{key}{flow(choice)} is not a choice here: it takes {listed(choices)}", hint
        case "union_tag_not_found":
            sample = valid_example(place, _with_kind(place, value))
            return (
                f"the group does not say which kind it is: kind is {listed(choices_of(place.kind))}",
                f"add kind, for example {sample}" if sample else "add kind",
            )
        case _:
            return _other_value(kind, place, value)


def _is_number(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and value.isdigit())


def _with_kind(place: Place, value: object) -> object:
    """The kind that the keys of a group name, as in `{pvc: my-claim}`; without one the value itself."""
    if not isinstance(value, Mapping):
        return value
    for key in value:
        kind = choice_here("kind", key) or nearest(str(key), map(str, choices_of(place.kind)))
        if kind in choices_of(place.kind):
            return {"kind": kind}
    return next((text for text in value.values() if isinstance(text, str) and "://" in text), value)


def _other_value(kind: str, place: Place, value: object) -> tuple[str, str]:
    if place.path[-2:-1] == ("extraArgs",) and not isinstance(value, str | int | float):
        return _must_be(place, value), _arguments(value)
    if place.path[-2:-1] == ("extraArgs",) and isinstance(value, bool):
        off = "remove it: an option that is switched on stands alone, or has --no- before its name"
        return _must_be(place, value), off
    statement = _must_be(place, value) + _how_yaml_reads(place, value)
    if isinstance(value, list | tuple | Mapping) and not value:
        statement = f"must not be empty{_description_of(place)}"
    if place.path[-1] == "bucket" and isinstance(value, str) and re.match(r"(?!gs:)[a-z0-9]+://", value):
        return f"{statement}; only buckets of Google Cloud Storage can be mounted", "copy the weights into one"
    folder = re.sub(r"^gs://", "", str(value)).strip("/ ").partition("/")[2]
    if place.path[-1] == "bucket" and folder and (bucket := valid_example(place, value)):
        return statement, f"use {bucket}, and begin path with {folder}"
    if place.kind is str and isinstance(value, bool):
        value = None
    if (elsewhere := choice_elsewhere(str(place.path[-1]), value)) is not None:
        return statement, elsewhere
    close = valid_example(place, value)
    if place.path == ("apiKeys",):
        return statement, f"pulumi config set --path --secret {path_of('apiKeys', 'my-team')}, for each client"
    if place.kind is SecretStr and close is None:
        return statement, f"pulumi config set --path --secret {path_of(*place.path)}"
    if place.is_key:
        return f"the key {statement}", f"name it {close}" if close else "choose another name"
    if kind == "too_long" and isinstance(value, list | tuple | Mapping):
        return f"has {len(value)} entries, and at most {max_entries(place)} are possible", "remove some of them"
    if kind in ("too_long", "string_too_long"):
        return (
            f"too long, with {len(str(value))} characters: {statement}",
            f"use at most {max_entries(place)} characters",
        )
    if place.path[0] == "models" and place.path[-1] == "id":
        weights = "source: {kind: bucket, bucket: my-models, path: my-folder}, and keep the model's repository as id"
        if str(value).startswith((".", "/", "~")):
            return (
                f"{statement}; servers do not see the folders of this machine",
                f"copy the weights into a bucket: {weights}",
            )
        if address := re.fullmatch(r"gs://([^/]+)/(.*[^/])/?", str(value)):
            named = weights.replace("my-models", address[1]).replace("my-folder", address[2])
            return f"{statement}; where the weights are is said by source", f"use {named}"
    return statement, _other_fix(place, value, close)


def _must_be(place: Place, value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if place.kind is str and place.form is None and is_number:
        return "YAML reads this as a number, and it must be text"
    return f"must be {expected(place)}"


def _how_yaml_reads(place: Place, value: object) -> str:
    """A clause about text that YAML takes for something else. Empty for other values."""
    if place.kind is str and isinstance(value, bool):
        return "; YAML reads this value as a flag, not as text"
    if place.kind is str and isinstance(value, int | float) and place.form is not None:
        return "; YAML reads this value as a number, not as text"
    if isinstance(value, str) and ("\n" in value or value.startswith("- ")):
        return "; a bar or quotes make YAML read the lines below as one text"
    return ""


def _other_fix(place: Place, value: object, close: str | None) -> str:
    """What to write in place of a value of the wrong type or form; `close` is a valid one that is similar."""
    fix, key = f"use {close}" if close else "give a value of this form", place.path[-1]
    if place.path[:2] == ("cluster", "existing") and place.path[2:] in ((), ("version",)):
        installed = "the version that gcloud container clusters describe shows"
        return (
            f"{fix}, with {installed}"
            if len(place.path) == 2 and close
            else f"use {installed}, such as {place.example or close}"
        )
    has_default = bool(place.infos) and not place.infos[0].is_required()
    word = flow(value) if isinstance(value, bool) else str("" if value is None else value).strip().lower()
    if value is None and has_default:
        return f"remove {key}: the default is then taken; otherwise {fix}"
    if has_default and place.infos[0].default is None and (word == "-1" or (word in NO and not word.isdigit())):
        return f"remove {key}{f'; otherwise {fix}' if close else ''}"
    # Other programs have words for the default of numbers and flags.
    if has_default and place.kind in (int, float, bool) and word in WORDS_FOR_DEFAULT:
        return f"remove {key}: the default is then taken; otherwise {fix}"
    if place.path[0] == "platform" and isinstance(value, bool | str):
        return "remove it: the stack installs what it needs; {existing: true} is for a cluster that has it already"
    if groups_of(place.kind) and word in ("none", "null", "no", "off") and "enabled" not in expected(place):
        return f"remove {key}; otherwise write its settings below it"
    if place.path == ("gateway", "tls") and "cert-manager" in fix:
        return f"{fix}, and set gateway.hostname to the name that clients use"
    if isinstance(value, list | tuple) and len(value) > 1 and place.path in (("accelerator",), ("accelerator", "type")):
        return f"{fix}; {ONE_ACCELERATOR}"
    return fix


def _arguments(value: object) -> str:
    """How options that were written as a map or as a list in the list stand in `extraArgs`."""
    words = [word for pair in value.items() for word in pair] if isinstance(value, Mapping) else value
    flat = ", ".join(flow(str(word)) for word in words) if isinstance(words, list | tuple) else '--seed, "1"'
    return f"write each word as an element of its own: {flat}"


def _description_of(place: Place) -> str:
    return f": {place.description.rstrip('.')}" if place.description else ""


def short(value: object) -> str:
    """A value as YAML on one line, cut to 80 characters."""
    # In quotes, where blanks at an end would not be seen.
    text = value if isinstance(value, str) and value == value.strip() else flow(value)
    return text if len(text) <= 80 else text[:77] + "..."


def type_findings(values: Mapping[str, object]) -> list[Finding]:
    """Numbers and flags in quotes, and flags in place of numbers.

    In quotes they are read as what they look like, which the next reader may not expect: a warning. A flag in place of
    a number is an error.
    """
    try:
        StackSettings.model_validate_json(json.dumps(values, default=str), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        details = [d for d in error.errors() if isinstance(d["input"], _UNQUOTED.get(d["type"], ()))]
        return [_type_finding(place_of(detail["loc"], StackSettings), detail["input"]) for detail in details]
    return []


# What pydantic converts where another type is meant, by its type of error.
_UNQUOTED = {"int_type": (str, bool), "float_type": (str, bool), "bool_type": (str, int)}


def _type_finding(place: Place, value: str | int) -> Finding:
    """A value that pydantic takes for another type: a number in quotes, a flag for a number, a number for a flag."""
    if isinstance(value, int):
        read = "flag" if isinstance(value, bool) else "number"
        return Finding(
            id="LLMD-SETTING-TYPE",
            path=path_of(*place.path),
            value=flow(value),
            rule=f"must be {expected(place)}, and YAML reads this value as a {read}",
            fix=f"use {valid_example(place, value)}",
        )
    return _quoted(place, value)


def _quoted(place: Place, value: str) -> Finding:
    read = flow(TypeAdapter(place.kind).validate_python(value))
    return Finding(
        id="LLMD-SETTING-QUOTED",
        path=path_of(*place.path),
        value=json.dumps(value),
        rule=f"must be {expected(place)}, and YAML reads a value in quotes as text; it is taken as {read}",
        fix=f"write {place.path[-1]}: {read}, without quotes",
        severity=Severity.WARNING,
    )
