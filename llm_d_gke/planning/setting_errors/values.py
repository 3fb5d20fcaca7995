"""The accepted values of a setting, in words, and a valid replacement for an invalid value."""

from __future__ import annotations

import datetime
import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Network, ip_network
from typing import Any, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import SecretStr, TypeAdapter, ValidationError

from llm_d_gke.planning.setting_errors.groups import group_candidates, required_settings
from llm_d_gke.planning.setting_errors.numbers import number_in
from llm_d_gke.planning.setting_errors.texts import text_candidates
from llm_d_gke.planning.setting_errors.words import NO, YES, choice_here
from llm_d_gke.planning.suggest import nearest
from llm_d_gke.settings.fields import Setting, choices_of, groups_of, is_group, key_setting, keys_of, setting_below
from llm_d_gke.wording import count, plain_number

# As many keys of a group as a message lists.
_MANY = 12


def expected(setting: Setting) -> str:
    """The expected value of a setting, for "must be ..."."""
    kind, choices = setting.kind, choices_of(setting.kind)
    origin = get_origin(kind)
    if groups_of(kind):
        names = keys_of(groups_of(kind)[0])
        keys = ", ".join(names) if len(names) <= _MANY else f"{', '.join(names[:_MANY])} and others"
        return f"a group of settings with kind: {listed(choices)}" if choices else f"a group of settings: {keys}"
    if choices:
        return f"one of {listed(choices)}"
    if origin in (tuple, list):
        return "a list"
    if origin in (dict, Mapping):
        return "keys with a value each"
    if kind is bool:
        return "true or false"
    if kind is int:
        return f"a whole number{_bounds(setting)}"
    if kind is float:
        return f"a number{_bounds(setting)}"
    if kind is IPv4Network:
        return "an IPv4 range: the first address, a slash and the number of fixed bits"
    if kind is datetime.date:
        return "a day: year, month and day with dashes"
    if kind in (str, SecretStr):
        return setting.form or f"text{_lengths(setting)}"
    return "another value"


def listed(choices: tuple[Any, ...]) -> str:
    words = [flow(choice) for choice in choices]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _bounds(setting: Setting) -> str:
    low, high, above, below = (_bound(setting, kind) for kind in (Ge, Le, Gt, Lt))
    if low is not None and high is not None:
        return f" from {plain_number(low)} to {plain_number(high)}"
    parts = [
        f"{words} {plain_number(value)}"
        for words, value in (("at least", low), ("above", above), ("at most", high), ("below", below))
        if value is not None
    ]
    return f" {' and '.join(parts)}" if parts else ""


def _lengths(setting: Setting) -> str:
    minimum, maximum = _bound(setting, MinLen), _bound(setting, MaxLen)
    if maximum is not None:
        return f" of {plain_number(minimum or 0)} to {plain_number(maximum)} characters"
    return f" of at least {count(int(minimum), 'character')}" if minimum else ""


def max_entries(setting: Setting) -> int | None:
    """Most elements of a list or keys of a map. None without a limit."""
    return None if (most := _bound(setting, MaxLen)) is None else int(most)


def _bound(setting: Setting, kind: type) -> Any:
    names = {Ge: "ge", Le: "le", Gt: "gt", Lt: "lt", MinLen: "min_length", MaxLen: "max_length"}
    return next((getattr(item, names[kind]) for item in setting.metadata if isinstance(item, kind)), None)


def valid_example(setting: Setting, value: object) -> str | None:
    """A valid value in place of `value`, in YAML notation. The probable intention comes first."""
    if setting.whole is None:
        return None
    adapter: TypeAdapter[Any] = TypeAdapter(setting.whole)
    for candidate in _candidates(setting, value):
        try:
            adapter.validate_python(candidate, by_alias=True, by_name=False)
        except ValidationError:
            continue
        return flow(candidate)
    return None


def _candidates(setting: Setting, value: object) -> Iterator[object]:
    kind, origin = setting.kind, get_origin(setting.kind)
    if isinstance(value, str) and (groups_of(kind) or origin in (tuple, list, dict, Mapping)):
        yield from _as_document(value)
    if groups_of(kind):
        yield from group_candidates(setting, value)
    elif choices_of(kind):
        yield from _as_choice(setting, value)
    elif origin in (tuple, list):
        yield from _as_list(setting, value)
    elif origin in (dict, Mapping):
        yield from _as_map(setting, value)
    elif kind is bool:
        word = str(value).strip().lower()
        yield from (True,) if word in YES else (False,) if word in NO else ()
        yield True
    elif kind in (int, float):
        yield from _as_number(setting, value)
    elif kind is IPv4Network:
        yield from _as_range(value)
    elif kind is datetime.date:
        yield "2026-01-31"
    elif kind is str:
        yield from _as_text(setting, value)


