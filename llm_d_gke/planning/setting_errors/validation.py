"""Findings about single settings: pydantic's errors in the words of a stack file."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from llm_d_gke.planning.findings import HIDDEN, NAMESPACE, Finding, Severity, path_of, without_secrets
from llm_d_gke.planning.rules import RULES
from llm_d_gke.planning.setting_errors.keys import ONE_ACCELERATOR, intended_key, unknown_key
from llm_d_gke.planning.setting_errors.provider_settings import is_of_provider, may_be_secret
from llm_d_gke.planning.setting_errors.values import expected, flow, listed, max_entries, meant_choice, valid_example
from llm_d_gke.planning.setting_errors.words import NO, WORDS_FOR_DEFAULT, choice_elsewhere, choice_here
from llm_d_gke.planning.suggest import nearest, nearest_rule
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.fields import Path, Setting, choices_of, groups_of, keys_of, setting_of, tags_of

# Before the line of a setting that is missing.
EXAMPLE = "add it to the stack file, for example "
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
    settings = [setting_of(detail["loc"], StackSettings) for detail in details]
    missing = {setting.path for setting, detail in zip(settings, details, strict=True) if detail["type"] == "missing"}
    # A misspelled key is not reported as missing as well, because that is one mistake.
    explained = {(*path[:-1], intended) for path, intended in corrected_keys(error).items()}
    findings = []
    for detail, setting in zip(details, settings, strict=True):
        finding = _finding(detail, setting, encrypted)
        below = (*setting.path[:-1], "path")
        if below in missing and _folder_in(setting, detail["input"]):
            # The folder stands behind the name of its bucket.
            explained.add(below)
            finding = replace(finding, fix=finding.fix.replace("begin path with ", "add path: "))
        findings.append((setting.path if detail["type"] == "missing" else None, finding))
    return [finding for path, finding in findings if path is None or path not in explained]


# A token of the Hugging Face Hub, and its place.
_TOKEN = re.compile(r"hf_[A-Za-z0-9]{16,}")
_TOKEN_PATH = ("huggingFace", "token")


def corrected_keys(error: ValidationError) -> dict[Path, str]:
    """Misspelled keys by path, with the probably intended key."""
    unknown = [setting_of(d["loc"], StackSettings) for d in error.errors() if d["type"] == "extra_forbidden"]
    # A rate per minute is not read as one per second.
    return {
        setting.path: intended
        for setting in unknown
        if (intended := intended_key(setting)) is not None
        and intended not in ("requestsPerMinute", "requestsPerSecond")
    }


def location_of(location: Sequence[str | int]) -> Path:
    """One of pydantic's locations as the path in the stack file."""
    return setting_of(location, StackSettings).path


def details_of(error: ValidationError) -> list[ErrorDetails]:
    """Pydantic's errors, less the consequences: a list whose elements are wrong also counts as too short."""
    details = error.errors(include_url=False)
    locations = [detail["loc"] for detail in details]

    def has_wrong_parts(location: tuple[int | str, ...]) -> bool:
        return any(len(other) > len(location) and other[: len(location)] == location for other in locations)

    return [detail for detail in details if detail["type"] != "too_short" or not has_wrong_parts(detail["loc"])]


def _finding(detail: ErrorDetails, setting: Setting, encrypted: Collection[str]) -> Finding:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    hidden = setting.path[0] in encrypted or any(
        part in ("huggingFace", "registry", "apiKeys") for part in setting.path
    )
    # An unknown setting below auth may be a key.
    hidden = hidden or (kind == "extra_forbidden" and setting.path[:2] == ("gateway", "auth"))
    hidden = hidden or may_be_secret(setting.path)
    # A mirror is an address. One with a password in it has an @.
    hidden = hidden and (setting.path[:2] != ("registry", "mirrors") or "@" in str(value))
    # The resource name of a secret is none.
    hidden = hidden and re.fullmatch(r"projects/[\w.:-]+/secrets/[\w/-]+", str(value)) is None
    text = HIDDEN if hidden else short(without_secrets(value, setting.path))
    if kind in RULES:
        identifier, rule, fix = kind, str(context["rule"]), str(context["fix"])
    else:
        identifier = (
            "LLMD-PROVIDER-SETTING" if is_of_provider(setting.path) else _RULE_IDS.get(kind, "LLMD-SETTING-TYPE")
        )
        # The fix for a misspelled key repeats its text.
        concealed = hidden or (kind == "extra_forbidden" and _names_secret(setting, value) and isinstance(value, str))
        rule, fix = _explain(kind, setting, ("" if value else None) if concealed else value)
        encrypted_path = path_of(*_TOKEN_PATH)
        if _TOKEN.search(json.dumps(value, default=str)):
            rule = f"{rule}; this text looks like a token, in plain text, and everybody who reads the file could use it"
            fix = f"revoke it, and keep a new one encrypted: pulumi config set --path --secret {encrypted_path}"
        elif kind == "extra_forbidden" and setting.path[0] not in encrypted and _names_secret(setting, value):
            rule = f"{rule}; the value is in plain text, and everybody who reads the file could use it"
    return Finding(
        id=identifier,
        path=path_of(*setting.path),
        value="(missing)" if kind == "missing" else text,
        rule=rule,
        fix=fix,
    )


