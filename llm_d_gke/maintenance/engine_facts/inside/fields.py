"""What a field of one of the engine's configuration classes takes, found by giving it values of every kind."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import importlib
import json
import re
import typing
from collections.abc import Callable, Iterator
from typing import Any

# A key that no class has: its refusal keeps a class from checking fields together, and from looking for a model.
_STOP = "no_such_field"
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_BEYOND = (-(10**9), -1, 0, 10**9)
# A value of each kind, and which of them fields of a kind take.
_VALUES: tuple[Any, ...] = (True, 8, 0.5, "word", {}, [])
_FITTING: dict[tuple[bool, ...], str] = {
    (True, False, False, False, False, False): "flag",
    (True, True, False, False, False, False): "integer",
    (True, True, True, False, False, False): "number",
    (False, True, False, False, False, False): "integer",
    (False, True, True, False, False, False): "number",
    (True, False, True, False, False, False): "number",
    (False, False, True, False, False, False): "number",
    (False, False, False, True, False, False): "text",
    (False, False, False, False, True, False): "object",
    (False, False, False, True, True, False): "object or text",
    (False, False, False, False, False, True): "list",
}


def facts_of(configuration: Any, field: str) -> dict[str, Any]:
    """The kind of value that a field takes, the words that it is limited to, and the range of a number."""
    kind = _kind(configuration, field)
    facts: dict[str, Any] = {"takes": kind} if kind is not None else {"values": _words(configuration, field)}
    if kind in ("object", "object or text"):
        facts["takes"] = kind.replace("object", _object_kind(configuration, field))
    if kind == "list":
        facts["takes"] = _list_kind(lambda value: takes(configuration, field, value))
    if kind in ("integer", "number"):
        facts["range"] = _range(configuration, field, integer=kind == "integer")
    if (kind is not None or facts["values"]) and takes(configuration, field, None):
        facts["words"] = ["None"]
    return facts


def keys(configuration: Any, field: str) -> list[str]:
    """Keys of a field that holds another class, if that refuses every other key."""
    if takes(configuration, field, {"another": 1}):
        return []
    classes = [part for part in _parts(_annotation(configuration, field)) if dataclasses.is_dataclass(part)]
    return sorted(entry.name for entry in dataclasses.fields(classes[0]) if entry.init) if classes else []


def is_needed(configuration: Any, field: str) -> bool:
    with contextlib.suppress(AttributeError, KeyError):
        return bool(configuration.__pydantic_fields__[field].is_required())
    [entry] = (entry for entry in dataclasses.fields(configuration) if entry.name == field)
    return entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING


def inner_class(configuration: Any, field: str) -> Any:
    return next(part for part in _parts(_annotation(configuration, field)) if dataclasses.is_dataclass(part))


def takes(configuration: Any, field: str, value: Any) -> bool:
    return not _errors(configuration, field, value)


def _kind(configuration: Any, field: str) -> str | None:
    """None for words of a list, and for what several kinds of values fit."""
    answers = tuple(takes(configuration, field, value) for value in _VALUES)
    if not all(str(error["type"]).endswith(("_type", "_parsing")) for error in _errors(configuration, field, "word")):
        # It takes some words, or a check of its own decides.
        return None
    # A range that excludes 0.5, or 8: a number, whose errors name its bounds.
    if answers == (False,) * 6 and _bounds(configuration, field):
        return "number" if any(_is_bound(error) for error in _errors(configuration, field, 0.25)) else "integer"
    return _FITTING.get(answers)


def _list_kind(is_taken: Callable[[Any], bool]) -> str:
    """A list by its elements: whole numbers, numbers, text, lists of a fixed number of whole numbers, or anything."""
    element = _FITTING.get(tuple(is_taken([value]) for value in _VALUES))
    lengths = [length for length in range(1, 6) if is_taken([[8] * length])]
    if element in ("integer", "number", "text"):
        return f"list of {element}s"
    return f"list of lists of {lengths[0]} integers" if len(lengths) == 1 else "list"


def _object_kind(configuration: Any, field: str) -> str:
    """An object by its values. They are tried by the annotation alone: a check of the class may know each key."""
    annotation = _annotation(configuration, field)
    values = [typing.get_args(part)[1] for part in _parts(annotation) if typing.get_origin(part) is dict]
    if not values:
        return "object"
    adapter = importlib.import_module("pydantic").TypeAdapter(values[0])

    def is_taken(value: Any) -> bool:
        with contextlib.suppress(ValueError):
            adapter.validate_json(json.dumps(value))
            return True
        return False

    element = _FITTING.get(tuple(is_taken(value) for value in _VALUES))
    word, space, rest = (_list_kind(is_taken) if element == "list" else element or "").partition(" ")
    return f"object of {word}s{space}{rest}" if word else "object"


def _range(configuration: Any, field: str, *, integer: bool) -> str:
    """Bounds as `at least 0, at most 1`; those of whole numbers are the least and the largest."""
    bounds = _bounds(configuration, field)
    if integer:
        bounds = {
            {"gt": "ge", "lt": "le"}.get(name, name): number + {"gt": 1, "lt": -1}.get(name, 0)
            for name, number in bounds.items()
        }
    return ", ".join(f"{_BOUNDS[name]} {number:g}" for name, number in sorted(bounds.items()))


def _bounds(configuration: Any, field: str) -> dict[str, float]:
    return {
        name: number
        for value in _BEYOND
        for error in _errors(configuration, field, value)
        if _is_bound(error)
        for name, number in error.get("ctx", {}).items()
        if name in _BOUNDS
    }


def _is_bound(error: dict[str, Any]) -> bool:
    return str(error["type"]).startswith(("greater_than", "less_than"))


def _words(configuration: Any, field: str) -> list[str]:
    """Words that a field is limited to: those that its error lists, or names of its enumeration in any case."""
    others: tuple[Any, ...] = ("word", "WORD", "a.Word", {}, [])
    if any(takes(configuration, field, value) for value in others):
        return []
    expected = [str(error.get("ctx", {}).get("expected", "")) for error in _errors(configuration, field, "word")]
    listed = {word for text in expected for word in re.findall(r"'([^']*)'", text)}
    members = {
        name
        for part in _parts(_annotation(configuration, field))
        if isinstance(part, type) and issubclass(part, enum.Enum)
        for name in (*part.__members__, "AUTO")
    }
    named = {
        name for name in members if takes(configuration, field, name) and takes(configuration, field, name.lower())
    }
    numbers = {str(number) for number in range(10) if takes(configuration, field, number)}
    return sorted({word for word in listed if takes(configuration, field, word)} | named | numbers)


def _errors(configuration: Any, field: str, value: Any) -> list[dict[str, Any]]:
    """The errors about this field alone. What a check of its own raises otherwise ends the engine as well."""
    pydantic = importlib.import_module("pydantic")
    document = json.dumps({field: value, _STOP: 0})
    try:
        pydantic.TypeAdapter(configuration).validate_json(document)
    except pydantic.ValidationError as error:
        return [entry for entry in error.errors() if entry["loc"] and entry["loc"][0] == field]
    except Exception:
        return [{"type": "raised", "loc": (field,)}]
    return []


def _annotation(configuration: Any, field: str) -> Any:
    with contextlib.suppress(AttributeError, KeyError):
        return configuration.__pydantic_fields__[field].annotation
    return next(entry.type for entry in dataclasses.fields(configuration) if entry.name == field)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in typing.get_args(annotation):
        yield from _parts(part)