def _as_document(text: str) -> Iterator[object]:
    """What a text holds that was meant as YAML: after a bar, or in quotes."""
    if "\n" in text or text.lstrip().startswith(("{", "[", "- ")) or re.match(r"\w+: [\[{]", text):
        with suppress(yaml.YAMLError):
            parsed = yaml.safe_load(text)
            if isinstance(parsed, list | dict):
                yield parsed


def meant_choice(setting: Setting, value: object) -> object | None:
    """The choice that a word is similar to, or that other programs call so. None for any other word."""
    choices = choices_of(setting.kind)
    if all(isinstance(choice, int) for choice in choices):
        return None
    alike = choice_here(str(setting.path[-1]), value) or nearest(str(value), map(str, choices))
    return next((choice for choice in choices if str(choice) == alike), None)


def _as_choice(setting: Setting, value: object) -> Iterator[object]:
    choices = choices_of(setting.kind)
    if (intended := meant_choice(setting, value)) is not None:
        yield intended
    if all(isinstance(choice, int) for choice in choices):
        number = number_in(str(value), str(setting.path[-1]))
        if number is not None:
            # An engine that is made for a smaller rank refuses the adapter.
            larger = [choice for choice in choices if choice >= number] if setting.path[-1] == "rank" else []
            yield min(larger or choices, key=lambda choice: abs(choice - number))
    yield choices[0]


def _as_map(setting: Setting, value: object) -> Iterator[object]:
    """Maps that were written as a list of pairs, as Kubernetes has them, or as text with equals signs."""
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    pairs: dict[str, object] = {}
    for part in parts:
        if isinstance(part, Mapping):
            named = {part["name"]: part.get("value", "value")} if "name" in part else part
            pairs |= {str(key): item for key, item in named.items()}
        elif re.search("[=:]", str(part)):
            key, item = re.split("[=:]", str(part), maxsplit=1)
            pairs[key.strip()] = item.strip()
    if pairs:
        yield pairs
    if isinstance(setting.example, Mapping):
        yield setting.example
    key_example = key_setting(setting).example
    of_value = setting_below(setting, "my-key")
    example = of_value.example if of_value.example is not None else 1 if of_value.kind is int else "value"
    names = [part for part in parts if isinstance(part, str) and part]
    if names and setting.path[0] == "registry":
        yield {str(key_example): names[0]}
    if isinstance(value, list | tuple) and names:
        yield dict.fromkeys(names, example)
    yield {str(key_example or "my-key"): example}


def _as_list(setting: Setting, value: object) -> Iterator[object]:
    if isinstance(value, str):
        if value.startswith("-"):
            with suppress(ValueError):
                yield shlex.split(value)
        if "," in value:
            yield [part.strip() for part in value.split(",")]
    element = get_args(setting.kind)[0]
    inner = Setting(path=setting.path, group=None, kind=element, whole=element)
    if isinstance(value, Mapping):
        yield from _from_map(element, value)
    if value not in (None, [], ""):
        yield [value]
    if is_group(element):
        if not isinstance(value, Mapping | list | tuple):
            yield from ([example] for example in group_candidates(inner, value))
        yield [required_settings(element)]
    else:
        if value in (None, [], "") and setting.example is not None:
            yield setting.example
        yield from ([candidate] for candidate in _candidates(setting_below(setting, 0), value))
        yield ["my-name"]


def _from_map(element: Any, value: Mapping[Any, Any]) -> Iterator[object]:
    """A list that was written as a map: options by name, elements by name, or names with what belongs to each."""
    if element is str:
        yield [part for key, item in value.items() for part in (f"--{str(key).lstrip('-')}", flow(item))]
        return
    if all(isinstance(item, Mapping) for item in value.values()):
        yield list(value.values())
    for group in groups_of(element):
        first, *rest = required_settings(group)
        if rest:
            yield [{first: key, rest[0]: item} for key, item in value.items()]


