"""Values inside of the JSON objects that options of `vllm serve` take, and ranges of numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llm_d_gke.catalog.engine_tables import EngineFacts
from llm_d_gke.planning.engine_support.options import WITH_UNIT, full_option, long_form
from llm_d_gke.planning.suggest import nearest
from llm_d_gke.quantities import token_count

Problem = tuple[str, str]  # why a value is refused, and what to write

# What pydantic takes for a value of each kind in JSON.
_FLAGS = ("0", "1", "0.0", "1.0", "true", "false", "on", "off", "yes", "no", "t", "f", "y", "n")
# As Python and pydantic read numbers in texts: underscores between digits.
INTEGER = re.compile(r"[-+]?[0-9]+(_[0-9]+)*")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WHOLE = re.compile(INTEGER.pattern + r"(\.0*)?")
# A list or an object of anything, or of one kind: `list of integers`, `object of lists of 3 integers`.
_HOLDER = re.compile(r"(?P<holder>list|object)( of ((?P<length>\d+) )?(?P<word>[a-z]+)s(?P<rest>.*))?")
# As --limit-mm-per-prompt took it before it took JSON: `image=4,video=1`.
_PAIRS = re.compile(r"\w+=[^,={}]+(,\w+=[^,={}]+)*")
# Kinds of values in messages, each with an example.
_KINDS = {
    "flag": ("true or false", "true"),
    "integer": ("a whole number", "8"),
    "number": ("a number", "0.5"),
    "text": ("a text", "word"),
    "json": ("JSON", '{"key": "value"}'),
    "json or text": ("JSON", '{"key": "value"}'),
    "object": ("a JSON object", '{"key": "value"}'),
    "object of objects": ("a JSON object whose values are objects", '{"video": {"num_frames": 8}}'),
    "object of texts": ("a JSON object whose values are texts", '{"key": "word"}'),
    "object of lists of numbers": ("a JSON object whose values are lists of numbers", '{"key": [0.5, 1.0]}'),
    "object of texts or text": ("a text, or a JSON object whose values are texts", '{"key": "word"}'),
    "integer or object": ("a whole number or a JSON object", "8"),
    "list": ("a list", "[]"),
    "list of integers": ("a list of whole numbers", "[1, 2, 4]"),
    "list of numbers": ("a list of numbers", "[0.5, 1.0]"),
    "list of texts": ("a list of texts", '["name"]'),
    "list of lists of 3 integers": ("a list of lists of three whole numbers", "[[1, 8, 4]]"),
}


def of_another_kind(name: str, kind: str, text: str = "") -> Problem:
    title, example = _KINDS[kind]
    if "JSON" in title and _PAIRS.fullmatch(text):
        pairs = [pair.split("=") for pair in text.split(",")]
        return f"{name} takes {title}", f"use '{json.dumps({key: _value_of(value) for key, value in pairs})}'"
    return f"{name} takes {title}", f"use {title}, for example '{example}'"


def example_of(kind: str) -> str:
    return _KINDS[kind][1] if kind in _KINDS else "value"


def wrong_in_object(
    facts: EngineFacts, name: str, document: Mapping[str, Any], *, whole: bool = True
) -> Problem | None:
    """The first key or value of an option's object that the engine's configuration refuses, or the first it lacks."""
    keys = facts.option_keys.get(name)
    for key in facts.option_needs.get(name, ()) if whole else ():
        if key not in document:
            return f"{name} needs {key}", f"add {key}"
    for key, value in document.items():
        if keys is not None and key not in keys:
            close = nearest(key, keys)
            fix = f"use {close}" if close else f"use keys that it has: {', '.join(keys[:8])}"
            return f"{name} has no {key}", fix
        problem = _wrong_inner(facts, f"{name}.{key}", value, whole=whole)
        if problem is not None:
            return problem
    return None


def wrong_part(facts: EngineFacts, written: str, text: str | None) -> tuple[str, Problem] | None:
    """What is wrong with `--option.key value`, the other form of an object's key, and the option that it is of."""
    option, *keys = written.removesuffix("+").split(".")
    name = full_option(facts.options, long_form(option))
    if name is None or not keys:
        return None
    if text is None:
        return name, (f"{written} takes a value, and none follows", "write its value as the next element")
    document: Any = _value_of(text) if not written.endswith("+") else text.split(",")
    for key in reversed(keys):
        document = {key: document}
    problem = wrong_in_object(facts, name, document, whole=False)
    return None if problem is None else (name, problem)


