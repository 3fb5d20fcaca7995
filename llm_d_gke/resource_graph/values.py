"""Property values: plain Python, with objects for what a plain value cannot express.

A test can tell a secret from a string and an unknown from a value. `llm_d_gke.resource_graph.wire` has the wire form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias

Value: TypeAlias = Any
"""None, bool, int, float, str, list and dict (string keys) of values, Secret, UNKNOWN, Asset or Reference."""


@dataclass(frozen=True)
class Secret:
    """A secret property. It prints as `[secret]`; `value` holds what the program gave, possibly UNKNOWN."""

    value: Value = field(repr=False)

    def __str__(self) -> str:
        return "[secret]"

    __repr__ = __str__


class Unknown(Enum):
    """A property that only a real deployment can know. One member, so that `is UNKNOWN` survives pickling."""

    UNKNOWN = "[unknown]"

    def __str__(self) -> str:
        return "[unknown]"

    __repr__ = __str__


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True)
class Asset:
    """A file or archive given as a property; `content` is its wire form without the signature (`text`, `path`, ...)."""

    content: dict[str, Value]


@dataclass(frozen=True)
class Reference:
    """A whole resource given as a property."""

    urn: str
    id: Value = None


def contains_unknown(value: Value) -> bool:
    """Whether an unknown is anywhere in a value, also inside a secret."""
    if value is UNKNOWN:
        return True
    if isinstance(value, Secret):
        return contains_unknown(value.value)
    if isinstance(value, Mapping):
        return any(contains_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(contains_unknown(item) for item in value)
    return False


def jsonable(value: Value) -> Value:
    """A value for JSON or YAML: `[secret]` and `[unknown]` as text, nothing secret behind them."""
    if isinstance(value, Secret | Unknown):
        return str(value)
    if isinstance(value, Asset):
        return jsonable(value.content)
    if isinstance(value, Reference):
        return {"urn": value.urn, "id": jsonable(value.id)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return value