def _names_secret(setting: Setting, value: object) -> bool:
    """Whether a key, or one below it, says that its text is a secret."""
    return value not in ("", None) and value != without_secrets(value, setting.path)


def _explain(kind: str, setting: Setting, value: object) -> tuple[str, str]:
    match kind:
        case "extra_forbidden":
            return unknown_key(setting, value)
        case "missing":
            example = valid_example(setting, None)
            line = f"{setting.path[-1]}: {example}" if example else f"{setting.path[-1]}: ..."
            full = f"{NAMESPACE}:{line}" if len(setting.path) == 1 else line
            above = setting.path[-2] if len(setting.path) > 1 else None
            dash = ""
            if isinstance(above, int) and above > 0:
                dash = "; if these lines belong to the element above, remove their dash"
            about = f": {setting.description.rstrip('.')}" if setting.description else ""
            return f"this setting is required{about}", f"{EXAMPLE}{full}{dash}"
        case "literal_error" | "union_tag_invalid":
            choices = choices_of(setting.kind)
            grouped = isinstance(value, Mapping) and kind == "union_tag_invalid"
            choice = value.get("kind") if isinstance(value, Mapping) and grouped else value
            key = "kind: " if kind == "union_tag_invalid" else ""
            close = meant_choice(setting, value) or (valid_example(setting, value) if _is_number(value) else None)
            if kind == "union_tag_invalid":
                close = choice_here("kind", choice) or nearest(str(choice), map(str, choices))
            if isinstance(choice, list | tuple) and len(choice) == 1:
                close = meant_choice(setting, choice[0])
            elsewhere = choice_elsewhere(str(setting.path[-1]), choice)
            if elsewhere is not None:
                return f"{key}{flow(choice)} is not a choice here: it takes {listed(choices)}", elsewhere
            default = setting.infos[0].default if setting.infos else None
            # The example of an unknown kind of authentication is not none.
            usual = default if default in choices else next((kind for kind in choices if kind != "none"), choices[0])
            # A text that YAML would read as a number.
            close = flow(close) if close in choices else close
            hint = f"use {key}{close}" if close is not None else f"use one of them, for example {key}{flow(usual)}"
            return f"{key}{flow(choice)} is not a choice here: it takes {listed(choices)}", hint
        case "union_tag_not_found":
            sample = valid_example(setting, _with_kind(setting, value))
            return (
                f"the group does not say which kind it is: kind is {listed(choices_of(setting.kind))}",
                f"add kind, for example {sample}" if sample else "add kind",
            )
        case "invalid_key":
            return "this key is no text, and settings have names", "remove it, or write the setting that is meant"
        case _:
            return _other_value(kind, setting, value)


def _is_number(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and value.isdigit())


def _with_kind(setting: Setting, value: object) -> object:
    """The kind that the keys of a group name, as in `{pvc: my-claim}`; without one the value itself."""
    if not isinstance(value, Mapping):
        return value
    for key in value:
        kind = choice_here("kind", key) or nearest(str(key), map(str, choices_of(setting.kind)))
        if kind in choices_of(setting.kind):
            return {"kind": kind}
    address = next((text for text in value.values() if isinstance(text, str) and "://" in text), None)
    if address is not None:
        return address
    # The kind that has most of the keys. One that switches a part off has none, and is not meant by any key.
    groups = [group for group in groups_of(setting.kind) if tags_of(group) != ("none",)]
    closest = max(groups, key=lambda group: len(set(value) & set(keys_of(group))), default=None)
    return {"kind": tags_of(closest)[0]} if closest is not None and tags_of(closest) else value