def outside_range(facts: EngineFacts, name: str, number: float) -> Problem | None:
    bounds = next((bounds for bounds, names in facts.option_ranges.items() if name in names), "")
    for bound in filter(None, bounds.split(", ")):
        words, _, limit = bound.rpartition(" ")
        if not _WITHIN[words](number, float(limit)):
            return f"{name} takes numbers {bounds.replace(', ', ' and ')}", f"use a number {bound}"
    return None


_WITHIN = {
    "at least": lambda number, limit: number >= limit,
    "above": lambda number, limit: number > limit,
    "at most": lambda number, limit: number <= limit,
    "below": lambda number, limit: number < limit,
}


def _value_of(text: str | None) -> Any:
    """As vLLM's parser reads the value of one key: JSON, a number with a unit, or text."""
    try:
        return json.loads(text or "")
    except ValueError:
        return token_count(text) if text is not None and WITH_UNIT.fullmatch(text) else text


def is_choice(choices: Sequence[str], word: str) -> bool:
    """Whether a word is one of a list. Names of enumerations, which are in capitals, are found in any case."""
    capitals = all(choice.isupper() or choice.isdigit() for choice in choices)
    return word in choices or (capitals and word.upper() in choices)


def not_a_choice(name: str, choices: Sequence[str], word: str) -> Problem:
    return f"{name} takes {', '.join(filter(None, choices))}", f"use {nearest(word, choices) or choices[0]}"


def _wrong_inner(facts: EngineFacts, name: str, value: Any, *, whole: bool) -> Problem | None:
    choices = facts.option_values.get(name, ())
    kind = next((kind for kind, names in facts.option_takes.items() if name in names), None)
    if value is None:
        refused = (kind or choices) and name not in facts.option_words.get("None", ())
        return (f"{name} takes no null", "remove the key") if refused else None
    if isinstance(value, str) and value.isdecimal() and value in choices:
        return f"{name} takes the number {value}, and this is a text", "write the number without quotes"
    if choices:
        return None if is_choice(choices, str(value)) else not_a_choice(name, choices, str(value))
    if kind is not None and not fits(kind, value):
        return of_another_kind(name, kind)
    if isinstance(value, dict):
        return wrong_in_object(facts, name, value, whole=whole)
    if not (kind or "").startswith(("integer", "number")):
        return None
    return outside_range(facts, name, float(value) if isinstance(value, str) else value)


def fits(kind: str, value: Any) -> bool:
    """Whether a value out of JSON is of a kind of the tables."""
    match kind:
        case "flag":
            return not isinstance(value, dict | list) and str(value).lower() in _FLAGS
        case "integer":
            return isinstance(value, int) or _WHOLE.fullmatch(str(value).strip()) is not None
        case "number":
            return isinstance(value, int | float) or NUMBER.fullmatch(str(value).strip()) is not None
        case "text":
            return isinstance(value, str)
    if " or " in kind:
        return any(fits(part, value) for part in kind.split(" or "))
    holder = _HOLDER.fullmatch(kind)
    if holder is None:
        return True
    if not isinstance(value, dict if holder["holder"] == "object" else list):
        return False
    if holder["length"] is not None and len(value) != int(holder["length"]):
        return False
    element = f"{holder['word']}{holder['rest']}"
    return holder["word"] is None or all(
        fits(element, part) for part in (value.values() if isinstance(value, dict) else value)
    )
