"""Values of options that `vllm serve` of a version would refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from llm_d_gke.catalog.engine_tables import EngineFacts, facts_of
from llm_d_gke.planning.engine_support.object_values import (
    INTEGER,
    NUMBER,
    example_of,
    fits,
    is_choice,
    not_a_choice,
    of_another_kind,
    outside_range,
    wrong_in_object,
    wrong_part,
)
from llm_d_gke.planning.engine_support.options import (
    LEVEL,
    LEVEL_ALONE,
    OPTIMIZATION,
    WITH_UNIT,
    full_option,
    long_form,
    with_plain_numbers,
)
from llm_d_gke.quantities import token_count


@dataclass(frozen=True)
class WrongValue:
    """An argument that the parser refuses: its position, its option (empty for none), why, and what to write."""

    position: int
    option: str
    reason: str
    fix: str


_NO_NUMBER = re.compile(r"[-+]?(inf|nan)")
# Numbers with units inside of JSON, which 0.19.1 does not read.
_UNITS_IN_JSON = (0, 20)

# Options that the server ends on without another one (validate_parsed_serve_args, 0.11.2 to 0.30.0), and those that it
# takes from zero on.
_NEEDS = {"--enable-log-outputs": "--enable-log-requests"}
_LEVELS = ("0", "1", "2", "3")  # of --optimization-level
# Options whose word vLLM takes in capitals too (validators of its classes, 0.17.1 to 0.32.0).
_LOWERED = ("--tokenizer-mode", "--load-format")
_NOT_NEGATIVE = ("--sse-keep-alive-interval",)
# Options of MultiModalConfig, which a model of text alone does not get: their ranges and keys are not checked for it.
_OF_MEDIA = ("--mm-", "--video-pruning-rate", "--limit-mm-per-prompt.")
_NAMED_BY_MEDIA = "--mm-encoder-attn-backend"  # words of that class, not of the parser


def wrong_values(
    version: str, arguments: Sequence[str], *, text_alone: bool = False, closed: bool = True
) -> list[WrongValue]:
    """Words without an option, options without their value, and values of another type or out of their range.

    A version between two tables is judged by what is wrong by both of them. Without `closed`, words and keys that no
    table lists are not judged: a later version may have them.
    """
    tables = [_without_media(facts) for facts in facts_of(version)] if text_alone else list(facts_of(version))
    if not closed:
        tables = [facts.model_copy(update={"option_values": {}, "option_keys": {}}) for facts in tables]
    if not all(facts.option_takes for facts in tables):
        return []
    problems, *further = [_wrong_by(facts, arguments) for facts in tables] or [[]]
    in_all = [{(wrong.position, wrong.option) for wrong in others} for others in further]
    return [wrong for wrong in problems if all((wrong.position, wrong.option) in others for others in in_all)]


def _without_media(facts: EngineFacts) -> EngineFacts:
    ranges = {
        bounds: [name for name in names if not name.startswith(_OF_MEDIA)]
        for bounds, names in facts.option_ranges.items()
    }
    keys = {name: keys for name, keys in facts.option_keys.items() if not name.startswith(_OF_MEDIA)}
    values = {name: words for name, words in facts.option_values.items() if name != _NAMED_BY_MEDIA}
    return facts.model_copy(update={"option_ranges": ranges, "option_keys": keys, "option_values": values})


def _wrong_by(facts: EngineFacts, arguments: Sequence[str]) -> list[WrongValue]:
    problems: list[WrongValue] = []
    position = 0
    while position < len(arguments):
        consumed, wrong = _check_option(facts, arguments, position)
        problems += wrong
        position += 1 + consumed
    return [*problems, *_without_needed(facts, arguments), *_without_keys(facts, arguments)]


def _without_needed(facts: EngineFacts, arguments: Sequence[str]) -> list[WrongValue]:
    """Options whose other option is missing."""
    names = [text.partition("=")[0].replace("_", "-") for text in arguments]
    return [
        WrongValue(position, name, f"{name} needs {_NEEDS[name]} beside it", f"add {_NEEDS[name]}")
        for position, name in enumerate(names)
        if name in _NEEDS and name in facts.options and _NEEDS[name] not in names
    ]


def _without_keys(facts: EngineFacts, arguments: Sequence[str]) -> list[WrongValue]:
    """Objects that are given by single keys, without one that has no default."""
    names = [long_form(text.partition("=")[0]) for text in arguments]
    problems = []
    for option, keys in facts.option_needs.items():
        places = [position for position, name in enumerate(names) if name.startswith(f"{option}.")]
        missing = [key for key in keys if long_form(f"{option}.{key}") not in names]
        if places and missing and option not in names:
            fix = f"add {option}.{missing[0]}"
            problems.append(WrongValue(places[0], option, f"{option} needs {missing[0]}", fix))
    return problems


def repeated(arguments: Sequence[str]) -> list[tuple[int, str]]:
    """Position and name of every option that stands before already."""
    seen: set[str] = set()
    repetitions = []
    for position, text in enumerate(arguments):
        name = text.partition("=")[0].replace("_", "-")
        if _is_option(text) and "." not in name:
            if name in seen:
                repetitions.append((position, name))
            seen.add(name)
    return repetitions


_LONG_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212"


def _is_option(text: str) -> bool:
    return re.match(r"--?[A-Za-z]", text) is not None


def _check_option(facts: EngineFacts, arguments: Sequence[str], position: int) -> tuple[int, list[WrongValue]]:
    """The number of words that follow an option as its values, and the invalid ones."""
    text = arguments[position]
    following: list[str] = []
    for word in arguments[position + 1 :]:
        if _is_option(word):
            break
        following.append(word)
    if not _is_option(text):
        # A dash of a word processor is none of the keyboard.
        word, equals, value = text.lstrip(_LONG_DASHES).partition("=")
        dashed = f"--{word.replace('_', '-')}"
        is_option = dashed in facts.options
        fix = f"write {dashed}{equals}{value}" if is_option else "write the option in front of it, or remove it"
        return len(following) if is_option else 0, [
            WrongValue(position, "", "the word stands behind no option, and the parser takes it for a model", fix)
        ]
    if text == LEVEL_ALONE and OPTIMIZATION in facts.options and following[:1] and following[0] not in _LEVELS:
        return len(following), [WrongValue(position, text, f"-O takes {', '.join(_LEVELS)}", "use -O2")]
    text = LEVEL.sub(f"{OPTIMIZATION}=", text) if OPTIMIZATION in facts.options else text
    written, equals, value = text.partition("=")
    name = full_option(facts.options, written.replace("_", "-"))
    if name is None and "." in written:
        part = wrong_part(facts, written, value if equals else next(iter(following), None))
        return len(following), [] if part is None else [WrongValue(position, part[0], *part[1])]
    if name is None:
        return len(following), []
    kind = next((kind for kind, names in facts.option_takes.items() if name in names), "text")
    if name.startswith("--no-"):
        kind = "nothing"
    if kind == "nothing":
        return _without_value(facts, position, name, value if equals else None, following)
    if kind == "perhaps":
        return (0 if equals else min(1, len(following))), []
    if kind.startswith(("several", "one or more")) and (equals or following or kind.startswith("several")):
        words = [(position, value)] if equals else list(enumerate(following, position + 1))
        element = "integer" if kind.endswith("integers") else "text"
        wrong_words = [(place, _problem_of_value(facts, name, element, word)) for place, word in words]
        return (0 if equals else len(following)), [
            WrongValue(place, name, *reason) for place, reason in wrong_words if reason is not None
        ]
    if not equals and not following:
        example = (facts.option_values.get(name) or [example_of(kind)])[0]
        fix = f'write its value as the next element, for example "{example}"'
        return 0, [WrongValue(position, name, f"{name} takes a value, and none follows", fix)]
    option_value, place = (value, position) if equals else (following[0], position + 1)
    wrong = _problem_of_value(facts, name, kind, option_value)
    return (0 if equals else 1), [WrongValue(place, name, *wrong)] if wrong is not None else []


def _without_value(
    facts: EngineFacts, position: int, name: str, value: str | None, following: Sequence[str]
) -> tuple[int, list[WrongValue]]:
    word = value if value is not None else following[0] if following else None
    if word is None:
        return 0, []
    negation = name.replace("--", "--no-", 1)
    off = word.lower() in ("false", "0", "off", "no")
    fix = (
        f"use {negation}"
        if off and negation in facts.options
        else "remove the option"
        if off
        else f"write {name} alone"
    )
    place = position if value is not None else position + 1
    return (0 if value is not None else 1), [WrongValue(place, name, f"{name} is a switch and takes no value", fix)]


def _problem_of_value(facts: EngineFacts, name: str, kind: str, value: str) -> tuple[str, str] | None:
    choices = facts.option_values.get(name, ())
    if choices and not is_choice(choices, value.lower() if name in _LOWERED else value):
        return not_a_choice(name, choices, value)
    if name in facts.option_words.get(value, ()) and not _NO_NUMBER.fullmatch(value):
        return None
    takes = {
        "integer": lambda: INTEGER.fullmatch(value) is not None or _takes_unit(facts, name, value),
        "number": lambda: (NUMBER.fullmatch(value) or _NO_NUMBER.fullmatch(value)) is not None,
        "json": lambda: _is_json(value),
        "json or text": lambda: not value.lstrip().startswith(("{", "[")) or _is_json(value),
    }
    if kind.startswith("object") and not (kind.endswith(" or text") and not value.lstrip().startswith("{")):
        text = _object_text(facts, value)
        if not _is_object(text) or not fits(kind, json.loads(text)):
            return of_another_kind(name, kind, value)
        return wrong_in_object(facts, name, json.loads(text))
    if name in _NOT_NEGATIVE and INTEGER.fullmatch(value) and value.startswith("-"):
        return f"{name} takes 0 or more", "use 0 to turn it off"
    if kind in takes and not takes[kind]():
        return of_another_kind(name, kind, value)
    if kind == "json" and _is_object(_object_text(facts, value)):
        return wrong_in_object(facts, name, json.loads(_object_text(facts, value)))
    if kind in ("integer", "number"):
        return outside_range(facts, name, token_count(value) if WITH_UNIT.fullmatch(value) else float(value))
    return None


def _object_text(facts: EngineFacts, value: str) -> str:
    """An object's JSON as the parser of this version reads it."""
    return with_plain_numbers(value) if facts.number >= _UNITS_IN_JSON else value


def _takes_unit(facts: EngineFacts, name: str, value: str) -> bool:
    return name in facts.option_words.get("8k", ()) and WITH_UNIT.fullmatch(value) is not None


def _is_object(text: str) -> bool:
    return text.lstrip().startswith("{") and _is_json(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