def _other_value(kind: str, setting: Setting, value: object) -> tuple[str, str]:
    if setting.path[-2:-1] == ("extraArgs",) and not isinstance(value, str | int | float):
        return _must_be(setting, value), _arguments(value)
    if setting.path[-2:-1] == ("extraArgs",) and isinstance(value, bool):
        off = "remove it: an option that is switched on stands alone, or has --no- before its name"
        return _must_be(setting, value), off
    statement = _must_be(setting, value) + _how_yaml_reads(setting, value)
    if isinstance(value, PurePath):
        return f"{statement}; this value is a path object of the program, not text", "give it as text: str(path)"
    if isinstance(value, list | tuple | Mapping) and not value:
        statement = f"must not be empty{_description_of(setting)}"
    if setting.path[-1] == "bucket" and isinstance(value, str) and re.match(r"(?!gs:)[a-z0-9]+://", value):
        return f"{statement}; only buckets of Google Cloud Storage can be mounted", "copy the weights into one"
    if (folder := _folder_in(setting, value)) and (bucket := valid_example(setting, value)):
        return statement, f"use {bucket}, and begin path with {folder}"
    if setting.kind is str and isinstance(value, bool):
        if setting.group is None and len(setting.path) > 1 and isinstance(setting.path[-1], str):
            return statement, f"put the word into quotes, for example {flow(str(value).lower())}"
        value = None
    if setting.path[-2:] == ("tls", "secret") and re.search(r"BEGIN |\.(pem|crt|cer|key)$", str(value)):
        command = "kubectl create secret tls my-certificate --cert FILE --key FILE --namespace NAMESPACE"
        return f"{statement}, not a certificate or its file", f"{command}, and name it: secret: my-certificate"
    if (elsewhere := choice_elsewhere(str(setting.path[-1]), value)) is not None:
        return statement, elsewhere
    close = valid_example(setting, value)
    if setting.path == ("apiKeys",):
        return statement, f"for each client, run: pulumi config set --path --secret {path_of('apiKeys', 'my-team')}"
    if setting.kind is SecretStr and close is None:
        return statement, f"pulumi config set --path --secret {path_of(*setting.path)}"
    if setting.is_key:
        return f"the key {statement}", f"name it {close}" if close else "choose another name"
    if kind == "too_long" and isinstance(value, list | tuple | Mapping):
        return f"has {len(value)} entries, and at most {max_entries(setting)} are possible", "remove some of them"
    if kind in ("too_long", "string_too_long"):
        return (
            f"too long, with {len(str(value))} characters: {statement}",
            f"use at most {max_entries(setting)} characters",
        )
    if setting.form is not None and setting.form.startswith("a Hugging Face repository"):
        if re.match(r"[./~]|file:", str(value)):
            return f"{statement}; servers do not see the folders of this machine", _instead_of_a_folder(setting)
        if setting.path[-1] == "id" and (address := re.fullmatch(r"gs://([^/]+)/(.*[^/])/?", str(value))):
            named = _BUCKET_OF_WEIGHTS.replace("my-models", address[1]).replace("my-folder", address[2])
            return f"{statement}; where the weights are is said by source", f"use {named}"
    return statement, _other_fix(setting, value, close)


_BUCKET_OF_WEIGHTS = "source: {kind: bucket, bucket: my-models, path: my-folder}, and keep the model's repository as id"


def _instead_of_a_folder(setting: Setting) -> str:
    """What to do with the folder of a model or an adapter: the end of its path would be another one's repository."""
    if setting.path[-1] == "id":
        return f"copy the weights into a bucket: {_BUCKET_OF_WEIGHTS}"
    if setting.path[-1] == "source":
        return "copy the adapter into a bucket: source: gs://my-bucket/my-folder"
    return f"push it to the Hub, and name its repository, for example {setting.example}"


def _folder_in(setting: Setting, value: object) -> str:
    """The folder behind the name of a bucket. Empty where there is none, or the setting is no bucket."""
    address = re.sub(r"^gs://", "", str(value)).strip("/ ")
    return address.partition("/")[2] if setting.path[-1] == "bucket" else ""