def _as_number(setting: Setting, value: object) -> Iterator[object]:
    is_integer = setting.kind is int
    number = float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    key = str(setting.path[-1])
    if isinstance(value, Mapping) and len(value) == 1:
        # A group in place of its only number: {onDemand: 0.5}.
        yield from value.values()
    if isinstance(value, str):
        number = number_in(value, key)
    if (
        isinstance(value, str)
        and re.search(r"[0-9] ?[KMGT](?:i[Bb]?|[Bb])$", value)
        and not re.search("Gib|Bytes", key)
    ):
        number = None  # A size of memory is no number of anything else.
    if number is not None:
        # With a dot before each three digits, as much of Europe writes thousands.
        if is_integer and isinstance(value, float) and re.fullmatch(r"[0-9]+\.[0-9]{3}", str(value)):
            yield round(number * 1000)
        if setting.kind is float and isinstance(value, str) and "%" in value:
            number /= 100
        if isinstance(value, float) and key.endswith("Percent") and 0 < number <= 1:
            yield round(number * 100)
        # Shares of a whole, where whole numbers are taken.
        if isinstance(value, float) and is_integer and 0 < number < 1 and "weights" in setting.path:
            yield round(number * 100)
        # A fraction of a millisecond is meant as seconds.
        if isinstance(value, float) and key.endswith("Ms") and 0 < number != round(number):
            yield round(number * 1000)
        yield round(number) if is_integer else number
        if not is_integer:
            yield number / 100
        yield from _near_bounds(setting, number)
    if setting.example is not None:
        yield setting.example
    yield from (4, 64, 8192, 0.5)


def _near_bounds(setting: Setting, number: float) -> Iterator[object]:
    """Values inside the bounds, those of the end that was passed first."""
    low, high, above, below = (_bound(setting, kind) for kind in (Ge, Le, Gt, Lt))
    first = [low] if low is not None else [round(above * 2, 3) or 1.0] if above is not None else []
    last = [high] if high is not None else [round(below * 0.9, 3)] if below is not None else []
    is_below = (low is not None and number < low) or (above is not None and number <= above)
    # At zero of a share the lower end would be as useless as zero.
    share = below is not None and below <= 1
    yield from (*first, *last) if is_below and not share else (*last, *first)


def _as_range(value: object) -> Iterator[object]:
    text = str(value)
    if re.fullmatch(r"[0-9.]+", text):
        text += "/20"
    with suppress(ValueError):
        yield str(ip_network(text, strict=False))
    yield "10.0.0.0/20"


def _as_text(setting: Setting, value: object) -> Iterator[object]:
    # A number or a flag that YAML read in place of text keeps its spelling, in quotes.
    if isinstance(value, str):
        return text_candidates(setting, value)
    if isinstance(value, Mapping) and setting.path[-1] in ("image", "reference"):
        name = value.get("repository") or value.get("name") or value.get("image")
        return text_candidates(setting, f"{name}:{value['tag']}" if name and "tag" in value else str(name or ""))
    if isinstance(value, Mapping) and "name" in value:
        return text_candidates(setting, str(value["name"]))
    if isinstance(value, list | tuple) and value and isinstance(value[0], str):
        return text_candidates(setting, value[0])
    return text_candidates(setting, "" if value is None or isinstance(value, Mapping | list | tuple) else flow(value))


# What other documents than settings expect, by pydantic's types of errors.
_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "list": "a list",
    "dict": "keys with a value each",
    "model": "keys with a value each",
}


def problem(kind: str, context: Mapping[str, Any]) -> str:
    """One of pydantic's errors about a value, by its type and context, in plain words."""
    limits = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    for name, words in limits.items():
        if name in context:
            return f"must be {words} {plain_number(context[name])}"
    if "expected" in context:
        return f"must be {context['expected']}"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    if kind in ("too_long", "string_too_long"):
        return "is too long"
    if kind == "string_pattern_mismatch":
        return "does not have the form that the field takes"
    return f"must be {_EXPECTED.get(kind.partition('_')[0], 'another kind of value')}"


def flow(value: object) -> str:
    """A value as YAML on one line. Text that YAML would read as something else is in quotes."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, float):
        return plain_number(value)
    text = str(value)
    if isinstance(value, str) and (_READS_OTHERWISE.fullmatch(text) or text != text.strip() or not text):
        return json.dumps(text, ensure_ascii=False)
    return (
        json.dumps(text, ensure_ascii=False)
        if isinstance(value, str) and re.search(r": |[{}\[\],#&*!|>%@`]", text)
        else text
    )


_READS_OTHERWISE = re.compile(r"[-+0-9._eE]+|true|false|yes|no|on|off|null|~", re.IGNORECASE)
