"""Findings about single settings: pydantic's errors in the words of a stack file."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence

from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from llm_d_gke.planning.findings import HIDDEN, NAMESPACE, Finding, Severity, path_of, without_secrets
from llm_d_gke.planning.rules import RULES
from llm_d_gke.planning.setting_choices import choice_elsewhere, choice_here
from llm_d_gke.planning.setting_owners import owner_of
from llm_d_gke.planning.setting_synonyms import NO, WORDS_FOR_DEFAULT, key_here
from llm_d_gke.planning.setting_values import expected, flow, listed, meant_choice, passing
from llm_d_gke.planning.suggest import nearest
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.fields import Path, Place, choices_of, every_key, keys_of, place_of

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

# Settings that other programs have under names that are written quite differently, and where they are here.
_ELSEWHERE: Mapping[str, str] = {
    "autopilot": "cluster.mode: autopilot",
    "autoscaling": "models[].autoscaling; nodes follow it between accelerator.nodes.min and max",
    "gpu": "accelerator.type",
    "hftoken": "huggingFace.token",
    "huggingfacehubtoken": "huggingFace.token",
    "huggingfacetoken": "huggingFace.token",
    "gpus": "accelerator.perNode",
    "iap": "gateway.auth: {kind: iap, ...}",
    "lora": "models[].adapters",
    "loras": "models[].adapters",
    "preemptible": "accelerator.provisioning: spot",
    "secrets": "huggingFace, registry or apiKeys",
    "subnet": "network.existing.subnetwork",
    "subnetwork": "network.existing.subnetwork",
    "vllmversion": "the release decides on vLLM's version, or models[].image on another image",
    "vpc": "network.existing.network",
    "ingress": "gateway",
    "loadbalancer": "gateway",
    "machine": "accelerator.machineType",
    "maxnodes": "accelerator.nodes.max",
    "minnodes": "accelerator.nodes.min",
    "nodes": "accelerator.nodes",
    "region": "location",
    "spot": "accelerator.provisioning: spot",
    "token": "huggingFace.token",
    "tp": "models[].tensorParallel",
    "zone": "location",
}


def from_validation(error: ValidationError, encrypted: Collection[str] = ()) -> list[Finding]:
    """Pydantic's errors as findings. What is or may be a secret is never repeated, a misspelt one neither.

    `encrypted` names the top-level keys that came encrypted.
    """
    details = details_of(error)
    # A misspelt key is not reported as missing as well, because that is one mistake.
    explained = {(*path[:-1], intended) for path, intended in respelt(error).items()}
    findings = []
    for detail in details:
        place = place_of(detail["loc"], StackSettings)
        if not (detail["type"] == "missing" and place.path in explained):
            findings.append(_finding(detail, place, encrypted))
    return findings


def respelt(error: ValidationError) -> dict[Path, str]:
    """Misspelt keys by path, with the probably intended key."""
    unknown = [place_of(d["loc"], StackSettings) for d in error.errors() if d["type"] == "extra_forbidden"]
    return {place.path: intended for place in unknown if (intended := _intended_key(place)) is not None}


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
    text = HIDDEN if hidden else short(without_secrets(value, place.path))
    if kind in RULES:
        identifier, rule, fix = kind, str(context["rule"]), str(context["fix"])
    else:
        identifier = _RULE_IDS.get(kind, "LLMD-SETTING-TYPE")
        rule, fix = _explain(kind, place, None if hidden else value)
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
            return _unknown(place)
        case "missing":
            example = passing(place, None)
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
            choice = value.get("kind") if isinstance(value, Mapping) else value
            key = "kind: " if kind == "union_tag_invalid" else ""
            close = meant_choice(place, value) or (passing(place, value) if _is_number(value) else None)
            if kind == "union_tag_invalid":
                close = choice_here("kind", choice) or nearest(str(choice), map(str, choices))
            if isinstance(choice, list | tuple) and len(choice) == 1:
                close = meant_choice(place, choice[0])
            elsewhere = choice_elsewhere(str(place.path[-1]), choice)
            if elsewhere is not None:
                return f"{key}{flow(choice)} is not a choice here: it takes {listed(choices)}", elsewhere
            hint = f"use {key}{close}" if close is not None else f"use one of them, for example {key}{flow(choices[0])}"
            return f"{key}{flow(choice)} is not a choice here: it takes {listed(choices)}", hint
        case "union_tag_not_found":
            sample = passing(place, _with_kind(place, value))
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


# Keys of many groups, which mean something else in each.
_EVERYWHERE = ("config", "cpu", "enabled", "existing", "id", "kind", "memory", "name", "path", "release", "version")

# Keys by which other programs choose hardware for each model, or several types of it.
_ACCELERATORS = ("accelerator", "acceleratortype", "gputype", "hardware")
_ONE_ACCELERATOR = "a stack has one type of accelerator: make two stacks, which may share a cluster (cluster.existing)"


def _other_value(kind: str, place: Place, value: object) -> tuple[str, str]:
    is_text = place.kind is str and place.form is None and isinstance(value, int | float)
    is_text = is_text and not isinstance(value, bool)
    statement = "YAML reads this as a number, and it must be text" if is_text else f"must be {expected(place)}"
    if isinstance(value, list | tuple | Mapping) and not value:
        statement = f"must not be empty{_about(place)}"
    elif place.kind is str and isinstance(value, bool):
        statement += "; YAML reads this value as a flag, not as text"
        value = None
    elif place.kind is str and isinstance(value, int | float) and place.form is not None:
        statement += "; YAML reads this value as a number, not as text"
    if isinstance(value, str) and ("\n" in value or value.startswith("- ")):
        statement += "; a bar or quotes make YAML read the lines below as one text"
    close = passing(place, value)
    if place.kind is SecretStr and close is None:
        return statement, f"pulumi config set --path --secret {path_of(*place.path)}"
    if place.is_key:
        statement = f"the key {statement}"
        return statement, f"name it {close}" if close else "choose another name"
    if kind in ("too_long", "string_too_long"):
        return f"too long: {statement}", "use a shorter one"
    fix = f"use {close}" if close else "give a value of this form"
    word = flow(value) if isinstance(value, bool) else str("" if value is None else value).strip().lower()
    is_optional = bool(place.infos) and not place.infos[0].is_required() and place.infos[0].default is None
    if is_optional and (word == "-1" or (word in NO and not word.isdigit())):
        return statement, f"remove {place.path[-1]}{f'; otherwise {fix}' if close else ''}"
    if _may_be_left_out(place) and word in WORDS_FOR_DEFAULT:
        return statement, f"remove {place.path[-1]}: the default is then taken; otherwise {fix}"
    several = isinstance(value, list | tuple) and len(value) > 1
    if several and place.path in (("accelerator",), ("accelerator", "type")):
        return statement, f"{fix}; {_ONE_ACCELERATOR}"
    return statement, fix


def _may_be_left_out(place: Place) -> bool:
    """Numbers and flags with a default: other programs have words for it there."""
    return place.kind in (int, float, bool) and bool(place.infos) and not place.infos[0].is_required()


def _about(place: Place) -> str:
    return f": {place.description.rstrip('.')}" if place.description else ""


def _unknown(place: Place) -> tuple[str, str]:
    key = str(place.path[-1])
    namespace, colon, rest = key.partition(":")
    if colon and len(place.path) == 1:
        return (
            f"settings of this program have the prefix {NAMESPACE}:, and nothing reads {namespace}:",
            f"did you mean {NAMESPACE}:{rest}?",
        )
    if len(place.path) == 1 and (nested := _written_as_path(key)) is not None:
        return "paths are for the command line (pulumi config set --path); a stack file nests settings", nested
    letters = re.sub(r"[^a-z]", "", key.lower())
    several = len(place.path) == 1 and letters in [f"{word}s" for word in _ACCELERATORS]
    if several or (place.path[0] == "models" and letters.removesuffix("s") in _ACCELERATORS):
        return "the stack's accelerator serves all its models: there is no such setting", _ONE_ACCELERATOR
    where = path_of(*place.path[:-1]) if len(place.path) > 1 else "the stack file"
    if letters in _ELSEWHERE and _synonym(place) is None:
        return f"{where} has no such setting", _place_words(_ELSEWHERE[letters])
    owner = owner_of(place.path, letters) if _synonym(place) is None else None
    if owner is not None:
        return owner
    intended = _intended_key(place)
    if intended is not None:
        full = f"{NAMESPACE}:{intended}" if len(place.path) == 1 else intended
        reason = "keys are written in camelCase" if to_camel(key) == intended else f"{where} has no such setting"
        return reason, f"did you mean {full}?"
    if place.path[:-1] == ("cluster",) and letters in ("name", "clustername"):
        return (
            "the stack names the cluster after itself",
            "remove it; for a cluster that exists write existing: {name: my-cluster, version: 1.35.2-gke.1842000}",
        )
    inside = [] if letters in _EVERYWHERE and len(place.path) > 1 else _same_name(key)
    if inside:
        return f"{where} has no such setting", f"did you mean {' or '.join(inside[:3])}? Move it there"
    keys = keys_of(place.group) if place.group is not None else ()
    listing = f"settings here are {', '.join(keys)}" if 0 < len(keys) <= 20 else "look for it in docs/settings.md"
    return f"{where} has no such setting", f"remove it, or use another one: {listing}"


def _written_as_path(key: str) -> str | None:
    """How a file writes `accelerator.type` or `models[0].id`. None for a key that begins with no setting."""
    first, *rest = re.findall(r"[A-Za-z][\w-]*|\[[0-9]+\]", key) or [key]
    if not rest or first not in keys_of(StackSettings):
        return None
    text = "..."
    for part in reversed(rest):
        text = f"[{text}]" if part.startswith("[") else f"{{{part}: {text}}}"
    return f"write {NAMESPACE}:{first}: {text}"


def _place_words(location: str) -> str:
    """`accelerator.type` as a question, a sentence as it is."""
    return (
        f"did you mean {NAMESPACE}:{location}? Move it there"
        if re.fullmatch(r"[\w.\[\]]+(: \w+)?", location)
        else location
    )


def _intended_key(place: Place) -> str | None:
    """The key of the same group that a misspelt one probably means."""
    same = _synonym(place)
    if same is None and owner_of(place.path, re.sub(r"[^a-z]", "", str(place.path[-1]).lower())) is not None:
        return None
    if same is not None or re.sub(r"[^a-z]", "", str(place.path[-1]).lower()) in _ELSEWHERE:
        return same
    return nearest(str(place.path[-1]), keys_of(place.group), 0.75) if place.group is not None else None


def _synonym(place: Place) -> str | None:
    """The key of the same group that other programs call so."""
    if place.group is None:
        return None
    return key_here(place.group.__name__, str(place.path[-1]))


def _same_name(key: str) -> list[str]:
    """The place of a setting of this name in a stack file, regardless of its spelling."""
    spelt = re.sub(r"[^a-z]", "", key.lower())
    places = []
    for path, _ in every_key(StackSettings):
        if re.sub(r"[^a-z]", "", str(path[-1]).lower()) == spelt and len(path) > 1:
            text = ""
            for part in path:
                text += "[]" if part == "[]" else f".{part}" if text else str(part)
            places.append(f"{NAMESPACE}:{text}")
    return places


def short(value: object) -> str:
    """A value as YAML on one line, cut to 80 characters."""
    text = value if isinstance(value, str) else flow(value)
    return text if len(text) <= 80 else text[:77] + "..."


def quoted(values: Mapping[str, object]) -> list[Finding]:
    """Numbers and flags in quotes, and flags in place of numbers.

    In quotes they are read as what they look like, which the next reader may not expect: a warning. A flag in place of
    a number is an error.
    """
    try:
        StackSettings.model_validate_json(json.dumps(values, default=str), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        details = [d for d in error.errors() if d["type"] in _UNQUOTED and isinstance(d["input"], str | bool)]
        return [_misread(place_of(detail["loc"], StackSettings), detail["input"]) for detail in details]
    return []


_UNQUOTED = ("int_type", "float_type", "bool_type")


def _misread(place: Place, value: str | bool) -> Finding:
    """A value that pydantic takes for another type: a number in quotes, or a flag for a number."""
    if isinstance(value, bool):
        return Finding(
            id="LLMD-SETTING-TYPE",
            path=path_of(*place.path),
            value=flow(value),
            rule=f"must be {expected(place)}, and YAML reads this value as a flag",
            fix=f"use {passing(place, value)}",
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