def _must_be(setting: Setting, value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if setting.kind is str and setting.form is None and is_number:
        return "YAML reads this as a number, and it must be text"
    return f"must be {expected(setting)}"


def _how_yaml_reads(setting: Setting, value: object) -> str:
    """A clause about text that YAML takes for something else. Empty for other values."""
    if setting.kind is str and isinstance(value, bool):
        return "; YAML reads this value as a flag, not as text"
    if setting.kind is str and isinstance(value, int | float) and setting.form is not None:
        return "; YAML reads this value as a number, not as text"
    if isinstance(value, str) and ("\n" in value or value.startswith("- ")):
        return "; a bar or quotes make YAML read the lines below as one text"
    return ""


def _other_fix(setting: Setting, value: object, close: str | None) -> str:
    """What to write in place of a value of the wrong type or form; `close` is a valid one that is similar."""
    fix, key = f"use {close}" if close else "give a value of this form", setting.path[-1]
    if setting.path[:2] == ("cluster", "existing") and setting.path[2:] in ((), ("version",)):
        installed = "the version that gcloud container clusters describe NAME --location LOCATION shows"
        return (
            f"{fix}, with {installed}"
            if len(setting.path) == 2 and close
            else f"use {installed}, such as {setting.example or close}"
        )
    if setting.path[0] == "acknowledge" and key == "id" and nearest_rule(str(value)) is None:
        return "copy the id from the warning; docs/findings.md lists all"
    has_default = bool(setting.infos) and not setting.infos[0].is_required()
    word = flow(value) if isinstance(value, bool) else str("" if value is None else value).strip().lower()
    if value is None and has_default:
        return f"remove {key}: the default is then taken; otherwise {fix}"
    if has_default and setting.infos[0].default is None and (word == "-1" or (word in NO and not word.isdigit())):
        return f"remove {key}{f'; otherwise {fix}' if close else ''}"
    # Other programs have words for the default of numbers and flags.
    if has_default and setting.kind in (int, float, bool) and word in WORDS_FOR_DEFAULT:
        return f"remove {key}: the default is then taken; otherwise {fix}"
    if setting.path[0] == "platform" and isinstance(value, bool | str):
        return "remove it: the stack installs what it needs; {existing: true} is for a cluster that has it already"
    if groups_of(setting.kind) and word in ("none", "null", "no", "off") and "enabled" not in expected(setting):
        return f"remove {key}; otherwise write its settings below it"
    if setting.path[0] == "models" and key in ("extraArgs", "env") and close:
        return f"{fix}, with allowExtraArgs: true beside {key}"
    if setting.path == ("gateway", "tls") and "cert-manager" in fix:
        return f"{fix}, and set gateway.hostname to the name that clients use"
    if (
        isinstance(value, list | tuple)
        and len(value) > 1
        and setting.path in (("accelerator",), ("accelerator", "type"))
    ):
        return f"{fix}; {ONE_ACCELERATOR}"
    return fix


def _arguments(value: object) -> str:
    """How options that were written as a map or as a list in the list stand in `extraArgs`."""
    words = [word for pair in value.items() for word in pair] if isinstance(value, Mapping) else value
    flat = ", ".join(flow(str(word)) for word in words) if isinstance(words, list | tuple) else '--seed, "1"'
    return f"write each word as an element of its own: {flat}"


def _description_of(setting: Setting) -> str:
    return f": {setting.description.rstrip('.')}" if setting.description else ""


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
        return [_type_finding(setting_of(detail["loc"], StackSettings), detail["input"]) for detail in details]
    return []


# What pydantic converts where another type is meant, by its type of error.
_UNQUOTED = {"int_type": (str, bool), "float_type": (str, bool), "bool_type": (str, int)}


def _type_finding(setting: Setting, value: str | int) -> Finding:
    """A value that pydantic takes for another type: a number in quotes, a flag for a number, a number for a flag."""
    if isinstance(value, int):
        read = "flag" if isinstance(value, bool) else "number"
        return Finding(
            id="LLMD-SETTING-TYPE",
            path=path_of(*setting.path),
            value=flow(value),
            rule=f"must be {expected(setting)}, and YAML reads this value as a {read}",
            fix=f"use {valid_example(setting, value)}",
        )
    return _quoted(setting, value)


def _quoted(setting: Setting, value: str) -> Finding:
    read = flow(TypeAdapter(setting.kind).validate_python(value))
    return Finding(
        id="LLMD-SETTING-QUOTED",
        path=path_of(*setting.path),
        value=json.dumps(value),
        rule=f"must be {expected(setting)}, and YAML reads a value in quotes as text; it is taken as {read}",
        fix=f"write {setting.path[-1]}: {read}, without quotes",
        severity=Severity.WARNING,
    )
